"""Advertisers, publishers and API keys as JSON."""

from typing import Annotated, Any, ClassVar, Literal, Self

from msgspec.structs import asdict, replace
from pydantic import Field, model_validator

from adserver.domain.campaign import REST_DAYS, Advertiser
from adserver.domain.consent_hold import ConsentHold
from adserver.domain.experiment import MOST_HOLDOUT_BPS
from adserver.domain.identity import read_id, write_id
from adserver.domain.item_id import ItemIdRule, LetterCase
from adserver.domain.payment import Funds
from adserver.domain.slot import Publisher
from adserver.flows.manage import NewKey
from adserver.web.schemas.blocks import (
    Advertisers,
    BlocksAnswer,
    BlocksChange,
    BlocksFields,
    Categories,
    read_parties,
    show_blocks,
    show_parties,
    with_blocks,
)
from adserver.web.schemas.fields import (
    BasisPoints,
    Cap,
    Change,
    Country,
    Currency,
    Domains,
    Flag,
    GivenTime,
    LandingParams,
    Link,
    Name,
    ShownTime,
    Strict,
)
from adserver.web.schemas.peace import (
    AdvertiserBurn,
    AdvertiserCap,
    AnnoyanceBudget,
    BurnBody,
    FrequencyCapBody,
    RestDays,
    show_burn,
    show_cap,
    with_peace,
)
from adserver.writes import Access, ApiKey, Scope

Timezone = Annotated[str, Field(max_length=64, description="IANA zone", examples=["Europe/Paris"])]
ValidationDays = Annotated[int, Field(strict=True, ge=0, le=90)]
TrustReferencePrice = Annotated[
    Flag,
    Field(description="strike the feed's own price through in a sale, whatever was asked before; see docs"),
]
HoldoutBps = Annotated[
    int,
    Field(
        strict=True,
        ge=0,
        le=MOST_HOLDOUT_BPS,
        description="so many of 10,000 visitors see no ads, so that `/lift` can tell what ads do",
    ),
]
RefundDays = Annotated[int, Field(strict=True, ge=0, le=90)]


IdPart = Annotated[
    str, Field(pattern=r"^[^\s@%]*$", max_length=40, description="no spaces, `@` or `%`; empty: no such step")
]


class ItemIdRuleBody(Strict):
    """How an id that pages name becomes the catalogue's, step by step."""

    keep_after_last: IdPart = ""
    strip_prefix: IdPart = ""
    letter_case: LetterCase = LetterCase.KEPT
    add_prefix: IdPart = ""

    def rule(self) -> ItemIdRule:
        return ItemIdRule(**self.model_dump())


def _rule(body: ItemIdRuleBody | None) -> ItemIdRule | None:
    return None if body is None else body.rule()


def show_rule(rule: ItemIdRule | None) -> ItemIdRuleBody | None:
    return None if rule is None else ItemIdRuleBody.model_construct(**asdict(rule))


COMPETITORS = "by id or domain: advertisers whose ads never stand on one page with its own"
COMPETES_IN = "categories: nobody who sells such stands on one page with it"
RIVALS = ("competitors", "competes_in")
Competitors = Annotated[Advertisers, Field(max_length=200)]


def _rivals(given: dict[str, Any]) -> dict[str, Any]:
    """What is said of competitors, under the names that the domain has."""
    read: dict[str, Any] = {}
    if "competitors" in given:
        read["competitors"], read["competitor_domains"] = read_parties(given["competitors"])
    if "competes_in" in given:
        read["competes_in"] = tuple(dict.fromkeys(given["competes_in"]))
    return read


class AdvertiserDraft(Strict):
    name: Name
    domains: Domains
    currency: Currency
    timezone: Timezone
    country: Country
    daily_budget_micros: Cap | None = None
    total_budget_micros: Cap | None = None
    prepaid: Flag = False
    trust_pixel_conversions: Flag = False
    validation_days: ValidationDays = 14
    refund_days: RefundDays = 30
    discreet: Flag = False
    categories: Categories = Field(default_factory=list, description="of what it sells; the operator's")
    competitors: Competitors = Field(default_factory=list, description=COMPETITORS)
    competes_in: Categories = Field(default_factory=list, description=COMPETES_IN)
    landing_params: LandingParams = ""
    webhook_url: Link | None = None
    item_id_rule: ItemIdRuleBody | None = None
    trust_reference_price: TrustReferencePrice = False
    holdout_bps: HoldoutBps = 0
    frequency_cap: AdvertiserCap | None = None
    annoyance_budget: AnnoyanceBudget | None = None
    rest_after_purchase_days: RestDays = REST_DAYS
    burn: AdvertiserBurn | None = None

    def advertiser(self) -> Advertiser:
        given = {name: getattr(self, name) for name in type(self).model_fields}
        given |= {"domains": tuple(self.domains), "item_id_rule": _rule(self.item_id_rule)}
        given["categories"] = tuple(self.categories)
        given |= _rivals({name: given.pop(name) for name in RIVALS})
        return Advertiser(key=0, public_id="", **with_peace(given))


