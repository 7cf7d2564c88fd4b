"""Events are taken in once each, by whom ads had reached; a period's figures are those of counting by hand."""

from collections import Counter, defaultdict
from datetime import date
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adserver.domain.caller import Caller
from adserver.domain.experiment import is_held_out
from adserver.domain.funnel import FORM, SHOP, STEP_OF_EVENT, Group, Step
from adserver.domain.funnel_report import OTHER, Figures
from adserver.flows import funnel
from adserver.flows.funnel import SETTLED_MS, FunnelReport, FunnelReports, RollUpFunnel
from adserver.outside.clock import KeyMint
from adserver.parties import Parties
from adserver.writes import StoreEvent
from pixel.consent import Region
from pixel.events import EventName
from tests.contract.stores import make_accounts, save, save_new
from tests.domain.makers import ADVERTISER, DAY_MS, HOUR_MS, NOW_MS, make_advertiser, make_event
from tests.flows.street import VISITOR, Street

TODAY = date(2026, 11, 18)
TODAY_MS = NOW_MS - NOW_MS % DAY_MS


def rolling(street: Street) -> RollUpFunnel:
    parties = Parties(street.memory, street.storage.campaigns, street.refresh.poll)
    return RollUpFunnel(street.storage, parties, lambda: street.now_ms + SETTLED_MS + 1)


def report(street: Street, first: date = TODAY, last: date = TODAY) -> FunnelReport:
    found = FunnelReports(street.storage, street.clock).report(ADVERTISER, first, last)
    assert found is not None
    return found


def sums(street: Street) -> dict[tuple[Group, Step], tuple[int, int]]:
    """What is behind a report, without anything folded."""
    found = street.storage.funnels.figures(ADVERTISER, 0, NOW_MS + 99 * DAY_MS)
    return {cell: numbers for cell, numbers in found.items() if any(numbers)}


def groups(street: Street, step: Step) -> dict[Group, int]:
    return {group: n for (group, one), (n, _) in sums(street).items() if one is step and n}


# ---- by whom ads had reached ----


def test_what_is_done_after_an_ad_is_exposed_and_before_it_is_not(street: Street) -> None:
    street.open()
    job = rolling(street)
    job.run()
    assert groups(street, Step.VIEW) == {Group.OTHERS: 1}
    street.now_ms += HOUR_MS
    street.see(street.signed())
    street.now_ms += HOUR_MS
    street.hit(e="add_to_cart", id="boots")
    job.run()
    assert groups(street, Step.VIEW) == groups(street, Step.CART) == {Group.EXPOSED: 1}
    street.now_ms += 2 * DAY_MS  # a view's window is a day
    street.look()
    job.run()
    assert groups(street, Step.VIEW) == {Group.EXPOSED: 1, Group.OTHERS: 1}


def test_an_ad_of_another_advertiser_exposes_nobody(street: Street) -> None:
    street.open()
    street.see(street.signed())
    street.storage.writer.commit(
        StoreEvent(next(street.keys), ADVERTISER + 1, VISITOR, False, make_event(EventName.VIEW_ITEM), NOW_MS)
    )
    rolling(street).run()
    other = street.storage.funnels.figures(ADVERTISER + 1, 0, NOW_MS + DAY_MS)
    assert other[Group.OTHERS, Step.VIEW] == (1, 1)


def test_whoever_is_held_out_is_told_apart(street: Street) -> None:
    street.open()
    draws = (make_advertiser(version=2, holdout_bps=5_000, holdout_draw=draw) for draw in range(1, 99))
    save(street.storage, next(one for one in draws if is_held_out(VISITOR, one)))
    rolling(street).run()
    assert groups(street, Step.VIEW) == {Group.HELD_OUT: 1}


# ---- once each ----


def test_an_event_that_was_told_twice_counts_once(street: Street) -> None:
    street.open_shop()
    for _ in range(3):
        street.hit(event_id="e-1")
    rolling(street).run()
    assert sums(street) == {(Group.OTHERS, Step.VISIT): (1, 0), (Group.OTHERS, Step.VIEW): (1, 1)}


