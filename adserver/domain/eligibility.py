"""Why a campaign may not answer a slot's request; each no has a name."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from adserver.domain.approval import live_version
from adserver.domain.budget import Bucket
from adserver.domain.campaign import Approval, Campaign, Creative, Pacing, Status
from adserver.domain.contender import Contender
from adserver.domain.membership import Standing
from adserver.domain.money import ZERO, Micros
from adserver.domain.pacing import DayBudget, dice_of, may_spend
from adserver.domain.peace import Afterwards, Peace, Sights, has_new_interest
from adserver.domain.pricing import PricingModel, smallest_price
from adserver.domain.traffic import Traffic
from adserver.domain.visitor import Shop


class Refusal(StrEnum):
    """Why a campaign was not chosen for a request."""

    NOT_IN_AUDIENCE = "not_in_audience"
    AUDIENCE_WAITS = "audience_waits"  # a member, whose `wait_minutes` are not over
    AUDIENCE_STOPPED = "audience_stopped"  # a member, who did nothing for its `stop_days`
    AUDIENCE_TOO_SMALL = "audience_too_small"  # narrowed to so few that it could mean somebody
    SUPPRESSED = "suppressed"  # on a list of those whom the advertiser wants to show nothing
    NOT_ACTIVE = "not_active"
    PAUSED = "paused"
    NOT_STARTED = "not_started"
    OVER = "over"
    NO_CREATIVE = "no_creative"
    CREATIVE_PENDING = "creative_pending"  # it has some, and nobody has approved one yet
    CREATIVE_REJECTED = "creative_rejected"
    ADVERTISER_BLOCKED = "advertiser_blocked"  # the publisher wants none of this advertiser's ads there
    ADVERTISER_NOT_APPROVED = "advertiser_not_approved"  # the publisher shows only those it said yes to
    CATEGORY_BLOCKED = "category_blocked"
    COMPETITOR_ON_PAGE = "competitor_on_page"  # another slot of the page shows one: never both
    # The place is none that the campaign's targeting asks for; `unknown` where nobody knows what it is.
    COUNTRY_NOT_TARGETED = "country_not_targeted"
    COUNTRY_UNKNOWN = "country_unknown"
    SUBDIVISION_NOT_TARGETED = "subdivision_not_targeted"
    SUBDIVISION_UNKNOWN = "subdivision_unknown"
    DEVICE_NOT_TARGETED = "device_not_targeted"
    DEVICE_UNKNOWN = "device_unknown"
    LANGUAGE_NOT_TARGETED = "language_not_targeted"
    LANGUAGE_UNKNOWN = "language_unknown"
    SITE_NOT_TARGETED = "site_not_targeted"
    PUBLISHER_NOT_TARGETED = "publisher_not_targeted"
    CATEGORY_NOT_TARGETED = "category_not_targeted"
    CATEGORY_UNKNOWN = "category_unknown"
    KEYWORD_NOT_TARGETED = "keyword_not_targeted"
    KEYWORD_UNKNOWN = "keyword_unknown"
    HOUR_NOT_TARGETED = "hour_not_targeted"
    SHOWN_BESIDE = "shown_beside"  # another slot of the page shows it, and there are others for this one
    BUDGET_EXHAUSTED = "budget_exhausted"
    PACED = "paced"
    FREQUENCY_CAP = "frequency_cap"
    FREQUENCY_UNKNOWN = "frequency_unknown"  # it has a cap, and nothing may be kept to count by
    CREATIVE_CAP = "creative_cap"  # the visitor has seen its creatives as often as each may be shown
    ADVERTISER_CAP = "advertiser_cap"  # of all campaigns of its advertiser together
    ANNOYANCE_BUDGET = "annoyance_budget"  # the visitor has seen enough ads today, whosever they were
    FATIGUED = "fatigued"  # the visitor has seen it too often without a click
    BOUGHT_ALREADY = "bought_already"  # they bought at the shop, and looked at nothing else since
    BURNED = "burned"  # what could be shown is too like what they bought, as the campaign wishes
    SHOP_UNWANTED = "shop_unwanted"  # the visitor said "not this shop"
    PRODUCT_UNWANTED = "product_unwanted"  # only products that the visitor said "not this" to
    HOLDOUT = "holdout"  # it won, and its advertiser shows this visitor nothing, to tell what ads do
    NO_PRODUCT = "no_product"
    SENSITIVE_PRODUCT = "sensitive_product"  # only products of categories that nobody is reminded of
    NOT_IN_PRODUCT_SET = "not_in_product_set"  # what could be shown is outside of the campaign's set
    NO_OPEN_FORM = "no_open_form"
    NOT_IN_SITUATION = "not_in_situation"  # its messages are for others than this visitor
    NO_MESSAGE = "no_message"  # it has cards only, and a page alone chooses no products
    NO_PICTURE_MEASURE = "not_measurable"
    BELOW_FLOOR = "below_floor"
    NO_EXCHANGE_RATE = "no_exchange_rate"
    LOWER_TIER = "lower_tier"  # a campaign of a higher tier could answer, which goes first at any price
    OUTRANKED = "outranked"


REFUSAL_OF = {
    Standing.OUTSIDE: Refusal.NOT_IN_AUDIENCE,
    Standing.TOO_SMALL: Refusal.AUDIENCE_TOO_SMALL,
    Standing.STOPPED: Refusal.AUDIENCE_STOPPED,
    Standing.WAITS: Refusal.AUDIENCE_WAITS,
}


class Balance(msgspec.Struct, frozen=True):
    """A campaign's balances at the moment of a request, what is under way, and what the day may bring."""

    total: Bucket
    day: Bucket
    advertiser_total: Bucket
    advertiser_day: Bucket
    in_flight: Micros
    day_elapsed_ms: int
    day_length_ms: int
    traffic: Traffic | None = None  # None before any was seen
    advertiser_in_flight: Micros = ZERO  # of all its campaigns, this one's too

    def can_pay(self, price: Micros) -> bool:
        """Whether one more ad at `price` would still fit every budget."""
        own = price + self.in_flight
        of_all = max(own, price + self.advertiser_in_flight)
        return (
            _holds(self.total, own)
            and _holds(self.day, own)
            and _holds(self.advertiser_total, of_all)
            and _holds(self.advertiser_day, of_all)
        )


