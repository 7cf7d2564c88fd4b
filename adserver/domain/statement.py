"""Statements of a month: what was charged, given back and credited, for advertisers and for publishers."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

import msgspec

from adserver.domain.budget import day_span
from adserver.domain.money import ZERO, Micros
from adserver.domain.pricing import BILLED_EVENT, AdEvent, PricingModel, Terms
from adserver.domain.visitor import DAY_MS

FIRST_YEAR, LAST_YEAR = 2000, 2099
MODEL_OF_EVENT = {event: model for model, event in BILLED_EVENT.items()}


class Month(msgspec.Struct, frozen=True):
    """A calendar month in a zone, as instants: [start, end)."""

    year: int
    number: int
    start_ms: int
    end_ms: int

    @property
    def days(self) -> tuple[int, int]:
        """Its first day and its last, as yyyymmdd; there may be fewer."""
        first = self.year * 10_000 + self.number * 100
        return first + 1, first + 31


def read_month(text: str) -> tuple[int, int] | None:
    """Year and month of `yyyy-mm`; None where it is no month."""
    year, dash, number = text.partition("-")
    if not (dash and len(year) == 4 and len(number) == 2 and (year + number).isascii()):
        return None
    if not (year + number).isdigit():
        return None
    sound = FIRST_YEAR <= int(year) <= LAST_YEAR and 1 <= int(number) <= 12
    return (int(year), int(number)) if sound else None


def month_of(year: int, number: int, timezone: str) -> Month:
    """The month in this zone; it begins when its first day does, whatever the clocks do."""
    after = (year, number + 1) if number < 12 else (year + 1, 1)
    return Month(year, number, _first_instant(year, number, timezone), _first_instant(*after, timezone))


def month_with(at_ms: int, timezone: str) -> Month:
    """The month that holds an instant."""
    day = day_span(at_ms, timezone).day
    return month_of(day // 10_000, day // 100 % 100, timezone)


def months_until(at_ms: int, month: Month, timezone: str) -> list[Month]:
    """The months from the one that holds `at_ms` up to, and without, `month`."""
    found = []
    while at_ms < month.start_ms:
        found.append(month_with(at_ms, timezone))
        at_ms = found[-1].end_ms
    return found


def months_before(at_ms: int, month: Month, most: int, timezone: str) -> list[Month]:
    """The month and those before it, newest first, back to the one that holds `at_ms`; at most so many."""
    found = [month]
    while at_ms < found[-1].start_ms and len(found) < most:
        found.append(month_with(found[-1].start_ms - 1, timezone))
    return found


def _first_instant(year: int, number: int, timezone: str) -> int:
    noon = datetime(year, number, 1, 12, tzinfo=ZoneInfo(timezone))
    return day_span(int(noon.timestamp()) * 1000, timezone).start_ms


class Tally(msgspec.Struct):
    """How many, and how much money."""

    count: int = 0
    micros: Micros = ZERO


class Sums(msgspec.Struct):
    """What was booked in a month: charges, refunds of these, credit notes for charges of earlier months."""

    charges: Tally = msgspec.field(default_factory=Tally)
    refunds: Tally = msgspec.field(default_factory=Tally)
    credit_notes: Tally = msgspec.field(default_factory=Tally)

    @property
    def net(self) -> Micros:
        return Micros(self.charges.micros - self.refunds.micros - self.credit_notes.micros)


class CampaignSums(msgspec.Struct, frozen=True):
    """A campaign's part of a statement; `event` is what was billed, which names the pricing model."""

    campaign_key: int
    event: AdEvent
    sums: Sums

    @property
    def model(self) -> PricingModel:
        return MODEL_OF_EVENT[self.event]


class SlotSums(msgspec.Struct, frozen=True):
    """A slot's part of a payout statement: the publisher's shares, and what the advertisers paid for them."""

    slot_key: int
    currency: str
    earned: Sums
    charged: Sums


