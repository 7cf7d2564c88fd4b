"""Each field of a feed's row is read as the merchant meant it, or refused by name."""

from decimal import ROUND_HALF_EVEN, Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.catalogue import Availability, Product
from adserver.domain.feed import (
    MOST_TITLE_CHARACTERS,
    FeedRules,
    Note,
    Rejection,
    is_link_template,
    product_of,
    read_interval,
    read_language,
    read_text,
)
from adserver.domain.feed_price import PriceRejection, read_price
from adserver.domain.identity import product_key
from adserver.domain.money import Micros

RULES = FeedRules(advertiser_key=7, domains=("shop.example",), currency="EUR", language="fr")


def make_fields(**changed: str | None) -> dict[str, str]:
    fields: dict[str, str | None] = {
        "id": "A-1",
        "title": "A shirt",
        "link": "https://shop.example/a-1",
        "price": "20.00 EUR",
        "availability": "in_stock",
    }
    return {name: text for name, text in (fields | changed).items() if text is not None}


def product_from(**changed: str | None) -> tuple[Product, tuple[Note, ...]]:
    found = product_of(make_fields(**changed), None, RULES)
    assert not isinstance(found, Rejection)
    return found


def test_a_plain_row_becomes_a_product() -> None:
    product, notes = product_from(brand="Ours", condition="NEW", image_link="https://cdn.test/a.jpg")
    assert product == Product(
        key=product_key(7, "A-1"),
        advertiser_key=7,
        item_id="A-1",
        title="A shirt",
        link="https://shop.example/a-1",
        price_micros=Micros(20_000_000),
        currency="EUR",
        brand="Ours",
        condition="new",
        image_link="https://cdn.test/a.jpg",
        language="fr",
    )
    assert notes == ()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"id": None}, "missing_id"),
        ({"id": "  "}, "missing_id"),
        ({"id": "x" * 101}, "bad_id"),
        ({"id": "a\nb"}, "bad_id"),
        ({"title": None}, "missing_title"),
        ({"title": "<b> </b>"}, "missing_title"),
        ({"link": None}, "missing_link"),
        ({"link": "javascript:alert(1)"}, "bad_link"),
        ({"link": "https://evil.test/"}, "foreign_link"),
        ({"price": None}, "missing_price"),
        ({"price": "cheap EUR"}, "bad_price"),
        ({"price": "0.00 EUR"}, "bad_price"),
        ({"price": "-1.00 EUR"}, "bad_price"),
        ({"price": "14.0"}, "missing_currency"),
        ({"price": "14.00 USD"}, "wrong_currency"),
        ({"description": "x" * 70_000}, "field_too_long"),
    ],
)
def test_a_row_that_is_no_product_says_why(changed: dict[str, str | None], reason: str) -> None:
    assert product_of(make_fields(**changed), None, RULES) == Rejection(reason)


def test_a_file_checked_for_nobody_may_have_any_host_and_currency() -> None:
    fields = make_fields(link="https://anywhere.test/", price="3 USD")
    assert not isinstance(product_of(fields, None, FeedRules()), Rejection)


@pytest.mark.parametrize(
    ("text", "micros", "currency"),
    [
        ("15.00 USD", 15_000_000, "USD"),
        ("USD 15.00", 15_000_000, "USD"),
        ("15,00 EUR", 15_000_000, "EUR"),
        ("15.00EUR", 15_000_000, "EUR"),
        (" 599 czk ", 599_000_000, "CZK"),
        ("1.234,50 EUR", 1_234_500_000, "EUR"),
        ("1,234.50 USD", 1_234_500_000, "USD"),
        ("1 234,50 CZK", 1_234_500_000, "CZK"),
        ("1\u00a0234,50 CZK", 1_234_500_000, "CZK"),
        ("1\u202f234 567 EUR", 1_234_567_000_000, "EUR"),
        ("1'234.50 CHF", 1_234_500_000, "CHF"),
        ("1.234.567 EUR", 1_234_567_000_000, "EUR"),
        ("1,234 USD", 1_234_000_000, "USD"),  # thousands
        ("1.234 OMR", 1_234_000, "OMR"),  # Google's point
        ("20.22 OMR", 20_220_000, "OMR"),
        ("19.989999999999998 USD", 19_990_000, "USD"),  # the noise of binary floats
        ("0.000001 USD", 1, "USD"),
        (".50 EUR", 500_000, "EUR"),
        ("15,00 €", 15_000_000, "EUR"),
        ("€ 15", 15_000_000, "EUR"),
        ("€15.5", 15_500_000, "EUR"),
        ("1.299,00 €", 1_299_000_000, "EUR"),
        ("€1,299", 1_299_000_000, "EUR"),
        ("Kč 1 200", 1_200_000_000, "CZK"),
        ("1 200,- Kč", 1_200_000_000, "CZK"),
        ("12\u00a0990 Ft", 12_990_000_000, "HUF"),
        ("49,90 zł", 49_900_000, "PLN"),
        ("1 500 руб.", 1_500_000_000, "RUB"),
        ("CHF 15.-", 15_000_000, "CHF"),
        ("US$ 3", 3_000_000, "USD"),
        ("٢٠٫٥ OMR", 20_500_000, "OMR"),
        ("ر.ع. 3.500", 3_500_000, "OMR"),
    ],
)
def test_prices_are_read_as_shops_write_them(text: str, micros: int, currency: str) -> None:
    assert read_price(text) == (micros, currency)


