"""What a hold withholds and frees month by month: nothing twice, and closed months never change."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from adserver.domain.payout_hold import Ending, PayoutHold, Span, conflicting
from adserver.domain.statement import Month

LENGTH = 100
MONTHS = [Month(2026, number, (number - 1) * LENGTH, number * LENGTH) for number in range(1, 7)]
LAST = MONTHS[-1].end_ms
times = st.integers(0, LAST - 1)


def hold(**more: object) -> PayoutHold:
    usual: dict[str, object] = {"key": 1, "publisher_key": 7, "since_ms": 0, "reason": "odd", "placed_ms": 0}
    return PayoutHold(**usual | more)  # type: ignore[arg-type]


@st.composite
def holds(draw: st.DrawFn) -> PayoutHold:
    since, placed = draw(times), draw(times)
    until = draw(st.none() | st.integers(since + 1, LAST))
    ended = draw(st.none() | st.integers(placed, LAST - 1))
    ending = None if ended is None else draw(st.sampled_from(Ending))
    return hold(since_ms=since, until_ms=until, placed_ms=placed, ended_ms=ended, ending=ending)


Booking = tuple[int, int | None]  # when it was charged, and given back


@st.composite
def bookings(draw: st.DrawFn) -> Booking:
    at_ms = draw(times)
    return at_ms, draw(st.none() | st.integers(at_ms, LAST - 1))


def within(span: Span, charges: list[int]) -> int:
    return sum(span.start_ms <= at_ms < span.end_ms for at_ms in charges)


def freed(one: PayoutHold, month: Month, bookings: list[Booking]) -> int:
    """As statements tell it."""
    earned = one.earned(month.end_ms)
    gone = [back_ms for at_ms, back_ms in bookings if within(earned, [at_ms]) and back_ms is not None]
    if one.freed_in(month).is_empty:
        return within(one.given_back_in(month), gone)
    return within(one.freed_in(month), [at_ms for at_ms, _ in bookings]) - within(one.before(month), gone)


@given(holds(), st.lists(bookings(), max_size=30))
def test_every_month_ends_with_what_is_held_and_not_given_back_withheld(
    one: PayoutHold, bookings: list[Booking]
) -> None:
    charges, left = [at_ms for at_ms, _ in bookings], 0
    for month in MONTHS:
        left += within(one.withheld_in(month), charges) - freed(one, month, bookings)
        is_over = one.ending is Ending.RELEASED and (one.ended_ms or 0) < month.end_ms
        is_held = one.placed_ms < month.end_ms and not is_over
        still = [at_ms for at_ms, back_ms in bookings if back_ms is None or back_ms >= month.end_ms]
        held = [at_ms for at_ms in still if at_ms < month.end_ms]
        assert left == (within(one.earned(month.end_ms), held) if is_held else 0)


@given(holds(), st.lists(times, max_size=30))
def test_no_charge_is_withheld_by_two_months(one: PayoutHold, charges: list[int]) -> None:
    for at_ms in charges:
        assert sum(within(one.withheld_in(month), [at_ms]) for month in MONTHS) <= 1


@given(holds())
def test_a_closed_month_knows_nothing_of_what_came_after(one: PayoutHold) -> None:
    still_open = replace(one, ended_ms=None, ending=None)
    for month in MONTHS:
        if one.placed_ms >= month.end_ms:
            assert one.withheld_in(month).is_empty
        if one.ended_ms is not None and one.ended_ms >= month.end_ms:
            assert one.withheld_in(month) == still_open.withheld_in(month)
            assert one.freed_in(month).is_empty


def test_two_holds_are_in_each_others_way_where_they_are_of_one_place() -> None:
    whole, first, second = hold(), hold(key=2, slot_key=5), hold(key=3, slot_key=6)
    assert conflicting(whole, [first]) is first
    assert conflicting(first, [whole]) is whole
    assert conflicting(first, [second, first]) is None
    assert conflicting(first, [replace(whole, ended_ms=9, ending=Ending.RELEASED)]) is None
    assert conflicting(first, [replace(whole, publisher_key=8)]) is None
