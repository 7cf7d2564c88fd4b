"""The funnel: how far visitors came in a day at an advertiser's, by whom its ads had reached, and where."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from adserver.domain.pricing import AdEvent, Terms
from adserver.domain.visitor import DAY_MS, FORM_DONE, Touch
from pixel.events import EventName

MOST_PAGE_CHARACTERS = 200
# Servers may tell of a day until a week after its end; then nobody needs to know any longer who it was.
JOURNEY_RETENTION_MS = 9 * DAY_MS


class Step(StrEnum):
    VISIT = "visit"
    VIEW = "view"
    CART = "cart"
    CHECKOUT = "checkout"
    PURCHASE = "purchase"
    FORM_START = "form_start"
    FORM_SUBMIT = "form_submit"


SHOP = (Step.VISIT, Step.VIEW, Step.CART, Step.CHECKOUT, Step.PURCHASE)
FORM = (Step.FORM_START, Step.FORM_SUBMIT)
STEPS = (*SHOP, *FORM)
_PLACE = {step: place for place, step in enumerate(STEPS)}
_FUNNELS: tuple[tuple[Step, ...], ...] = (SHOP, FORM)
_FROM_THE_END = {steps: [(_PLACE[step], step) for step in reversed(steps)] for steps in _FUNNELS}
_UP_TO = {step: steps[: steps.index(step) + 1] for steps in _FUNNELS for step in steps}
STEP_OF_EVENT = {
    EventName.VIEW_ITEM: Step.VIEW,
    EventName.ADD_TO_CART: Step.CART,
    EventName.VIEW_CART: Step.CART,
    EventName.BEGIN_CHECKOUT: Step.CHECKOUT,
    EventName.ADD_SHIPPING_INFO: Step.CHECKOUT,
    EventName.ADD_PAYMENT_INFO: Step.CHECKOUT,
    EventName.PURCHASE: Step.PURCHASE,
    EventName.FORM_START: Step.FORM_START,
    **dict.fromkeys(FORM_DONE, Step.FORM_SUBMIT),
}
_AT_THE_FORM = frozenset({EventName.FORM_START, EventName.FORM_ABANDON})


class Group(StrEnum):
    """Whether an advertiser's ads had reached a visitor; who saw one is exposed, whatever came after."""

    OTHERS = "others"
    HELD_OUT = "held_out"
    EXPOSED = "exposed"


_RANK = {Group.OTHERS: 0, Group.HELD_OUT: 1, Group.EXPOSED: 2}


class Told(msgspec.Struct, frozen=True):
    """An event as the funnel reads it. `first`: its visitor's cookie was yet to come back."""

    event_key: int
    advertiser_key: int
    visitor_key: int
    at_ms: int
    name: EventName
    first: bool = False
    page: str = ""

    @property
    def day_ms(self) -> int:
        return self.at_ms - self.at_ms % DAY_MS


class JourneyKey(msgspec.Struct, frozen=True, array_like=True):
    """A visitor's day (UTC) at an advertiser's."""

    visitor_key: int
    advertiser_key: int
    day_ms: int


