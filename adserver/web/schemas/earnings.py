"""A publisher's month by slot as JSON: traffic, what it earned, and what of it nobody pays for."""

from pydantic import Field

from adserver.domain.identity import write_id
from adserver.domain.slot import Publisher
from adserver.flows.statement import PublisherMonth, SlotMonth
from adserver.web.schemas.fields import Strict


class Traffic(Strict):
    requests: int
    foreign: int = Field(description="of these, from pages that are of none of the site's domains: no ad")
    fills: int
    impressions: int
    viewable_impressions: int
    clicks: int


class EarnedAnswer(Strict):
    currency: str
    net_micros: int = Field(description="as on the statement of the month")
    ecpm_micros: int | None = Field(description="of a thousand impressions; null where there were none")


class SlotMonthAnswer(Traffic):
    slot_id: str
    slot: str
    site: str
    domain: str
    earned: list[EarnedAnswer]
    not_billed: dict[str, int] = Field(description="suspect events, by reason: see docs/traffic.md")


class EarningsAnswer(Traffic):
    """The month's traffic in UTC hours; a zone with half hours cuts its first and last one."""

    publisher_id: str
    month: str
    timezone: str
    slots: list[SlotMonthAnswer]
    earned: list[EarnedAnswer]
    not_billed: dict[str, int]


def show_earnings(publisher: Publisher, month: PublisherMonth, timezone: str) -> EarningsAnswer:
    span = month.statement.month
    return EarningsAnswer(
        publisher_id=write_id("pub", publisher.key),
        month=f"{span.year}-{span.number:02}",
        timezone=timezone,
        slots=[_slot(one) for one in month.slots],
        earned=[
            EarnedAnswer(
                currency=total.currency, net_micros=total.earned.net, ecpm_micros=month.ecpm(total.currency)
            )
            for total in month.statement.totals
        ],
        not_billed=month.not_billed,
        **month.counts,
    )


def _slot(one: SlotMonth) -> SlotMonthAnswer:
    return SlotMonthAnswer(
        slot_id=write_id("slot", one.slot_key),
        slot=one.place.slot,
        site=one.place.site,
        domain=one.place.domain,
        earned=[
            EarnedAnswer(currency=currency, net_micros=net, ecpm_micros=one.ecpm(currency))
            for currency, net in one.nets.items()
        ],
        not_billed=one.not_billed,
        **one.counts,
    )
