"""Audiences that most shops want, by name: each is made of rules like any other."""

from collections.abc import Callable
from enum import StrEnum

import msgspec

from adserver.domain.audience import ANY_EVENT, USUAL_STOP_DAYS, Rule
from adserver.domain.retention import Retention
from adserver.domain.visitor import DAY_MS
from pixel.events import EventName

USUAL_DAYS = 30
LEAST_ORDERS = 3  # of a frequent buyer
VIEWS = (EventName.VIEW_ITEM, EventName.SELECT_ITEM)
CARTS = (
    EventName.ADD_TO_CART,
    EventName.VIEW_CART,
    EventName.BEGIN_CHECKOUT,
    EventName.ADD_SHIPPING_INFO,
    EventName.ADD_PAYMENT_INFO,
)
FORMS_DONE = (EventName.FORM_SUBMIT, EventName.GENERATE_LEAD, EventName.SIGN_UP)


class Preset(StrEnum):
    PRODUCT_VIEWERS = "product_viewers"
    CART_ABANDONERS = "cart_abandoners"
    FORM_ABANDONERS = "form_abandoners"
    WISHLIST = "wishlist"
    FIRST_BUYERS = "first_buyers"
    FREQUENT_BUYERS = "frequent_buyers"
    LAPSED_BUYERS = "lapsed_buyers"
    HIGH_CART_VALUE = "high_cart_value"  # of at least a threshold
    # Levels of interest: whoever did anything in the last days is of exactly one of these.
    VISITORS = "visitors"
    VIEWERS = "viewers"
    CARTERS = "carters"
    BUYERS = "buyers"


LEVELS = (Preset.VISITORS, Preset.VIEWERS, Preset.CARTERS, Preset.BUYERS)


class Expanded(msgspec.Struct, frozen=True):
    """What a name stands for; buyers are addressed for as long as they belong, others for some days."""

    inclusions: tuple[Rule, ...]
    exclusions: tuple[Rule, ...] = ()
    stop_days: int | None = USUAL_STOP_DAYS


def expanded(preset: Preset, retention: Retention, threshold_micros: int = 0) -> Expanded:
    """The rules of a preset, none of which asks for longer than is kept."""
    return _MAKERS[preset](_Days(retention), threshold_micros)


class _Days:
    """Windows as long as they are wanted, or as they are kept."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention
        self.of_interest = self.kept(EventName.VIEW_ITEM, USUAL_DAYS)

    def kept(self, event: EventName, most: int) -> int:
        return max(1, min(most, self._retention.of_event(event) // DAY_MS))

    def rules(self, *events: EventName) -> tuple[Rule, ...]:
        """That any of them came lately."""
        return tuple(Rule(str(event), self.kept(event, self.of_interest)) for event in events)

    def orders(self, at_least: int = 1, at_most: int | None = None) -> tuple[Rule, ...]:
        """That so many orders came, for as long as any is kept."""
        days = self.kept(EventName.PURCHASE, 540)
        return (Rule(str(EventName.PURCHASE), days, at_least=at_least, at_most=at_most),)


BOUGHT = EventName.PURCHASE


def _abandoned(*events: EventName) -> Callable[[_Days, int], Expanded]:
    """Did it, and bought nothing since as long."""
    return lambda days, _: Expanded(days.rules(*events), days.rules(BOUGHT))


def _forms(days: _Days, _: int) -> Expanded:
    return Expanded(days.rules(EventName.FORM_START), days.rules(*FORMS_DONE))


def _lapsed(days: _Days, _: int) -> Expanded:
    (ever,) = days.orders()
    lately = Rule(str(BOUGHT), max(1, min(USUAL_DAYS, ever.retention_days // 2)))
    return Expanded((ever,), (lately,), None)


def _high_cart_value(days: _Days, threshold: int) -> Expanded:
    """The adds together, or the cart as a page showed it."""
    added, *shown = days.rules(EventName.ADD_TO_CART, EventName.VIEW_CART, EventName.BEGIN_CHECKOUT)
    worth = msgspec.structs.replace(added, total_at_least_micros=threshold)
    at_once = (msgspec.structs.replace(rule, one_at_least_micros=threshold) for rule in shown)
    return Expanded((worth, *at_once), days.rules(BOUGHT))


def _visitors(days: _Days, _: int) -> Expanded:
    anyone = Rule(ANY_EVENT, days.of_interest)
    return Expanded((anyone,), days.rules(*VIEWS, *CARTS, BOUGHT))


_MAKERS: dict[Preset, Callable[[_Days, int], Expanded]] = {
    Preset.PRODUCT_VIEWERS: _abandoned(EventName.VIEW_ITEM),
    Preset.CART_ABANDONERS: _abandoned(EventName.ADD_TO_CART),
    Preset.FORM_ABANDONERS: _forms,
    Preset.WISHLIST: _abandoned(EventName.ADD_TO_WISHLIST),
    Preset.FIRST_BUYERS: lambda days, _: Expanded(days.orders(1, 1), (), None),
    Preset.FREQUENT_BUYERS: lambda days, _: Expanded(days.orders(LEAST_ORDERS), (), None),
    Preset.LAPSED_BUYERS: _lapsed,
    Preset.HIGH_CART_VALUE: _high_cart_value,
    Preset.VISITORS: _visitors,
    Preset.VIEWERS: lambda days, _: Expanded(days.rules(*VIEWS), days.rules(*CARTS, BOUGHT)),
    Preset.CARTERS: lambda days, _: Expanded(days.rules(*CARTS), days.rules(BOUGHT)),
    Preset.BUYERS: lambda days, _: Expanded(days.rules(BOUGHT), (), None),
}
