"""What a card says about money."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from creatives.card import Offer
from creatives.labels import LABELS, labels_for
from creatives.price import format_price, price_after, price_tag
from tests.creatives.samples import make_card


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("en", "€1,299.99"),
        ("fr", "1\u202f299,99\xa0€"),
        ("it", "1.299,99\xa0€"),
        ("de", "1.299,99\xa0€"),
        ("es", "1.299,99\xa0€"),
        ("de-AT", "€\xa01.299,99"),
        ("no such language", "€1,299.99"),
        ("", "€1,299.99"),
    ],
)
def test_a_price_is_written_as_its_language_writes_it(language: str, shown: str) -> None:
    assert format_price(1_299_990_000, "EUR", language) == shown


def test_a_price_beyond_the_precision_of_floats_is_exact() -> None:
    assert format_price(90_071_992_547_409_930_000, "USD", "en") == "$90,071,992,547,409.93"


def test_a_currency_without_coins_shows_none() -> None:
    assert format_price(1_300_000_000, "JPY", "en") == "¥1,300"


def test_a_percentage_is_taken_off_and_the_own_price_is_struck_through() -> None:
    tag = price_tag(make_card(reference_price_micros=39_900_000), Offer(percent=10), "fr")
    assert (tag.now, tag.was, tag.badge) == ("26,91\xa0€", "29,90\xa0€", "-10\xa0%")


def test_an_amount_is_taken_off() -> None:
    tag = price_tag(make_card(), Offer(amount_micros=5_000_000), "en")
    assert (tag.now, tag.was, tag.badge) == ("€24.90", "€29.90", "-€5")


def test_an_amount_above_the_price_is_no_offer_for_this_card() -> None:
    tag = price_tag(make_card(), Offer(amount_micros=50_000_000), "en")
    assert (tag.now, tag.was, tag.badge) == ("€29.90", None, None)


def test_without_an_offer_the_reference_price_is_struck_through() -> None:
    tag = price_tag(make_card(reference_price_micros=39_900_000), None, "en")
    assert (tag.now, tag.was, tag.badge) == ("€29.90", "€39.90", None)


def test_a_reference_price_below_the_price_is_not_shown() -> None:
    assert price_tag(make_card(reference_price_micros=1_000_000), None, "en").was is None


@given(st.integers(1, 10**15), st.integers(1, 90), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_the_price_after_a_percentage_is_whole_coins_and_within_half_a_coin(
    price_micros: int, percent: int, currency: str
) -> None:
    after = price_after(price_micros, currency, Offer(percent=percent))
    coin = {"EUR": 10_000, "JPY": 1_000_000, "KWD": 1_000}[currency]
    if after is not None:
        assert 0 < after < price_micros
        assert after % coin == 0
        assert abs(Decimal(after) - Decimal(price_micros) * (100 - percent) / 100) * 2 <= coin


def test_every_language_has_every_word() -> None:
    assert set(LABELS) == {"en", "fr", "it", "de", "es", "ar"}
    for labels in LABELS.values():
        assert all(getattr(labels, field) for field in labels.__struct_fields__)


def test_an_unknown_language_speaks_english_and_a_region_speaks_its_language() -> None:
    assert labels_for("tlh") is LABELS["en"]
    assert labels_for("fr-CH") is LABELS["fr"]