@pytest.mark.parametrize(
    "text",
    [
        "1,234 OMR",  # 1.234 or 1234: not guessed
        "12.34.56 EUR",
        "1,23,456 INR",
        "1.2345,00 EUR",
        "NaN EUR",
        "1e3 EUR",
        "Infinity EUR",
        "EUR",
        ". EUR",
        "-5 EUR",
        "+5 EUR",
        "1000000000 EUR",
        "0.0000001 EUR",
        "10 EUR EUR",
        "from 10 EUR",
        "1.299 €",  # 1.299 or 1299: not guessed
        "12.990 zł",
        "3,99 €/kg",  # what a unit of it costs is not its price
        "12,99 EUR / 100 g",
        "5 €-10 €",
        "€ 10 EUR",
    ],
)
def test_a_price_that_is_no_amount_is_bad(text: str) -> None:
    assert read_price(text) is PriceRejection.BAD_PRICE


@pytest.mark.parametrize(
    ("text", "given", "expected"),
    [
        ("15,00", "EUR", (15_000_000, "EUR")),
        ("15.00 USD", "EUR", (15_000_000, "USD")),
        ("$15", "USD", (15_000_000, "USD")),
        ("$15", "CAD", (15_000_000, "CAD")),
        ("199 kr", "SEK", (199_000_000, "SEK")),
        ("$15", "EUR", PriceRejection.MISSING_CURRENCY),
        ("$15", None, PriceRejection.MISSING_CURRENCY),
        ("199 kr.", None, PriceRejection.MISSING_CURRENCY),
        ("¥900", None, PriceRejection.MISSING_CURRENCY),
        ("1,234", "OMR", PriceRejection.BAD_PRICE),
    ],
)
def test_a_given_currency_counts_where_the_price_names_none_or_a_sign_that_several_share(
    text: str, given: str | None, expected: object
) -> None:
    assert read_price(text, given) == expected


@pytest.mark.parametrize("text", ["14.0", "14", "1.234,50"])
def test_an_amount_without_currency_says_that_it_misses(text: str) -> None:
    assert read_price(text) is PriceRejection.MISSING_CURRENCY


amounts = st.decimals(min_value="0.01", max_value="999999999", places=2)
currencies = st.sampled_from(["EUR", "USD", "CZK", "JPY"])


@given(amounts, currencies, st.booleans())
def test_a_plain_decimal_price_equals_the_decimal(amount: Decimal, currency: str, code_first: bool) -> None:
    text = f"{currency} {amount}" if code_first else f"{amount} {currency}"
    assert read_price(text) == (int(amount * 1_000_000), currency)


@given(
    amounts, currencies, st.sampled_from([(",", "."), (".", ","), (" ", ","), ("\u00a0", "."), ("'", ".")])
)
def test_a_grouped_price_equals_the_decimal(amount: Decimal, currency: str, marks: tuple[str, str]) -> None:
    swapped = f"{amount:,.2f}".translate({ord(","): marks[0], ord("."): marks[1]})
    assert read_price(f"{swapped} {currency}") == (int(amount * 1_000_000), currency)


@given(st.decimals(min_value="0.00001", max_value="999999", places=12))
def test_a_finer_price_is_rounded_to_the_micro(amount: Decimal) -> None:
    expected = int((amount * 1_000_000).to_integral_value(ROUND_HALF_EVEN))
    assert read_price(f"{amount:f} EUR") == (expected, "EUR")


