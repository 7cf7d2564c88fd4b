"""What leaves people in peace: how often they see ads, when they tire of one, and what they have bought."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence

import msgspec

from adserver.domain.burn import NO_BURN, Burn, BurnScope, category_keys, kind_of
from adserver.domain.campaign import (
    PERIOD_MS,
    REST_DAYS,
    Advertiser,
    Campaign,
    Creative,
    FrequencyCap,
    Period,
)
from adserver.domain.catalogue import Product
from adserver.domain.page import Answered
from adserver.domain.product_choice import ProductChoice
from adserver.domain.visitor import DAY_MS, MOST_SHOWN, Profile, Shop, Shown
from pixel.events import EventName

MOST_DAILY_ADS = 24  # a day: as many as a site's cookie can count for a week
FATIGUE_MS = 30 * DAY_MS
_HALVED_BY_VIEWS = 10

# The chance of a click after so many views without one, against the first's: 10 / (10 + views).
FATIGUE = tuple(_HALVED_BY_VIEWS / (_HALVED_BY_VIEWS + views) for views in range(MOST_SHOWN + 1))


def fatigue_factor(views_without_click: int) -> float:
    """In (0, 1], and lower with each view: what the ranking multiplies a campaign's click rate with."""
    return FATIGUE[min(views_without_click, MOST_SHOWN)]


class PeacePolicy(msgspec.Struct, frozen=True):
    """The operator's settings: what holds where an advertiser asks for nothing else; 0 for no end."""

    annoyance_budget: int = 12  # ads of anybody that a visitor sees in a day
    annoyance_limit: int = MOST_DAILY_ADS  # the most that an advertiser's own budget may allow
    advertiser_cap: int = 5  # ads of one advertiser in a day
    fatigue_views: int = 20  # without a click in 30 days


DEFAULT_POLICY = PeacePolicy()
NO_END = 2**31  # of a budget or cap that the operator has set to 0


class Peace(msgspec.Struct, frozen=True):
    """What a campaign owes to a visitor's peace: its own wishes, else its advertiser's, else the operator's.

    `asks_to_count` tells that its advertiser has a cap of its own, so that it is not shown uncounted.
    """

    advertiser_cap: FrequencyCap
    annoyance_budget: int
    fatigue_views: int
    rest_ms: int
    burn: Burn
    asks_to_count: bool = False

    @property
    def heeds_ms(self) -> int:
        """For how long a purchase matters to it, besides what was bought."""
        return max(self.rest_ms, 0 if self.burn.scope is BurnScope.PRODUCT else self.burn.days * DAY_MS)


def peace_of(
    campaign: Campaign, advertiser: Advertiser | None, policy: PeacePolicy = DEFAULT_POLICY
) -> Peace:
    own_cap = None if advertiser is None else advertiser.frequency_cap
    budget = None if advertiser is None else advertiser.annoyance_budget
    rest_days = REST_DAYS if advertiser is None else advertiser.rest_after_purchase_days
    is_for_buyers = campaign.addresses_buyers or campaign.products is ProductChoice.BOUGHT_TOGETHER
    return Peace(
        own_cap or FrequencyCap(policy.advertiser_cap or NO_END, Period.DAY),
        policy.annoyance_budget or NO_END if budget is None else min(budget, policy.annoyance_limit),
        policy.fatigue_views,
        0 if is_for_buyers else rest_days * DAY_MS,
        campaign.burn or (advertiser.burn if advertiser is not None else None) or NO_BURN,
        own_cap is not None,
    )


class Sights:
    """What a visitor has seen of our ads, looked through once for a request."""

    def __init__(self, profile: Profile | None, now_ms: int) -> None:
        self._now_ms = now_ms
        self._of_advertisers: dict[tuple[int, Period], int] = {}
        self.may_count = profile is not None  # else nothing may be kept of them, not even this
        self.shown: dict[int, Shown] = {}
        self.today = 0
        day_ago_ms = now_ms - DAY_MS
        for shown in profile.shown if profile is not None else ():  # plainly: at every ad
            self.shown[shown.campaign_key] = shown
            if shown.at_ms[-1] > day_ago_ms:
                self.today += len(shown.at_ms) - bisect_right(shown.at_ms, day_ago_ms)

    def of_campaign(self, campaign_key: int, cap: FrequencyCap) -> int:
        """How often the campaign was shown in the cap's period."""
        shown = self.shown.get(campaign_key)
        return 0 if shown is None else times_since(shown, self._now_ms - PERIOD_MS[cap.per])

    def of_advertiser(self, advertiser_key: int, cap: FrequencyCap) -> int:
        times = self._of_advertisers.get((advertiser_key, cap.per))
        if times is None:
            since_ms = self._now_ms - PERIOD_MS[cap.per]
            of_it = [shown for shown in self.shown.values() if shown.advertiser_key == advertiser_key]
            times = sum([times_since(shown, since_ms) for shown in of_it])
            self._of_advertisers[advertiser_key, cap.per] = times
        return times

    def has_worn_out(self, campaign_key: int, creative: Creative) -> bool:
        """Whether a creative was shown as often as it may be, or cannot be counted."""
        cap = creative.frequency_cap
        if cap is None:
            return False
        shown = self.shown.get(campaign_key)
        if shown is None:
            return not self.may_count
        newest = times_since(shown, self._now_ms - PERIOD_MS[cap.per])
        times = shown.creative_keys[-newest:].count(creative.key) if newest else 0
        return times >= cap.impressions

    def views_without_click(self, campaign_key: int) -> int:
        """Within 30 days, since its ad was last clicked."""
        shown = self.shown.get(campaign_key)
        if shown is None:
            return 0
        return times_since(shown, max(self._now_ms - FATIGUE_MS, shown.clicked_ms))

    def tired_of(self, fatigue_views: int) -> set[int]:
        """The campaigns that the visitor has seen so often without a click."""
        if not fatigue_views:
            return set()
        often = [key for key, shown in self.shown.items() if len(shown.at_ms) >= fatigue_views]
        return {key for key in often if self.views_without_click(key) >= fatigue_views}


