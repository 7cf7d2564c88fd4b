"""What every kind of feed has in common: its bytes, its limits, its rows, and why a whole feed is refused."""

import codecs
import re
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import IO

import msgspec

from adserver.domain.feed import Note, Rejection
from adserver.domain.inflate import GZIP_MAGIC, InflateError, Inflater

CHUNK_BYTES = 1 << 16


class FeedRefusal(StrEnum):
    """Why a whole feed is refused; what was live before stays live."""

    NOT_WELL_FORMED = "not_well_formed"
    DTD_FORBIDDEN = "dtd_forbidden"
    NOT_A_PRODUCT_FEED = "not_a_product_feed"
    WEB_PAGE = "web_page"
    ARCHIVE = "archive"
    UNKNOWN_ENCODING = "unknown_encoding"
    COLUMN_MISSING = "column_missing"
    CURRENCY_NEEDED = "currency_needed"
    LINK_NEEDED = "link_needed"
    TOO_LARGE = "too_large"
    EMPTY = "empty"
    SHRANK_BY_HALF = "shrank_by_half"
    NOT_FETCHED = "not_fetched"
    UNRECORDED = "unrecorded"


class FeedError(Exception):
    """A feed that is refused as a whole, with the line where reading ended if there is one."""

    def __init__(self, refusal: FeedRefusal, detail: str, line: int | None = None) -> None:
        self.refusal = refusal
        self.detail = detail
        self.line = line
        where = "" if line is None else f" at line {line}"
        super().__init__(f"{refusal}{where}: {detail}"[:300])


class FeedLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How large a feed may be; sizes are of plain bytes, after decompression."""

    rows: int = 1_000_000
    most_bytes: int = 4 << 30
    row_bytes: int = 2 << 20


class Row(msgspec.Struct, frozen=True):
    """A product as the feed has it: Google's fields as text, and the line it begins on.

    `rejection` says that the format itself tells why this is nothing to advertise.
    """

    line: int
    fields: dict[str, str]
    language: str | None
    bytes_read: int
    rejection: Rejection | None = None
    notes: tuple[Note, ...] = ()


def plain_chunks(file: IO[bytes], limits: FeedLimits) -> Iterator[bytes]:
    """The file in chunks, decompressed if it begins as gzip does."""
    total_bytes = 0
    try:
        for chunk in _inflated(file):
            total_bytes += len(chunk)
            if total_bytes > limits.most_bytes:
                raise FeedError(FeedRefusal.TOO_LARGE, f"more than {limits.most_bytes} bytes")
            yield chunk
    except InflateError as error:
        refusal = FeedRefusal.TOO_LARGE if error.is_bomb else FeedRefusal.NOT_WELL_FORMED
        raise FeedError(refusal, str(error)) from error


def _inflated(file: IO[bytes]) -> Iterator[bytes]:
    chunk = file.read(CHUNK_BYTES)
    inflater = Inflater() if chunk.startswith(GZIP_MAGIC) else None
    while chunk:
        if inflater is None:
            yield chunk
        else:
            yield from inflater.feed(chunk)
        chunk = file.read(CHUNK_BYTES)
    if inflater is not None:
        inflater.finish()


# ---- text: which letters the bytes are, and its lines --------------------------------------------

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LEAST_RUSSIAN_SHARE = 0.2  # the four vowels are a third of Russian's letters; their bytes a tenth of Greek's
_RUSSIAN_VOWELS = b"\xee\xe5\xe0\xe8\xce\xc5\xc0\xc8"
_CENTRAL = (
    b"\x8a\x8d\x8e\x8f\x9a\x9d\x9e\x9f\xa3\xa5\xb3\xb9\xbe\xec\xcc\xf5\xf9\xd9\xd8\xf8"  # š ž ť ł ą ě ő ů ř
)
# In windows-1252 these are signs such as ³ and ¿, which do not stand within words: ł ż ą ź ľ ť do.
# And Kč would be Kè, Černá Èerná.
_CENTRAL_WITHIN_WORDS = re.compile(
    rb"(?<=[a-z\xc0-\xff])(?:[\x9d\x9f\xb9\xbe\xbf]|\xb3(?=[a-z\xc0-\xff]))|\bK\xe8(?![a-z])|\xc8(?=[a-z])"
)
_WESTERN = b"\xe0\xc0\xf1\xd1\xe3\xe5\xc5\xe6\xbf\xa1\xea\xee\xfb"  # à ñ ã å æ ¿ ¡ ê î û
_UTF8_LETTER = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[\xc2-\xf4][\x80-\xbf]{0,2}\Z"
)
_LEAST_WORDS = 2  # fewer may be damage
_WORDS_BEYOND_ASCII = re.compile(rb"(?<![A-Za-z\x80-\xff])[\x80-\xff]{2,}(?![A-Za-z\x80-\xff])")


class TextDecoder:
    """Bytes become text: by their mark, as UTF-8, or in the Windows code page that the letters speak for.

    A shop's old software writes windows-1250, 1251 or 1252 and does not say so.
    """

    def __init__(self, head: bytes) -> None:
        self._decoder = _marked_decoder(head)

    def text(self, chunk: bytes, final: bool = False) -> str:
        """The letters of the next bytes; a letter that is cut in two comes with the next."""
        if self._decoder is None:
            if chunk.isascii():
                return chunk.decode("ascii")
            self._decoder = codecs.getincrementaldecoder(_code_page_of(chunk))("replace")
        return self._decoder.decode(chunk, final)


def _marked_decoder(head: bytes) -> codecs.IncrementalDecoder | None:
    if head.startswith(codecs.BOM_UTF8):
        return codecs.getincrementaldecoder("utf-8-sig")("replace")
    if head.startswith(_UTF16_MARKS):
        return codecs.getincrementaldecoder("utf-16")("replace")
    if head[1:2] == b"\0" and head[:1] != b"\0":  # Excel's "Unicode text" after somebody took the mark away
        return codecs.getincrementaldecoder("utf-16-le")("replace")
    if head[:1] == b"\0" and head[1:2] != b"\0":
        return codecs.getincrementaldecoder("utf-16-be")("replace")
    return None


def _code_page_of(chunk: bytes) -> str:
    """The encoding of the first piece of text that is more than ASCII."""
    counts = Counter(chunk)
    letters = sum(counts[byte] for byte in range(0x80, 0x100))
    # A letter may be damaged, or cut off at the end: what most of them are decides.
    if 2 * sum(map(len, _UTF8_LETTER.findall(chunk))) > letters:
        return "utf-8"
    words = _WORDS_BEYOND_ASCII.findall(chunk)
    if 2 * sum(map(len, words)) > letters:
        if sum(counts[byte] for byte in _RUSSIAN_VOWELS) >= _LEAST_RUSSIAN_SHARE * letters:
            return "cp1251"
        if len(words) >= _LEAST_WORDS:
            detail = "its letters are neither UTF-8 nor windows-1250, 1251 or 1252"
            raise FeedError(FeedRefusal.UNKNOWN_ENCODING, detail)
    central = sum(counts[byte] for byte in _CENTRAL) + 2 * len(_CENTRAL_WITHIN_WORDS.findall(chunk))
    return "cp1250" if central > sum(counts[byte] for byte in _WESTERN) else "cp1252"


def text_lines(head: bytes, chunks: Iterator[bytes], most_characters: int) -> Iterator[tuple[str, int]]:
    """Each line with its end, and how many bytes were read by then; a line without end is refused."""
    decoder = TextDecoder(head)
    rest, bytes_read, line = "", 0, 0
    end = ""
    for chunk in _with_end(head, chunks):
        text = rest + decoder.text(chunk, final=not chunk)
        bytes_read += len(chunk)
        end = end or _line_end(text)
        *lines, rest = text.split(end) if end else [text]
        for one in lines:
            line += 1
            yield one + "\n", bytes_read
        if len(rest) > most_characters:
            detail = f"more than {most_characters} characters without the end of a line"
            raise FeedError(FeedRefusal.TOO_LARGE, detail, line + 1)
    if rest:
        yield rest, bytes_read


def _with_end(head: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from chunks
    yield b""


def _line_end(text: str) -> str:
    """`\\n`, or `\\r` where nothing else ends lines (as on old Macs); empty while there is neither."""
    if "\n" in text:
        return "\n"
    return "\r" if "\r" in text[:-1] else ""
