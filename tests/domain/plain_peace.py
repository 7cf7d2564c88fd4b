"""How a visitor is left in peace, as plainly as it can be said."""

from collections.abc import Mapping

import msgspec

from adserver.domain.burn import BurnScope
from adserver.domain.campaign import PERIOD_MS, Creative, FrequencyCap
from adserver.domain.catalogue import Product
from adserver.domain.category import path_of
from adserver.domain.decision import Candidate, Request
from adserver.domain.eligibility import Refusal
from adserver.domain.identity import key_of
from adserver.domain.pricing import PricingModel
from adserver.domain.visitor import (
    DAY_MS,
    Profile,
    Shop,
    Shown,
)
from pixel.events import EventName


def peace_refusal(request: Request, profile: Profile | None, candidate: Candidate) -> Refusal | None:
    campaign, peace = candidate.contender.campaign, candidate.contender.peace
    shop = profile.shop(campaign.advertiser_key) if profile is not None else None
    if shop is not None and shop.blocked_at_ms:
        return Refusal.SHOP_UNWANTED
    if request.test:
        return None
    if profile is None:
        has_cap = campaign.frequency_cap is not None or peace.asks_to_count
        return Refusal.FREQUENCY_UNKNOWN if has_cap else None
    if shop is not None and _bought_ms(shop):
        since_ms = request.now_ms - _bought_ms(shop)
        if peace.burn.scope is BurnScope.SHOP and since_ms < peace.burn.days * DAY_MS:
            return Refusal.BURNED
        bought = {one.product_key for one in shop.purchases}
        looked_ms = [one.at_ms for one in shop.interests if one.product_key not in bought]
        did_ms = max([*looked_ms, shop.form_started_ms])
        if _rests(candidate, shop, request.now_ms) and did_ms <= _ordered_ms(shop):
            return Refusal.BOUGHT_ALREADY
    return _seen_refusal(profile, candidate, request.now_ms)


def _bought_ms(shop: Shop) -> int:
    return max([one.at_ms for one in shop.purchases] + [shop.last_event_ms.get(EventName.PURCHASE, 0)])


def _ordered_ms(shop: Shop) -> int:
    return shop.last_event_ms.get(EventName.PURCHASE, 0)


def _rests(candidate: Candidate, shop: Shop, now_ms: int) -> bool:
    """Whether only what was done after the purchase counts."""
    contender = candidate.contender
    found = [candidate.audiences.get(one.audience_key) for one in contender.campaign.terms.audience_rates]
    named = [one.audience for one in found if one is not None]
    addresses_buyers = any(EventName.PURCHASE in [rule.event for rule in one.inclusions] for one in named)
    lasts = now_ms - _ordered_ms(shop) < contender.peace.rest_ms
    return _ordered_ms(shop) > 0 and lasts and not addresses_buyers


def _seen_refusal(profile: Profile, candidate: Candidate, now_ms: int) -> Refusal | None:
    campaign, peace = candidate.contender.campaign, candidate.contender.peace
    sights = [(one, at_ms) for one in profile.shown for at_ms in one.at_ms]
    of_campaign = [at_ms for one, at_ms in sights if one.campaign_key == campaign.key]
    of_advertiser = [at_ms for one, at_ms in sights if one.advertiser_key == campaign.advertiser_key]
    if campaign.frequency_cap is not None and _is_reached(campaign.frequency_cap, of_campaign, now_ms):
        return Refusal.FREQUENCY_CAP
    if _is_reached(peace.advertiser_cap, of_advertiser, now_ms):
        return Refusal.ADVERTISER_CAP
    if sum(at_ms > now_ms - DAY_MS for _, at_ms in sights) >= peace.annoyance_budget:
        return Refusal.ANNOYANCE_BUDGET
    return (
        Refusal.FATIGUED
        if 0 < peace.fatigue_views <= len(_unclicked(profile, campaign.key, now_ms))
        else None
    )


def _is_reached(cap: FrequencyCap, times_ms: list[int], now_ms: int) -> bool:
    return sum(at_ms > now_ms - PERIOD_MS[cap.per] for at_ms in times_ms) >= cap.impressions


