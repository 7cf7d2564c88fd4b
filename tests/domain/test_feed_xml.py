"""A feed is read row by row, within its limits, and refused as a whole by name and line."""

import gzip
import io
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from adserver.domain.feed_file import FeedError, FeedLimits, FeedRefusal, Row
from adserver.domain.feed_format import read_rows

OPENING = '<?xml version="1.0" encoding="UTF-8"?>\n<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel>\n'
CLOSING = "</channel></rss>"


def make_feed(*items: str, head: str = "") -> bytes:
    return (OPENING + head + "".join(f"<item>{item}</item>\n" for item in items) + CLOSING).encode()


def rows_of(data: bytes, **limits: int) -> list[Row]:
    return list(read_rows(io.BytesIO(data), FeedLimits(**limits))[1])


def refusal_of(data: bytes, **limits: int) -> FeedError:
    with pytest.raises(FeedError) as raised:
        rows_of(data, **limits)
    return raised.value


def test_fields_are_read_with_and_without_googles_prefix() -> None:
    rows = rows_of(
        make_feed("<g:id>1</g:id><title> A &amp; B </title><g:price>1 EUR</g:price>", "<id>2</id>")
    )
    assert [row.fields for row in rows] == [{"id": "1", "title": "A & B", "price": "1 EUR"}, {"id": "2"}]
    assert [row.line for row in rows] == [3, 4]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("<title>plain</title><g:title>google</g:title>", {"title": "google"}),
        ("<g:id>1</g:id><g:id>2</g:id>", {"id": "1"}),
        ("<g:id></g:id><g:id>2</g:id>", {"id": "2"}),
        ("<g:title><![CDATA[<b>x</b> & y]]></g:title>", {"title": "<b>x</b> & y"}),
        ("<g:title>a<b>b</b><!-- not this -->c</g:title>", {"title": "abc"}),
        ("<g:shipping><g:price>3 EUR</g:price></g:shipping>", {}),
        ('<x:title xmlns:x="http://search.yahoo.com/mrss/">x</x:title>', {}),
        ('<i:id xmlns:i="https://base.google.com/ns/1.0/">1</i:id>', {"id": "1"}),
    ],
)
def test_of_all_elements_only_the_rows_own_fields_count(item: str, expected: dict[str, str]) -> None:
    assert rows_of(make_feed(item))[0].fields == expected


def test_an_atom_feed_is_read_too() -> None:
    data = b"""<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0" xml:lang="sv">
    <title>Shop</title><link rel="self" href="https://shop.example/feed"/>
    <entry><g:id>1</g:id><title>T</title><summary>S</summary>
      <link rel="enclosure" href="https://no/"/><link href="https://shop.example/1"/></entry></feed>"""
    (row,) = rows_of(data)
    assert row.fields == {"id": "1", "title": "T", "description": "S", "link": "https://shop.example/1"}
    assert (row.line, row.language) == (3, "sv")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1", "windows-1250"])
def test_feeds_come_in_many_encodings(encoding: str) -> None:
    declared = OPENING.replace("UTF-8", encoding.removesuffix("-sig"))
    data = (declared + "<item><g:title>Krém é</g:title></item>" + CLOSING).encode(encoding)
    assert rows_of(data)[0].fields == {"title": "Krém é"}


@pytest.mark.parametrize(
    ("head", "expected"), [("<language>en-gb</language>", "en-gb"), ("<title>x</title>", None)]
)
def test_the_channel_may_name_its_language(head: str, expected: str | None) -> None:
    assert [row.language for row in rows_of(make_feed("<g:id>1</g:id>", "<g:id>2</g:id>", head=head))] == [
        expected,
        expected,
    ]


def test_a_row_may_name_its_own_language() -> None:
    data = (OPENING + '<item xml:lang="de"><g:id>1</g:id></item>' + CLOSING).encode()
    assert rows_of(data)[0].language == "de"


def test_rows_within_rows_are_not_counted_twice() -> None:
    assert len(rows_of(make_feed("<g:id>1</g:id><x><item><g:id>2</g:id></item></x>"))) == 1


def test_lines_are_right_beyond_sixty_five_thousand() -> None:
    data = make_feed(*["\n<g:id>1</g:id>\n\n"] * 25_000)
    assert [row.line for row in rows_of(data)] == [3 + 4 * n for n in range(25_000)]


