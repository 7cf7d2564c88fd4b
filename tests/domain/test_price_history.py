"""What is struck through was asked before: by cases of the law, and by any life that a price may have."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.catalogue import Product
from adserver.domain.money import Micros
from adserver.domain.price_history import (
    COUNTRIES_OF_THE_LOWEST,
    DAY_MS,
    MOST_STEPS,
    PRIOR_MS,
    PriceHistory,
    Reduction,
    Strike,
    asked_micros,
    asks_for_lowest,
    noted,
    reduction_of,
    reference_price,
    struck_micros,
)
from tests.domain.makers import NOW_MS, make_advertiser, make_product

DAY_0 = NOW_MS
Saved = tuple[float, Product]  # on which day, counted from the sale


def euros(amount: float) -> Micros:
    return Micros(round(amount * 1_000_000))


def offered(price: float, sale: float | None = None, since: float | None = None, until: float | None = None,
            **fields: object) -> Product:  # fmt: skip
    """At a price, on sale or not; the sale's dates are days."""
    return make_product(
        price_micros=euros(price),
        sale_price_micros=None if sale is None else euros(sale),
        sale_from_ms=None if since is None else at(since),
        sale_until_ms=None if until is None else at(until),
        **fields,
    )


def at(day: float) -> int:
    return DAY_0 + round(day * DAY_MS)


def told(*saved: Saved) -> tuple[PriceHistory, Reduction]:
    history: PriceHistory | None = None
    product = saved[0][1]
    for day, product in saved:
        history = noted(history, product, at(day))
    reduction = reduction_of(product, history)
    assert history is not None and reduction is not None
    return history, reduction


