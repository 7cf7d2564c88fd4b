"""A product is drawn at the price that is asked for it at that moment."""

import pytest

from adserver.domain.catalogue import Availability, card_of
from adserver.domain.money import Micros
from tests.domain.makers import NOW_MS, make_product

FULL, BEFORE, SALE = Micros(89_900_000), Micros(79_900_000), Micros(69_900_000)


@pytest.mark.parametrize(
    ("since", "until", "on_sale"),
    [
        (None, None, True),
        (NOW_MS, None, True),
        (NOW_MS + 1, None, False),
        (None, NOW_MS, False),
        (None, NOW_MS + 1, True),
        (NOW_MS - 9, NOW_MS + 9, True),
        (NOW_MS - 9, NOW_MS - 1, False),
    ],
)
def test_a_sale_lasts_from_its_first_moment_to_before_its_last(
    since: int | None, until: int | None, on_sale: bool
) -> None:
    product = make_product(
        sale_price_micros=SALE, sale_from_ms=since, sale_until_ms=until, reference_price_micros=BEFORE
    )
    card = card_of(product, NOW_MS)
    expected = (SALE, BEFORE) if on_sale else (FULL, None)
    assert (card.price_micros, card.reference_price_micros) == expected
    assert product.asked_micros(NOW_MS) == card.price_micros


def test_in_a_sale_of_which_nothing_is_known_nothing_is_struck_through() -> None:
    card = card_of(make_product(sale_price_micros=SALE), NOW_MS)
    assert (card.price_micros, card.reference_price_micros) == (SALE, None)


@pytest.mark.parametrize("price", [FULL, FULL + 1])
def test_a_sale_that_is_no_cheaper_strikes_nothing_through(price: int) -> None:
    card = card_of(make_product(sale_price_micros=Micros(price)), NOW_MS)
    assert (card.price_micros, card.reference_price_micros) == (FULL, None)


def test_a_card_carries_what_is_drawn() -> None:
    product = make_product(picture="ab" * 16, brand="Maker", language="fr", currency="CHF")
    card = card_of(product, NOW_MS)
    assert card.product_key == product.key
    assert (card.title, card.currency, card.picture) == ("The boots", "CHF", "ab" * 16)
    assert (card.brand, card.language) == ("Maker", "fr")


@pytest.mark.parametrize("availability", Availability)
def test_all_but_what_is_out_of_stock_can_be_bought(availability: Availability) -> None:
    product = make_product(availability=availability)
    assert product.in_stock is (availability is not Availability.OUT_OF_STOCK)
