"""The funnel's journeys and sums move together with the cursor, once; who was erased does not come back by them."""

from itertools import count

import msgspec
import pytest

from adserver.domain.funnel import (
    JOURNEY_RETENTION_MS,
    Cell,
    Exit,
    Group,
    Journey,
    JourneyKey,
    Page,
    Step,
    Told,
    keys_of,
    roll,
)
from adserver.domain.identity import LARGEST_KEY
from adserver.domain.retention import Retention
from adserver.flows.purge import Purge
from adserver.storage.embedded import Storage
from adserver.writes import ForgetVisitor, Outcome, Result, RollFunnel, StoreEvent, Withdraw
from pixel.events import EventName
from tests.contract.stores import rows_of
from tests.domain.makers import ADVERTISER, DAY_MS, NOW_MS, make_event

VISITOR, OTHER = 4_242_424_242_424, ADVERTISER + 1
TODAY_MS = NOW_MS - NOW_MS % DAY_MS
_keys = count(1)


def tell(
    storage: Storage,
    name: EventName = EventName.VIEW_ITEM,
    visitor_key: int = VISITOR,
    *,
    advertiser_key: int = ADVERTISER,
    first: bool = False,
    at_ms: int = NOW_MS,
) -> int:
    key = next(_keys)
    event = make_event(name, "boots", url=f"https://shop.example/{name}?who=anna")
    write = StoreEvent(key, advertiser_key, visitor_key, first, event, at_ms)
    assert storage.writer.commit(write).result is Result.ACCEPTED
    return key


def rolling(storage: Storage, limit: int = 1_000) -> RollFunnel:
    """What the next events change, yet to be written."""
    after = storage.funnels.cursor()
    told = storage.funnels.told(after, LARGEST_KEY, limit)
    rolled = roll(told, storage.funnels.journeys(keys_of(told)), lambda _: Group.OTHERS)
    figures = tuple((cell, n[0], n[1]) for cell, n in rolled.tally.figures.items())
    exits = tuple(rolled.tally.exits.items())
    until = told[-1].event_key if told else after
    return RollFunnel(after, until, NOW_MS, tuple(rolled.journeys.items()), figures, exits)


def take(storage: Storage, write: RollFunnel | None = None) -> Outcome:
    return storage.writer.commit(write or rolling(storage))


def visitors(storage: Storage, advertiser_key: int = ADVERTISER) -> dict[Step, int]:
    sums = storage.funnels.figures(advertiser_key, TODAY_MS - 3 * DAY_MS, TODAY_MS + DAY_MS)
    return {step: n for (_, step), (n, _) in sums.items()}


def test_events_are_read_in_the_order_of_their_keys_between_two(storage: Storage) -> None:
    first = tell(storage, first=True)
    second = tell(storage, EventName.PAGE_VIEW, 0)
    tell(storage)
    told = storage.funnels.told(first - 1, second + 1, 10)
    assert told == [
        Told(first, ADVERTISER, VISITOR, NOW_MS, EventName.VIEW_ITEM, True, "/view_item"),
        Told(second, ADVERTISER, 0, NOW_MS, EventName.PAGE_VIEW, False, "/page_view"),
    ]
    assert storage.funnels.told(first - 1, second + 1, 1) == told[:1]
    assert storage.funnels.told(first, second, 10) == []


def test_a_journey_is_kept_and_read_as_it_was_made(storage: Storage) -> None:
    key = tell(storage, EventName.FORM_START)
    assert take(storage).result is Result.SAVED
    of = JourneyKey(VISITOR, ADVERTISER, TODAY_MS)
    page = Page(NOW_MS, key, "/form_start")
    journey = Journey((0, 0, 0, 0, 0, 1, 0), Group.OTHERS, True, page, page, key)
    assert storage.funnels.journeys([of, JourneyKey(1, 2, 3)]) == {of: journey}
    assert storage.funnels.cursor() == key


def test_a_stretch_is_taken_in_once_however_often_it_is_tried(storage: Storage) -> None:
    tell(storage)
    write = rolling(storage)
    assert [take(storage, write).result for _ in range(3)] == [Result.SAVED, Result.CONFLICT, Result.CONFLICT]
    assert visitors(storage) == {Step.VISIT: 1, Step.VIEW: 1}
    assert take(storage).result is Result.SAVED  # nothing new
    assert visitors(storage) == {Step.VISIT: 1, Step.VIEW: 1}


def test_the_sums_of_days_are_those_of_their_journeys(storage: Storage) -> None:
    tell(storage)
    tell(storage, at_ms=NOW_MS - DAY_MS)
    tell(storage, EventName.ADD_TO_CART)
    tell(storage, visitor_key=0)
    tell(storage, advertiser_key=OTHER)
    take(storage)
    sums = storage.funnels.figures(ADVERTISER, TODAY_MS - DAY_MS, TODAY_MS + DAY_MS)
    others = Group.OTHERS
    assert sums == {(others, Step.VISIT): (2, 0), (others, Step.VIEW): (2, 3), (others, Step.CART): (1, 1)}
    assert storage.funnels.figures(ADVERTISER, TODAY_MS - DAY_MS, TODAY_MS)[others, Step.VIEW] == (1, 1)
    assert exits(storage) == {(Step.CART, "/add_to_cart"): 1, (Step.VIEW, "/view_item"): 1}
    assert len(storage.funnels.exits(ADVERTISER, TODAY_MS - DAY_MS, TODAY_MS + DAY_MS, 1)) == 1


