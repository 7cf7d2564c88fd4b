"""The visitor's own questions and wishes: why this ad, what do you hold, not this, forget me."""

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

from adserver.domain import meanings
from adserver.domain.approval import live_version
from adserver.domain.campaign import Advertiser, Period
from adserver.domain.catalogue import Product
from adserver.domain.consent_record import Ended, write_proof
from adserver.domain.identity import write_id
from adserver.domain.memory import Memory
from adserver.domain.peace import DEFAULT_POLICY, NO_END, PeacePolicy, Sights, peace_of
from adserver.domain.pricing import CONTEXTUAL, AdEvent
from adserver.domain.suggestion import Because
from adserver.domain.token import AdToken, TokenKeys, verify
from adserver.domain.visitor import Level, Preference, Profile, Shop
from adserver.ports import Clock, Stores
from adserver.writes import ForgetVisitor, Outcome, Result, TellPreference

_DAY = Period.DAY


class Reason(StrEnum):
    """What made us show an ad to this visitor."""

    VIEWED = "viewed"
    WISHED = "wished"
    IN_CART = "in_cart"
    BOUGHT = "bought"  # since the ad was chosen
    SIMILAR = "similar"  # to what they looked at
    BESTSELLER = "bestseller"
    BOUGHT_TOGETHER = "bought_together"  # with something they bought
    FORM = "form"
    VISITED = "visited"  # all that is said of a discreet shop
    PAGE = "page"  # the visitor is not what it was chosen by


class Why(msgspec.Struct, frozen=True):
    """Why an ad was shown. What concerns the visitor is there only for the visitor it was shown to.

    That it was chosen for its page concerns nobody, and is said to all.
    """

    shop: str
    payer: str
    is_yours: bool
    reason: Reason | None = None
    product: Product | None = None
    seen_at_ms: int = 0
    times_shown: int = 0
    limits: tuple["Limit", ...] = ()


class Limit(msgspec.Struct, frozen=True):
    """How often ads were shown lately, and how often they may be, if anybody says: the shop's, or all."""

    of_shop: bool
    times: int
    most: int | None
    per: Period


class Wish(StrEnum):
    """What became of a wish."""

    KEPT = "kept"
    NOT_YOURS = "not_yours"  # the ad is not one we showed to this browser
    UNRECORDED = "unrecorded"


class ErasureReceipt(msgspec.Struct, frozen=True):
    """Proof that a visitor was erased: how many rows of each table named them, and no longer do."""

    id: str
    at_ms: int
    erased: dict[str, int]


class KnownShop(msgspec.Struct, frozen=True):
    """A shop of a visitor's profile, as the visitor's page shows it: no product, others may look on."""

    name: str
    products: int
    purchases: int
    last_seen_ms: int
    is_blocked: bool


class Holding(msgspec.Struct, frozen=True):
    """All rows of one table that name the visitor, and what its columns mean."""

    meaning: str
    columns: dict[str, str]
    rows: list[dict[str, object]]