@given(st.text())
def test_no_text_makes_the_price_reader_fail(text: str) -> None:
    for written in (text, f"{text} EUR", f"EUR {text}"):
        found = read_price(written)
        assert isinstance(found, PriceRejection) or found[0] > 0


@given(st.dictionaries(st.sampled_from([*sorted(make_fields()), "sale_price", "image_link"]), st.text()))
def test_no_fields_make_the_product_reader_fail(fields: dict[str, str]) -> None:
    product_of(fields, None, RULES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tom &amp; Jerry", "Tom & Jerry"),
        ("l&#039;eau", "l'eau"),
        ("A <b>bold</b>  shirt\n", "A bold shirt"),
        ("&lt;i&gt;x&lt;/i&gt;", "x"),
        ("5 < 6 and I <3 you", "5 < 6 and I <3 you"),
        ("<script>alert(1)</script>Hat", "Hat"),
        ("Hat <!-- a <b>comment", "Hat"),
        ("a\u2028b\x00c", "a bc"),
        ("{{7*7}}", "{{7*7}}"),
    ],
)
def test_texts_become_one_plain_line(text: str, expected: str) -> None:
    assert read_text(text) == expected


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "opening", ["<", "<a", "<!--", "<script>", "<style ", "</script ", "&lt;", "&#", "<!-", "-->"]
)
def test_hostile_markup_costs_no_more_than_its_length(opening: str) -> None:
    read_text(opening * (65_000 // len(opening)))


@pytest.mark.timeout(5)
@pytest.mark.parametrize("piece", ["1", "1 ", " 234", ",234", ".234", "1.", "EUR "])
def test_hostile_prices_are_refused_at_once(piece: str) -> None:
    assert read_price(piece * 9_000 + "EUR") is PriceRejection.BAD_PRICE


def test_a_long_title_is_cut_between_words() -> None:
    product, notes = product_from(title="word " * 100)
    assert len(product.title) <= MOST_TITLE_CHARACTERS
    assert product.title.endswith("word")
    assert notes == (Note.TITLE_CUT,)
    assert len(product_from(title="x" * 1000)[0].title) == MOST_TITLE_CHARACTERS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("in stock", Availability.IN_STOCK),
        ("In_Stock", Availability.IN_STOCK),
        ("https://schema.org/InStock", Availability.IN_STOCK),
        ("available for order", Availability.IN_STOCK),
        ("out of stock", Availability.OUT_OF_STOCK),
        ("preorder", Availability.PREORDER),
        ("pre-order", Availability.PREORDER),
        ("backorder", Availability.BACKORDER),
        ("", Availability.IN_STOCK),
        ("12", Availability.IN_STOCK),
        ("1.0", Availability.IN_STOCK),
        ("0", Availability.OUT_OF_STOCK),
        ("-3", Availability.OUT_OF_STOCK),
        ("true", Availability.IN_STOCK),
        ("no", Availability.OUT_OF_STOCK),
    ],
)
def test_availability_has_old_spellings(text: str, expected: Availability) -> None:
    product, notes = product_from(availability=text)
    assert (product.availability, notes) == (expected, ())


def test_an_unknown_availability_is_noted_and_not_advertised() -> None:
    product, notes = product_from(availability="ask us")
    assert not product.in_stock
    assert notes == (Note.UNKNOWN_AVAILABILITY,)


HOUR_MS = 3_600_000
JANUARY_MS = 1_767_225_600_000  # 2026-01-01T00:00Z


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (None, None)),
        ("2026-01-01T00:00Z/2026-01-01T05:00Z", (JANUARY_MS, JANUARY_MS + 5 * HOUR_MS)),
        ("2026-01-01T01:00+0100/2026-01-01T01:00-05:00", (JANUARY_MS, JANUARY_MS + 6 * HOUR_MS)),
        ("2026-01-01T00:00 / 2026-01-01T01:00", (JANUARY_MS, JANUARY_MS + HOUR_MS)),
        ("2026-01-01/2026-01-01", (JANUARY_MS, JANUARY_MS + 24 * HOUR_MS)),
        ("2026-01-01/", (JANUARY_MS, None)),
        ("/2026-01-01T00:00Z", (None, JANUARY_MS)),
        ("2026-01-01", None),
        ("2026-01-02/2025-01-01", None),
        ("tomorrow/never", None),
        ("0001-01-01T00:00+2300/9999-12-31", None),
        ("2026-13-01/2026-14-01", None),
    ],
)
def test_sale_dates_are_iso_intervals(text: str, expected: tuple[int | None, int | None] | None) -> None:
    assert read_interval(text) == expected


