"""Refunds and deposits as JSON."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from adserver.domain import money
from adserver.domain.identity import read_id, write_id
from adserver.domain.payment import Payment, Refund
from adserver.flows.manage import OrderName, RefundWish
from adserver.web.schemas.campaigns import ConversionEvent
from adserver.web.schemas.conversions import Reference
from adserver.web.schemas.fields import (
    AdvertiserId,
    CampaignId,
    Cap,
    Paging,
    Reason,
    ShownTime,
    Strict,
    id_reader,
)
from pixel.events import EventName
from pixel.shop_order import WHOLE


def _not_nothing(amount: money.Micros) -> money.Micros:
    if amount == 0:
        raise PydanticCustomError("nothing", "An amount of nothing moves nothing")
    return amount


def _after(cursor: str) -> tuple[int, int] | None:
    campaign, _, entry = cursor.partition(".")
    read = read_id("cur", campaign), read_id("cur", entry)
    return None if read[0] is None or read[1] is None else (read[0], read[1])


def _is_cursor(cursor: str) -> str:
    if _after(cursor) is None:
        raise PydanticCustomError("not_an_id", "This is not an id of this kind")
    return cursor


RefundCursor = Annotated[str, AfterValidator(_is_cursor)]
ChargeId = Annotated[int, id_reader("chg"), WithJsonSchema({"type": "string"})]
SignedMicros = Annotated[
    money.Micros, Field(strict=True, ge=-money.LARGEST, le=money.LARGEST), AfterValidator(_not_nothing)
]


class RefundBody(Strict):
    """A charge by its id, or the conversion it was made for: `advertiser_id` with `order_id` or `lead_id`."""

    charge_id: ChargeId | None = None
    advertiser_id: AdvertiserId | None = None
    event: ConversionEvent = Field(default=EventName.PURCHASE, description="what a `lead_id` is the id of")
    order_id: Reference | None = None
    lead_id: Reference | None = None
    refund_id: Reference = Field(
        default=WHOLE, description="your name for it: the same again is the same; a part has one of its own"
    )
    amount_micros: Cap | None = Field(default=None, description="what is left of the charge, if left out")
    reason: Reason

    @model_validator(mode="after")
    def _names_one_charge(self) -> Self:
        if self.charge_id is not None:
            named = (self.advertiser_id, self.order_id, self.lead_id) != (None, None, None)
            if named or "event" in self.model_fields_set:
                raise ValueError(
                    "a charge_id stands alone, without advertiser_id, event, order_id and lead_id"
                )
            return self
        purchase = self.event is EventName.PURCHASE
        named_by = (self.order_id is not None, self.lead_id is not None)
        if self.advertiser_id is None or named_by != (purchase, not purchase):
            raise ValueError("give a charge_id, or advertiser_id with an order_id, or with event and lead_id")
        return self

    @model_validator(mode="after")
    def _part_has_its_name(self) -> Self:
        if self.amount_micros is not None and self.refund_id == WHOLE:
            raise ValueError("an amount_micros has a refund_id of its own")
        return self

    def order(self) -> OrderName:
        assert self.advertiser_id is not None, "one charge is named, and not by its id"
        return OrderName(self.advertiser_id, self.event, self.order_id or self.lead_id or "")

    def wish(self) -> RefundWish:
        return RefundWish(self.refund_id, self.amount_micros, self.reason)


class RefundList(Strict):
    """Refunds go on behind a campaign and an entry of its chain, where other lists go on behind one key."""

    advertiser_id: AdvertiserId
    campaign_id: CampaignId | None = None
    limit: int = Field(default=50, ge=1, le=500)
    cursor: RefundCursor | None = Field(default=None, description="`next_cursor` of the page before")

    @property
    def after(self) -> tuple[int, int]:
        return (0, 0) if self.cursor is None else _after(self.cursor) or (0, 0)


def cursor_of(refund: Refund) -> str:
    return f"{write_id('cur', refund.campaign_key)}.{write_id('cur', refund.entry)}"


class RefundAnswer(Strict):
    """`day` is the day of the charge, whose budgets were given the amount back."""

    result: Literal["refunded"] = "refunded"
    charge_id: str
    refund_id: str
    amount_micros: int
    currency: str
    campaign_id: str
    day: str = Field(examples=["2026-11-28"])
    reason: str
    refunded_at: ShownTime


def show_refund(refund: Refund) -> RefundAnswer:
    return RefundAnswer(
        charge_id=write_id("chg", refund.charge_id),
        refund_id=refund.refund_id,
        amount_micros=refund.amount_micros,
        currency=refund.currency,
        campaign_id=write_id("cmp", refund.campaign_key),
        day=_written(refund.day),
        reason=refund.reason,
        refunded_at=refund.at_ms,
    )


def _written(day: int) -> str:
    """20261128 as 2026-11-28."""
    return f"{day // 10_000:04}-{day // 100 % 100:02}-{day % 100:02}"


class DepositBody(Strict):
    advertiser_id: AdvertiserId
    amount_micros: SignedMicros = Field(description="in the account's currency; below zero it is paid back")
    reference: Reference = Field(description="of the payment: each counts once")


class DepositList(Paging):
    advertiser_id: AdvertiserId


class DepositAnswer(Strict):
    id: str
    advertiser_id: str
    amount_micros: int
    currency: str
    reference: str
    deposited_at: ShownTime


def show_deposit(payment: Payment) -> DepositAnswer:
    return DepositAnswer(
        id=write_id("dep", payment.key),
        advertiser_id=write_id("adv", payment.advertiser_key),
        amount_micros=payment.amount_micros,
        currency=payment.currency,
        reference=payment.reference,
        deposited_at=payment.at_ms,
    )
