"""Caps, budgets and burns as JSON: how much of ads a visitor is spared."""

from typing import Annotated, Any

from pydantic import Field

from adserver.domain.burn import MOST_BURN_DAYS, Burn, BurnScope
from adserver.domain.campaign import FrequencyCap, Period
from adserver.domain.peace import MOST_DAILY_ADS
from adserver.domain.visitor import MOST_SHOWN
from adserver.web.schemas.fields import Flag, Strict


class FrequencyCapBody(Strict):
    """At most so many for one visitor in any hour, day or week."""

    impressions: int = Field(strict=True, ge=1, le=MOST_SHOWN)
    per: Period


class BurnBody(Strict):
    """What a purchase keeps away for so many days, besides what was bought, which is never shown again."""

    scope: BurnScope
    days: int = Field(strict=True, ge=1, le=MOST_BURN_DAYS)


def with_peace(given: dict[str, Any]) -> dict[str, Any]:
    """The fields that the domain has structs of its own for."""
    read = dict(given)
    if isinstance(cap := read.get("frequency_cap"), FrequencyCapBody):
        read["frequency_cap"] = FrequencyCap(cap.impressions, cap.per)
    if isinstance(burn := read.get("burn"), BurnBody):
        read["burn"] = Burn(burn.scope, burn.days)
    return read


def show_cap(cap: FrequencyCap | None) -> FrequencyCapBody | None:
    return None if cap is None else FrequencyCapBody(impressions=cap.impressions, per=cap.per)


def show_burn(burn: Burn | None) -> BurnBody | None:
    return None if burn is None else BurnBody(scope=burn.scope, days=burn.days)


AdvertiserCap = Annotated[
    FrequencyCapBody, Field(description="of all its campaigns together; null for the operator's")
]
CreativeCap = Annotated[FrequencyCapBody, Field(description="null for none but its campaign's")]
AnnoyanceBudget = Annotated[
    int,
    Field(
        strict=True,
        ge=1,
        le=MOST_DAILY_ADS,
        description="shows no ad to who has seen so many of anybody's in a day; null for the operator's, who "
        "may set a limit to it",
    ),
]
RestDays = Annotated[
    int,
    Field(
        strict=True,
        ge=0,
        le=MOST_BURN_DAYS,
        description="after an order, in which only what was looked at since is a reason for an ad",
    ),
]
AdvertiserBurn = Annotated[BurnBody, Field(description="of its campaigns that have none of their own")]

AddressesBuyers = Annotated[
    Flag,
    Field(description="also shown to who has just bought; so is one with an audience of who purchased"),
]
