"""A replay's question and its answer as JSON."""

import re
from datetime import date
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from adserver.domain.identity import write_id
from adserver.domain.replay import Estimate, Figure
from adserver.flows.replay import CAVEATS, Replayed
from adserver.web.schemas.campaigns import CampaignChange
from adserver.web.schemas.fields import Strict

_DAY = re.compile(r"(20[0-9]{2})-([0-9]{2})-([0-9]{2})")


def read_day(given: object) -> int:
    """2026-11-21 as 20261121."""
    found = _DAY.fullmatch(given) if isinstance(given, str) else None
    try:
        day = date.fromisoformat(given if found and isinstance(given, str) else "")
    except ValueError:
        raise PydanticCustomError("not_a_day", "A day is written like 2026-11-28") from None
    return day.year * 10_000 + day.month * 100 + day.day


Day = Annotated[int, BeforeValidator(read_day), WithJsonSchema({"type": "string", "format": "date"})]


class ReplayBody(Strict):
    """What would be changed, as in a PATCH of the campaign, and the day that it is tried on."""

    change: CampaignChange = CampaignChange()
    day: Day | None = Field(default=None, description="in the advertiser's zone; left out: yesterday")


class FigureAnswer(Strict):
    """What is expected, and between what it lies 95 times in 100."""

    expected: float
    low: float
    high: float


class EstimateAnswer(Strict):
    deliveries: FigureAnswer
    clicks: FigureAnswer
    billed: FigureAnswer = Field(description="events that are paid, as the pricing model has it")
    spend_micros: FigureAnswer
    reach: FigureAnswer = Field(description="visitors, as far as a cookie tells them apart")
    refused: dict[str, float] = Field(description="requests that would not show it, by the reason")


class ReplayAnswer(Strict):
    campaign_id: str
    day: str
    timezone: str
    currency: str
    samples: int = Field(description="sampled requests that were decided again")
    requests: int = Field(description="that they stand for")
    before: EstimateAnswer = Field(description="the campaign as it is")
    after: EstimateAnswer = Field(description="as it would be")
    notes: list[str] = Field(description="what the figures do not say")


def show_replay(replayed: Replayed) -> ReplayAnswer:
    day = str(replayed.day.day)
    return ReplayAnswer(
        campaign_id=write_id("cmp", replayed.campaign.key),
        day=f"{day[:4]}-{day[4:6]}-{day[6:]}",
        timezone=replayed.timezone,
        currency=replayed.campaign.terms.currency,
        samples=replayed.samples,
        requests=replayed.after.requests,
        before=_show(replayed.before),
        after=_show(replayed.after),
        notes=[CAVEATS[caveat] for caveat in replayed.caveats],
    )


def _show(estimate: Estimate) -> EstimateAnswer:
    return EstimateAnswer(
        deliveries=_figure(estimate.deliveries, 1),
        clicks=_figure(estimate.clicks, 1),
        billed=_figure(estimate.billed, 1),
        spend_micros=_figure(estimate.spend_micros, 0),
        reach=_figure(estimate.reach, 1),
        refused=estimate.refused,
    )


def _figure(figure: Figure, digits: int) -> FigureAnswer:
    low, high = round(figure.low, digits), round(figure.high, digits)
    return FigureAnswer(expected=round(figure.expected, digits), low=low, high=high)