class AdvertiserChange(Change):
    liftable: ClassVar[frozenset[str]] = frozenset(
        {
            "daily_budget_micros",
            "total_budget_micros",
            "webhook_url",
            "item_id_rule",
            "frequency_cap",
            "annoyance_budget",
            "burn",
        }
    )

    name: Name | None = None
    domains: Domains | None = None
    currency: Currency | None = None
    timezone: Timezone | None = None
    country: Country | None = None
    daily_budget_micros: Cap | None = None
    total_budget_micros: Cap | None = None
    prepaid: Flag | None = None
    trust_pixel_conversions: Flag | None = None
    validation_days: ValidationDays | None = None
    refund_days: RefundDays | None = None
    discreet: Flag | None = None
    categories: Categories | None = None
    competitors: Competitors | None = None
    competes_in: Categories | None = None
    landing_params: LandingParams | None = None
    webhook_url: Link | None = None
    item_id_rule: ItemIdRuleBody | None = None
    consent_hold: ConsentHold | None = Field(default=None, description="the operator's to change")
    trust_reference_price: TrustReferencePrice | None = None
    holdout_bps: HoldoutBps | None = None
    frequency_cap: AdvertiserCap | None = None
    annoyance_budget: AnnoyanceBudget | None = None
    rest_after_purchase_days: RestDays | None = None
    burn: AdvertiserBurn | None = None

    def edit(self, advertiser: Advertiser) -> Advertiser:
        given = with_peace(self.given())
        if "item_id_rule" in given:
            given["item_id_rule"] = _rule(self.item_id_rule)
        given |= _rivals(given)
        for name in {"domains", "categories"} & given.keys():
            given[name] = tuple(given[name])
        return replace(advertiser, **given)


class AdvertiserAnswer(Strict):
    id: str
    public_id: str = Field(description="what the tag on the merchant's pages says as `m`")
    name: str
    domains: list[str]
    currency: str
    timezone: str
    country: str
    daily_budget_micros: int | None
    total_budget_micros: int | None
    prepaid: bool = Field(description="whether it may spend no more than it has deposited")
    deposited_micros: int
    prepaid_left_micros: int | None = Field(description="of the deposits; null where it is not prepaid")
    trust_pixel_conversions: bool
    validation_days: int
    refund_days: int = Field(description="for so long a charge may be given back")
    discreet: bool
    categories: list[str] = Field(description="of what it sells: publishers may block them")
    competitors: list[str] = Field(description=COMPETITORS)
    competes_in: list[str] = Field(description=COMPETES_IN)
    landing_params: str
    webhook_url: str | None = Field(description="where notices are posted, see its `/webhook`")
    item_id_rule: ItemIdRuleBody | None = Field(description="see `/pixel`, which proposes one")
    consent_hold: ConsentHold = Field(description="`held`: its pages' word for consent is not believed")
    consent_held_at: ShownTime | None
    trust_reference_price: bool
    holdout_bps: int
    holdout_since: ShownTime | None = Field(
        description="when that share was set; what is compared began then"
    )
    frequency_cap: FrequencyCapBody | None = Field(description="null for the operator's")
    annoyance_budget: int | None = Field(description="null for the operator's")
    rest_after_purchase_days: int
    burn: BurnBody | None
    created_at: ShownTime


