"""Audiences as JSON."""

from typing import Annotated

from msgspec.structs import replace
from pydantic import Field

from adserver.domain.audience import Audience, Rule
from adserver.domain.identity import write_id
from adserver.web.schemas.fields import AdvertiserId, Change, Name, Paging, ShownTime, Strict
from pixel.events import EventName

MOST_RULES = 20

RetentionDays = Annotated[
    int, Field(strict=True, ge=1, le=540, description="no more than the event is kept: `longer_than_kept`")
]


class RuleBody(Strict):
    """That the event came at the advertiser's pages within so many days."""

    event: EventName
    retention_days: RetentionDays

    def rule(self) -> Rule:
        return Rule(self.event, self.retention_days)


Inclusions = Annotated[
    list[RuleBody], Field(min_length=1, max_length=MOST_RULES, description="any of them makes a member")
]
Exclusions = Annotated[
    list[RuleBody], Field(max_length=MOST_RULES, description="any of them keeps out, whatever else applies")
]


def _rules(bodies: list[RuleBody]) -> tuple[Rule, ...]:
    return tuple(body.rule() for body in bodies)


class AudienceDraft(Strict):
    """A new audience."""

    advertiser_id: AdvertiserId
    name: Name
    inclusions: Inclusions
    exclusions: Exclusions = Field(default_factory=list)

    def audience(self) -> Audience:
        return Audience(
            key=0,
            advertiser_key=self.advertiser_id,
            name=self.name,
            inclusions=_rules(self.inclusions),
            exclusions=_rules(self.exclusions),
        )


class AudienceChange(Change):
    name: Name | None = None
    inclusions: Inclusions | None = None
    exclusions: Exclusions | None = None

    def edit(self, audience: Audience) -> Audience:
        given = self.given()
        rules = {name: _rules(given.pop(name)) for name in ("inclusions", "exclusions") if name in given}
        return replace(audience, **given, **rules)


class AudienceList(Paging):
    advertiser_id: AdvertiserId | None = None


class RuleAnswer(Strict):
    event: str
    retention_days: int


class AudienceAnswer(Strict):
    id: str
    advertiser_id: str
    name: str
    inclusions: list[RuleAnswer]
    exclusions: list[RuleAnswer]
    version: int
    created_at: ShownTime


def show_audience(audience: Audience) -> AudienceAnswer:
    return AudienceAnswer(
        id=write_id("aud", audience.key),
        advertiser_id=write_id("adv", audience.advertiser_key),
        name=audience.name,
        inclusions=_show_rules(audience.inclusions),
        exclusions=_show_rules(audience.exclusions),
        version=audience.version,
        created_at=audience.created_at_ms,
    )


def _show_rules(rules: tuple[Rule, ...]) -> list[RuleAnswer]:
    return [RuleAnswer(event=rule.event, retention_days=rule.retention_days) for rule in rules]