class Unbilled(msgspec.Struct, frozen=True):
    """What a reached cap left unpaid; a key of a campaign or of a slot."""

    owner_key: int
    currency: str
    tally: Tally


class Kind(StrEnum):
    CHARGE = "charge"
    REFUND = "refund"  # of a charge of the same month
    CREDIT_NOTE = "credit_note"  # for a charge of a month before


class Line(msgspec.Struct, frozen=True):
    """One charge, or what was given back of one, as it stands in the ledger."""

    entry: int
    charge_id: int
    campaign_key: int
    campaign_version: int
    advertiser_key: int
    slot_key: int
    creative_key: int
    product_key: int
    audience_key: int
    at_ms: int
    charged_ms: int
    day: int
    currency: str
    amount: Micros
    share: Micros  # the publisher's part of the amount
    refund_id: str | None = None
    reason: str | None = None

    @property
    def event(self) -> AdEvent:
        return AdEvent(self.charge_id & 3)

    def kind(self, month: Month) -> Kind:
        if self.refund_id is None:
            return Kind.CHARGE
        return Kind.REFUND if self.charged_ms >= month.start_ms else Kind.CREDIT_NOTE

    @property
    def place(self) -> tuple[int, bool, int, str]:
        """Where it stands among a publisher's lines: by time, charges first."""
        return self.at_ms, self.refund_id is not None, self.charge_id, self.refund_id or ""


FIRST_PLACE = (0, False, -1, "")


class Order(msgspec.Struct, frozen=True):
    """The order or lead that a charge came from."""

    event: str
    by_server: bool
    trusted: bool
    occurred_ms: int
    settled: str  # why a pending one was approved
    touch_impression_id: int


class Origin(msgspec.Struct, frozen=True):
    """What a charge came from: when its ad was shown, seen and clicked, and its order, where there is one."""

    impression_ms: int | None = None
    view_ms: int | None = None
    click_ms: int | None = None
    order: Order | None = None


def checks(line: Line, origin: Origin, terms: Terms | None) -> tuple[str, ...]:
    """What a charge's event had to pass before it was billed; `terms` are those that its ad was shown at."""
    order = origin.order
    if line.event is not AdEvent.CONVERSION or order is None:
        return ("token ok", "not suspect")
    return tuple(word for word in (_window(origin, order, terms), _told(order)) if word)


def _window(origin: Origin, order: Order, terms: Terms | None) -> str:
    """The touch that the order was credited to, as far as it is known here: a click id is its own proof."""
    if terms is None:
        return ""
    if _within(origin.click_ms, order.occurred_ms, terms.click_window_days):
        return f"within click window {terms.click_window_days} d"
    seen = _within(origin.impression_ms, order.occurred_ms, terms.view_window_days)
    if origin.click_ms is None and terms.bill_post_view and seen:
        return f"within view window {terms.view_window_days} d"
    return "click id ok"


def _within(touched_ms: int | None, occurred_ms: int, days: int) -> bool:
    return touched_ms is not None and touched_ms <= occurred_ms < touched_ms + days * DAY_MS


def _told(order: Order) -> str:
    if order.by_server:
        return "told by server"
    if order.trusted:
        return "told by a trusted page"
    return "approved" if order.settled in ("", "approved") else f"approved: {order.settled}"


def total(sums: Iterable[Sums]) -> Sums:
    """All of them together; of one currency."""
    all_ = Sums()
    for one in sums:
        for into, more in (
            (all_.charges, one.charges),
            (all_.refunds, one.refunds),
            (all_.credit_notes, one.credit_notes),
        ):
            into.count += more.count
            into.micros = Micros(into.micros + more.micros)
    return all_


def carried_forward(nets: Iterable[Micros]) -> Micros:
    """What months, in their order, leave to be made good: zero or less. What is above is paid out."""
    carried = ZERO
    for net in nets:
        carried = Micros(min(ZERO, carried + net))
    return carried
