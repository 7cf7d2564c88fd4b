"""Statements as JSON and as the rows of a sheet: an advertiser's month, and a publisher's."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from pydantic import Field

from adserver.domain.campaign import Advertiser
from adserver.domain.identity import LARGEST_KEY, write_id
from adserver.domain.payment import Payment
from adserver.domain.payout_hold import Ending
from adserver.domain.pricing import CONTEXTUAL, AdEvent, PricingModel
from adserver.domain.slot import Publisher
from adserver.domain.statement import MODEL_OF_EVENT, Kind, Month, Sums
from adserver.flows.statement import (
    AdvertiserStatement,
    CampaignPart,
    HeldPart,
    NamedLine,
    PayoutTotal,
    ProvenCharge,
    PublisherStatement,
    SlotPart,
)
from adserver.web.problems import Problem
from adserver.web.schemas.fields import ShownTime, Strict
from adserver.web.schemas.proofs import HeadAnswer, show_head

Place = TypeVar("Place")
Number = Annotated[int, msgspec.Meta(ge=-1, le=LARGEST_KEY)]
line_places = msgspec.json.Decoder(tuple[Number, Number])  # an advertiser's line: its campaign and entry
payout_line_places = msgspec.json.Decoder(tuple[Number, bool, Number, str])
Standing = Literal["open", "closed"]
EventWord = Literal["impression", "viewable_impression", "click", "conversion"]


class StatementQuery(Strict):
    format: Literal["json", "csv"] = "json"


class LinesQuery(StatementQuery):
    """Where a page of lines begins; a sheet is always whole."""

    limit: int = Field(default=50, ge=1, le=500)
    cursor: Annotated[str, Field(max_length=1_000)] = Field(
        default="", description="`next_cursor` of the page before"
    )


def read_place(cursor: str, places: msgspec.json.Decoder[Place], first: Place) -> Place:
    """The place that a cursor stands for; the first for none."""
    if not cursor:
        return first
    try:
        return places.decode(urlsafe_b64decode(cursor))
    except (NotBase64, ValueError, msgspec.MsgspecError):
        flaw = {"field": "query.cursor", "code": "not_a_cursor", "message": "Give a `next_cursor`"}
        raise Problem("invalid_request", errors=[flaw]) from None


def write_place(place: tuple[object, ...] | None) -> str | None:
    return None if place is None else urlsafe_b64encode(msgspec.json.encode(place)).decode()


class SumsAnswer(Strict):
    """What was booked: `refunds` of this month's charges, `credit_notes` for charges of earlier months."""

    charges: int
    charged_micros: int
    refunds: int
    refunded_micros: int
    credit_notes: int
    credited_micros: int
    net_micros: int = Field(description="without VAT")


def _sums(sums: Sums) -> dict[str, int]:
    return {
        "charges": sums.charges.count,
        "charged_micros": sums.charges.micros,
        "refunds": sums.refunds.count,
        "refunded_micros": sums.refunds.micros,
        "credit_notes": sums.credit_notes.count,
        "credited_micros": sums.credit_notes.micros,
        "net_micros": sums.net,
    }


# ---- an advertiser's month ----


class _Campaign(Strict):
    campaign_id: str
    campaign: str
    pricing_model: PricingModel
    event: EventWord = Field(description="what was billed, and is counted in `charges`")
    currency: str


class CampaignRow(SumsAnswer, _Campaign):
    """A campaign's month, as a row of a sheet."""


class CampaignPartAnswer(CampaignRow):
    """The same, and how its chain stood."""

    head: HeadAnswer | None = Field(description="the campaign's newest signed head of the month")


class DepositPart(Strict):
    deposit_id: str
    reference: str
    amount_micros: int = Field(description="below zero: paid back")
    at: ShownTime


