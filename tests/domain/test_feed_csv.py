"""Tables are read as spreadsheets and shops write them, and a bad record costs only itself."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.feed import Rejection
from adserver.domain.feed_file import FeedError, FeedLimits, FeedRefusal
from adserver.domain.feed_format import read_rows
from tests.domain.feed_rows import refusal_of, rows_of, table
from tests.domain.test_feed_xml import Endless, resident_kilobytes_after

HEADER = "id,title,link,price"


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends_are_found_out(mark: str, end: str) -> None:
    rows = rows_of(
        table(HEADER, "1,A,https://x.test/1,10 EUR", "2,B,https://x.test/2,11 EUR", mark=mark, end=end)
    )
    assert [row.fields["title"] for row in rows] == ["A", "B"]
    assert [row.line for row in rows] == [2, 3]


def test_quoted_cells_may_hold_lines_quotes_and_delimiters() -> None:
    text = 'id,title,link,price\n1,"A ""big""\r\nshirt, blue",l,1 EUR\n\n2,B,l,2 EUR\n'
    first, second = rows_of(text.encode())
    assert first.fields["title"] == 'A "big"\r\nshirt, blue'
    assert (first.line, second.line) == (2, 5)


@pytest.mark.parametrize("before", ["sep=;", "Export of 2026-11-22", "", "Our shop;;;"])
def test_the_header_may_stand_below_other_lines(before: str) -> None:
    (row,) = rows_of(f"{before}\nid;title;link;price\n1;A;l;1 EUR\n".encode())
    assert row.fields == {"id": "1", "title": "A", "link": "l", "price": "1 EUR"}
    assert row.line == 3


def test_columns_are_known_by_other_spellings_and_the_best_of_two_counts() -> None:
    data = "SKU,g:id,Name,Image Link,URL,Price,Additional Images,EAN\ns,1,A,i,l,1 EUR,j,4006381333931\n"
    (row,) = rows_of(data.encode())
    assert row.fields == {
        "id": "1", "title": "A", "image_link": "i", "link": "l", "price": "1 EUR",
        "additional_image_link": "j", "gtin": "4006381333931",
    }  # fmt: skip


def test_a_record_with_too_many_cells_is_left_out_and_trailing_delimiters_are_not() -> None:
    rows = rows_of(table(HEADER, "1,A shirt, blue,l,1 EUR", "2,B,l,2 EUR,,,", "3,C,l"))
    assert [row.rejection for row in rows] == [Rejection.COLUMNS_SHIFTED, None, None]
    assert rows[2].fields == {"id": "3", "title": "C", "link": "l"}


def test_a_quote_that_is_never_closed_is_refused_with_its_line() -> None:
    data = table(HEADER, "1,A,l,1 EUR", '2,"B,l,2 EUR', *["3,C,l,3 EUR"] * 50)
    error = refusal_of(data)
    assert (error.refusal, error.line) == (FeedRefusal.NOT_WELL_FORMED, 3)
    long = data + b"4,D,l,4 EUR\n" * 2_000
    assert refusal_of(long, row_bytes=10_000).line == 3


def test_a_line_without_end_is_refused_early() -> None:
    file = Endless([(HEADER + "\n").encode(), *[b"x" * 65_536] * 1_000])
    with pytest.raises(FeedError, match="too_large"):
        list(read_rows(file, FeedLimits())[1])  # type: ignore[arg-type]
    assert file.taken < 3_000_000


def test_a_field_of_a_megabyte_and_a_nul_cost_only_their_row() -> None:
    rows = rows_of(table(HEADER, f"1,{'x' * 1_000_000},l,1 EUR", "2\0,B,l,2 EUR", "3,C,l,3 EUR"))
    assert [row.fields["id"] for row in rows] == ["1", "2\0", "3"]


TITLES = {
    "cp1250": ["Příliš žluťoučký kůň úpěl ďábelské ódy", "Zażółć gęślą jaźń", "Ľúbostná vôňa žien", "Női cipő, bőr, fűző"],
    "cp1251": ["Кроссовки мужские летние", "ПЛАТЬЕ ВЕЧЕРНЕЕ ДЛИННОЕ", "Чай Earl Grey, 100 г"],
    "cp1252": ["Crème brûlée à la vanille", "Niños ¡oferta! ¿qué?", "Größe für Männer, süß", "Blåbærsyltetøy på brød", "Città più bella", "Coração de mãe, não"],
    "utf-8": ["Příliš žluťoučký kůň", "日本語の商品", "قميص أزرق", "👟"],
    "utf-16": ["Příliš", "日本語の商品", "قميص أزرق"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("encoding", "title"), [(name, one) for name, all_ in TITLES.items() for one in all_]
)
def test_letters_of_old_software_are_known_by_themselves(encoding: str, title: str) -> None:
    (row,) = rows_of(f"id;title;link;price\n1;{title};l;1 EUR\n".encode(encoding))
    assert row.fields["title"] == title


def test_the_encoding_is_found_where_the_first_such_letter_stands() -> None:
    data = (HEADER + "\n" + "1,A,l,1 EUR\n" * 20_000 + "2,Žluťoučký kůň,l,1 EUR\n").encode("cp1250")
    assert rows_of(data)[-1].fields["title"] == "Žluťoučký kůň"


def test_a_damaged_letter_costs_itself_and_not_the_encoding() -> None:
    for damage in (b"\xff\xfe", b"\xe9", b"\xc3"):
        data = table(HEADER, "1,Hat ?,l,1 EUR", "2,Kůň 商,l,1 EUR").replace(b"?", damage)
        assert [row.fields["title"] for row in rows_of(data)][1] == "Kůň 商"
        assert len(rows_of(table(HEADER, "1,Hat ?,l,1 EUR").replace(b"?", damage))) == 1


def test_a_letter_cut_in_two_between_chunks_is_whole() -> None:
    for shift in range(3):
        data = (
            HEADER + "\n" + "1,a,l,1 EUR\n" * 4_000 + "x" * shift + "," + "商" * 10_000 + ",l,1 EUR\n"
        ).encode()
        assert rows_of(data)[-1].fields["title"] == "商" * 10_000


@given(st.binary(max_size=400))
def test_no_bytes_make_the_table_reader_fail(data: bytes) -> None:
    try:
        lines = [row.line for row in rows_of(b"id,title,link,price\n" + data)]
    except FeedError as error:
        lines = [error.line or 2]
    assert all(1 < line <= 2 + len(data) for line in lines)


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=20)


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=5))
def test_what_a_csv_writer_wrote_is_read_back(written: list[tuple[str, str]]) -> None:
    quoted = [
        "1,{},{},1 EUR".format(*(f'"{one.replace(chr(34), chr(34) * 2)}"' for one in pair))
        for pair in written
    ]
    rows = rows_of("\n".join(["id,title,link,price", *quoted]).encode())
    assert [(row.fields.get("title", ""), row.fields.get("link", "")) for row in rows] == written


def test_too_many_rows_are_refused() -> None:
    data = table(HEADER, *["1,A,l,1 EUR"] * 11)
    assert len(rows_of(data, rows=11)) == 11
    assert refusal_of(data, rows=10).refusal is FeedRefusal.TOO_LARGE


def endless_lines(first: bytes, line: bytes) -> Iterator[bytes]:
    yield first
    while True:
        yield line


@pytest.mark.parametrize(
    ("first", "line"),
    [
        (b"id,title,link,price\n", b'1,"' + b"words " * 200 + b'",l,1 EUR\n'),
        (b"Handle,Title,Variant Price,Variant SKU\n", b"a,A," + b"words" * 200 + b",1\nb,B,2,2\n"),
        (b'{"id": "1"}\n', b'{"id": "1", "description": "' + b"words " * 200 + b'"}\n'),
    ],
)
def test_memory_does_not_grow_with_a_table_or_json(first: bytes, line: bytes) -> None:
    file = Endless(endless_lines(first, line * 50))
    _, rows = read_rows(file, FeedLimits())  # type: ignore[arg-type]
    before = resident_kilobytes_after(rows, 2_000)
    after = resident_kilobytes_after(rows, 17_000)
    assert after - before < 10_000
