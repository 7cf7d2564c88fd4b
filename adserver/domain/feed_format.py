"""What kind of feed a file holds is found in its content, never in its name."""

import re
from collections.abc import Iterator
from typing import IO

from adserver.domain.catalogue import FeedFormat
from adserver.domain.feed_csv import read_csv
from adserver.domain.feed_file import (
    CHUNK_BYTES,
    FeedError,
    FeedLimits,
    FeedRefusal,
    Row,
    plain_chunks,
)
from adserver.domain.feed_json import read_json_lines
from adserver.domain.feed_xml import read_xml
from adserver.domain.inflate import GZIP_MAGIC

_ARCHIVES = {
    GZIP_MAGIC: "compressed twice",
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"PK\x05\x06": "an empty zip archive",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF document",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"(\xb5/\xfd": "a Zstandard archive",
}
# Possessive and atomic, as in feed_xml: many comments are gone through once.
_WEB_PAGE = re.compile(
    r"\s*+(?:(?><\?.*?\?>)\s*+|(?><!--.*?-->)\s*+)*+<(?:!doctype\s+html|html)\b", re.DOTALL | re.IGNORECASE
)
_UTF16 = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


def read_rows(file: IO[bytes], limits: FeedLimits) -> tuple[FeedFormat, Iterator[Row]]:
    """What the file is, and each row of it in turn; FeedError where it cannot go on.

    It may still turn out at the end that the file is broken: act on nothing before. `file` is read again
    from its beginning where a format explains at its end what it names at its beginning.
    """
    chunks = plain_chunks(file, limits)
    head = _head(chunks)
    if not head.strip(b"\xef\xbb\xbf\xfe\xff \t\r\n\0"):
        raise FeedError(FeedRefusal.EMPTY, "there is nothing in it")
    for magic, name in _ARCHIVES.items():
        if head.startswith(magic):
            raise FeedError(FeedRefusal.ARCHIVE, f"it is {name}")
    text = _opening(head)
    if text.startswith("<"):
        if _WEB_PAGE.match(text):
            raise FeedError(FeedRefusal.WEB_PAGE, "it is a web page", 1)
        return read_xml(head, chunks, limits, lambda: _again(file, limits))
    if text.startswith("{"):
        return read_json_lines(head, chunks, limits)
    if text.startswith("["):
        detail = "a JSON list; put one product on each line, without brackets or commas between"
        raise FeedError(FeedRefusal.NOT_A_PRODUCT_FEED, detail, 1)
    return read_csv(head, chunks, limits)


def _opening(head: bytes) -> str:
    """What it begins with; of letters beyond ASCII nothing is asked yet."""
    encoding = _UTF16.get(head[:2], "latin-1")
    text = (
        head[: len(head) & ~1].decode(encoding, "replace") if encoding != "latin-1" else head.decode(encoding)
    )
    return text.lstrip("\ufeff\u00ef\u00bb\u00bf \t\r\n")


def _head(chunks: Iterator[bytes]) -> bytes:
    """Enough of the file to know it by; a decompressed piece may be a few bytes."""
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) >= CHUNK_BYTES:
            break
    return head


def _again(file: IO[bytes], limits: FeedLimits) -> Iterator[bytes]:
    """The whole file once more, then back to where the first reading stood."""
    place = file.tell()
    file.seek(0)
    yield from plain_chunks(file, limits)
    file.seek(place)