class StatementAnswer(Strict):
    advertiser_id: str
    month: str
    timezone: str
    begins_at: ShownTime
    ends_at: ShownTime
    status: Standing
    currency: str
    campaigns: list[CampaignPartAnswer]
    total: SumsAnswer
    unbilled_at_cap: int = Field(description="ad events that a reached cap left unbilled")
    unbilled_at_cap_micros: int
    deposits: list[DepositPart]
    balance_micros: int | None = Field(
        description="deposits less what was charged, at the month's end; null for accounts that pay later"
    )
    public_key: str
    heads: list[HeadAnswer] = Field(description="the account's signed heads of the month's days")


def show_statement(
    advertiser: Advertiser, statement: AdvertiserStatement, public_key: bytes
) -> StatementAnswer:
    month = statement.month
    return StatementAnswer(
        advertiser_id=write_id("adv", advertiser.key),
        month=_name(month),
        timezone=advertiser.timezone,
        begins_at=month.start_ms,
        ends_at=month.end_ms,
        status=_status(statement.is_closed),
        currency=advertiser.currency,
        campaigns=[
            CampaignPartAnswer(
                **_campaign(part, advertiser.currency), head=show_head(part.head) if part.head else None
            )
            for part in statement.campaigns
        ],
        total=SumsAnswer(**_sums(statement.total)),
        unbilled_at_cap=statement.unbilled.count,
        unbilled_at_cap_micros=statement.unbilled.micros,
        deposits=[_deposit(payment) for payment in statement.deposits],
        balance_micros=statement.balance,
        public_key=public_key.hex(),
        heads=[show_head(head) for head in statement.heads],
    )


def campaign_rows(advertiser: Advertiser, statement: AdvertiserStatement) -> list[CampaignRow]:
    return [CampaignRow(**_campaign(part, advertiser.currency)) for part in statement.campaigns]


def _campaign(part: CampaignPart, currency: str) -> dict[str, object]:
    return {
        "campaign_id": write_id("cmp", part.sums.campaign_key),
        "campaign": part.name,
        "pricing_model": part.sums.model,
        "event": _word(part.sums.event),
        "currency": currency,
        **_sums(part.sums.sums),
    }


def _deposit(payment: Payment) -> DepositPart:
    return DepositPart(
        deposit_id=write_id("dep", payment.key),
        reference=payment.reference,
        amount_micros=payment.amount_micros,
        at=payment.at_ms,
    )


class LineAnswer(Strict):
    """One charge, or what was given back of one, and what it came from."""

    entry: int = Field(description="its number in the campaign's chain")
    kind: Kind
    charge_id: str
    at: ShownTime
    hour: str
    campaign_id: str
    campaign: str
    pricing_model: PricingModel
    event: EventWord
    site: str
    domain: str
    slot_id: str
    slot: str
    creative_id: str
    item_id: str | None
    audience_id: str | None = Field(
        description="whose rate it was; `contextual` where it was shown for the page"
    )
    currency: str
    amount_micros: int
    day: str = Field(description="the advertiser's local day whose budgets it moved")
    refund_id: str | None
    reason: str | None
    impression_at: ShownTime | None
    view_at: ShownTime | None
    click_at: ShownTime | None
    conversion_id: str | None
    conversion_event: str | None
    occurred_at: ShownTime | None = Field(description="of the order or lead, as it was told")
    checks: list[str] = Field(description="what its event had to pass before it was billed")


def show_line(named: NamedLine) -> LineAnswer:
    line, origin, order = named.line, named.origin, named.origin.order
    is_conversion = line.event is AdEvent.CONVERSION
    return LineAnswer(
        entry=line.entry,
        kind=named.kind,
        charge_id=write_id("chg", line.charge_id),
        at=line.at_ms,
        hour=named.hour,
        campaign_id=write_id("cmp", line.campaign_key),
        campaign=named.campaign,
        pricing_model=MODEL_OF_EVENT[line.event],
        event=_word(line.event),
        site=named.site,
        domain=named.domain,
        slot_id=write_id("slot", line.slot_key),
        slot=named.slot,
        creative_id=write_id("crv", line.creative_key),
        item_id=named.item_id,
        audience_id=_audience_id(line.audience_key),
        currency=line.currency,
        amount_micros=line.amount,
        day=_date(line.day),
        refund_id=line.refund_id,
        reason=line.reason,
        impression_at=origin.impression_ms,
        view_at=origin.view_ms,
        click_at=origin.click_ms,
        conversion_id=write_id("cnv", line.charge_id >> 2) if is_conversion else None,
        conversion_event=order.event if order else None,
        occurred_at=order.occurred_ms if order else None,
        checks=list(named.checks),
    )


