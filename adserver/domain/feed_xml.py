"""A Google Merchant feed (RSS 2.0 or Atom) becomes rows of text fields, never more than one in memory."""

import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from itertools import chain
from typing import IO, Any

import msgspec
from lxml import etree

from adserver.domain.inflate import GZIP_MAGIC, InflateError, Inflater

FIELDS = frozenset(
    """
    id title link description image_link availability price sale_price sale_price_effective_date brand
    product_type google_product_category item_group_id mpn condition
    """.split()
)

_CHUNK_BYTES = 1 << 16
_GOOGLE = re.compile(r"https?://base\.google\.com/ns/1\.0/?")
_ATOM = "http://www.w3.org/2005/Atom"
_ATOM_NAMES = {"summary": "description", "content": "description"}
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_ROWS_STAND_IN = {"item": ("channel", "rss"), "entry": ("feed",)}
_LAST_EXACT_LINE = 65_534  # libxml2 keeps the line of an element in 16 bits
# Possessive and atomic throughout: a file that begins with many comments must not make it try them all again.
_DOCTYPE = re.compile(rb"\s*+(?:(?><\?.*?\?>)\s*+|(?><!--.*?-->)\s*+)*+<!DOCTYPE", re.DOTALL)


class FeedRefusal(StrEnum):
    """Why a whole feed is refused; what was live before stays live."""

    NOT_WELL_FORMED = "not_well_formed"
    DTD_FORBIDDEN = "dtd_forbidden"
    NOT_A_PRODUCT_FEED = "not_a_product_feed"
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
    row_bytes: int = 1 << 20


class Row(msgspec.Struct, frozen=True):
    """An item or entry: its known fields as text, and the line it begins on."""

    line: int
    fields: dict[str, str]
    language: str | None
    bytes_read: int


def read_rows(file: IO[bytes], limits: FeedLimits) -> Iterator[Row]:
    """Each row of a feed in turn; FeedError where it cannot go on, so act on nothing before the end."""
    chunks = _plain_chunks(file, limits)
    head = next(chunks, b"")
    try:
        _check_head(head)
    except FeedError as refused:
        raise _told_fully(refused, head, chunks, limits) from refused
    reading = _Reading(limits)
    yield from reading.rows(head)
    for chunk in chunks:
        yield from reading.rows(chunk)
    yield from reading.finish()


class _Reading:
    """The parser's state between two chunks of a feed."""

    def __init__(self, limits: FeedLimits) -> None:
        self._limits = limits
        self._parser = _parser(("end",), [f"{{*}}{name}" for name in _ROWS_STAND_IN])
        self._bytes_read = 0
        self._bytes_since_row = 0
        self._row_count = 0
        self._line = 1
        self._language: str | None = None

    def rows(self, chunk: bytes) -> Iterator[Row]:
        """The rows that end within `chunk`."""
        self._bytes_read += len(chunk)
        self._bytes_since_row += len(chunk)
        _reported(self._parser, lambda: self._parser.feed(chunk))
        yield from self._ended_rows()
        # Without this, a row without end would be gathered in memory until the whole feed is too large.
        if self._bytes_since_row > self._limits.row_bytes + _CHUNK_BYTES:
            detail = f"more than {self._limits.row_bytes} bytes without the end of a product"
            raise FeedError(FeedRefusal.TOO_LARGE, detail, self._line)

    def finish(self) -> Iterator[Row]:
        """The rows that are left, once the document is known to be complete."""
        _reported(self._parser, self._parser.close)
        yield from self._ended_rows()
        if not self._row_count:
            raise FeedError(FeedRefusal.EMPTY, "there is no <item> or <entry> in it")

    def _ended_rows(self) -> Iterator[Row]:
        for _, element in self._parser.read_events():
            parent = element.getparent()
            if parent is None or _local_name(parent) not in _ROWS_STAND_IN[_local_name(element)]:
                continue
            self._count_row(element)
            if self._row_count == 1:
                self._language = _language_of(element)
            language = element.get(_LANGUAGE) or self._language
            yield Row(self._line, _fields_of(element), language, self._bytes_read)
            _forget(element)

    def _count_row(self, element: Any) -> None:
        self._row_count += 1
        self._bytes_since_row = 0
        self._line = _line_of(element)
        if self._row_count > self._limits.rows:
            detail = f"more than {self._limits.rows} products"
            raise FeedError(FeedRefusal.TOO_LARGE, detail, self._line)


# ---- one row -------------------------------------------------------------------------------------


def _fields_of(element: Any) -> dict[str, str]:
    """The row's own fields, Google's before the plain ones of RSS and Atom; of repeated ones the first."""
    google: dict[str, str] = {}
    plain: dict[str, str] = {}
    for child in element:
        namespace, _, name = child.tag.rpartition("}")
        namespace = namespace[1:]
        if namespace in ("", _ATOM):
            found, name = plain, _ATOM_NAMES.get(name, name)
        elif _GOOGLE.fullmatch(namespace):
            found = google
        else:
            continue
        if name in FIELDS and name not in found:
            text = _text_of(child, name)
            if text:
                found[name] = text
    return plain | google