@pytest.mark.parametrize(
    ("sale", "dates", "expected", "note"),
    [
        ("15.00 EUR", "", 15_000_000, ()),
        ("15,00 EUR", "2026-01-01/2026-02-01", 15_000_000, ()),
        ("20.00 EUR", "", None, (Note.BAD_SALE_PRICE,)),
        ("15.00 USD", "", None, (Note.BAD_SALE_PRICE,)),
        ("15.00", "", None, (Note.BAD_SALE_PRICE,)),
        ("15.00 EUR", "soon", None, (Note.BAD_SALE_DATES,)),
    ],
)
def test_a_bad_sale_is_noted_and_the_product_stays(
    sale: str, dates: str, expected: int | None, note: tuple[Note, ...]
) -> None:
    product, notes = product_from(sale_price=sale, sale_price_effective_date=dates)
    assert (product.sale_price_micros, notes) == (expected, note)


def test_a_bad_image_link_is_noted_and_the_product_stays() -> None:
    product, notes = product_from(image_link="/relative.jpg")
    assert product.image_link is None
    assert notes == (Note.BAD_IMAGE_LINK,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("fr", "fr"), ("en-GB", "en"), ("cs_CZ", "cs"), ("", None), (None, None), ("français!", None)],
)
def test_a_language_is_its_primary_tag(text: str | None, expected: str | None) -> None:
    assert read_language(text) == expected


def test_labels_barcode_and_further_pictures_are_kept() -> None:
    product, notes = product_from(
        gtin="'4006381 333931",
        custom_label_0="Summer",
        custom_label_2="<b>Margin</b> high",
        additional_image_link="https://cdn.test/1.jpg,https://cdn.test/a,b.jpg\nhttps://cdn.test/1.jpg",
    )
    assert product.gtin == "4006381333931"
    assert product.custom_labels == ("Summer", "", "Margin high")
    assert product.additional_image_links == ("https://cdn.test/1.jpg", "https://cdn.test/a,b.jpg")
    assert notes == ()


@pytest.mark.parametrize(
    ("name", "text", "note"),
    [
        ("gtin", "n/a", Note.BAD_GTIN),
        ("gtin", "123", Note.BAD_GTIN),
        ("additional_image_link", "/1.jpg", Note.BAD_IMAGE_LINK),
        ("item_group_id", "A-1", Note.ID_IS_GROUP_ID),
    ],
)
def test_what_is_odd_about_a_product_is_noted_and_it_stays(name: str, text: str, note: Note) -> None:
    assert product_from(**{name: text})[1] == (note,)


def test_a_feed_without_links_gets_them_from_the_merchants_template() -> None:
    rules = msgspec.structs.replace(RULES, link_template="https://shop.example/products/{handle}?i={id}")
    fields = make_fields(link=None) | {"handle": "čaj/../x"}
    product = product_of(fields, None, rules)
    assert not isinstance(product, Rejection)
    assert product[0].link == "https://shop.example/products/%C4%8Daj%2F..%2Fx?i=A-1"
    assert product_of(make_fields(link=None), None, rules) is Rejection.MISSING_LINK  # it has no handle


@pytest.mark.parametrize(
    ("template", "is_one"),
    [
        ("https://shop.example/products/{handle}", True),
        ("https://shop.example/?p={post_id}", True),
        ("https://shop.example/{id}", True),
        ("https://shop.example/", False),
        ("https://shop.example/{slug}", False),
        ("/products/{handle}", False),
        ("javascript:{id}", False),
    ],
)
def test_a_link_template_is_an_address_with_a_placeholder(template: str, is_one: bool) -> None:
    assert is_link_template(template) is is_one


def test_a_currency_of_its_own_column_counts_before_the_feeds() -> None:
    rules = msgspec.structs.replace(RULES, currency=None, feed_currency="EUR")
    for column, expected in (("usd", "USD"), ("", "EUR"), ("dollars", "EUR")):
        found = product_of(make_fields(price="20.00", currency=column), None, rules)
        assert not isinstance(found, Rejection)
        assert found[0].currency == expected