class Privacy:
    """Answers visitors, who are known by their cookie alone. `credit` settles what one of them ordered."""

    def __init__(
        self,
        memory: Memory,
        stores: Stores,
        clock: Clock,
        mint_key: Callable[[], int],
        tokens: TokenKeys,
        credit: Callable[[int], None],
        peace: PeacePolicy = DEFAULT_POLICY,
    ) -> None:
        self._snapshot = memory.snapshot
        self._tally = memory.tally
        self._profiles = stores.profiles
        self._consents = stores.consents
        self._catalogue = stores.catalogue
        self._writer = stores.writer
        self._clock = clock
        self._mint_key = mint_key
        self._tokens = tokens
        self._credit = credit
        self._peace = peace

    # ---- what we hold ----

    def show(self, visitor_key: int) -> dict[str, Holding]:
        """Everything that names the visitor, by table, with ids instead of keys and readable times."""
        if not visitor_key:
            return {}
        given = [
            msgspec.structs.asdict(one) | {"proof": write_proof(one.proof)}
            for advertiser_key in sorted(self._snapshot.advertisers)
            for one in self._consents.given(visitor_key, advertiser_key)
        ]
        held = self._profiles.export(visitor_key) | {"consents": given}
        return {
            table: Holding(
                meanings.TABLES[table],
                {shown_name(name): meaning for name, meaning in meanings.COLUMNS[table].items()},
                [_readable(row) for row in rows],
            )
            for table, rows in held.items()
        }

    def shops(self, visitor_key: int) -> list[KnownShop]:
        """The shops that the visitor's profile knows, the latest first."""
        profile = self._profiles.profile(visitor_key) if visitor_key else None
        shops = sorted(profile.shops if profile else (), key=lambda shop: -shop.last_seen_ms)
        return [
            KnownShop(
                advertiser.name,
                len(shop.interests),
                len(shop.purchases),
                shop.last_seen_ms,
                shop.blocked_at_ms > 0,
            )
            for shop in shops
            if (advertiser := self._snapshot.advertisers.get(shop.advertiser_key)) is not None
        ]

    def forget(self, visitor_key: int, because: Ended) -> ErasureReceipt | None:
        """Erase the visitor everywhere; None where it could not be made durable, and nothing was erased."""
        held = self._profiles.export(visitor_key) if visitor_key else {}
        receipt_key, now_ms = self._mint_key(), self._clock()
        if visitor_key:
            outcome = self._erase(ForgetVisitor(visitor_key, receipt_key, now_ms, because))
            if outcome.result is not Result.SAVED:
                return None
            self._tally.observe("lag", self._clock() - now_ms)
        erased = {table: len(rows) for table, rows in held.items() if rows}
        return ErasureReceipt(write_id("erasure", receipt_key), now_ms, erased)

    def _erase(self, write: ForgetVisitor) -> Outcome:
        """What they ordered is credited first: afterwards nobody knows what they clicked."""
        outcome = self._writer.commit(msgspec.structs.replace(write, if_credited=True))
        if outcome.result is not Result.UNCREDITED:
            return outcome
        self._credit(write.visitor_key)
        return self._writer.commit(write)

    # ---- why this ad ----

    def why(self, text: str, visitor_key: int) -> Why | None:
        """Why the token's ad was shown; None for a token that is not ours."""
        ad = self._ad(text)
        if ad is None:
            return None
        creative = self._snapshot.creatives.get(ad.token.creative_key)
        seen = None if creative is None else live_version(creative) or creative
        shop_name = seen.brand.name if seen else ad.advertiser.name
        for_page = ad.token.audience_key == CONTEXTUAL
        if not visitor_key or ad.token.visitor_key != visitor_key:
            return Why(shop_name, ad.advertiser.name, False, Reason.PAGE if for_page else None)
        profile = self._profiles.profile(visitor_key) or Profile(0)
        shop = profile.shop(ad.advertiser.key) or Shop(ad.advertiser.key)
        reason, seen_at_ms = reason_for(shop, ad.token.product_key)
        if ad.token.because is not Because.REMINDER:
            reason, seen_at_ms = _REASON_BECAUSE[ad.token.because], shop.last_seen_ms
        product = self._product(ad.token)
        if for_page:
            reason, seen_at_ms = Reason.PAGE, 0
        elif ad.advertiser.discreet:
            reason, seen_at_ms, product = Reason.VISITED, shop.last_seen_ms, None
        shown = sum(
            touch.event is AdEvent.IMPRESSION and touch.campaign_key == ad.token.campaign_key
            for touch in profile.touches
        )
        limits = self._limits(ad, profile)
        return Why(shop_name, ad.advertiser.name, True, reason, product, seen_at_ms, shown, limits)

    def _limits(self, ad: "_Ad", profile: Profile) -> tuple[Limit, ...]:
        peace = peace_of(self._snapshot.campaigns[ad.token.campaign_key], ad.advertiser, self._peace)
        sights, cap = Sights(profile, self._clock()), peace.advertiser_cap
        of_shop = sights.of_advertiser(ad.advertiser.key, cap)
        told = (True, of_shop, cap.impressions, cap.per), (False, sights.today, peace.annoyance_budget, _DAY)
        return tuple(
            Limit(who, times, most if most < NO_END else None, per) for who, times, most, per in told
        )

    def tell(self, text: str, visitor_key: int, preference: Preference) -> Wish:
        """Keep a wish about the token's ad, for the visitor it was shown to."""
        ad = self._ad(text)
        if ad is None or not visitor_key or ad.token.visitor_key != visitor_key:
            return Wish.NOT_YOURS
        if preference is not Preference.NOT_THIS_SHOP and not ad.token.product_key:
            return Wish.NOT_YOURS
        now_ms = self._clock()
        write = TellPreference(visitor_key, ad.advertiser.key, preference, ad.token.product_key, now_ms)
        outcome: Outcome = self._writer.commit(write)
        if outcome.result is Result.UNRECORDED:
            return Wish.UNRECORDED
        self._tally.observe("lag", self._clock() - now_ms)
        return Wish.KEPT

    def _ad(self, text: str) -> "_Ad | None":
        token = verify(text, self._tokens)
        campaign = self._snapshot.campaigns.get(token.campaign_key) if token else None
        if token is None or campaign is None:
            return None
        return _Ad(token, self._snapshot.advertisers[campaign.advertiser_key])

    def _product(self, token: AdToken) -> Product | None:
        key = token.product_key
        return self._catalogue.products((key,)).get(key) if key else None


class _Ad(NamedTuple):
    token: AdToken
    advertiser: Advertiser


_REASON_OF_LEVEL = {Level.VIEWED: Reason.VIEWED, Level.WISHED: Reason.WISHED, Level.IN_CART: Reason.IN_CART}

_REASON_BECAUSE = {
    Because.SIMILAR: Reason.SIMILAR,
    Because.BESTSELLER: Reason.BESTSELLER,
    Because.BOUGHT_TOGETHER: Reason.BOUGHT_TOGETHER,
}


def reason_for(shop: Shop, product_key: int) -> tuple[Reason, int]:
    """What the visitor did that led to the ad, and when they last did it."""
    for interest in shop.interests:
        if interest.product_key == product_key:
            return _REASON_OF_LEVEL[interest.level], interest.at_ms
    for purchase in shop.purchases:
        if purchase.product_key == product_key:
            return Reason.BOUGHT, purchase.at_ms
    if not product_key and shop.form_started_ms:
        return Reason.FORM, shop.form_started_ms
    return Reason.VISITED, shop.last_seen_ms


# ---- rows for people ----

_PREFIXES = {"advertiser_key": "adv", "campaign_key": "cmp", "slot_key": "slot"}


def shown_name(column: str) -> str:
    """`at_ms` is shown as a time, `campaign_key` as an id, so their names say neither."""
    return column.removesuffix("_ms").removesuffix("_key")


def _readable(row: dict[str, object]) -> dict[str, object]:
    return {shown_name(name): _shown(name, value) for name, value in row.items()}


def _shown(name: str, value: object) -> object:
    if isinstance(value, dict):
        return _readable(value)
    if isinstance(value, list):
        return [_shown(name, one) for one in value]
    if isinstance(value, int) and name.endswith("_ms"):
        return rfc3339(value) if value else None
    if isinstance(value, int) and name in _PREFIXES:
        return write_id(_PREFIXES[name], value) if value else None
    return value


def rfc3339(at_ms: int) -> str:
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