def _audience_id(key: int) -> str | None:
    if key == CONTEXTUAL:
        return "contextual"
    return write_id("aud", key) if key else None


class ChargeAnswer(Strict):
    """A charge and then its refunds; `entries` are the very texts that the chain's digests are of."""

    lines: list[LineAnswer]
    entries: list[str]
    head: HeadAnswer | None = Field(
        description="the campaign's first signed head that holds them; null until such a day is sealed"
    )


def show_charge(proven: ProvenCharge) -> ChargeAnswer:
    return ChargeAnswer(
        lines=[show_line(line) for line in proven.lines],
        entries=[entry.decode() for entry in proven.entries],
        head=show_head(proven.head) if proven.head else None,
    )


# ---- a publisher's month ----


class _Slot(Strict):
    site: str
    domain: str
    slot_id: str
    slot: str
    currency: str


class SlotPartAnswer(SumsAnswer, _Slot):
    """What a slot earned in one currency: the publisher's share of each charge."""

    unbilled_at_cap: int
    unbilled_at_cap_micros: int = Field(description="what the share would have been, at today's")
    paid_by_advertisers_micros: int | None = Field(description="net; told to the operator only")


class PayoutTotalAnswer(SumsAnswer):
    currency: str
    unbilled_at_cap: int
    unbilled_at_cap_micros: int
    carried_micros: int = Field(description="zero or less: what earlier months left to be made good")
    withheld_micros: int = Field(description="under holds, until their traffic was looked into")
    freed_micros: int = Field(description="withheld no more, whenever it was earned: paid, or given back")
    payable_micros: int = Field(description="never below zero: what is, is carried forward")
    paid_by_advertisers_micros: int | None
    network_fee_micros: int | None


class HeldAnswer(Strict):
    hold_id: str
    slot_id: str | None = Field(description="null: all of the publisher's")
    since: ShownTime
    until: ShownTime | None = Field(description="of the earnings; null: until it ends")
    reason: str
    placed_at: ShownTime
    ended_at: ShownTime | None
    ending: Ending | None
    currency: str
    withheld_micros: int
    freed_micros: int


def _held(part: HeldPart) -> HeldAnswer:
    hold = part.hold
    return HeldAnswer(
        hold_id=write_id("hold", hold.key),
        slot_id=None if hold.slot_key is None else write_id("slot", hold.slot_key),
        since=hold.since_ms,
        until=hold.until_ms,
        reason=hold.reason,
        placed_at=hold.placed_ms,
        ended_at=hold.ended_ms,
        ending=hold.ending,
        currency=part.currency,
        withheld_micros=part.withheld,
        freed_micros=part.freed,
    )


class PayoutAnswer(Strict):
    publisher_id: str
    month: str
    timezone: str
    begins_at: ShownTime
    ends_at: ShownTime
    status: Standing
    slots: list[SlotPartAnswer]
    totals: list[PayoutTotalAnswer] = Field(description="one of each currency; they are never added")
    holds: list[HeldAnswer] = Field(description="what is withheld, or paid after all, in this month")