def _holds(bucket: Bucket, micros: int) -> bool:
    cap = bucket.cap
    return cap is None or cap - bucket.spent - bucket.pending >= micros


def refusal(campaign: Campaign, creatives: Sequence[Creative], image: bool, now_ms: int) -> Refusal | None:
    """The first reason in the campaign's own state, whoever asks; None for none.

    `image` tells that the slot is a picture without scripts: viewability cannot be measured there.
    """
    standing = _schedule_refusal(campaign, now_ms)
    if standing is not None:
        return standing
    no_creative = creatives_refusal(creatives)
    if no_creative is not None:
        return no_creative
    return Refusal.NO_PICTURE_MEASURE if image and campaign.terms.pricing_model is PricingModel.VCPM else None


def sight_refusal(contender: Contender, sights: Sights) -> Refusal | None:
    """Whether the visitor has seen enough of the campaign, its advertiser, or of ads; its creatives apart."""
    campaign, peace = contender.campaign, contender.peace
    if not sights.may_count:
        asks = campaign.frequency_cap is not None or peace.asks_to_count
        return Refusal.FREQUENCY_UNKNOWN if asks else None
    if not sights.shown:
        return None
    cap = campaign.frequency_cap
    if cap is not None and sights.of_campaign(campaign.key, cap) >= cap.impressions:
        return Refusal.FREQUENCY_CAP
    no = weariness(campaign.advertiser_key, peace, sights)
    if no is not None:
        return no
    views = sights.views_without_click(campaign.key)
    return Refusal.FATIGUED if peace.fatigue_views and views >= peace.fatigue_views else None


def weariness(advertiser_key: int, peace: Peace, sights: Sights) -> Refusal | None:
    """The same, as far as it is so of all campaigns of an advertiser."""
    cap = peace.advertiser_cap
    if sights.of_advertiser(advertiser_key, cap) >= cap.impressions:
        return Refusal.ADVERTISER_CAP
    return Refusal.ANNOYANCE_BUDGET if sights.today >= peace.annoyance_budget else None


def purchase_refusal(shop: Shop, after: Afterwards) -> Refusal | None:
    """Whether what the visitor bought at the shop keeps a campaign away, whatever else they looked at."""
    if after.burnt.whole_shop:
        return Refusal.BURNED
    is_back = not after.since_ms or has_new_interest(shop, after.since_ms)
    return None if is_back else Refusal.BOUGHT_ALREADY


def creatives_refusal(creatives: Sequence[Creative]) -> Refusal | None:
    """Why none of a campaign's creatives may be shown; None where one may."""
    if any(live_version(creative) is not None for creative in creatives):
        return None
    if any(creative.approval is Approval.PENDING for creative in creatives):
        return Refusal.CREATIVE_PENDING
    return Refusal.CREATIVE_REJECTED if creatives else Refusal.NO_CREATIVE


def _schedule_refusal(campaign: Campaign, now_ms: int) -> Refusal | None:
    if campaign.status is Status.PAUSED:
        return Refusal.PAUSED
    if campaign.status is not Status.ACTIVE:
        return Refusal.NOT_ACTIVE
    if campaign.starts_at_ms is not None and now_ms < campaign.starts_at_ms:
        return Refusal.NOT_STARTED
    if campaign.ends_at_ms is not None and now_ms >= campaign.ends_at_ms:
        return Refusal.OVER
    return None


def money_refusal(campaign: Campaign, balance: Balance, dice: float, audience_key: int = 0) -> Refusal | None:
    """Whether its budgets keep a campaign from a request that it could answer; asked last before ranking.

    Pacing is a share of the traffic that a campaign could answer, so all else has been asked by now: what
    was refused for money is traffic all the same. `dice` in [0, 1) is the request's; `audience_key` is whose
    rate the ad would be served at.
    """
    price = smallest_price(campaign.terms, audience_key)
    if not balance.can_pay(price):
        return Refusal.BUDGET_EXHAUSTED
    if campaign.pacing is not Pacing.EVEN:
        return None
    day = _day_budget(balance, price)
    if day is None:
        return None
    passes = may_spend(day, balance.traffic, dice_of(campaign.key, dice))
    return None if passes else Refusal.PACED


def _day_budget(balance: Balance, price: Micros) -> DayBudget | None:
    """What the day may cost: its cap, or what the campaign's whole life leaves of it; None without a cap."""
    day, left = balance.day, balance.total.remaining
    if day.cap is None:
        return None
    used = day.spent + day.pending
    return DayBudget(
        day.cap if left is None else min(day.cap, Micros(used + left)),
        Micros(used + balance.in_flight),
        price,
        balance.day_elapsed_ms,
        balance.day_length_ms,
    )
