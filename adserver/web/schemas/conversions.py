"""Orders and leads that an advertiser's own server tells, as JSON."""

from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from adserver.domain.attribution import Cancellation, PendingConversion, ServerOrder
from adserver.domain.identity import write_id
from adserver.flows.convert import Credited
from adserver.web.schemas.campaigns import ConversionEvent
from adserver.web.schemas.catalogue import ItemId
from adserver.web.schemas.fields import (
    AdvertiserId,
    Cap,
    Currency,
    GivenTime,
    Line,
    Micros,
    Paging,
    Reason,
    ShownTime,
    Strict,
)
from adserver.writes import Outcome, Result
from pixel.events import MAX_ITEMS, EventName
from pixel.grammar import click_id_from, coupons_from, holds_email, record_id_from
from pixel.shop_order import WHOLE


def _grammar(read: Callable[[object], str | None]) -> AfterValidator:
    """A text of this grammar that is no e-mail address: those are stored nowhere."""

    def check(given: str) -> str:
        text = read(given)
        if text is None or holds_email(text):
            raise PydanticCustomError("bad_reference", "1 to 100 printable letters, and no e-mail address")
        return text

    return AfterValidator(check)


Reference = Annotated[str, _grammar(record_id_from)]
ClickId = Annotated[str, _grammar(click_id_from)]
VisitorId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{32}$")]


class ItemBody(Strict):
    item_id: ItemId
    price: Annotated[Decimal, Field(ge=0, lt=10**9)] | None = None
    quantity: int = Field(default=1, ge=1)


class NamedConversion(Strict):
    """`purchase` has an `order_id`, every other event a `lead_id`."""

    advertiser_id: AdvertiserId
    event: ConversionEvent
    order_id: Reference | None = None
    lead_id: Reference | None = None

    @model_validator(mode="after")
    def _is_named_once(self) -> Self:
        purchase = self.event is EventName.PURCHASE
        named = (self.order_id is not None, self.lead_id is not None)
        if named != (purchase, not purchase):
            raise ValueError("a purchase has an order_id, any other event a lead_id, and none has both")
        return self

    @property
    def reference(self) -> str:
        return self.order_id or self.lead_id or ""


class ConversionBody(NamedConversion):
    value_micros: Micros | None = Field(default=None, description="without tax and shipping")
    currency: Currency | None = None
    items: Annotated[list[ItemBody], Field(default_factory=list, max_length=MAX_ITEMS)]
    rtclid: ClickId | None = Field(default=None, description="the click id of the landing page")
    visitor: VisitorId | None = Field(default=None, description="whose it is, as `/m/id` told the page")
    occurred_at: GivenTime | None = Field(default=None, description="now, if left out")
    coupon: Line | None = Field(default=None, description="the order's codes, parted by commas")

    @model_validator(mode="after")
    def _has_its_currency(self) -> Self:
        if (self.value_micros is None) != (self.currency is None):
            raise ValueError("value_micros and currency go together")
        return self

    def order(self, now_ms: int, visitor_key: int) -> ServerOrder:
        return ServerOrder(
            advertiser_key=self.advertiser_id,
            event=self.event,
            reference=self.reference,
            value_micros=self.value_micros,
            currency=self.currency,
            click_id=self.rtclid,
            occurred_at_ms=now_ms if self.occurred_at is None else self.occurred_at,
            item_ids=tuple(item.item_id for item in self.items),
            visitor_key=visitor_key,
            coupons=coupons_from(self.coupon),
        )


class ConversionAnswer(Strict):
    result: Literal["taken", "pending", "duplicate", "unattributed", "cap_reached", "not_billable"]
    campaign_id: str | None = Field(description="the campaign that was credited")
    reason: str | None
    charge_id: str | None = Field(description="what was billed or reserved")


_BILLED = (Result.TAKEN, Result.PENDING)


def show_credited(credited: Credited) -> ConversionAnswer:
    """The outcome; an order that was told before is a duplicate, whoever told it."""
    result = credited.outcome.result
    campaign_key, charge_id = credited.campaign_key, credited.charge_id
    return ConversionAnswer(
        result="duplicate" if result is Result.REPEATED else result.value,
        campaign_id=write_id("cmp", campaign_key) if campaign_key else None,
        reason=credited.reason or None,
        charge_id=write_id("chg", charge_id) if charge_id and result in _BILLED else None,
    )


class PendingPaging(Paging):
    advertiser_id: AdvertiserId


class PendingAnswer(Strict):
    """An order or lead that a browser reported; `amount_micros` is reserved in the campaign's budgets."""

    id: str
    campaign_id: str
    event: EventName
    amount_micros: int
    value_micros: int | None
    currency: str | None
    arrived_at: ShownTime


def show_pending(pending: PendingConversion) -> PendingAnswer:
    return PendingAnswer(
        id=write_id("cnv", pending.key),
        campaign_id=write_id("cmp", pending.campaign_key),
        event=pending.event,
        amount_micros=pending.amount_micros,
        value_micros=pending.value_micros,
        currency=pending.currency,
        arrived_at=pending.arrived_at_ms,
    )


class DeclineBody(Strict):
    reason: Reason


class SettledAnswer(Strict):
    id: str
    status: Literal["taken", "declined"]


class CancelBody(NamedConversion):
    """An order or lead that is taken back; without `returned_micros` as a whole."""

    refund_id: Reference = Field(
        default=WHOLE,
        description="the shop's name for it: the same once more is the same; a part has one of its own",
    )
    returned_micros: Cap | None = Field(
        default=None, description="value of the goods that came back, without tax and shipping"
    )
    currency: Currency | None = None
    reason: Reason

    @model_validator(mode="after")
    def _has_its_currency(self) -> Self:
        if (self.returned_micros is None) != (self.currency is None):
            raise ValueError("returned_micros and currency go together")
        return self

    @model_validator(mode="after")
    def _part_has_its_name(self) -> Self:
        if self.returned_micros is not None and self.refund_id == WHOLE:
            raise ValueError("a returned_micros has a refund_id of its own")
        return self

    def cancellation(self) -> Cancellation:
        return Cancellation(
            advertiser_key=self.advertiser_id,
            event=self.event,
            reference=self.reference,
            refund_id=self.refund_id,
            returned_micros=self.returned_micros,
            currency=self.currency,
            reason=self.reason,
        )


class CancelAnswer(Strict):
    """`not_charged`: nothing was billed yet, and if the order comes, what is back costs nothing."""

    result: Literal["refunded", "declined", "pending", "not_billable", "not_charged", "nothing_left"]
    refunded_micros: int | None = Field(description="what this cancellation gave back")
    pending_micros: int | None = Field(description="what is reserved still")


CANCELLED = frozenset({Result.REFUNDED, Result.DECLINED, Result.PENDING, Result.NOT_BILLABLE,
                       Result.NOT_CHARGED, Result.REPEATED})  # fmt: skip


def show_cancelled(outcome: Outcome) -> CancelAnswer:
    result, figure = outcome.result, outcome.figure
    return CancelAnswer(
        result="nothing_left" if result is Result.REPEATED else result.value,
        refunded_micros=figure if result is Result.REFUNDED else None,
        pending_micros=figure if result is Result.PENDING else None,
    )
