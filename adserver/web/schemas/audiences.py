"""Audiences as JSON."""

from typing import Annotated, ClassVar, Self

from msgspec.structs import replace
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from adserver.domain.audience import MOST_RULES, USUAL_STOP_DAYS, Audience, Rule
from adserver.domain.audience_presets import Preset, expanded
from adserver.domain.identity import write_id
from adserver.domain.retention import Retention
from adserver.web.schemas.audience_rules import ClauseBody, RuleBody, show_clause, show_rule
from adserver.web.schemas.fields import AdvertiserId, Cap, Change, Name, Paging, ShownTime, Strict

Inclusions = Annotated[
    list[RuleBody], Field(min_length=1, max_length=MOST_RULES, description="any of them makes a member")
]
Exclusions = Annotated[
    list[RuleBody], Field(max_length=MOST_RULES, description="any of them keeps out, whatever else applies")
]
WaitMinutes = Annotated[
    int,
    Field(strict=True, ge=0, le=60 * 24 * 30, description="after the last event that made one a member"),
]
StopDays = Annotated[
    int, Field(strict=True, ge=1, le=540, description="since that event; null: for as long as one belongs")
]
_RULES = "groups of rules in groups, in the place of both lists"


def _rules(bodies: list[RuleBody]) -> tuple[Rule, ...]:
    return tuple(body.rule() for body in bodies)


class AudienceDraft(Strict):
    """A new audience: by its lists, by `rules`, or by the name of one that most shops want."""

    advertiser_id: AdvertiserId
    name: Name
    inclusions: Inclusions = Field(default_factory=list)
    exclusions: Exclusions = Field(default_factory=list)
    rules: ClauseBody | None = Field(default=None, description=_RULES)
    preset: Preset | None = Field(default=None, description="answered as the rules it stands for")
    threshold_micros: Cap | None = Field(default=None, description="for `high_cart_value`")
    wait_minutes: WaitMinutes = 0
    stop_days: StopDays | None = Field(default=USUAL_STOP_DAYS)

    @model_validator(mode="after")
    def _a_preset_stands_for_itself(self) -> Self:
        if self.preset is not None and (self.inclusions or self.exclusions or self.rules is not None):
            raise PydanticCustomError("preset_and_rules", "Give a preset or rules of your own")
        if (self.preset is Preset.HIGH_CART_VALUE) is not (self.threshold_micros is not None):
            raise PydanticCustomError(
                "threshold", "Give `threshold_micros` with `high_cart_value`, only there"
            )
        return self

    def audience(self, retention: Retention) -> Audience:
        audience = Audience(
            key=0,
            advertiser_key=self.advertiser_id,
            name=self.name,
            inclusions=_rules(self.inclusions),
            exclusions=_rules(self.exclusions),
            rules=None if self.rules is None else self.rules.clause(),
            wait_minutes=self.wait_minutes,
            stop_days=self.stop_days,
        )
        if self.preset is None:
            return audience
        stands_for = expanded(self.preset, retention, self.threshold_micros or 0)
        stop_days = self.stop_days if "stop_days" in self.model_fields_set else stands_for.stop_days
        return replace(
            audience,
            inclusions=stands_for.inclusions,
            exclusions=stands_for.exclusions,
            stop_days=stop_days,
        )


class AudienceChange(Change):
    liftable: ClassVar[frozenset[str]] = frozenset({"stop_days"})

    name: Name | None = None
    inclusions: Inclusions | None = None
    exclusions: Exclusions | None = None
    rules: ClauseBody | None = Field(default=None, description=_RULES)
    wait_minutes: WaitMinutes | None = None
    stop_days: StopDays | None = None

    def edit(self, audience: Audience) -> Audience:
        """Whoever gives rules in one form leaves the other."""
        given = self.given()
        if self.rules is not None:
            audience = replace(audience, inclusions=(), exclusions=())
            given["rules"] = self.rules.clause()
        elif self.inclusions is not None:
            audience = replace(audience, rules=None)
        lists = {name: _rules(given.pop(name)) for name in ("inclusions", "exclusions") if name in given}
        return replace(audience, **given, **lists)


class AudienceList(Paging):
    advertiser_id: AdvertiserId | None = None


class AudienceAnswer(Strict):
    id: str
    advertiser_id: str
    name: str
    inclusions: list[RuleBody]
    exclusions: list[RuleBody]
    rules: ClauseBody | None
    wait_minutes: int
    stop_days: int | None
    currency: str = Field(description="of the amounts in its rules: the advertiser's")
    version: int
    created_at: ShownTime


def show_audience(audience: Audience) -> AudienceAnswer:
    return AudienceAnswer.model_construct(
        id=write_id("aud", audience.key),
        advertiser_id=write_id("adv", audience.advertiser_key),
        name=audience.name,
        inclusions=[show_rule(rule) for rule in audience.inclusions],
        exclusions=[show_rule(rule) for rule in audience.exclusions],
        rules=None if audience.rules is None else show_clause(audience.rules),
        wait_minutes=audience.wait_minutes,
        stop_days=audience.stop_days,
        currency=audience.currency,
        version=audience.version,
        created_at=audience.created_at_ms,
    )