class Page(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Where something was told last; of two at the same moment the one with the larger key."""

    at_ms: int = 0
    event_key: int = 0
    path: str = ""


class Journey(msgspec.Struct, frozen=True, array_like=True):
    """What a visitor did on a day: how often each of STEPS, and where last.

    Until the cookie has come back (`came_back`) it may be one of the many of a browser that keeps none: then
    what was done is counted, and nobody who did it.
    """

    counts: tuple[int, ...] = (0,) * len(STEPS)
    group: Group = Group.OTHERS
    came_back: bool = False
    last: Page = Page()
    form: Page = Page()
    newest_key: int = 0  # of the events in it

    def furthest(self, steps: tuple[Step, ...]) -> Step | None:
        """Whoever did anything was there; at a form is who began one, or sent it."""
        counts = self.counts
        for place, step in _FROM_THE_END[steps]:
            if counts[place]:
                return step
        return Step.VISIT if steps is SHOP else None

    def reached(self) -> list[Step]:
        """What its visitor counts at."""
        if not self.came_back:
            return []
        furthest = [self.furthest(steps) for steps in (SHOP, FORM)]
        return [step for last in furthest if last for step in _UP_TO[last]]


class Cell(msgspec.Struct, frozen=True, array_like=True):
    """Whose figures: an advertiser's day, group and step."""

    advertiser_key: int
    day_ms: int
    group: Group
    step: Step


class Exit(msgspec.Struct, frozen=True, array_like=True):
    """Who went no further than a step that day, and was last at this page."""

    advertiser_key: int
    day_ms: int
    step: Step
    page: str


class Tally:
    """Figures to be added, or taken back: (visitors, events) by cell, visitors by exit."""

    def __init__(self) -> None:
        self.figures: dict[Cell, list[int]] = {}
        self.exits: dict[Exit, int] = {}

    def add(self, key: JourneyKey, journey: Journey, sign: int = 1) -> None:
        """A visitor is counted at the furthest step of each funnel, and at all before it."""
        of = (key.advertiser_key, key.day_ms, journey.group)
        for step, count in zip(STEPS, journey.counts, strict=True):
            if count:
                self._add(Cell(*of, step), 0, sign * count)
        for step in journey.reached():
            self._add(Cell(*of, step), sign, 0)
        for left in exits_of(key, journey):
            self.exits[left] = self.exits.get(left, 0) + sign

    def add_event(self, told: Told) -> None:
        """Of nobody: where no more than a count was allowed."""
        step = step_of(told.name)
        if step is not None:
            self._add(Cell(told.advertiser_key, told.day_ms, Group.OTHERS, step), 0, 1)

    def _add(self, cell: Cell, visitors: int, events: int) -> None:
        figures = self.figures.setdefault(cell, [0, 0])
        figures[0] += visitors
        figures[1] += events


def exits_of(key: JourneyKey, journey: Journey) -> list[Exit]:
    """Where its visitor left the shop, and a form, if they came to neither's end."""
    of = (key.advertiser_key, key.day_ms)
    last = ((SHOP, journey.last), (FORM, journey.form)) if journey.came_back else ()
    found = [(steps, journey.furthest(steps), page.path) for steps, page in last]
    return [Exit(*of, step, path) for steps, step, path in found if step and step is not steps[-1]]


class Rolled(msgspec.Struct, frozen=True):
    """What some events change: journeys as they are now, and what is to be added to the figures."""

    journeys: dict[JourneyKey, Journey]
    tally: Tally


def step_of(name: EventName) -> Step | None:
    """None for what nobody does on a page."""
    return None if name is EventName.REFUND else STEP_OF_EVENT.get(name, Step.VISIT)


def keys_of(events: Iterable[Told]) -> set[JourneyKey]:
    return {_key_of(told) for told in events if told.visitor_key}


def _key_of(told: Told) -> JourneyKey:
    return JourneyKey(told.visitor_key, told.advertiser_key, told.day_ms)


def roll(
    events: Iterable[Told], known: Mapping[JourneyKey, Journey], group_at: Callable[[Told], Group]
) -> Rolled:
    """Take events into the journeys that are known; what was counted of those before is taken back."""
    journeys: dict[JourneyKey, Journey] = {}
    tally = Tally()
    for told in events:
        if step_of(told.name) is None:
            continue
        if not told.visitor_key:
            tally.add_event(told)
            continue
        key = _key_of(told)
        before = journeys.get(key) or known.get(key) or Journey()
        journeys[key] = go_on(before, told, group_at(told))
    for key, journey in journeys.items():
        if key in known:
            tally.add(key, known[key], -1)
        tally.add(key, journey)
    return Rolled(journeys, tally)


def go_on(journey: Journey, told: Told, group: Group) -> Journey:
    """The journey with one more event, in whatever order events come."""
    counts, step = list(journey.counts), step_of(told.name)
    if step is not None:
        counts[_PLACE[step]] += 1
    here = Page(told.at_ms, told.event_key, told.page)
    return replace(
        journey,
        counts=tuple(counts),
        group=max(journey.group, group, key=_RANK.__getitem__),
        came_back=journey.came_back or not told.first,
        last=max(journey.last, here),
        form=max(journey.form, here) if told.name in _AT_THE_FORM else journey.form,
        newest_key=max(journey.newest_key, told.event_key),
    )


def page_of(url: str | None) -> str:
    """Where something was told: the path alone, since a query may say who asks; empty where none is known."""
    return "" if url is None else (urlsplit(url).path or "/")[:MOST_PAGE_CHARACTERS]


def was_exposed(touches: Iterable[Touch], terms_of: Callable[[Touch], Terms | None], at_ms: int) -> bool:
    """Whether an ad was seen or clicked so shortly before that what was done then may be its effect.

    `terms_of` answers None for an ad of another advertiser. Windows are the campaign's own, half-open, as
    for the credit of orders; suspect touches never count.
    """
    for touch in touches:
        terms = None if touch.suspect or touch.at_ms > at_ms else terms_of(touch)
        if terms is not None:
            clicked = touch.event is AdEvent.CLICK
            days = terms.click_window_days if clicked else terms.view_window_days
            if at_ms < touch.at_ms + days * DAY_MS:
                return True
    return False
