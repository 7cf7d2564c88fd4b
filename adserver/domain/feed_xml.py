"""An XML feed becomes rows of text fields, never more than one in memory."""

import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from lxml import etree

from adserver.domain.catalogue import FeedFormat
from adserver.domain.feed_dialects import Google, dialect_of
from adserver.domain.feed_element import Dialect, local_name
from adserver.domain.feed_file import CHUNK_BYTES, FeedError, FeedLimits, FeedRefusal, Row
from adserver.domain.feed_wordpress import WordPress, WordPressIndex

_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_LAST_EXACT_LINE = 65_534  # libxml2 keeps the line of an element in 16 bits
_MOST_HEAD_BYTES = 4 << 20  # what may stand before the first product, such as 40,000 categories
# Possessive and atomic throughout: a file that begins with many comments must not make it try them all again.
_DOCTYPE = re.compile(rb"\s*+(?:(?><\?.*?\?>)\s*+|(?><!--.*?-->)\s*+)*+<!DOCTYPE", re.DOTALL)
# The one that Yandex's documentation begins every file with. It is not fetched.
_YANDEX_DOCTYPE = re.compile(rb"<!DOCTYPE\s+yml_catalog\s+SYSTEM\s+(?:\"shops\.dtd\"|'shops\.dtd')\s*>")

# libxml2's words for what hand-written feeds get wrong most, and ours.
_PLAINER = {
    "EntityRef": "an & in a text is to be written &amp;",
    "Namespace prefix": 'add xmlns:g="http://base.google.com/ns/1.0" to the first element',
    "Opening and ending tag mismatch": "an element is not closed, or closed by another name",
    "Input is not proper UTF-8": "the letters are of another encoding than the file says",
}

Reopen = Callable[[], Iterator[bytes]]


def read_xml(
    head: bytes, chunks: Iterator[bytes], limits: FeedLimits, reopen: Reopen
) -> tuple[FeedFormat, Iterator[Row]]:
    """What kind of feed it is, and each row in turn; FeedError where it cannot go on."""
    try:
        dialect = dialect_of(_checked_root(head))
    except FeedError as refused:
        raise _told_fully(refused, head, chunks, limits) from refused
    if isinstance(dialect, WordPress):
        dialect = WordPress(_index_of(reopen(), limits))
    return dialect.format, _rows(dialect, head, chunks, limits)


def _rows(dialect: Dialect, head: bytes, chunks: Iterator[bytes], limits: FeedLimits) -> Iterator[Row]:
    reading = _Reading(limits, dialect)
    for chunk in chain((head,), chunks):
        yield from reading.rows(chunk)
    yield from reading.finish()


def _index_of(chunks: Iterator[bytes], limits: FeedLimits) -> WordPressIndex:
    """WordPress names pictures and parents by numbers that are explained anywhere in the file."""
    index = WordPressIndex()
    for _ in _rows(index, b"", chunks, limits):
        pass
    return index