def show_advertiser(advertiser: Advertiser, funds: Funds) -> AdvertiserAnswer:
    return AdvertiserAnswer(
        id=write_id("adv", advertiser.key),
        public_id=advertiser.public_id,
        name=advertiser.name,
        domains=list(advertiser.domains),
        currency=advertiser.currency,
        timezone=advertiser.timezone,
        country=advertiser.country,
        daily_budget_micros=advertiser.daily_budget_micros,
        total_budget_micros=advertiser.total_budget_micros,
        prepaid=advertiser.prepaid,
        deposited_micros=funds.deposited,
        prepaid_left_micros=funds.left,
        trust_pixel_conversions=advertiser.trust_pixel_conversions,
        validation_days=advertiser.validation_days,
        refund_days=advertiser.refund_days,
        discreet=advertiser.discreet,
        categories=list(advertiser.categories),
        competitors=show_parties(advertiser.competitors, advertiser.competitor_domains),
        competes_in=list(advertiser.competes_in),
        landing_params=advertiser.landing_params,
        webhook_url=advertiser.webhook_url,
        item_id_rule=show_rule(advertiser.item_id_rule),
        consent_hold=advertiser.consent_hold,
        consent_held_at=advertiser.consent_held_at_ms,
        trust_reference_price=advertiser.trust_reference_price,
        holdout_bps=advertiser.holdout_bps,
        holdout_since=advertiser.holdout_since_ms,
        frequency_cap=show_cap(advertiser.frequency_cap),
        annoyance_budget=advertiser.annoyance_budget,
        rest_after_purchase_days=advertiser.rest_after_purchase_days,
        burn=show_burn(advertiser.burn),
        created_at=advertiser.created_at_ms,
    )


class PublisherDraft(BlocksFields):
    name: Name
    revenue_share_bps: BasisPoints = 7_000

    def publisher(self) -> Publisher:
        share = self.revenue_share_bps
        return Publisher(key=0, name=self.name, revenue_share_bps=share, blocks=self.blocks())


class PublisherChange(BlocksChange):
    name: Name | None = None
    revenue_share_bps: BasisPoints | None = None

    def edit(self, publisher: Publisher) -> Publisher:
        given = self.given()
        return replace(publisher, blocks=with_blocks(publisher.blocks, given), **given)


class PublisherAnswer(BlocksAnswer):
    id: str
    name: str
    revenue_share_bps: int
    created_at: ShownTime


def show_publisher(publisher: Publisher) -> PublisherAnswer:
    return PublisherAnswer(
        id=write_id("pub", publisher.key),
        name=publisher.name,
        revenue_share_bps=publisher.revenue_share_bps,
        **show_blocks(publisher.blocks),
        created_at=publisher.created_at_ms,
    )


OWNER_PREFIX = {Scope.ADVERTISER: "adv", Scope.PUBLISHER: "pub"}


class KeyDraft(Strict):
    name: Name
    scope: Scope
    owner_id: str | None = Field(default=None, description="the advertiser or publisher; none for operators")
    access: Access = Field(default=Access.FULL, description="how much it may do of what its scope reaches")
    expires_at: GivenTime | None = None

    @model_validator(mode="after")
    def _the_owner_is_of_the_scope(self) -> Self:
        if (self.owner_id is None) != (self.scope is Scope.OPERATOR) or (
            self.owner_id is not None and self._owner_key() is None
        ):
            raise ValueError("owner_id names an advertiser or a publisher as the scope does, or is left out")
        return self

    def _owner_key(self) -> int | None:
        prefix = OWNER_PREFIX.get(self.scope)
        return None if prefix is None or self.owner_id is None else read_id(prefix, self.owner_id)

    def key(self) -> ApiKey:
        return ApiKey(
            key=0,
            digest="",
            scope=self.scope,
            owner_key=self._owner_key(),
            name=self.name,
            access=self.access,
            expires_at_ms=self.expires_at,
        )


class KeyAnswer(Strict):
    id: str
    name: str
    scope: Literal["operator", "advertiser", "publisher"]
    owner_id: str | None
    access: Access
    hint: str = Field(description="the first letters of its text")
    created_at: ShownTime
    expires_at: ShownTime | None
    revoked_at: ShownTime | None
    last_used_at: ShownTime | None = Field(
        default=None, description="the hour of its last request; null where there was none in 90 days"
    )
    secret: str | None = Field(
        default=None, description="the key's text; only in the first answer to its POST, kept nowhere"
    )


def show_key(key: ApiKey, last_used_ms: int | None = None) -> KeyAnswer:
    prefix = OWNER_PREFIX.get(key.scope)
    return KeyAnswer(
        id=write_id("key", key.key),
        name=key.name,
        scope=key.scope.value,
        owner_id=write_id(prefix, key.owner_key) if prefix and key.owner_key is not None else None,
        access=key.access,
        hint=key.hint,
        created_at=key.created_at_ms,
        expires_at=key.expires_at_ms,
        revoked_at=key.revoked_at_ms,
        last_used_at=last_used_ms,
    )


def show_new_key(made: NewKey) -> KeyAnswer:
    return show_key(made.key).model_copy(update={"secret": made.text})