def show_payout(
    publisher: Publisher, statement: PublisherStatement, timezone: str, *, to_operator: bool
) -> PayoutAnswer:
    month = statement.month
    return PayoutAnswer(
        publisher_id=write_id("pub", publisher.key),
        month=_name(month),
        timezone=timezone,
        begins_at=month.start_ms,
        ends_at=month.end_ms,
        status=_status(statement.is_closed),
        slots=slot_rows(statement, to_operator=to_operator),
        totals=[_total(one, to_operator=to_operator) for one in statement.totals],
        holds=[_held(part) for part in statement.held],
    )


def slot_rows(statement: PublisherStatement, *, to_operator: bool) -> list[SlotPartAnswer]:
    return [_slot(part, to_operator=to_operator) for part in statement.slots]


def _slot(part: SlotPart, *, to_operator: bool) -> SlotPartAnswer:
    return SlotPartAnswer(
        site=part.place.site,
        domain=part.place.domain,
        slot_id=write_id("slot", part.slot_key),
        slot=part.place.slot,
        currency=part.currency,
        unbilled_at_cap=part.unbilled.count,
        unbilled_at_cap_micros=part.unbilled.micros,
        paid_by_advertisers_micros=part.charged.net if to_operator else None,
        **_sums(part.earned),
    )


def _total(total: PayoutTotal, *, to_operator: bool) -> PayoutTotalAnswer:
    return PayoutTotalAnswer(
        currency=total.currency,
        unbilled_at_cap=total.unbilled.count,
        unbilled_at_cap_micros=total.unbilled.micros,
        carried_micros=total.carried,
        withheld_micros=total.withheld,
        freed_micros=total.freed,
        payable_micros=total.payable,
        paid_by_advertisers_micros=total.charged.net if to_operator else None,
        network_fee_micros=total.charged.net - total.earned.net if to_operator else None,
        **_sums(total.earned),
    )


class PayoutLineAnswer(Strict):
    """One share of a charge, or what of it went back."""

    kind: Kind
    charge_id: str
    at: ShownTime
    hour: str
    advertiser: str
    pricing_model: PricingModel
    event: EventWord
    site: str
    domain: str
    slot_id: str
    slot: str
    currency: str
    earned_micros: int
    paid_by_advertiser_micros: int | None = Field(description="told to the operator only")
    refund_id: str | None
    reason: str | None
    impression_at: ShownTime | None
    click_at: ShownTime | None


def show_payout_line(named: NamedLine, *, to_operator: bool) -> PayoutLineAnswer:
    line = named.line
    return PayoutLineAnswer(
        kind=named.kind,
        charge_id=write_id("chg", line.charge_id),
        at=line.at_ms,
        hour=named.hour,
        advertiser=named.advertiser,
        pricing_model=MODEL_OF_EVENT[line.event],
        event=_word(line.event),
        site=named.site,
        domain=named.domain,
        slot_id=write_id("slot", line.slot_key),
        slot=named.slot,
        currency=line.currency,
        earned_micros=line.share,
        paid_by_advertiser_micros=line.amount if to_operator else None,
        refund_id=line.refund_id,
        reason=line.reason,
        impression_at=named.origin.impression_ms,
        click_at=named.origin.click_ms,
    )


Shown = TypeVar("Shown", LineAnswer, PayoutLineAnswer)


class Lines(Strict, Generic[Shown]):
    items: list[Shown]
    next_cursor: str | None = Field(description="opaque; give it as `cursor`")


def _name(month: Month) -> str:
    return f"{month.year:04}-{month.number:02}"


def _date(day: int) -> str:
    return f"{day // 10_000:04}-{day // 100 % 100:02}-{day % 100:02}"


def _status(is_closed: bool) -> Standing:
    return "closed" if is_closed else "open"


_WORDS: dict[AdEvent, EventWord] = {
    AdEvent.IMPRESSION: "impression",
    AdEvent.VIEWABLE_IMPRESSION: "viewable_impression",
    AdEvent.CLICK: "click",
    AdEvent.CONVERSION: "conversion",
}


def _word(event: AdEvent) -> EventWord:
    return _WORDS[event]
