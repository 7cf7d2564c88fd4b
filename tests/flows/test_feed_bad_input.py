"""What shops get wrong costs a row, a note or an import, each by its name, and never more."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adserver.domain.catalogue import Product
from adserver.domain.feed import FeedRules, Note, Rejection
from adserver.domain.feed_advice import advice_for
from adserver.domain.feed_file import FeedRefusal
from adserver.flows.feed import FeedCheck, check_feed
from tests.flows.feeds import Shop, make_feed, make_item


def checked(folder: Path, data: bytes, rules: FeedRules | None = None) -> FeedCheck:
    path = folder / "anything.bin"
    path.write_bytes(data)
    return check_feed(path, rules=rules)


def row(**fields: str) -> str:
    base = {"id": "1", "title": "Hat", "link": "https://shop.example/1", "price": "10 EUR"}
    return "".join(f"<g:{name}><![CDATA[{text}]]></g:{name}>" for name, text in (base | fields).items())


BAD_ROWS = [
    ({"id": ""}, Rejection.MISSING_ID),
    ({"price": "0"}, Rejection.BAD_PRICE),
    ({"price": ""}, Rejection.MISSING_PRICE),
    ({"price": "10"}, Rejection.MISSING_CURRENCY),
    ({"title": "<script>alert(1)</script>"}, Rejection.MISSING_TITLE),
    ({"description": "x" * 1_000_000}, Rejection.FIELD_TOO_LONG),
    ({"link": "javascript:alert(1)"}, Rejection.BAD_LINK),
    ({"id": "x" * 101}, Rejection.BAD_ID),
]


@pytest.mark.parametrize(("fields", "reason"), BAD_ROWS)
def test_a_bad_row_is_left_out_with_its_line_and_the_rest_comes_in(
    tmp_path: Path, fields: dict[str, str], reason: Rejection
) -> None:
    data = make_feed(make_item("a"), f"<item>{row(**fields)}</item>\n", make_item("b"))
    check = checked(tmp_path, data)
    assert (check.fatal, check.products) == (None, 2)
    assert [(one.line, one.reason) for one in check.rejected] == [(3, reason.value)]
    assert check.advice == {reason.value: advice_for(reason)}


def read(tmp_path: Path, **fields: str) -> tuple[Product, dict[str, int]]:
    check = checked(tmp_path, make_feed(f"<item>{row(**fields)}</item>"))
    (product,) = check.sample
    return product, check.notes


def test_titles_of_every_script_are_plain_text(tmp_path: Path) -> None:
    for title in ("قميص أزرق للرجال", "日本の商品、青い", "חולצה כחולה", "👟 Schuh"):
        assert read(tmp_path, title=title)[0].title == title
    product, notes = read(
        tmp_path, title='<b onclick="x()">Hat</b> &amp;lt;img src=x&gt;<script>alert(1)</script> ' * 200
    )
    assert len(product.title) <= 300
    assert "<script" not in product.title
    assert "onclick" not in product.title
    assert notes == {"title_cut": 1}


def test_an_id_that_is_its_groups_is_noted(tmp_path: Path) -> None:
    assert read(tmp_path, item_group_id="1")[1] == {Note.ID_IS_GROUP_ID.value: 1}


def xml_bomb() -> bytes:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE rss [<!ENTITY l0 "ha">{entities}]><rss>&l9;</rss>'.encode()


def export_of_pages() -> bytes:
    page = "<item><title>About us</title><wp:post_id>1</wp:post_id><wp:post_type>page</wp:post_type></item>"
    namespace = 'xmlns:wp="http://wordpress.org/export/1.2/"'
    return f"<rss {namespace}><channel><wp:term>x</wp:term>{page}</channel></rss>".encode()


REFUSED = [
    (export_of_pages, FeedRefusal.EMPTY),
    (bytes, FeedRefusal.EMPTY),
    (lambda: b"<!doctype html><html><body>Log in</body></html>", FeedRefusal.WEB_PAGE),
    (lambda: b"PK\x03\x04rest of a zip", FeedRefusal.ARCHIVE),
    (lambda: b"\x1f\x8b\x08\x00 not gzip at all", FeedRefusal.NOT_WELL_FORMED),
    (lambda: gzip.compress(b"id,title,link,price\n" + b"a" * 100_000_000), FeedRefusal.TOO_LARGE),
    (xml_bomb, FeedRefusal.DTD_FORBIDDEN),
    (lambda: b"id,title,link\n1,a,b", FeedRefusal.COLUMN_MISSING),
    (lambda: b"id,title,link,price\n1,a,https://shop.example/1,10\n", FeedRefusal.CURRENCY_NEEDED),
    (lambda: b"id,title,price\n1,a,10 EUR\n", FeedRefusal.LINK_NEEDED),
    (lambda: b'id,title,link,price\n1,"a,b,10 EUR\n', FeedRefusal.NOT_WELL_FORMED),
    (lambda: b"Handle,Title,Variant Price\na,A,10\n", FeedRefusal.LINK_NEEDED),
]


@pytest.mark.parametrize(("make", "refusal"), REFUSED, ids=[f"{n}-{one[1]}" for n, one in enumerate(REFUSED)])
def test_what_cannot_be_read_is_refused_by_name_with_advice_and_changes_nothing(
    tmp_path: Path, make: Callable[[], bytes], refusal: FeedRefusal
) -> None:
    data = make()
    check = checked(tmp_path, data)
    assert (check.fatal or "").startswith(refusal.value)
    assert (check.products, check.exit_status) == (0, 1)
    assert check.advice[refusal.value] == advice_for(refusal)
    shop = Shop(tmp_path)
    try:
        shop.import_feed(make_feed(make_item("a")))
        before = shop.live()
        report = shop.import_feed(data)
        assert shop.live() == before
    finally:
        shop.close()
    assert (report.fatal or "").startswith(refusal.value)


def test_a_feed_of_which_no_row_has_a_currency_is_refused_before_its_end(tmp_path: Path) -> None:
    lines = [b"id,title,link,price", *[b"%d,A,https://shop.example/1,10" % n for n in range(5_000)]]
    check = checked(tmp_path, b"\n".join(lines))
    assert (check.fatal or "").startswith("currency_needed")
    assert check.rejected_count == 100
    given = checked(tmp_path, b"\n".join(lines), FeedRules(feed_currency="EUR"))
    assert (given.fatal, given.products) == (None, 5_000)


def test_where_some_rows_have_a_currency_the_others_are_left_out_one_by_one(tmp_path: Path) -> None:
    lines = [
        "id,title,link,price",
        *[f"{n},A,https://shop.example/1,10{' EUR' * (n == 0)}" for n in range(500)],
    ]
    check = checked(tmp_path, "\n".join(lines).encode())
    assert (check.fatal, check.products, check.reasons) == (None, 1, {"missing_currency": 499})


def all_names() -> Iterator[Rejection | Note | FeedRefusal]:
    for names in (Rejection, Note, FeedRefusal):
        yield from names


def test_there_is_advice_for_everything_and_the_page_about_feeds_names_it() -> None:
    page = (Path(__file__).parents[2] / "docs" / "feeds.md").read_text(encoding="utf-8")
    assert [name for name in all_names() if not advice_for(name).endswith(".")] == []
    assert advice_for("a reason of tomorrow") not in {advice_for(name) for name in all_names()}
    assert [name.value for name in all_names() if f"`{name.value}`" not in page] == []
