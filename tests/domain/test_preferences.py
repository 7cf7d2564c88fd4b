"""What a visitor tells us about an ad: how it is kept in the profile, and the refusals it leads to."""

import pytest

from adserver.domain.budget import Bucket
from adserver.domain.campaign import Campaign, Creative, Status
from adserver.domain.catalogue import Product
from adserver.domain.contender import contender_of
from adserver.domain.decision import Candidate, Decision, NoAd, Request
from adserver.domain.eligibility import Balance, Refusal
from adserver.domain.identity import product_key
from adserver.domain.money import Micros
from adserver.domain.pricing import PricingModel, Terms
from adserver.domain.rates import Rates
from adserver.domain.slot import Slot
from adserver.domain.visitor import (
    MOST_SHOPS,
    MOST_UNWANTED,
    Preference,
    Profile,
    fold_event,
    fold_preference,
)
from creatives.card import Brand
from pixel.events import Event, EventName, Item
from tests.domain.deciding import decide

NOW_MS = 1_795_000_000_000
SHOP = 7
BOOTS, SCARF = product_key(SHOP, "boots"), product_key(SHOP, "scarf")


def make_profile(*item_ids: str) -> Profile:
    profile = Profile(NOW_MS)
    for item_id in item_ids:
        fold_event(profile, SHOP, Event(EventName.VIEW_ITEM, items=(Item(item_id),)), NOW_MS - 1)
    return profile


def make_product(key: int) -> Product:
    return Product(
        key=key,
        advertiser_key=SHOP,
        item_id="x",
        title="x",
        link="https://shop.example/x",
        price_micros=Micros(1),
        currency="EUR",
    )


def answer(profile: Profile) -> Decision | NoAd:
    terms = Terms(pricing_model=PricingModel.CPC, rate_micros=Micros(500_000), currency="EUR")
    campaign = Campaign(key=1, advertiser_key=SHOP, name="c", terms=terms, status=Status.ACTIVE)
    creative = Creative(key=2, campaign_key=1, template="cards", brand=Brand("Shop"))
    balance = Balance(Bucket(None), Bucket(None), Bucket(None), Bucket(None), Micros(0), 1, 2)
    candidate = Candidate(contender_of(campaign, [creative], Rates()), balance, 1.0)
    slot = Slot(key=3, site_key=4, name="s", width=300, height=250)
    products = {key: make_product(key) for key in (BOOTS, SCARF)}
    return decide(Request(slot, 2, False, NOW_MS), profile, [candidate], products, 0.0)


def shown(profile: Profile) -> list[int]:
    decision = answer(profile)
    assert isinstance(decision, Decision)
    return [product.key for product in decision.products]


@pytest.mark.parametrize("preference", [Preference.NOT_THIS_PRODUCT, Preference.BOUGHT])
def test_an_unwanted_or_bought_product_leaves_the_others(preference: Preference) -> None:
    profile = make_profile("boots", "scarf")
    fold_preference(profile, SHOP, preference, BOOTS, NOW_MS)
    assert shown(profile) == [SCARF]


def test_nothing_but_unwanted_products_is_a_refusal_of_its_own() -> None:
    profile = make_profile("boots")
    fold_preference(profile, SHOP, Preference.NOT_THIS_PRODUCT, BOOTS, NOW_MS)
    assert answer(profile) == NoAd({1: Refusal.PRODUCT_UNWANTED})


def test_nothing_but_bought_products_is_no_product() -> None:
    profile = make_profile("boots")
    fold_preference(profile, SHOP, Preference.BOUGHT, BOOTS, NOW_MS)
    assert answer(profile) == NoAd({1: Refusal.NO_PRODUCT})


def test_an_unwanted_shop_is_refused_whatever_is_done_there() -> None:
    profile = make_profile("boots")
    fold_preference(profile, SHOP, Preference.NOT_THIS_SHOP, 0, NOW_MS)
    fold_event(profile, SHOP, Event(EventName.ADD_TO_CART, items=(Item("scarf"),)), NOW_MS)
    assert answer(profile) == NoAd({1: Refusal.SHOP_UNWANTED})


def test_a_wish_that_is_told_twice_is_kept_once_and_the_oldest_leave_first() -> None:
    profile = make_profile("boots")
    for key in [*range(MOST_UNWANTED + 1), 5]:
        fold_preference(profile, SHOP, Preference.NOT_THIS_PRODUCT, key, NOW_MS)
    assert profile.shops[0].unwanted == [1, 2, 3, 4, *range(6, MOST_UNWANTED + 1), 5]


def test_a_full_profile_loses_unwanted_shops_last() -> None:
    profile = Profile(0)
    fold_preference(profile, 1, Preference.NOT_THIS_SHOP, 0, 1)
    for number in range(2, MOST_SHOPS + 10):
        fold_event(profile, number, Event(EventName.PAGE_VIEW), number)
    assert profile.shop(1) is not None
    assert profile.shop(2) is None
    assert len(profile.shops) == MOST_SHOPS