def test_nothing_is_taken_in_before_all_that_came_earlier_is_known(street: Street) -> None:
    mint = KeyMint(3, street.clock)
    street.open_shop()
    event = make_event(EventName.VIEW_ITEM, "boots")
    street.storage.writer.commit(StoreEvent(mint(), ADVERTISER, 5, False, event, street.now_ms))
    parties = Parties(street.memory, street.storage.campaigns, street.refresh.poll)
    job = RollUpFunnel(street.storage, parties, street.clock)
    reports = FunnelReports(street.storage, street.clock)
    for waited_ms, taken in ((SETTLED_MS, 0), (1, 1), (1, 0)):
        street.now_ms += waited_ms
        assert job.run() == taken
        found = reports.report(ADVERTISER, TODAY, TODAY)
        assert found is not None and found.counted_until_ms == street.now_ms - SETTLED_MS


def test_a_report_says_up_to_when_it_counts_while_there_is_more(street: Street) -> None:
    mint = KeyMint(3, street.clock)
    street.open_shop()
    event = make_event(EventName.VIEW_ITEM, "boots")
    street.storage.writer.commit(StoreEvent(mint(), ADVERTISER, 5, False, event, street.now_ms))
    street.now_ms += HOUR_MS
    assert report(street).counted_until_ms == NOW_MS


