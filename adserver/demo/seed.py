"""The demo's accounts: made once in a data folder, found again when the demo starts there again."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from adserver.demo import pictures, roof
from adserver.demo.catalogue import (
    CODE,
    CODE_CAMPAIGN,
    OFF_PERCENT,
    PAPER_NAME,
    SERVICE_NAME,
    SHOP_NAME,
    WARES,
    Ware,
)
from adserver.demo.studio import Studio
from adserver.domain.campaign import Advertiser, Campaign, Creative, FrequencyCap, Period, Status
from adserver.domain.catalogue import Product
from adserver.domain.identity import product_key, write_id
from adserver.domain.money import Micros
from adserver.domain.price_history import DAY_MS, PRIOR_MS
from adserver.domain.pricing import PricingModel, Terms
from adserver.domain.slot import Publisher, Site, Slot
from adserver.flows.manage import Manage, Reach, Refused
from adserver.main.beside import create_operator_key
from adserver.main.server import Server
from adserver.writes import ApiKey, SaveProducts, Scope, SetPicture
from creatives.card import Brand, Message, Offer
from creatives.pictures import PictureRejection, make_thumbnail
from pixel.events import EventName

LOOPBACK = ("127.0.0.1", "localhost")
SIZES = ((728, 90), (300, 250), (300, 600))
EURO = 1_000_000
FORMER_MS = PRIOR_MS + DAY_MS
OPERATOR = Reach(Scope.OPERATOR)

# Expected revenue per thousand ads is the same for all: EUR 1.20 = 1000 x 0.5 % x EUR 0.24
# = 1000 x 0.5 % x 2 % x EUR 12. So all are equally good, and take turns.
PER_THOUSAND = Micros(1_200_000)
PER_CLICK = Micros(240_000)
PER_SALE = Micros(12_000_000)

Made = TypeVar("Made")


class World(msgspec.Struct):
    """What the demo made, as kept in its data folder; it holds the keys' texts, so only we may read it."""

    keys: dict[str, str]  # the texts of the API keys: operator, shop, publisher
    shop_key: int
    merchant: str  # the shop's public id
    service_key: int
    service_merchant: str
    campaigns: dict[str, int]  # the shop's by pricing model; the service's as "lead" and "seen"
    messages: dict[str, int]  # the service's creatives
    slots: dict[str, int]  # by size
    pictures: dict[str, str]  # of products and messages: content hashes

    def shown(self, base_url: str) -> dict[str, object]:
        """What `--json` prints."""
        return {
            "base_url": base_url,
            "operator_key": self.keys["operator"],
            "advertiser_id": write_id("adv", self.shop_key),
            "merchant": self.merchant,
            "products": [ware.item_id for ware in WARES],
            "slots": {write_id("slot", key): size for size, key in self.slots.items()},
            "campaigns": {model: write_id("cmp", self.campaigns[model]) for model in ("cpm", "cpc", "cpa")},
        }


def world_in(server: Server) -> World:
    """The demo's accounts in the server's data folder, made if need be; links lead to where it listens."""
    path = server.storage.path.parent / "demo.json"
    if path.exists():
        world = msgspec.json.decode(path.read_bytes(), type=World)
    else:
        world = _make_world(server)
        _keep(path, world)
    _put_products(server, world)
    _put_messages(server, world)
    return world


def _keep(path: Path, world: World) -> None:
    path.touch(mode=0o600)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(world)))


