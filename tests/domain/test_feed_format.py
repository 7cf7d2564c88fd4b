"""What kind of feed a file holds is found in its content, and what is none is refused by name."""

import contextlib
import gzip
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.catalogue import FeedFormat
from adserver.domain.feed_file import FeedError, FeedRefusal
from tests.domain.feed_rows import read, refusal_of, rows_of

GOOGLE = '<rss xmlns:g="http://base.google.com/ns/1.0"><channel><item><g:id>1</g:id></item></channel></rss>'
FORMATS = [
    (GOOGLE, FeedFormat.GOOGLE_XML),
    ('<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>1</id></entry></feed>', FeedFormat.GOOGLE_XML),
    ("id\ttitle\tlink\tprice\n1\tx\ty\t1 EUR\n", FeedFormat.GOOGLE_CSV),
    ("id,title,description,availability,condition,price,link\n1,x,y,in stock,new,1 EUR,z\n", FeedFormat.GOOGLE_CSV),
    ("<listings><listing><vehicle_id>1</vehicle_id></listing></listings>", FeedFormat.META_LISTINGS),
    ("<products><product><id>1</id></product></products>", FeedFormat.PLAIN_XML),
    ("ID,SKU,Name,Description,Price,Image,URL\n1,a,b,c,1 EUR,i,l\n", FeedFormat.GOOGLE_CSV),
    ("id,title,handle,price,link\n1,a,b,1 EUR,l\n", FeedFormat.GOOGLE_CSV),
    ("Handle,Title,Variant Price\na,b,1\n", FeedFormat.SHOPIFY_CSV),
    ("Title,URL handle,Price,Status\na,b,1,active\n", FeedFormat.SHOPIFY_CSV),
    ("ID,Type,SKU,Name,Regular price\n1,simple,a,b,1\n", FeedFormat.WOOCOMMERCE_CSV),
    ("ID,Type,UGS,Nom,Publié,Tarif régulier\n1,simple,a,b,1,1\n", FeedFormat.WOOCOMMERCE_CSV),
    ("<SHOP><SHOPITEM><ITEM_ID>1</ITEM_ID></SHOPITEM></SHOP>", FeedFormat.HEUREKA_XML),
    ('<yml_catalog><shop><offers><offer id="1"/></offers></shop></yml_catalog>', FeedFormat.YANDEX_YML),
    ('{"id": "1"}\n', FeedFormat.JSON_LINES),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), FORMATS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_format_is_known_by_its_content_in_every_encoding(
    text: str, expected: FeedFormat, encoding: str
) -> None:
    found, rows = read(text.encode(encoding))
    assert (found, len(rows)) == (expected, 1)
    assert read(gzip.compress(text.encode(encoding)))[0] is expected


@given(st.data())
@pytest.mark.parametrize("text", [text for text, _ in FORMATS])
def test_no_damage_to_a_feed_makes_reading_fail(text: str, data: st.DataObject) -> None:
    whole = bytearray(text.encode() * 2)
    for _ in range(data.draw(st.integers(1, 4))):
        begin, end = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
        whole[begin : min(end, begin + 9)] = data.draw(st.binary(max_size=6))
    with contextlib.suppress(FeedError):
        assert all(row.line >= 1 for row in rows_of(bytes(whole)))


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("feed.xml", GOOGLE)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (b"", FeedRefusal.EMPTY),
        (b"\xef\xbb\xbf \r\n", FeedRefusal.EMPTY),
        (b"\0" * 5_000, FeedRefusal.EMPTY),
        (gzip.compress(b"", mtime=0), FeedRefusal.EMPTY),
        (zipped(), FeedRefusal.ARCHIVE),
        (b"%PDF-1.7 ...", FeedRefusal.ARCHIVE),
        (b"<!DOCTYPE html>\n<html><body>Log in</body></html>", FeedRefusal.WEB_PAGE),
        (b"\n<!-- cached --><HTML><p>404", FeedRefusal.WEB_PAGE),
        (b'{"products": [\n{"id": 1}\n]}', FeedRefusal.NOT_A_PRODUCT_FEED),
        (b'[{"id": "1"}]', FeedRefusal.NOT_A_PRODUCT_FEED),
        (b"Internal Server Error", FeedRefusal.NOT_A_PRODUCT_FEED),
        (b"id,title,link,price\n", FeedRefusal.EMPTY),
        (b"id,title,link\n1,a,b\n", FeedRefusal.COLUMN_MISSING),
        (b"Handle,Title,SKU,COO\na,b,c,\n", FeedRefusal.COLUMN_MISSING),
        ("id,title,link,price\n1,Αθλητικά παπούτσια,x,1 EUR\n".encode("cp1253"), FeedRefusal.UNKNOWN_ENCODING),
        (bytes(range(256)) * 40, FeedRefusal.NOT_A_PRODUCT_FEED),
    ],
)  # fmt: skip
def test_what_is_no_feed_is_refused_by_name(data: bytes, refusal: FeedRefusal) -> None:
    assert refusal_of(data).refusal is refusal


YANDEX = '<yml_catalog><shop><offers><offer id="1"><name>&x;A</name></offer></offers></shop></yml_catalog>'


def test_yandexs_own_document_type_is_read_past_and_no_other() -> None:
    declared = b'<?xml version="1.0"?>\n<!DOCTYPE yml_catalog SYSTEM "shops.dtd">\n' + YANDEX.encode()
    assert rows_of(declared)[0].fields["title"].endswith("A")
    for other in (
        b'<!DOCTYPE yml_catalog SYSTEM "http://127.0.0.1/shops.dtd">',
        b'<!DOCTYPE yml_catalog SYSTEM "shops.dtd" [<!ENTITY x "y">]>',
        b'<!DOCTYPE yml_catalog [<!ENTITY x "y">]>',
    ):
        assert refusal_of(other + YANDEX.encode()).refusal is FeedRefusal.DTD_FORBIDDEN


def test_the_document_type_of_yandex_declares_nothing_for_other_feeds() -> None:
    declared = b'<!DOCTYPE yml_catalog SYSTEM "shops.dtd">' + GOOGLE.replace("1<", "&x;<").encode()
    assert all("passwd" not in text for row in rows_of(declared) for text in row.fields.values())