def worn_out(request: Request, profile: Profile | None, creative: Creative) -> bool:
    """Whether the visitor has seen the creative as often as it may be shown."""
    cap = creative.frequency_cap
    if cap is None or request.test:
        return False
    if profile is None:
        return True
    sights = [sight for one in profile.shown for sight in zip(one.at_ms, one.creative_keys, strict=True)]
    times_ms = [at_ms for at_ms, creative_key in sights if creative_key == creative.key]
    return _is_reached(cap, times_ms, request.now_ms)


def as_if_seen(request: Request, profile: Profile | None) -> Profile | None:
    """With what the page's other slots show; who cannot be counted stays so."""
    if profile is None:
        return None
    sights = {one.campaign_key: one for one in profile.shown}
    told = [touch.impression_id for touch in profile.touches]
    for one in [one for one in request.page.answers if one.impression_id not in told]:
        was = sights.get(one.campaign_key, Shown(one.campaign_key, [], one.advertiser_key, []))
        padded = [0] * (len(was.at_ms) - len(was.creative_keys)) + was.creative_keys
        sights[one.campaign_key] = msgspec.structs.replace(
            was,
            at_ms=[*was.at_ms, request.now_ms],
            advertiser_key=one.advertiser_key,
            creative_keys=[*padded, one.creative_key],
        )
    return msgspec.structs.replace(profile, shown=list(sights.values()))


def afterwards(request: Request, candidate: Candidate, shop: Shop) -> Shop:
    """What the visitor did at the shop, after the purchase where the campaign rests."""
    if request.test or not _rests(candidate, shop, request.now_ms):
        return shop
    since_ms = _ordered_ms(shop)
    newer = [one for one in shop.interests if one.at_ms > since_ms]
    older = [one.product_key for one in shop.interests if one.at_ms <= since_ms]
    started_ms = shop.form_started_ms if shop.form_started_ms > since_ms else 0
    return msgspec.structs.replace(
        shop, interests=newer, form_started_ms=started_ms, unwanted=[*shop.unwanted, *older]
    )


def unburnt(
    request: Request, candidate: Candidate, shop: Shop, products: Mapping[int, Product]
) -> Mapping[int, Product]:
    """Without what is of a group or category of which something was bought lately."""
    burn = candidate.contender.peace.burn
    if request.test or burn.scope is BurnScope.PRODUCT:
        return products
    lately = [one for one in shop.purchases if one.at_ms > request.now_ms - burn.days * DAY_MS]
    groups, categories = {one.group_key for one in lately} - {0}, {one.category_key for one in lately} - {0}
    left = {}
    for key, product in products.items():
        path = path_of(product.product_type or "")
        above = {plain_category(*path[: depth + 1]) for depth in range(len(path))}
        same_group = product.item_group_id is not None and plain_group(product.item_group_id) in groups
        if not same_group and not (burn.scope is BurnScope.CATEGORY and above & categories):
            left[key] = product
    return left


def plain_category(*path: str) -> int:
    return key_of(b"category", *[step.encode() for step in path])


def plain_group(name: str) -> int:
    return key_of(b"group", name.encode())


def freshness(request: Request, profile: Profile | None, candidate: Candidate) -> float:
    campaign = candidate.contender.campaign
    per_thousand = campaign.terms.pricing_model in (PricingModel.CPM, PricingModel.VCPM)
    if profile is None or request.test or per_thousand or not candidate.contender.peace.fatigue_views:
        return 1.0
    return 10 / (10 + len(_unclicked(profile, campaign.key, request.now_ms)))


def _unclicked(profile: Profile, campaign_key: int, now_ms: int) -> list[int]:
    """The times of 30 days that it was seen since its last click."""
    known = [one for one in profile.shown if one.campaign_key == campaign_key]
    return [
        at_ms
        for one in known
        for at_ms in one.at_ms
        if at_ms > one.clicked_ms and at_ms > now_ms - 30 * DAY_MS
    ]