def _make_world(server: Server) -> World:
    manage = server.manage
    shop = made(manage.accounts.open_advertiser(OPERATOR, _shop()))
    solar = made(manage.accounts.open_advertiser(OPERATOR, _solar()))
    publisher = made(manage.accounts.open_publisher(OPERATOR, Publisher(key=0, name=PAPER_NAME)))
    drawn = {name: _hang(server, draw) for name, draw in _PICTURES.items()}
    keys = {
        "operator": create_operator_key(server.storage, server.clock, "demo operator"),
        "shop": _key(manage, Scope.ADVERTISER, shop.key, SHOP_NAME),
        "publisher": _key(manage, Scope.PUBLISHER, publisher.key, PAPER_NAME),
    }
    campaigns = {model.value: _order(manage, shop.key, name, terms) for model, name, terms in _SHOP_CAMPAIGNS}
    campaigns |= {place: _order(manage, solar.key, *order) for place, order in _SERVICE_CAMPAIGNS.items()}
    off = Offer(percent=OFF_PERCENT, code=CODE)
    for model, template, offer in (("cpm", "cards", None), ("cpc", "carousel", None), ("cpa", "hero", off)):
        cards = Creative(
            key=0, campaign_key=campaigns[model], template=template, brand=SHOP_BRAND, offer=offer
        )
        made(manage.campaigns.create_creative(OPERATOR, cards))
    world = World(
        keys=keys,
        shop_key=shop.key,
        merchant=shop.public_id,
        service_key=solar.key,
        service_merchant=solar.public_id,
        campaigns=campaigns,
        messages={},
        slots=_slots(manage, publisher.key),
        pictures=drawn,
    )
    world.messages = {place: _message(server, world, place) for place in _MESSAGES}
    for key in campaigns.values():
        made(manage.campaigns.change(OPERATOR, key, _activated))
    return world


def _shop() -> Advertiser:
    return Advertiser(
        key=0,
        public_id="",
        name=SHOP_NAME,
        domains=(*LOOPBACK, "shop.localhost"),
        currency="EUR",
        timezone="Europe/Paris",
        country="FR",
        trust_pixel_conversions=True,
        landing_params="utm_source={site}&utm_campaign={campaign}",
        rest_after_purchase_days=0,
    )


def _solar() -> Advertiser:
    return msgspec.structs.replace(
        _shop(), name=SERVICE_NAME, domains=(*LOOPBACK, "service.localhost"), landing_params=""
    )


SHOP_BRAND = Brand(SHOP_NAME, primary="#2f4a3c", accent="#c2481f")
SERVICE_BRAND = Brand(SERVICE_NAME, primary="#123a5c", accent="#d98a00")


def _terms(model: PricingModel, rate: Micros, event: EventName = EventName.PURCHASE) -> Terms:
    return Terms(pricing_model=model, currency="EUR", rate_micros=rate, conversion_event=event)


_SHOP_CAMPAIGNS = (
    (PricingModel.CPM, "Keep in mind", _terms(PricingModel.CPM, PER_THOUSAND)),
    (PricingModel.CPC, "Bring them back", _terms(PricingModel.CPC, PER_CLICK)),
    (PricingModel.CPA, CODE_CAMPAIGN, _terms(PricingModel.CPA, PER_SALE)),
)
_SERVICE_CAMPAIGNS = {
    "lead": ("Finish your quote", _terms(PricingModel.CPA, PER_SALE, EventName.GENERATE_LEAD)),
    "seen": ("Sunny evenings", _terms(PricingModel.VCPM, PER_THOUSAND, EventName.GENERATE_LEAD)),
}
_MESSAGES = {
    "lead": Message(
        "Your roof is waiting",
        "Two answers are missing. Your solar quote takes one more minute.",
        "Finish my quote",
    ),
    "seen": Message(
        "Sun for the evening",
        "A battery and ten panels carry most homes through the night.",
        "See my savings",
    ),
}
_PICTURES: dict[str, Callable[[], Studio]] = {
    **pictures.PRODUCT_PICTURES,
    "lead": roof.service_by_day,
    "seen": roof.service_in_the_evening,
}
_SERVICE_CAP = FrequencyCap(30, Period.HOUR)


def _order(manage: Manage, advertiser_key: int, name: str, terms: Terms) -> int:
    lead = terms.conversion_event is EventName.GENERATE_LEAD
    draft = Campaign(
        key=0,
        advertiser_key=advertiser_key,
        name=name,
        terms=terms,
        daily_budget_micros=Micros(1_000 * EURO),
        total_budget_micros=Micros(20_000 * EURO),
        frequency_cap=_SERVICE_CAP if lead else None,
    )
    return made(manage.campaigns.create(OPERATOR, advertiser_key, lambda _: draft)).key


def _activated(campaign: Campaign) -> Campaign:
    return msgspec.structs.replace(campaign, status=Status.ACTIVE)