def _text_of(child: Any, name: str) -> str:
    text = "".join(child.itertext()).strip()
    if name == "link" and not text and child.get("rel", "alternate") == "alternate":
        return str(child.get("href", "")).strip()  # Atom's way
    return text


def _language_of(first_row: Any) -> str | None:
    """What the feed says about its language: `xml:lang` on or above its rows, or RSS's <language>."""
    channel = first_row.getparent()
    for element in (channel, channel.getparent()):
        if element is not None and element.get(_LANGUAGE):
            return str(element.get(_LANGUAGE))
    text = channel.findtext("language")
    return str(text).strip() if text else None


def _line_of(element: Any) -> int:
    line = int(element.sourceline or 0)
    if line > _LAST_EXACT_LINE:
        # It is the line on which the element's first text ends.
        line -= (element.text or "").count("\n")
    return line


def _forget(element: Any) -> None:
    """Free a row and all that stands before it; only so does a stream stay a stream."""
    parent = element.getparent()
    element.clear(keep_tail=False)
    while element.getprevious() is not None:
        del parent[0]


def _local_name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


# ---- the file and the parser ---------------------------------------------------------------------


def _parser(events: tuple[str, ...], names: list[str] | None = None) -> Any:
    """Entities are never resolved: lxml would read local files through them."""
    return etree.XMLPullParser(
        events=events,
        tag=names,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def _reported(parser: Any, step: Callable[[], object]) -> None:
    """Take a step of the parser; its first complaint is the one that tells what is wrong.

    The exception does not always know: an entity that nobody declared is only in the parser's log.
    """
    failed: Any = None
    try:
        step()
    except etree.XMLSyntaxError as error:
        failed = error
    first = next(iter(parser.feed_error_log.filter_from_errors()), None)
    if first is not None:
        raise FeedError(FeedRefusal.NOT_WELL_FORMED, str(first.message), first.line or 1)
    if failed is not None:
        raise FeedError(FeedRefusal.NOT_WELL_FORMED, str(failed.msg), failed.lineno or 1)


def _check_head(head: bytes) -> None:
    """Refuse what is no product feed by its first element, and every DTD: entities are how XML bombs."""
    if not head.strip():
        raise FeedError(FeedRefusal.EMPTY, "there is nothing in it")
    if _DOCTYPE.match(head.removeprefix(b"\xef\xbb\xbf").lstrip()):
        raise FeedError(FeedRefusal.DTD_FORBIDDEN, "a document type is declared", _doctype_line(head))
    parser = _parser(("start",))
    failed: FeedError | None = None
    try:
        _reported(parser, lambda: parser.feed(head))
    except FeedError as error:
        failed = error  # a later line may be at fault: what came before it still says what this is
    _, root = next(iter(parser.read_events()), (None, None))
    if root is not None:
        _check_root(root)
    elif failed is not None:
        raise failed
    else:
        raise FeedError(FeedRefusal.NOT_A_PRODUCT_FEED, "it has no first element")


def _told_fully(refused: FeedError, head: bytes, chunks: Iterator[bytes], limits: FeedLimits) -> FeedError:
    """Of what is no product feed, say too where it is not well-formed: someone wrote it by hand."""
    if refused.refusal is not FeedRefusal.NOT_A_PRODUCT_FEED:
        return refused
    reading = _Reading(limits)
    try:
        for chunk in chain((head,), chunks):
            for _ in reading.rows(chunk):
                pass
        for _ in reading.finish():
            pass
    except FeedError as error:
        if error.refusal is FeedRefusal.NOT_WELL_FORMED:
            return FeedError(error.refusal, f"{error.detail}; and {refused.detail}", error.line)
    return refused


def _check_root(root: Any) -> None:
    document = root.getroottree().docinfo
    if document.internalDTD is not None or document.externalDTD is not None:
        # Found here in encodings that the first look does not read, such as UTF-16.
        raise FeedError(FeedRefusal.DTD_FORBIDDEN, "a document type is declared", root.sourceline)
    name = _local_name(root)
    if name not in ("rss", "feed"):
        detail = f"its first element is <{name[:60]}>, not <rss> or <feed>"
        raise FeedError(FeedRefusal.NOT_A_PRODUCT_FEED, detail, root.sourceline)


def _doctype_line(head: bytes) -> int:
    return head[: head.index(b"<!DOCTYPE")].count(b"\n") + 1


def _plain_chunks(file: IO[bytes], limits: FeedLimits) -> Iterator[bytes]:
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
    chunk = file.read(_CHUNK_BYTES)
    inflater = Inflater() if chunk.startswith(GZIP_MAGIC) else None
    while chunk:
        if inflater is None:
            yield chunk
        else:
            yield from inflater.feed(chunk)
        chunk = file.read(_CHUNK_BYTES)
    if inflater is not None:
        inflater.finish()