def test_a_long_backlog_goes_in_stretches(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(funnel, "STRETCH", 2)
    monkeypatch.setattr(funnel, "MOST_STRETCHES", 2)
    street.open_shop()
    for visitor in range(1, 8):
        tell(street, EventName.VIEW_ITEM, visitor)
    assert [rolling(street).run() for _ in range(3)] == [4, 3, 0]
    assert sums(street)[Group.OTHERS, Step.VIEW] == (7, 7)


def tell(street: Street, name: EventName, visitor: int, at_ms: int = NOW_MS, path: str = "boots") -> None:
    event = make_event(name, "boots", url=f"https://shop.example/{path}")
    write = StoreEvent(next(street.keys), ADVERTISER, visitor, False, event, at_ms)
    street.storage.writer.commit(write)


NAMES = (
    EventName.PAGE_VIEW,
    EventName.VIEW_ITEM,
    EventName.ADD_TO_CART,
    EventName.PURCHASE,
    EventName.FORM_START,
)
told_or_rolled = st.integers(0, 1) | st.tuples(st.integers(0, 3), st.sampled_from(NAMES), st.integers(0, 40))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(told_or_rolled, max_size=30))
def test_however_often_and_whenever_the_job_runs_the_figures_are_those_of_all_events(
    street: Street, history: list[int | tuple[int, EventName, int]]
) -> None:
    """A number is a run of the job, in one of two processes; late events are of up to two days before."""
    jobs, told = [rolling(street), rolling(street)], []
    base = next(street.keys) * 10_000  # visitors of this example alone
    before = sums(street)
    for step in history:
        if isinstance(step, int):
            jobs[step].run()
            continue
        visitor, name, hours_ago = step
        tell(street, name, visitor and base + visitor, NOW_MS - hours_ago * HOUR_MS)
        told.append((visitor, name, (NOW_MS - hours_ago * HOUR_MS) // DAY_MS))
    for job in jobs * 2:
        job.run()
    assert added(before, sums(street)) == by_hand(told)


Sums = dict[tuple[Group, Step], tuple[int, int]]


def added(before: Sums, after: Sums) -> dict[Step, tuple[int, int]]:
    found = {}
    for (_, step), (visitors, events) in after.items():
        known = before.get((Group.OTHERS, step), (0, 0))
        if (visitors, events) != known:
            found[step] = (visitors - known[0], events - known[1])
    return found


def by_hand(told: list[tuple[int, EventName, int]]) -> dict[Step, tuple[int, int]]:
    """(visitor, event, day): visitors who came as far on a day, and events, by step."""
    visitors, events = Counter[Step](), Counter[Step]()
    days: dict[tuple[int, int], set[Step]] = defaultdict(set)
    for visitor, name, day in told:
        step = STEP_OF_EVENT.get(name, Step.VISIT)
        events[step] += 1
        if visitor:
            days[visitor, day].add(step)
    for done in days.values():
        for steps in (SHOP, FORM):
            reached = max((place for place, step in enumerate(steps) if step in done), default=-1)
            reached = max(reached, 0) if steps is SHOP else reached  # whoever did anything was there
            visitors.update(steps[: reached + 1])
    return {step: (visitors[step], events[step]) for step in Step if visitors[step] or events[step]}


# ---- reports ----


def test_a_report_tells_where_most_left_and_names_nobody(street: Street) -> None:
    street.open_shop()
    for visitor in range(1, 41):
        tell(street, EventName.VIEW_ITEM, visitor)
        if visitor <= 25:
            tell(street, EventName.ADD_TO_CART, visitor, path="cart")
        if visitor <= 12:
            tell(street, EventName.PURCHASE, visitor, path="thanks")
        if visitor in (30, 31):
            tell(street, EventName.PAGE_VIEW, visitor, path="my-secret-page?who=anna")
    rolling(street).run()
    found = report(street)
    assert [row.total.visitors for row in found.shop] == [40, 40, 25, 12, 12]
    assert [row.groups[Group.EXPOSED] for row in found.shop] == [Figures(0, 0)] * 5
    assert [(row.after, row.page, row.visitors) for row in found.exits] == [
        (Step.VIEW, "/boots", 13), (Step.VIEW, OTHER, 2), (Step.CART, "/cart", 13),
    ]  # fmt: skip


def test_an_exposed_few_are_not_told_apart(street: Street) -> None:
    street.open()
    street.see(street.signed())
    street.hit(e="add_to_cart", id="boots")
    for visitor in range(1, 41):
        tell(street, EventName.ADD_TO_CART, visitor)
    rolling(street).run()
    row = report(street).shop[SHOP.index(Step.CART)]
    assert row.total.visitors == 41
    assert row.groups[Group.EXPOSED] == row.groups[Group.OTHERS] == Figures(None, None)


@pytest.mark.parametrize(
    ("first", "last"), [(date(2026, 11, 19), TODAY), (date(2025, 1, 1), TODAY)], ids=["reversed", "too long"]
)
def test_a_period_that_is_none_is_not_answered(street: Street, first: date, last: date) -> None:
    assert FunnelReports(street.storage, street.clock).report(ADVERTISER, first, last) is None


def test_a_visitor_whom_nobody_may_know_is_an_event(street: Street) -> None:
    street.open_shop()
    tell(street, EventName.PURCHASE, 0)
    rolling(street).run()
    assert sums(street) == {(Group.OTHERS, Step.PURCHASE): (0, 1)}


def test_a_new_browser_counts_once_its_cookie_has_come_back(street: Street) -> None:
    street.open_shop()
    street.hit(Caller(Region.OPEN, origin="shop.example"))
    rolling(street).run()
    assert sums(street) == {(Group.OTHERS, Step.VIEW): (0, 1)}


# ---- real shoppers ----


def test_real_shoppers_are_counted_as_by_hand(street: Street, shared_data: Path) -> None:
    """Some thousand events of 60 shoppers over nine days, told out of order and taken in as they come."""
    names = {"pv": EventName.VIEW_ITEM, "cart": EventName.ADD_TO_CART, "fav": EventName.ADD_TO_WISHLIST,
             "buy": EventName.PURCHASE}  # fmt: skip
    save_new(street.storage, *make_accounts())
    lines = (shared_data / "clickstream" / "taobao_journeys" / "events.csv").read_text().splitlines()[1:]
    rows = [line.split(",") for line in lines]
    shoppers = {user: place for place, user in enumerate(sorted({row[0] for row in rows})[:60], 1)}
    rows = [row for row in rows if row[0] in shoppers and 1_511_500_000 <= int(row[4]) <= 1_512_400_000]
    told, keys, job = [], count(1), rolling(street)
    for start in range(0, len(rows), 1_500):
        writes = []
        for user, item, _, behaviour, seconds in rows[start : start + 1_500]:
            at_ms = int(seconds) * 1_000
            event = make_event(names[behaviour], item)
            writes.append(StoreEvent(next(keys), ADVERTISER, shoppers[user], False, event, at_ms))
            told.append((shoppers[user], names[behaviour], at_ms // DAY_MS))
        street.storage.writer.commit_many(writes)
        job.run()
    while job.run():
        continue
    wanted = by_hand(told)
    assert len(told) > 4_000 and wanted[Step.PURCHASE][0] > 20
    assert {step: numbers for (_, step), numbers in sums(street).items()} == wanted