def as_if_seen(profile: Profile, answers: Sequence[Answered], now_ms: int) -> Profile:
    """The profile with what a page's other slots show counted as seen now, where that is not yet told."""
    shown = {one.campaign_key: one for one in profile.shown}
    told = {touch.impression_id for touch in profile.touches}
    for answer in answers:
        if answer.impression_id in told:
            continue
        known = shown.get(answer.campaign_key) or Shown(answer.campaign_key, [])
        creatives = [0] * (len(known.at_ms) - len(known.creative_keys)) + known.creative_keys
        shown[answer.campaign_key] = Shown(
            answer.campaign_key,
            [*known.at_ms, now_ms],
            answer.advertiser_key,
            [*creatives, answer.creative_key],
            known.clicked_ms,
        )
    return msgspec.structs.replace(profile, shown=list(shown.values()))


def times_since(shown: Shown, since_ms: int) -> int:
    """How often after a moment; times are kept in order."""
    return len(shown.at_ms) - bisect_right(shown.at_ms, since_ms)


# ---- after a purchase ----

_PURCHASE = EventName.PURCHASE  # looked up once: a member's name takes an enum eight times as long as this


def ordered_ms(shop: Shop) -> int:
    """When the visitor last ordered there, 0 for never; not every order says what was bought."""
    return shop.last_event_ms.get(_PURCHASE, 0)


def bought_ms(shop: Shop) -> int:
    """The same, or when they last told us "I bought it" of a product, wherever that was."""
    last_ms = ordered_ms(shop)
    return max(last_ms, shop.purchases[-1].at_ms) if shop.purchases else last_ms


def has_new_interest(shop: Shop, since_ms: int) -> bool:
    """Whether the visitor came back for something else than what was bought."""
    if shop.form_started_ms > since_ms:
        return True
    bought = {purchase.product_key for purchase in shop.purchases}
    return any(one.at_ms > since_ms and one.product_key not in bought for one in shop.interests)


class Burnt(msgspec.Struct, frozen=True):
    """What a visitor's purchases burn of a shop, besides the bought products themselves."""

    whole_shop: bool = False
    group_keys: frozenset[int] = frozenset()
    category_keys: frozenset[int] = frozenset()

    def holds(self, product: Product) -> bool:
        if self.whole_shop:
            return True
        if self.group_keys and kind_of(product).group_key in self.group_keys:
            return True
        return bool(self.category_keys) and not self.category_keys.isdisjoint(category_keys(product))


NOTHING_BURNT = Burnt()


class Afterwards(msgspec.Struct, frozen=True):
    """What a purchase leaves a campaign to go by: nothing until `since_ms`, and nothing that is burnt."""

    since_ms: int = 0
    burnt: Burnt = NOTHING_BURNT

    def shop(self, shop: Shop) -> Shop:
        """The visitor's doings there, as if they had begun after the purchase.

        What they looked at before is not suggested to them either.
        """
        if not self.since_ms:
            return shop
        newer = [one for one in shop.interests if one.at_ms > self.since_ms]
        older = [one.product_key for one in shop.interests if one.at_ms <= self.since_ms]
        started_ms = shop.form_started_ms if shop.form_started_ms > self.since_ms else 0
        unwanted = [*shop.unwanted, *older]
        return msgspec.structs.replace(shop, interests=newer, form_started_ms=started_ms, unwanted=unwanted)

    def products(self, products: Mapping[int, Product]) -> Mapping[int, Product]:
        if self.burnt == NOTHING_BURNT:
            return products
        return {key: product for key, product in products.items() if not self.burnt.holds(product)}


UNTOUCHED = Afterwards()


def afterwards(shop: Shop, peace: Peace, addresses_buyers: bool, now_ms: int) -> Afterwards:
    """What holds now of the visitor's purchases at the shop, for a campaign."""
    last_ms = ordered_ms(shop)
    rests = last_ms and not addresses_buyers and now_ms < last_ms + peace.rest_ms
    return Afterwards(last_ms if rests else 0, burnt_of(shop, peace.burn, now_ms))


def burnt_of(shop: Shop, burn: Burn, now_ms: int) -> Burnt:
    """What the shop's purchases of the last days burn."""
    since_ms = now_ms - burn.days * DAY_MS
    if burn.scope is BurnScope.PRODUCT or bought_ms(shop) <= since_ms:
        return NOTHING_BURNT
    if burn.scope is BurnScope.SHOP:
        return Burnt(whole_shop=True)
    lately = [purchase for purchase in shop.purchases if purchase.at_ms > since_ms]
    groups = frozenset([one.group_key for one in lately if one.group_key])
    if burn.scope is BurnScope.GROUP:
        return Burnt(group_keys=groups)
    return Burnt(False, groups, frozenset([one.category_key for one in lately if one.category_key]))