LOWEST, NOT_LOWER, TOO_SHORT = Strike.LOWEST, Strike.NOT_LOWER, Strike.KNOWN_TOO_SHORT
CASES: dict[str, tuple[Sequence[Saved], Strike, float | None]] = {
    "a plain sale after months at one price": (
        [(-90, offered(100)), (0, offered(100, 80))], LOWEST, 100,
    ),
    "a price raised just before its sale strikes what was asked before it was raised": (
        [(-90, offered(100)), (-5, offered(150)), (0, offered(150, 90))], LOWEST, 100,
    ),
    "raised and brought back to what it was is no reduction": (
        [(-90, offered(100)), (-5, offered(150)), (0, offered(150, 100))], NOT_LOWER, None,
    ),
    "raised more than 30 days before, it was asked for all of them": (
        [(-90, offered(100)), (-31, offered(150)), (0, offered(150, 90))], LOWEST, 150,
    ),
    "a sale within the 30 days before counts: the next campaign says its price": (
        [(-90, offered(100)), (-20, offered(100, 70)), (-13, offered(100)), (0, offered(100, 60))],
        LOWEST, 70,
    ),
    "a sale within the 30 days before that was as cheap leaves nothing to say": (
        [(-90, offered(100)), (-20, offered(100, 80)), (-13, offered(100)), (0, offered(100, 80))],
        NOT_LOWER, None,
    ),
    "bananas at 1.29 that were 1.69 last week and 1.29 in the 30 days before (C-330/23)": (
        [(-90, offered(1.29)), (-7, offered(1.69)), (0, offered(1.69, 1.29))], NOT_LOWER, None,
    ),
    "a reduction that goes on: each step says the step before, as where no country says otherwise": (
        [(-90, offered(100)), (0, offered(100, 90)), (5, offered(100, 80)), (10, offered(100, 70))],
        LOWEST, 80,
    ),
    "a sale that becomes a little dearer is no new reduction": (
        [(-90, offered(100)), (0, offered(100, 60)), (5, offered(100, 70))], NOT_LOWER, None,
    ),
    "a long sale says what was asked before it began, as long as it lasts": (
        [(-90, offered(100)), (-60, offered(100, 80)), (0, offered(100, 80, brand="Said again"))],
        LOWEST, 100,
    ),
    "the price beside a sale may be raised, the sale still says what was asked": (
        [(-90, offered(100)), (-10, offered(100, 80)), (0, offered(140, 80))], LOWEST, 100,
    ),
    "where the shop itself says less than it asked, no more is said": (
        [(-90, offered(100)), (0, offered(95, 80))], LOWEST, 95,
    ),
    "what is asked already and then called a sale is no reduction": (
        [(-90, offered(100)), (-60, offered(80)), (0, offered(100, 80))], NOT_LOWER, None,
    ),
    "nor is it where it was all that was ever asked": (
        [(-90, offered(80)), (0, offered(100, 80))], NOT_LOWER, None,
    ),
    "a product of 29 days says nothing": (
        [(-29, offered(100)), (0, offered(100, 80))], TOO_SHORT, None,
    ),
    "a product of 30 days says its price": (
        [(-30, offered(100)), (0, offered(100, 80))], LOWEST, 100,
    ),
    "on sale since it is known, nothing is known of before": (
        [(-90, offered(100, 80)), (0, offered(100, 80))], TOO_SHORT, None,
    ),
    "prices in another currency were never asked": (
        [(-90, offered(100, currency="CHF")), (0, offered(100, 80))], TOO_SHORT, None,
    ),
    "a sale that begins by its date alone": (
        [(-90, offered(100, 80, since=0))], LOWEST, 100,
    ),
    "a sale that ended by its date alone counts for the next": (
        [(-90, offered(100)), (-40, offered(100, 70, since=-20, until=-13)), (0, offered(100, 60))],
        LOWEST, 70,
    ),
    "a sale that was announced and taken back before it began was never asked": (
        [(-90, offered(100)), (-40, offered(100, 50, since=-20, until=-13)), (-25, offered(100)),
         (0, offered(100, 80))],
        LOWEST, 100,
    ),
    "less than a coin is no reduction that could be read": (
        [(-90, offered(100)), (0, offered(100, 99.999))], NOT_LOWER, None,
    ),
    "a coin is one": ([(-90, offered(100)), (0, offered(100, 99.99))], LOWEST, 100),
    "half a yen is none": (
        [(-90, offered(100, currency="JPY")), (0, offered(100, 99.5, currency="JPY"))], NOT_LOWER, None,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_struck_through_is_what_the_law_allows(name: str) -> None:
    saved, strike, struck = CASES[name]
    _, reduction = told(*saved)
    assert (reduction.strike, reduction.struck_micros) == (strike, None if struck is None else euros(struck))


def test_without_a_lower_price_there_is_no_reduction() -> None:
    assert reduction_of(offered(100), None) is None
    assert reduction_of(offered(100, 100), None) is None


def test_a_reduction_tells_what_it_was_made_of() -> None:
    _, reduction = told((-90, offered(100)), (-20, offered(90)), (-10, offered(100)), (0, offered(100, 80)))
    assert (reduction.known_since_ms, reduction.began_ms) == (at(-90), at(0))
    assert (reduction.lowest_micros, reduction.lowest_at_ms) == (euros(90), at(-20))


def test_a_product_saved_without_a_history_says_nothing() -> None:
    reduction = reduction_of(offered(100, 80), None)
    assert reduction == Reduction(Strike.KNOWN_TOO_SHORT, None)


def test_the_same_save_twice_is_one() -> None:
    once = noted(noted(None, offered(100), at(-90)), offered(100, 80), at(0))
    assert noted(once, offered(100, 80), at(0)) == once
    assert noted(once, offered(100, 80), at(9)) is once


@pytest.mark.parametrize(
    ("country", "asks"),
    [("FR", True), ("DE", True), ("NO", True), ("RE", True), ("GB", False), ("US", False), ("CH", False)],
)
def test_the_countries_of_the_european_economic_area_ask_for_the_lowest_price(
    country: str, asks: bool
) -> None:
    assert asks_for_lowest(make_advertiser(country=country)) is asks
    assert not asks_for_lowest(make_advertiser(country=country, trust_reference_price=True))


def test_where_nobody_knows_the_country_the_lowest_price_is_asked_for() -> None:
    assert asks_for_lowest(None)
    assert len(COUNTRIES_OF_THE_LOWEST) == 27 + 3 + 7


def test_elsewhere_the_feeds_own_price_is_struck_through() -> None:
    product = offered(100, 80)
    reduction = reduction_of(product, noted(None, product, at(0)))
    assert struck_micros(reduction, product, lowest=False) == euros(100)
    assert struck_micros(reduction, product, lowest=True) is None
    assert struck_micros(None, offered(100), lowest=False) is None


def test_what_reads_the_same_is_struck_through_nowhere() -> None:
    product = offered(100, 99.999)
    reduction = reduction_of(product, noted(None, product, at(0)))
    assert struck_micros(reduction, product, lowest=False) is None
    british = make_advertiser(country="GB")
    told = reference_price(product, noted(None, product, at(0)), british, at(1))
    assert (told.strike, told.struck_micros) == (Strike.NOT_LOWER, None)


# ---- any life that a price may have ----

prices = st.integers(1, 12).map(lambda tens: euros(tens * 10))
days = st.one_of(st.none(), st.integers(-80, 20).map(at))
products = st.builds(
    lambda price, sale, since, until: make_product(
        price_micros=price, sale_price_micros=sale, sale_from_ms=since, sale_until_ms=until
    ),
    prices, st.one_of(st.none(), prices), days, days,
)  # fmt: skip
lives = st.lists(st.tuples(st.integers(-120 * 24, 0), products), min_size=1, max_size=70).map(
    lambda saves: sorted(saves, key=lambda save: save[0])
)
on_sale = st.builds(
    lambda price, off: make_product(price_micros=price, sale_price_micros=Micros(price - off)),
    prices, st.integers(1, 9).map(euros),
)  # fmt: skip
sales = st.tuples(lives, on_sale).map(lambda life: [*life[0], (0, life[1])])


def lived(saves: list[tuple[int, Product]]) -> PriceHistory:
    history: PriceHistory | None = None
    for hour, product in saves:
        history = noted(history, product, at(hour / 24))
    assert history is not None
    return history


def asked_then(saves: list[tuple[int, Product]], moment_ms: int) -> Micros | None:
    """Plainly: as the product that was saved last before says."""
    before = [product for hour, product in saves if at(hour / 24) <= moment_ms]
    return before[-1].asked_micros(moment_ms) if before else None


def sale_then(saves: list[tuple[int, Product]], moment_ms: int) -> Micros | None:
    """The price of the sale that was on, None where none was."""
    before = [product for hour, product in saves if at(hour / 24) <= moment_ms]
    is_on = bool(before) and before[-1].is_on_sale(moment_ms)
    return before[-1].sale_price_micros if is_on else None


@given(st.one_of(lives, sales))
def test_a_struck_price_is_never_above_any_that_was_asked_in_the_30_days_before(
    saves: list[tuple[int, Product]],
) -> None:
    """Nor is it said before the price is known for so long; whatever was pruned or put together."""
    product = saves[-1][1]
    reduction = reduction_of(product, lived(saves))
    if reduction is None or reduction.struck_micros is None:
        return
    assert reduction.began_ms is not None and product.sale_price_micros is not None
    assert product.sale_price_micros < reduction.struck_micros <= product.price_micros
    assert at(saves[0][0] / 24) <= reduction.began_ms - PRIOR_MS
    assert sale_then(saves, reduction.began_ms) == product.sale_price_micros
    assert sale_then(saves, reduction.began_ms - 1) != product.sale_price_micros
    for hour in range(1, 30 * 24 + 1):
        asked = asked_then(saves, reduction.began_ms - hour * DAY_MS // 24)
        assert asked is not None and reduction.struck_micros <= asked


@given(lives)
def test_a_history_tells_what_was_asked_as_long_as_it_is_kept(saves: list[tuple[int, Product]]) -> None:
    history, now_ms = lived(saves), at(saves[-1][0] / 24)
    assert len(history.steps) <= MOST_STEPS
    assert history.known_since_ms == at(saves[0][0] / 24)
    assert [step.from_ms for step in history.steps] == sorted({step.from_ms for step in history.steps})
    assert asked_micros(history, now_ms) == asked_then(saves, now_ms)
    for hours in range(0, 24 * 40, 5):  # by their dates alone
        moment_ms = now_ms + hours * DAY_MS // 24
        assert asked_micros(history, moment_ms) == asked_then(saves, moment_ms)
    if len(saves) < MOST_STEPS // 3:  # each save has at most three
        for hours in range(0, 24 * 30, 5):
            moment_ms = now_ms - hours * DAY_MS // 24
            assert asked_micros(history, moment_ms) == asked_then(saves, moment_ms)


def test_a_price_that_changes_each_minute_is_kept_in_bounds_and_never_taken_for_a_higher() -> None:
    history: PriceHistory | None = None
    for minute in range(40 * 24 * 60):
        history = noted(history, offered(50 + minute * 37 % 100), at(-40 + minute / 1440))
    assert history is not None and len(history.steps) <= MOST_STEPS
    reduction = reduction_of(offered(200, 40), noted(history, offered(200, 40), at(0)))
    assert reduction is not None and reduction.struck_micros == euros(50)


def test_a_history_is_small() -> None:
    history, _ = told((-90, offered(100)), (-10, offered(90)), (0, offered(100, 80)))
    assert len(msgspec.msgpack.encode(history)) <= 63