class _Reading:
    """The parser's state between two chunks of a feed."""

    def __init__(self, limits: FeedLimits, dialect: Dialect) -> None:
        self._limits = limits
        self._dialect = dialect
        self._parser = _parser(("end",), [f"{{*}}{name}" for name in dialect.row_parents])
        self._bytes_read = 0
        self._bytes_since_row = 0
        self._row_count = 0
        self._most_bytes = limits.row_bytes if dialect.begins_at_once else _MOST_HEAD_BYTES
        self._line = 1
        self._language: str | None = None

    def rows(self, chunk: bytes) -> Iterator[Row]:
        """The rows that end within `chunk`."""
        self._bytes_read += len(chunk)
        self._bytes_since_row += len(chunk)
        _reported(self._parser, lambda: self._parser.feed(chunk))
        yield from self._ended_rows()
        # Without this, a row without end would be gathered in memory until the whole feed is too large.
        if self._bytes_since_row > self._most_bytes + CHUNK_BYTES:
            detail = f"more than {self._most_bytes} bytes without the end of a product"
            raise FeedError(FeedRefusal.TOO_LARGE, detail, self._line)

    def finish(self) -> Iterator[Row]:
        """The rows that are left, once the document is known to be complete."""
        _reported(self._parser, self._parser.close)
        yield from self._ended_rows()
        if not self._row_count:
            names = " or ".join(f"<{name}>" for name in self._dialect.row_parents)
            raise FeedError(FeedRefusal.EMPTY, f"there is no {names} in it")

    def _ended_rows(self) -> Iterator[Row]:
        for _, element in self._parser.read_events():
            parent = element.getparent()
            if parent is None or local_name(parent) not in self._dialect.row_parents[local_name(element)]:
                continue
            self._count_row(element)
            if self._row_count == 1:
                self._language = _language_of(element)
                self._dialect.begin(element)
            parsed = self._dialect.row(element)
            if parsed is not None:
                language = element.get(_LANGUAGE) or self._language
                yield Row(
                    self._line, parsed.fields, language, self._bytes_read, parsed.rejection, parsed.notes
                )
            _forget(element)

    def _count_row(self, element: Any) -> None:
        self._row_count += 1
        self._bytes_since_row = 0
        self._most_bytes = self._limits.row_bytes
        self._line = _line_of(element)
        if self._row_count > self._limits.rows:
            detail = f"more than {self._limits.rows} products"
            raise FeedError(FeedRefusal.TOO_LARGE, detail, self._line)


# ---- one row -------------------------------------------------------------------------------------


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
        raise FeedError(FeedRefusal.NOT_WELL_FORMED, _plainly(str(first.message)), first.line or 1)
    if failed is not None:
        raise FeedError(FeedRefusal.NOT_WELL_FORMED, str(failed.msg), failed.lineno or 1)


def _plainly(message: str) -> str:
    advice = next((ours for words, ours in _PLAINER.items() if words in message), None)
    return message if advice is None else f"{message.strip()}; {advice}"


def _checked_root(head: bytes) -> Any:
    """The first element, without a DTD before it: entities are how XML bombs."""
    declared = _DOCTYPE.match(head.removeprefix(b"\xef\xbb\xbf").lstrip())
    if declared and not _YANDEX_DOCTYPE.match(head, head.index(b"<!DOCTYPE")):
        raise FeedError(FeedRefusal.DTD_FORBIDDEN, "a document type is declared", _doctype_line(head))
    parser = _parser(("start",))
    failed: FeedError | None = None
    try:
        _reported(parser, lambda: parser.feed(head))
    except FeedError as error:
        failed = error  # a later line may be at fault: what came before it still says what this is
    _, root = next(iter(parser.read_events()), (None, None))
    if root is None:
        raise failed or FeedError(FeedRefusal.NOT_A_PRODUCT_FEED, "it has no first element")
    document = root.getroottree().docinfo
    if not declared and (document.internalDTD is not None or document.externalDTD is not None):
        # Found here in encodings that the first look does not read, such as UTF-16.
        raise FeedError(FeedRefusal.DTD_FORBIDDEN, "a document type is declared", root.sourceline)
    return root


def _told_fully(refused: FeedError, head: bytes, chunks: Iterator[bytes], limits: FeedLimits) -> FeedError:
    """Of what is no product feed, say too where it is not well-formed: someone wrote it by hand."""
    if refused.refusal is not FeedRefusal.NOT_A_PRODUCT_FEED:
        return refused
    try:
        for _ in _rows(Google(), head, chunks, limits):
            pass
    except FeedError as error:
        if error.refusal is FeedRefusal.NOT_WELL_FORMED:
            return FeedError(error.refusal, f"{error.detail}; and {refused.detail}", error.line)
    return refused


def _doctype_line(head: bytes) -> int:
    return head[: head.index(b"<!DOCTYPE")].count(b"\n") + 1
