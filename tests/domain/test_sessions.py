"""Visits are cut where a visitor paused, each shop's apart, and nothing tells whose they were."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.recommendation import unpack
from adserver.domain.sessions import GAP_MS, MOST_CLICKS, Sessions, ShopSessions, Visit
from adserver.domain.shop_learning import ShopLearning, parts_of
from pixel.events import EventName
from tests.domain.makers import NOW_MS

A, B, C, D = 1, 2, 3, 2**62


def visit(
    *keys: int, at_ms: int = NOW_MS, visitor: int = 5, shop: int = 1, name: EventName | None = None
) -> Visit:
    return Visit(at_ms, shop, visitor, at_ms, name or EventName.VIEW_ITEM, keys)


def cut(*visits: Visit) -> dict[int, ShopSessions]:
    sessions = Sessions()
    sessions.add(visits)
    return {key: shop for key, (_, shop) in sessions.done().items()}


def looks(shop: ShopSessions) -> list[list[int]]:
    return [list(session) for session in shop.each_look()]


def learnt(*slices: ShopSessions) -> ShopLearning:
    learning = ShopLearning(slices)
    for _ in learning.work():
        pass
    return learning


def test_a_pause_of_more_than_half_an_hour_ends_a_session() -> None:
    at = NOW_MS + GAP_MS
    assert looks(cut(visit(A), visit(B, at_ms=at))[1]) == [[A, B]]
    assert looks(cut(visit(A), visit(B, at_ms=at + 1))[1]) == [[A], [B]]


def test_visitors_and_shops_are_kept_apart() -> None:
    shops = cut(visit(A), visit(B, visitor=6), visit(C), visit(D, shop=2))
    assert looks(shops[1]) == [[A, C], [B]]
    assert looks(shops[2]) == [[D]]


def test_what_lists_the_whole_cart_is_no_look() -> None:
    assert cut(visit(A, B, name=EventName.VIEW_CART), visit(A, name=EventName.BEGIN_CHECKOUT)) == {}


def test_an_order_is_kept_as_what_was_bought_together() -> None:
    shop = cut(visit(A, B, name=EventName.PURCHASE), visit(name=EventName.PURCHASE))[1]
    assert [list(order) for order in shop.each_order()] == [[A, B]]
    assert looks(shop) == []


def test_a_session_has_no_more_clicks_than_count() -> None:
    shop = cut(*(visit(*range(1, 41)) for _ in range(4)))[1]
    assert [len(session) for session in looks(shop)] == [MOST_CLICKS]


def test_the_time_of_the_oldest_visit_is_told() -> None:
    sessions = Sessions()
    sessions.add([visit(A, at_ms=NOW_MS + 5), visit(B, at_ms=NOW_MS)])
    assert sessions.done()[1][0] == NOW_MS


@given(st.lists(st.lists(st.integers(1, 2**63 - 1), min_size=1, max_size=5), max_size=9))
def test_no_click_is_lost_whatever_the_pieces_in_which_they_are_told(clicks: Sequence[Sequence[int]]) -> None:
    visits = [visit(*keys, at_ms=NOW_MS + place) for place, keys in enumerate(clicks)]
    piecewise = Sessions()
    for one in visits:
        piecewise.add([one])
    told = {key: shop for key, (_, shop) in piecewise.done().items()}
    assert told == cut(*visits)
    assert [key for shop in told.values() for session in looks(shop) for key in session] == [
        key for keys in clicks for key in keys
    ]


def test_bestsellers_are_what_was_bought_most_then_what_was_seen_most() -> None:
    shop = cut(
        visit(C), visit(C, visitor=6), visit(C, visitor=7), visit(D), visit(D, visitor=6),
        visit(A, B, name=EventName.PURCHASE), visit(B, name=EventName.PURCHASE),
    )[1]  # fmt: skip
    assert [key for key, _ in unpack(learnt(shop).bestsellers().near)] == [B, A, C, D]


def test_what_was_bought_with_a_product_is_learnt_by_how_often() -> None:
    orders = [visit(A, B, name=EventName.PURCHASE), visit(A, C, B, name=EventName.PURCHASE)]
    products = dict(learnt(cut(*orders)[1]).products())
    assert [key for key, _ in unpack(products[A].bought_with)] == [B, C]
    assert [chance for _, chance in unpack(products[A].bought_with)] == [65_535, 32_768]


def test_an_order_of_one_product_goes_with_nothing() -> None:
    assert dict(learnt(cut(visit(A, name=EventName.PURCHASE))[1]).products()) == {}


def test_each_product_is_found_in_the_part_of_its_key() -> None:
    products = dict(learnt(cut(visit(A), visit(B), visit(C), visit(D))[1]).products())
    parts = parts_of(products.items(), 3)
    assert all(products[key] == parts[key % 3][key] for key in products)
    assert sum(map(len, parts)) == len(products) == 4
