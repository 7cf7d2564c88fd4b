"""What is suggested follows the newest looks and orders; a band of prices holds around what was looked at."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.choice import choose_widely
from adserver.domain.identity import product_key
from adserver.domain.money import Micros
from adserver.domain.product_choice import PriceBand, ProductChoice
from adserver.domain.recommendation import pack
from adserver.domain.shop_learning import OF_SHOP, Learnt
from adserver.domain.suggestion import Because, Suggested, Widening, learnt_of, suggested
from adserver.domain.visitor import Level, Shop
from tests.domain.makers import ADVERTISER, NOW_MS, make_catalogue, make_interest, make_product, make_purchase

ITEMS = [f"item-{n}" for n in range(12)]
KEYS = [product_key(ADVERTISER, item) for item in ITEMS]
SIMILAR = Widening(ProductChoice.SIMILAR, None)


def make_shop(interests: list[int], purchases: list[int] = [], unwanted: list[int] = []) -> Shop:  # noqa: B006
    """Looked at in this order, the last one last."""
    shop = Shop(ADVERTISER)
    shop.interests = [make_interest(ITEMS[n], at_ms=NOW_MS - 99 + place) for place, n in enumerate(interests)]
    shop.purchases = [make_purchase(ITEMS[n], at_ms=NOW_MS - 99 + place) for place, n in enumerate(purchases)]
    shop.unwanted = [KEYS[n] for n in unwanted]
    return shop


def near(*items: int) -> bytes:
    return pack([KEYS[n] for n in items], [1 - 0.1 * place for place in range(len(items))])


def test_it_is_asked_what_is_near_the_last_three_looks_and_orders() -> None:
    shop = make_shop([0, 1, 2, 3], purchases=[4, 5, 6, 7])
    assert learnt_of(shop, NOW_MS) == [OF_SHOP, *(KEYS[n] for n in (3, 2, 1, 7, 6, 5))]


def test_what_is_near_the_newest_look_comes_first_whatever_is_in_the_cart() -> None:
    shop = make_shop([0, 1])
    shop.interests[0].level = Level.IN_CART
    learnt = {KEYS[0]: Learnt(near(2)), KEYS[1]: Learnt(near(3)), OF_SHOP: Learnt(near(9))}
    known = suggested(shop, learnt, NOW_MS)
    assert list(known.similar) == [KEYS[3], KEYS[2]]
    assert list(known.bestsellers) == [KEYS[9]]


def test_nothing_follows_from_what_a_visitor_wants_no_more_of() -> None:
    learnt = {KEYS[0]: Learnt(near(2))}
    assert not suggested(make_shop([0], unwanted=[0]), learnt, NOW_MS).similar


def test_of_a_buyer_who_looked_at_nothing_since_it_follows_from_the_order() -> None:
    learnt = {KEYS[0]: Learnt(near(2), near(3))}
    known = suggested(make_shop([], purchases=[0]), learnt, NOW_MS)
    assert (list(known.similar), list(known.bought_together)) == ([KEYS[2]], [KEYS[3]])


@pytest.mark.parametrize(("asked", "fits"), [(49, False), (50, True), (100, True), (200, True), (201, False)])
def test_a_band_holds_both_its_ends(asked: int, fits: bool) -> None:
    assert PriceBand().holds(Micros(asked), Micros(100)) is fits


def test_the_band_goes_by_the_newest_look_in_the_same_currency() -> None:
    shop, band = make_shop([0, 1, 2]), Widening(ProductChoice.SIMILAR, PriceBand())
    products = make_catalogue(
        make_product(ITEMS[0], price_micros=Micros(10)),
        make_product(ITEMS[1], price_micros=Micros(1_000)),
        make_product(ITEMS[2], price_micros=Micros(10), currency="USD"),
        make_product(ITEMS[3], price_micros=Micros(10)),
        make_product(ITEMS[4], price_micros=Micros(900)),
    )
    known = Suggested(similar=KEYS[3:5])
    _, because = choose_widely(shop, products, 9, NOW_MS, band, known)
    assert because == {KEYS[4]: Because.SIMILAR}


few = st.lists(st.integers(0, 11), max_size=8, unique=True)


@given(st.tuples(*[few] * 6), st.integers(1, 6), st.sampled_from(ProductChoice))
def test_never_what_was_bought_or_unwanted_never_two_of_a_group_and_always_the_same(
    thrown: tuple[list[int], ...], most: int, choice: ProductChoice
) -> None:
    looked, bought, unwanted, similar, sold, grouped = thrown
    shop = make_shop(looked, bought, unwanted)
    known = Suggested([KEYS[n] for n in similar], [KEYS[n] for n in sold], [KEYS[n] for n in reversed(sold)])
    products = make_catalogue(
        *(make_product(item, item_group_id="g" if n in grouped else None) for n, item in enumerate(ITEMS))
    )
    asked = (shop, products, most, NOW_MS, Widening(choice, PriceBand()), known)
    chosen, because = choose_widely(*asked)
    keys = [product.key for product in chosen]
    assert len(set(keys)) == len(keys) <= most
    assert not set(keys) & {KEYS[n] for n in (*bought, *unwanted)}
    assert sum(product.item_group_id is not None for product in chosen) <= 1
    assert set(because) <= set(keys)
    assert set(keys) - set(because) <= {KEYS[n] for n in looked}
    assert choose_widely(*asked) == (chosen, because)