@pytest.mark.parametrize(
    ("erase", "kept"),
    [(ForgetVisitor(VISITOR, 77, NOW_MS), []), (Withdraw(VISITOR, ADVERTISER, NOW_MS), [(OTHER,)])],
)
def test_whoever_is_erased_while_events_are_read_does_not_come_back(
    storage: Storage, erase: ForgetVisitor | Withdraw, kept: list[tuple[int]]
) -> None:
    tell(storage)
    tell(storage, advertiser_key=OTHER)
    write = rolling(storage)
    storage.writer.commit(erase)
    assert take(storage, write).result is Result.SAVED
    assert rows_of(storage, "SELECT advertiser_key FROM journeys") == kept
    assert visitors(storage)[Step.VIEW] == 1  # figures of nobody stay


def test_a_withdrawal_takes_the_journeys_of_its_advertiser_alone(storage: Storage) -> None:
    tell(storage)
    tell(storage, advertiser_key=OTHER)
    take(storage)
    storage.writer.commit(Withdraw(VISITOR, ADVERTISER, NOW_MS))
    assert rows_of(storage, "SELECT advertiser_key FROM journeys") == [(OTHER,)]


def test_who_it_was_leaves_within_nine_days_of_its_first_telling_and_how_many_stay(storage: Storage) -> None:
    tell(storage)
    take(storage)
    tell(storage)
    take(storage, msgspec.structs.replace(rolling(storage), at_ms=NOW_MS + DAY_MS))  # of the same day, late
    end_ms = NOW_MS + JOURNEY_RETENTION_MS - DAY_MS
    assert end_ms >= TODAY_MS + 8 * DAY_MS  # a week after the day's end
    for now_ms, kept in ((end_ms - 1, 1), (end_ms, 0)):
        Purge(storage.writer, lambda now_ms=now_ms: now_ms, Retention()).run()  # type: ignore[misc]
        assert len(rows_of(storage, "SELECT 1 FROM journeys")) == kept
    assert visitors(storage)[Step.VIEW] == 1


def exits(storage: Storage) -> dict[tuple[Step, str], int]:
    found = storage.funnels.exits(ADVERTISER, 0, TODAY_MS + DAY_MS, 100)
    return {(one.step, one.page): n for one, n in found}


def test_pages_leave_with_the_ads_those_of_a_few_with_their_journeys_and_sums_after_a_year(
    storage: Storage,
) -> None:
    for visitor_key in range(1, 11):
        tell(storage, visitor_key=visitor_key)
    tell(storage, EventName.ADD_TO_CART, 99)
    take(storage)
    many, few = (Step.VIEW, "/view_item"), (Step.CART, "/add_to_cart")
    for days, kept, figures in (
        (8, {many: 10, few: 1}, 3), (9, {many: 10}, 3), (34, {many: 10}, 3), (35, {}, 3), (399, {}, 3), (400, {}, 0),
    ):  # fmt: skip
        Purge(storage.writer, lambda days=days: TODAY_MS + days * DAY_MS, Retention()).run()  # type: ignore[misc]
        assert exits(storage) == kept
        assert len(visitors(storage)) == figures


def test_a_page_that_nobody_left_from_in_the_end_is_not_kept(storage: Storage) -> None:
    tell(storage)
    take(storage)
    tell(storage, EventName.ADD_TO_CART)
    take(storage)
    assert exits(storage) == {(Step.CART, "/add_to_cart"): 1}


@pytest.mark.parametrize("erase", [ForgetVisitor(VISITOR, 77, NOW_MS), Withdraw(VISITOR, ADVERTISER, NOW_MS)])
def test_whoever_is_erased_leaves_the_pages_too(storage: Storage, erase: ForgetVisitor | Withdraw) -> None:
    for visitor_key in (VISITOR, 5):
        tell(storage, visitor_key=visitor_key)
    tell(storage, EventName.FORM_START)
    tell(storage, advertiser_key=OTHER)
    take(storage)
    storage.writer.commit(erase)
    assert exits(storage) == {(Step.VIEW, "/view_item"): 1}
    elsewhere = storage.funnels.exits(OTHER, 0, TODAY_MS + DAY_MS, 100)
    assert [n for _, n in elsewhere] == ([] if isinstance(erase, ForgetVisitor) else [1])


def test_figures_that_cancel_out_leave_no_negative_number(storage: Storage) -> None:
    cell, left = (
        Cell(ADVERTISER, TODAY_MS, Group.OTHERS, Step.VIEW),
        Exit(ADVERTISER, TODAY_MS, Step.VIEW, "/a"),
    )
    for sign in (1, -1):
        after = storage.funnels.cursor()
        write = RollFunnel(after, after + 1, NOW_MS, (), ((cell, sign, sign),), ((left, sign),))
        assert take(storage, write).result is Result.SAVED
    assert storage.funnels.figures(ADVERTISER, TODAY_MS, TODAY_MS + 1) == {(Group.OTHERS, Step.VIEW): (0, 0)}