@pytest.mark.parametrize(
    ("data", "refusal", "line"),
    [
        (b"", FeedRefusal.EMPTY, None),
        (b" \n ", FeedRefusal.EMPTY, None),
        (make_feed(), FeedRefusal.EMPTY, None),
        (b"<urlset>\n<url/></urlset>", FeedRefusal.NOT_A_PRODUCT_FEED, 1),
        (b"<urlset>\n<url></urlset>", FeedRefusal.NOT_WELL_FORMED, 2),
        (b"<SHOP></SHOP>", FeedRefusal.EMPTY, None),
        (make_feed("\n<g:id>1</g:title>"), FeedRefusal.NOT_WELL_FORMED, 4),
        (make_feed("\n<g:id>A & B</g:id>"), FeedRefusal.NOT_WELL_FORMED, 4),
        (make_feed("\n\n<q:id>1</q:id>"), FeedRefusal.NOT_WELL_FORMED, 5),
        (make_feed("<g:id>&eacute;</g:id>"), FeedRefusal.NOT_WELL_FORMED, 3),
        (make_feed("<g:id>1</g:id>")[:-9], FeedRefusal.NOT_WELL_FORMED, 4),
        (make_feed("<g:id>1</g:id>") + b"\n<more/>", FeedRefusal.NOT_WELL_FORMED, 5),
        (make_feed("<a>" * 400 + "</a>" * 400), FeedRefusal.NOT_WELL_FORMED, 3),
        (make_feed("<g:id>\xff</g:id>").replace(b"\xc3\xbf", b"\xff"), FeedRefusal.NOT_WELL_FORMED, 3),
        (gzip.compress(make_feed("<g:id>1</g:id>"), mtime=0)[:-12], FeedRefusal.NOT_WELL_FORMED, None),
        (b"\x1f\x8b nonsense", FeedRefusal.NOT_WELL_FORMED, None),
    ],
)
def test_what_is_no_feed_is_refused_with_its_line(
    data: bytes, refusal: FeedRefusal, line: int | None
) -> None:
    error = refusal_of(data)
    assert (error.refusal, error.line) == (refusal, line)
    assert line is None or f"line {line}" in str(error)


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BOMBS = {
    "billion laughs": f'<!DOCTYPE rss [<!ENTITY l0 "ha">{LAUGHS}]><rss a="&l9;">&l9;</rss>',
    "quadratic": f'<!DOCTYPE rss [<!ENTITY a "{"a" * 50_000}">]><rss>{"&a;" * 50_000}</rss>',
    "external entity": '<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss><channel><item>&x;</item></channel></rss>',
    "parameter entity": '<!DOCTYPE rss [<!ENTITY % x SYSTEM "http://127.0.0.1/x.dtd"> %x;]><rss/>',
    "external DTD": '<!DOCTYPE rss SYSTEM "http://127.0.0.1/x.dtd"><rss/>',
    "plain DTD": "<!DOCTYPE rss><rss/>",
    "after comments": "<!-- <rss> --><?pi x?>\n<!DOCTYPE rss><rss/>",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_document_type_is_refused_before_it_can_do_anything(bomb: str, encoding: str) -> None:
    error = refusal_of(bomb.encode(encoding))
    in_entities = encoding == "utf-16" and error.refusal is FeedRefusal.NOT_WELL_FORMED
    assert error.refusal is FeedRefusal.DTD_FORBIDDEN or in_entities
    assert error.line is not None


@pytest.mark.timeout(5)
@pytest.mark.parametrize("piece", [b"<!-- x -->", b"<?x y?>", b"<!--", b"<?", b" \n", b"<!-- -- >"])
def test_a_feed_may_begin_with_any_number_of_comments(piece: bytes) -> None:
    head = piece * (50_000 // len(piece))
    feed = make_feed("<g:id>1</g:id>").partition(b"\n")[2]
    if piece.endswith((b"-->", b"?>")):
        assert len(rows_of(head + feed)) == 1
        assert refusal_of(head + b"<!DOCTYPE rss>" + feed).refusal is FeedRefusal.DTD_FORBIDDEN
    elif piece.strip():
        assert refusal_of(head + feed).refusal is FeedRefusal.NOT_WELL_FORMED


def test_a_gzipped_feed_is_read_as_it_is() -> None:
    halves = make_feed("<g:id>1</g:id>", "<g:id>2</g:id>")
    data = gzip.compress(halves[:150]) + gzip.compress(halves[150:])
    assert [row.fields["id"] for row in rows_of(data)] == ["1", "2"]


class Endless(io.RawIOBase):
    """A file that goes on for ever, and remembers how much was taken of it."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        chunk = next(self._chunks)
        self.taken += len(chunk)
        return chunk


def test_a_gzip_bomb_is_refused_before_it_fills_memory() -> None:
    data = gzip.compress(OPENING.encode() + b" " * 200_000_000)
    tracemalloc.start()
    try:
        error = refusal_of(data)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert error.refusal is FeedRefusal.TOO_LARGE
    assert peak_bytes < 10_000_000


@pytest.mark.parametrize("filler", [b"x" * 65_536, b"<a/>" * 16_384, b"<a>b</a>" * 8_192])
@pytest.mark.parametrize("where", ["<item><g:title>", "<item>", ""])
def test_a_row_without_end_is_refused_early(filler: bytes, where: str) -> None:
    file = Endless([(OPENING + where).encode(), *[filler] * 1000])
    with pytest.raises(FeedError, match=r"too_large|not_well_formed"):
        list(read_rows(file, FeedLimits())[1])  # type: ignore[arg-type]
    assert file.taken < 3_000_000


def test_too_many_rows_and_bytes_are_refused() -> None:
    data = make_feed(*["<g:id>1</g:id>"] * 11)
    assert len(rows_of(data, rows=11)) == 11
    assert refusal_of(data, rows=10).refusal is FeedRefusal.TOO_LARGE
    assert refusal_of(data, most_bytes=200).refusal is FeedRefusal.TOO_LARGE


def test_memory_does_not_grow_with_the_feed() -> None:
    chunk = (b"<item><g:id>1</g:id><g:description>" + b"words " * 200 + b"</g:description></item>\n") * 50
    file = Endless([OPENING.encode(), *[chunk] * 400, CLOSING.encode(), b""])
    _, rows = read_rows(file, FeedLimits())  # type: ignore[arg-type]
    before = resident_kilobytes_after(rows, 2_000)
    after = resident_kilobytes_after(rows, 17_000)
    assert after - before < 10_000


def resident_kilobytes_after(rows: Iterator[Row], count: int) -> int:
    for _ in range(count):
        next(rows)
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4