def _slots(manage: Manage, publisher_key: int) -> dict[str, int]:
    draft = Site(key=0, publisher_key=publisher_key, name=PAPER_NAME, domains=(*LOOPBACK, "news.localhost"))
    site = made(manage.inventory.create_site(OPERATOR, draft))
    slots = {}
    for width, height in SIZES:
        place = Slot(
            key=0, site_key=site.key, name=f"Front page {width}x{height}", width=width, height=height
        )
        slots[place.format_name] = made(manage.inventory.create_slot(OPERATOR, place)).key
    return slots


def _key(manage: Manage, scope: Scope, owner_key: int, name: str) -> str:
    draft = ApiKey(key=0, digest="", scope=scope, owner_key=owner_key, name=name)
    return made(manage.keys.create(OPERATOR, draft)).text


# ---- what carries addresses ----


def _put_products(server: Server, world: World) -> None:
    """The catalogue through the API's own flow; then the pictures, which nobody needs to fetch."""
    for ware in WARES:
        product = _product(ware, server.settings.base_url)
        _tell_former_price(server, world, product)
        made(server.manage.products.put(OPERATOR, world.shop_key, product))
        key = product_key(world.shop_key, ware.item_id)
        picture = SetPicture(world.shop_key, key, product.image_link or "", world.pictures[ware.item_id])
        server.storage.writer.commit(picture)


def _tell_former_price(server: Server, world: World, product: Product) -> None:
    """As if the shop had asked it for weeks: else nothing is struck through in a French shop's sale."""
    key = product_key(world.shop_key, product.item_id)
    if server.storage.catalogue.price_history(key) is None:
        former = msgspec.structs.replace(
            product, key=key, advertiser_key=world.shop_key, sale_price_micros=None
        )
        at_ms = server.clock() - FORMER_MS
        server.storage.writer.commit(SaveProducts(world.shop_key, (former,), at_ms=at_ms))


def _product(ware: Ware, base_url: str) -> Product:
    return Product(
        key=0,
        advertiser_key=0,
        item_id=ware.item_id,
        title=ware.title,
        link=f"{base_url}/demo/shop/{ware.item_id}",
        image_link=f"{base_url}/demo/pictures/{ware.item_id}.jpg",
        price_micros=Micros((ware.was or ware.price) * EURO),
        sale_price_micros=Micros(ware.price * EURO) if ware.was else None,
        currency="EUR",
        description=ware.words,
        brand=SHOP_NAME,
        product_type=ware.kind,
    )


def _message(server: Server, world: World, place: str) -> int:
    draft = _message_draft(server, world, place)
    return made(server.manage.campaigns.create_creative(OPERATOR, draft)).key


def _message_draft(server: Server, world: World, place: str) -> Creative:
    words = msgspec.structs.replace(_MESSAGES[place], picture=f"/media/{world.pictures[place]}.jpg")
    link = f"{server.settings.base_url}/demo/service"
    return Creative(
        key=0,
        campaign_key=world.campaigns[place],
        template="message",
        brand=SERVICE_BRAND,
        message=words,
        link=link,
    )


def _put_messages(server: Server, world: World) -> None:
    """The service's links follow us to another port."""
    for place, key in world.messages.items():
        link = _message_draft(server, world, place).link
        known = made(server.manage.campaigns.creative(OPERATOR, key))
        if known.link != link:
            made(server.manage.campaigns.change_creative(OPERATOR, key, _linked_to(link)))


def _linked_to(link: str | None) -> Callable[[Creative], Creative]:
    return lambda creative: msgspec.structs.replace(creative, link=link)


def _hang(server: Server, draw: Callable[[], Studio]) -> str:
    """Draw a picture and keep its thumbnail; its content hash."""
    thumbnail = make_thumbnail(draw().picture())
    assert not isinstance(thumbnail, PictureRejection), thumbnail
    server.storage.media.put(thumbnail)
    return thumbnail.hash


def made(result: Made | Refused) -> Made:
    """What the flow made; the demo's own wishes are never refused."""
    assert not isinstance(result, Refused), result
    return result
