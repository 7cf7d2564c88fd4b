"""An advertiser's orders and leads as JSON: what became of each, by which ad, and what it cost."""

from datetime import date
from typing import Annotated, Literal

import msgspec
from pydantic import Field

from adserver.domain.attribution import LATEST_MS, Asked, Told
from adserver.domain.budget import days_span
from adserver.domain.campaign import Advertiser
from adserver.domain.identity import write_id
from adserver.domain.visitor import DAY_MS
from adserver.web.schemas.arrivals import Day
from adserver.web.schemas.campaigns import ConversionEvent
from adserver.web.schemas.conversions import Reference
from adserver.web.schemas.fields import ShownTime, Strict
from adserver.web.schemas.statements import Number, read_place, write_place
from pixel.events import EventName

State = Literal[
    "new", "pending", "taken", "declined", "cap_reached", "not_billable", "unattributed", "duplicate"
]
Teller = Literal["server", "page", "browser"]
MOST_AT_ONCE = 500
USUALLY = 50
NOWHERE = (0, 0, False)
EARLIEST, LATEST = date(2000, 1, 1), date(2099, 12, 31)

places = msgspec.json.Decoder(tuple[Number, Number, bool])


class OrdersQuery(Strict):
    state: State | None = Field(default=None, description="all but what a server told anew, if left out")
    first: Day | None = Field(default=None, alias="from", description="of arrival, in the advertiser's zone")
    last: Day | None = Field(default=None, alias="to", description="itself included")
    order_id: Reference | None = Field(default=None, description="one order, or the lead of that `event`")
    event: ConversionEvent = Field(default=EventName.PURCHASE, description="what `order_id` is the id of")
    limit: int = Field(default=USUALLY, ge=1, le=MOST_AT_ONCE)
    cursor: Annotated[str, Field(max_length=200)] = Field(
        default="", description="`next_cursor` of the page before"
    )

    def asked(self, timezone: str, key: int | None) -> Asked:
        """One more than is shown: it tells whether there is a next page."""
        from_ms, to_ms = 0, LATEST_MS
        if self.first or self.last:
            from_ms, to_ms = days_span(self.first or EARLIEST, self.last or LATEST, timezone)
        after = read_place(self.cursor, places, NOWHERE) if self.cursor else None
        return Asked(
            state=self.state, from_ms=from_ms, to_ms=to_ms, key=key, after=after, limit=self.limit + 1
        )


class OrderAnswer(Strict):
    """`amount_micros` is what it costs or would; the ad's times are of the one that was credited."""

    id: str
    event: EventName
    state: State
    reason: str | None = Field(description="why it was declined, approved, or credited to nobody")
    told_by: Teller = Field(description="`page`: one whose word is believed; `browser`: it is asked about")
    campaign_id: str | None
    amount_micros: int
    refunded_micros: int
    currency: str
    value_micros: int | None
    value_currency: str | None
    occurred_at: ShownTime
    arrived_at: ShownTime
    impression_at: ShownTime | None
    click_at: ShownTime | None
    approves_at: ShownTime | None = Field(description="of a pending one: when it is approved by itself")


class OrdersAnswer(Strict):
    items: list[OrderAnswer]
    next_cursor: str | None = Field(description="opaque; give it as `cursor`")


def show_orders(advertiser: Advertiser, found: list[Told], limit: int) -> OrdersAnswer:
    shown = found[:limit]
    place = shown[-1].place if len(found) > limit else None
    return OrdersAnswer(items=[show_order(advertiser, one) for one in shown], next_cursor=write_place(place))


def show_order(advertiser: Advertiser, told: Told) -> OrderAnswer:
    return OrderAnswer.model_validate(
        {
            "id": write_id("cnv", told.key),
            "event": told.event,
            "state": told.state,
            "reason": told.reason or None,
            "told_by": "server" if told.by_server else "page" if told.trusted else "browser",
            "campaign_id": write_id("cmp", told.campaign_key) if told.campaign_key else None,
            "amount_micros": told.amount_micros,
            "refunded_micros": told.refunded_micros,
            "currency": advertiser.currency,
            "value_micros": told.value_micros,
            "value_currency": told.currency,
            "occurred_at": told.occurred_at_ms,
            "arrived_at": told.arrived_at_ms,
            "impression_at": told.impression_ms,
            "click_at": told.click_ms,
            "approves_at": approves_ms(advertiser, told),
        }
    )


def approves_ms(advertiser: Advertiser, told: Told) -> int | None:
    """When a pending one is approved by itself."""
    return told.arrived_at_ms + advertiser.validation_days * DAY_MS if told.state == "pending" else None
