"""Plain functions that make what the tests of the domain, of storage and of the flows are about."""

import msgspec

from adserver.domain.audience import Audience, Rule
from adserver.domain.budget import Bucket
from adserver.domain.campaign import Advertiser, Campaign, Creative, Status
from adserver.domain.catalogue import Product
from adserver.domain.contender import contender_of
from adserver.domain.decision import Candidate, Request
from adserver.domain.eligibility import Balance
from adserver.domain.experiment import Arm, Experiment, Metric, Subject
from adserver.domain.identity import product_key
from adserver.domain.membership import Memberships
from adserver.domain.money import ZERO, Micros
from adserver.domain.pricing import AdEvent, PricingModel, Terms
from adserver.domain.product_set import ProductSet, SetRule
from adserver.domain.rates import Rates
from adserver.domain.shop_hook import ShopHook, ShopSoftware, shop_hook_key
from adserver.domain.slot import Publisher, Site, Slot
from adserver.domain.visitor import Interest, Level, Profile, Purchase, Shop, Touch
from creatives.card import Brand, Message
from pixel.events import Event, EventName, Item

NOW_MS = 1_795_000_000_000  # 2026-11-18, 11:46:40 UTC
TODAY = 20261118  # in Paris, and in UTC
HOUR_MS = 3_600_000
DAY_MS = 86_400_000

ADVERTISER, CAMPAIGN, CREATIVE = 7, 70, 700
EXPERIMENT = 7_700
PUBLISHER, SITE, SLOT = 8, 80, 800
VIEWERS, CARTERS = 75, 76  # audiences
PRODUCT_SET = 77


def make_terms(**fields: object) -> Terms:
    return msgspec.structs.replace(
        Terms(pricing_model=PricingModel.CPC, currency="EUR", rate_micros=Micros(250_000)), **fields
    )


def make_shop_hook(**fields: object) -> ShopHook:
    shop = ShopSoftware.SHOPIFY
    key = shop_hook_key(ADVERTISER, shop)
    hook = ShopHook(key=key, advertiser_key=ADVERTISER, shop=shop, secret="s" * 32, set_at_ms=NOW_MS)
    return msgspec.structs.replace(hook, **fields)


def make_advertiser(**fields: object) -> Advertiser:
    advertiser = Advertiser(
        key=ADVERTISER,
        public_id="shop",
        name="Shop",
        domains=("shop.example",),
        currency="EUR",
        timezone="Europe/Paris",
        country="FR",
    )
    return msgspec.structs.replace(advertiser, **fields)


def make_campaign(**fields: object) -> Campaign:
    """An active campaign; what is a field of Terms goes into its terms."""
    terms = {name: fields.pop(name) for name in list(fields) if name in Terms.__struct_fields__}
    campaign = Campaign(
        key=CAMPAIGN, advertiser_key=ADVERTISER, name="Autumn", terms=make_terms(), status=Status.ACTIVE
    )
    campaign = msgspec.structs.replace(campaign, **fields)
    return msgspec.structs.replace(campaign, terms=msgspec.structs.replace(campaign.terms, **terms))


def make_experiment(**fields: object) -> Experiment:
    """Two creatives of the campaign, each for half of its visitors."""
    experiment = Experiment(
        key=EXPERIMENT,
        advertiser_key=ADVERTISER,
        campaign_key=CAMPAIGN,
        name="Blue or red",
        subject=Subject.CREATIVES,
        arms=(Arm("Blue", 5_000, (CREATIVE,)), Arm("Red", 5_000, (CREATIVE + 1,))),
        metric=Metric.CLICK_RATE,
        visitors_planned=10_000,
        starts_at_ms=NOW_MS,
    )
    return msgspec.structs.replace(experiment, **fields)


def make_audience(event: EventName = EventName.VIEW_ITEM, days: int = 30, **fields: object) -> Audience:
    """Who did this at the shop within so many days."""
    audience = Audience(
        key=VIEWERS, advertiser_key=ADVERTISER, name=f"Did {event}", inclusions=(Rule(str(event), days),)
    )
    return msgspec.structs.replace(audience, **fields)


def make_creative(**fields: object) -> Creative:
    creative = Creative(key=CREATIVE, campaign_key=CAMPAIGN, template="cards", brand=Brand("Shop"))
    return msgspec.structs.replace(creative, **fields)


