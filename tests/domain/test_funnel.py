"""Journeys are counted the same however events are split, repeated or late; who left where is told to nobody's harm."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.domain.funnel import (
    FORM,
    SHOP,
    STEP_OF_EVENT,
    Cell,
    Exit,
    Group,
    Journey,
    JourneyKey,
    Step,
    Told,
    go_on,
    keys_of,
    page_of,
    roll,
    step_of,
    was_exposed,
)
from adserver.domain.funnel_report import HIDDEN, OTHER, UNKNOWN, Figures, exits_of, rows_of
from adserver.domain.pricing import AdEvent
from pixel.events import EventName
from tests.domain.makers import ADVERTISER, DAY_MS, HOUR_MS, NOW_MS, make_terms, make_touch

NAMES = (
    EventName.PAGE_VIEW, EventName.VIEW_ITEM, EventName.ADD_TO_CART, EventName.BEGIN_CHECKOUT,
    EventName.PURCHASE, EventName.FORM_START, EventName.FORM_SUBMIT, EventName.REFUND,
)  # fmt: skip
DAY = NOW_MS - NOW_MS % DAY_MS


def events_strategy() -> st.SearchStrategy[list[Told]]:
    one = st.tuples(
        st.sampled_from([ADVERTISER, ADVERTISER + 1]),
        st.integers(0, 4),  # 0: of nobody
        st.integers(0, 3 * 24),  # hours: three days, in no order
        st.sampled_from(NAMES),
        st.booleans(),
        st.sampled_from(["", "/", "/cart", "/shipping"]),
    )
    return st.lists(one, max_size=40).map(
        lambda drawn: [
            Told(key, who, visitor, DAY + hour * HOUR_MS, name, first, page)
            for key, (who, visitor, hour, name, first, page) in enumerate(drawn, 1)
        ]
    )


def group_at(told: Told) -> Group:
    """Visitor 1 sees ads on the second day, visitor 2 is held out."""
    if told.visitor_key == 1 and told.at_ms >= DAY + DAY_MS:
        return Group.EXPOSED
    return Group.HELD_OUT if told.visitor_key == 2 else Group.OTHERS


class Books:
    """What a store keeps of journeys and sums, fed stretch by stretch."""

    def __init__(self) -> None:
        self.journeys: dict[JourneyKey, Journey] = {}
        self.figures: dict[Cell, list[int]] = defaultdict(lambda: [0, 0])
        self.exits = Counter[Exit]()

    def take(self, events: list[Told]) -> None:
        known = {key: self.journeys[key] for key in keys_of(events) if key in self.journeys}
        rolled = roll(events, known, group_at)
        self.journeys.update(rolled.journeys)
        for cell, (visitors, count) in rolled.tally.figures.items():
            self.figures[cell][0] += visitors
            self.figures[cell][1] += count
        self.exits.update(rolled.tally.exits)

    def sums(self) -> tuple[dict[Cell, list[int]], dict[Exit, int]]:
        figures = {cell: numbers for cell, numbers in self.figures.items() if any(numbers)}
        return figures, {left: n for left, n in self.exits.items() if n}


def brute_force(events: list[Told]) -> tuple[dict[Cell, list[int]], dict[Exit, int]]:
    """Visitor by visitor and day by day, from all events at once, by the words of the documentation."""
    figures: dict[Cell, list[int]] = defaultdict(lambda: [0, 0])
    exits = Counter[Exit]()
    days: dict[tuple[int, int, int], list[Told]] = defaultdict(list)
    for told in events:
        if told.name is not EventName.REFUND:
            days[told.advertiser_key, told.at_ms // DAY_MS * DAY_MS, told.visitor_key].append(told)
    for (advertiser_key, day_ms, visitor_key), done in days.items():
        groups = {group_at(told) for told in done} if visitor_key else {Group.OTHERS}
        group = next(one for one in (Group.EXPOSED, Group.HELD_OUT, Group.OTHERS) if one in groups)
        steps = [STEP_OF_EVENT.get(told.name, Step.VISIT) for told in done]
        for step in steps:
            figures[Cell(advertiser_key, day_ms, group, step)][1] += 1
        if not visitor_key or all(told.first for told in done):
            continue
        at_form = [told for told in done if told.name is EventName.FORM_START]
        for funnel, pages in ((SHOP, done), (FORM, at_form)):
            reached = [place for place, step in enumerate(funnel) if step in steps]
            if not reached and funnel is FORM:
                continue
            reached = reached or [0]  # whoever did anything was there
            for step in funnel[: max(reached) + 1]:
                figures[Cell(advertiser_key, day_ms, group, step)][0] += 1
            if max(reached) < len(funnel) - 1:
                last = max(pages, key=lambda told: (told.at_ms, told.event_key))
                exits[Exit(advertiser_key, day_ms, funnel[max(reached)], last.page)] += 1
    return dict(figures), dict(exits)


@settings(max_examples=150, deadline=None)
@given(events_strategy(), st.data())
def test_however_events_are_split_the_sums_are_those_of_counting_all_at_once(
    events: list[Told], data: st.DataObject
) -> None:
    books, rest = Books(), list(events)
    while rest:
        some = data.draw(st.integers(1, len(rest)))
        books.take(rest[:some])
        rest = rest[some:]
    assert books.sums() == brute_force(events)


@settings(max_examples=80, deadline=None)
@given(events_strategy(), st.randoms(use_true_random=False))
def test_events_that_come_in_another_order_count_the_same(events: list[Told], dice: object) -> None:
    shuffled = list(events)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    books = Books()
    for told in shuffled:
        books.take([told])
    assert books.sums() == brute_force(events)


def told(name: EventName, key: int = 1, **fields: object) -> Told:
    row = {"visitor_key": 5, "at_ms": NOW_MS + key, "page": f"/{name}"} | fields
    return Told(key, ADVERTISER, name=name, **row)  # type: ignore[arg-type]


def test_an_order_says_that_all_before_it_was_done_too() -> None:
    books = Books()
    books.take([told(EventName.PURCHASE)])
    visitors = {cell.step: numbers for cell, numbers in books.sums()[0].items()}
    assert visitors == {step: [1, int(step is Step.PURCHASE)] for step in SHOP}
    assert books.sums()[1] == {}


def test_a_browser_that_keeps_no_cookie_is_not_as_many_visitors_as_pages() -> None:
    books = Books()
    for key in range(1, 8):
        books.take([told(EventName.VIEW_ITEM, key, visitor_key=100 + key, first=True)])
    (figures,) = books.sums()[0].values()
    assert figures == [0, 7]
    books.take([told(EventName.PAGE_VIEW, 9, visitor_key=101)])
    assert {cell.step: numbers[0] for cell, numbers in books.sums()[0].items()} == {
        Step.VISIT: 1,
        Step.VIEW: 1,
    }


def test_a_form_is_left_where_it_was_begun_whatever_came_after() -> None:
    books = Books()
    books.take([told(EventName.FORM_START, page="/quote"), told(EventName.PAGE_VIEW, 2, page="/imprint")])
    assert {(left.step, left.page) for left in books.sums()[1]} == {
        (Step.FORM_START, "/quote"), (Step.VISIT, "/imprint"),
    }  # fmt: skip
    books.take([told(EventName.GENERATE_LEAD, 3, page="/thanks")])
    assert {(left.step, left.page) for left in books.sums()[1]} == {(Step.VISIT, "/thanks")}


def test_who_saw_an_ad_stays_exposed_for_the_day() -> None:
    journey = Journey()
    for group in (Group.OTHERS, Group.EXPOSED, Group.HELD_OUT, Group.OTHERS):
        journey = go_on(journey, told(EventName.VIEW_ITEM), group)
    assert journey.group is Group.EXPOSED


def test_what_nobody_does_on_a_page_is_no_step() -> None:
    assert step_of(EventName.REFUND) is None
    assert step_of(EventName.SEARCH) is Step.VISIT


@pytest.mark.parametrize(
    ("url", "page"),
    [
        (None, ""),
        ("https://shop.example", "/"),
        ("https://shop.example/cart?name=anna#top", "/cart"),
        ("https://shop.example/" + "x" * 900, "/" + "x" * 199),
    ],
)
def test_a_page_is_a_path_without_what_was_asked_of_it(url: str | None, page: str) -> None:
    assert page_of(url) == page


@pytest.mark.parametrize(
    ("touch", "after_ms", "exposed"),
    [
        (make_touch(at_ms=NOW_MS), 0, True),
        (make_touch(at_ms=NOW_MS), -1, False),  # the ad came later
        (make_touch(at_ms=NOW_MS), 30 * DAY_MS - 1, True),
        (make_touch(at_ms=NOW_MS), 30 * DAY_MS, False),
        (make_touch(AdEvent.IMPRESSION, at_ms=NOW_MS), DAY_MS - 1, True),
        (make_touch(AdEvent.IMPRESSION, at_ms=NOW_MS), DAY_MS, False),
        (make_touch(at_ms=NOW_MS, suspect=True), 0, False),
        (make_touch(at_ms=NOW_MS, campaign_key=9), 0, False),  # of another advertiser
    ],
)
def test_who_saw_an_ad_within_its_windows_is_exposed(touch: object, after_ms: int, exposed: bool) -> None:
    terms = make_terms()
    found = was_exposed([touch], lambda one: None if one.campaign_key == 9 else terms, NOW_MS + after_ms)  # type: ignore[list-item]
    assert found is exposed


# ---- what is told ----


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=3, max_size=3))
def test_no_figure_tells_of_a_few_nor_do_those_beside_it(counts: list[int]) -> None:
    sums = {(group, Step.CART): (count, 2 * count) for group, count in zip(Group, counts, strict=True)}
    row = rows_of(SHOP, sums)[SHOP.index(Step.CART)]
    shown = {group: figures.visitors for group, figures in row.groups.items()}
    for group, count in zip(Group, counts, strict=True):
        assert shown[group] in (None, count)
        assert shown[group] is not None or row.groups[group] == HIDDEN
        assert not 0 < (shown[group] or 0) < 10
    total = row.total.visitors
    assert total in (None, sum(counts))
    if total is None:
        assert 0 < sum(counts) < 10
    else:  # what is hidden can be worked out only as the sum of those hidden
        hidden = total - sum(count for count in shown.values() if count is not None)
        assert hidden == 0 or hidden >= 10


def test_a_row_without_anybody_tells_nothing_but_noughts() -> None:
    row = rows_of(FORM, {})[0]
    assert (row.total, row.groups) == (Figures(0, 0), dict.fromkeys(Group, Figures(0, 0)))


def test_pages_of_a_few_are_one_row_and_all_rows_are_those_who_left() -> None:
    sums = {(Group.OTHERS, Step.VISIT): (100, 0), (Group.OTHERS, Step.VIEW): (60, 0),
            (Group.EXPOSED, Step.FORM_START): (12, 12)}  # fmt: skip
    pages = [
        (Step.VIEW, "/boots", 30),
        (Step.VISIT, "", 22),
        (Step.VISIT, "/blog", 9),
        (Step.VIEW, "/hat", 3),
    ]
    rows = [(row.after, row.page, row.visitors) for row in exits_of(sums, pages)]
    assert rows == [
        (Step.VISIT, UNKNOWN, 22), (Step.VISIT, OTHER, 18), (Step.VIEW, "/boots", 30), (Step.VIEW, OTHER, 30),
        (Step.FORM_START, OTHER, 12),
    ]  # fmt: skip