def make_message(**fields: object) -> Creative:
    """A creative with the advertiser's own words, for services."""
    words = Message("Still here?", "Your form is kept.", "Go on")
    link = "https://shop.example/form"
    return make_creative(**{"template": "message", "message": words, "link": link} | fields)


def make_publisher(**fields: object) -> Publisher:
    return msgspec.structs.replace(Publisher(key=PUBLISHER, name="News"), **fields)


def make_site(**fields: object) -> Site:
    site = Site(key=SITE, publisher_key=PUBLISHER, name="News", domains=("news.example",))
    return msgspec.structs.replace(site, **fields)


def make_slot(**fields: object) -> Slot:
    return msgspec.structs.replace(
        Slot(key=SLOT, site_key=SITE, name="Side", width=300, height=250), **fields
    )


def make_product(item_id: str = "boots", **fields: object) -> Product:
    product = Product(
        key=product_key(ADVERTISER, item_id),
        advertiser_key=ADVERTISER,
        item_id=item_id,
        title=f"The {item_id}",
        link=f"https://shop.example/{item_id}",
        price_micros=Micros(89_900_000),
        currency="EUR",
    )
    return msgspec.structs.replace(product, **fields)


def make_product_set(*inclusions: SetRule, **fields: object) -> ProductSet:
    """The shop's products to which any of the rules applies."""
    product_set = ProductSet(key=PRODUCT_SET, advertiser_key=ADVERTISER, name="Part", inclusions=inclusions)
    return msgspec.structs.replace(product_set, **fields)


def make_catalogue(*products: Product) -> dict[int, Product]:
    return {product.key: product for product in products}


def make_event(name: EventName = EventName.VIEW_ITEM, *item_ids: str, **fields: object) -> Event:
    items = tuple(Item(item_id) for item_id in item_ids)
    return msgspec.structs.replace(Event(name, items=items), **fields)


def make_interest(item_id: str, level: Level = Level.VIEWED, at_ms: int = NOW_MS) -> Interest:
    return Interest(product_key(ADVERTISER, item_id), level, at_ms)


def make_purchase(item_id: str, at_ms: int = NOW_MS) -> Purchase:
    return Purchase(product_key(ADVERTISER, item_id), at_ms)


def make_shop(*interests: Interest, **fields: object) -> Shop:
    shop = Shop(ADVERTISER)
    shop.interests = list(interests)
    for name, value in fields.items():
        setattr(shop, name, value)
    return shop


def make_profile(*shops: Shop, touches: tuple[Touch, ...] = ()) -> Profile:
    """A browser that viewed the boots, unless told otherwise."""
    profile = Profile(NOW_MS - DAY_MS)
    profile.shops = list(shops) or [make_shop(make_interest("boots"))]
    profile.touches = list(touches)
    return profile


def make_touch(event: AdEvent = AdEvent.CLICK, **fields: object) -> Touch:
    touch = Touch(event, 1, CAMPAIGN, 1, SLOT, CREATIVE, 0, NOW_MS - HOUR_MS)
    return msgspec.structs.replace(touch, **fields)


def make_bucket(cap: int | None = None, spent: int = 0, pending: int = 0) -> Bucket:
    return Bucket(None if cap is None else Micros(cap), Micros(spent), Micros(pending))


def make_balance(**fields: object) -> Balance:
    """Nothing is capped, nothing is spent, and half of the day is over."""
    free = make_bucket()
    return msgspec.structs.replace(Balance(free, free, free, free, ZERO, DAY_MS // 2, DAY_MS), **fields)


def make_candidate(campaign: Campaign | None = None, **fields: object) -> Candidate:
    campaign = campaign or make_campaign()
    creatives = fields.pop("creatives", [make_creative(campaign_key=campaign.key)])
    contender = contender_of(campaign, creatives, fields.pop("rates", Rates()))  # type: ignore[arg-type]
    audiences = Memberships(fields.pop("audiences", {}))  # type: ignore[arg-type]
    return msgspec.structs.replace(Candidate(contender, make_balance(), 1.0, audiences), **fields)


def make_request(**fields: object) -> Request:
    return msgspec.structs.replace(Request(make_slot(), 2, False, NOW_MS), **fields)
