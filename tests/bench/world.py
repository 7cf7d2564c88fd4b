"""The network that the bench runs against: shops, campaigns and visitors, stored as the server stores them."""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import NamedTuple

from adserver.config import Settings
from adserver.domain.campaign import FrequencyCap, Period
from adserver.domain.identity import product_key, write_id
from adserver.domain.money import Micros
from adserver.domain.pricing import PricingModel
from adserver.domain.token import AdToken, TokenKeys, sign
from adserver.main.server import Server
from adserver.outside.clock import KeyMint, system_clock
from adserver.storage.embedded import Storage, own_storage
from adserver.storage.secrets import load_keys
from adserver.writes import Entity, Outcome, Result, SaveEntity, SaveProducts, StoreEvent, Write
from pixel.consent import Region, Said, Signals, decide
from pixel.consent_proof import ConsentProof
from pixel.cookie import RANDOM_BYTES, KeyRing, mint, visitor_of
from pixel.events import EventName
from tests.domain.makers import (
    make_advertiser,
    make_campaign,
    make_creative,
    make_event,
    make_product,
    make_publisher,
    make_site,
    make_slot,
)

SHOP_PAGE, NEWS_PAGE = "shop.example", "news.example"
# The first half is paid by the impression and outbids the other, paid by the click, were each ad clicked.
CAMPAIGNS_OF_A_SHOP = 10  # at most
SHOPS_OF_A_VISITOR = 2
VIEWED = 6  # products of each of them
SLOT = 800  # 300x600: four cards
PLENTY = Micros(10**15)
WRITES_AT_ONCE = 5_000
MINTING_WORKER = 250  # whose keys the server's own never meet
DAY_MS = 86_400_000
CONSENT_TOOL = "bench"


class Size(NamedTuple):
    visitors: int = 100_000
    products: int = 20_000
    campaigns: int = 10_000
    merchants: int = 0  # 0: as many as campaigns need
    visited: int = 0  # of the merchants, by those who send requests; 0: all

    @property
    def shops(self) -> int:
        return self.merchants or max(SHOPS_OF_A_VISITOR, self.campaigns // CAMPAIGNS_OF_A_SHOP)

    @property
    def campaigns_of_a_shop(self) -> int:
        return (
            min(CAMPAIGNS_OF_A_SHOP, self.campaigns // self.shops) if self.merchants else CAMPAIGNS_OF_A_SHOP
        )

    @property
    def products_of_a_shop(self) -> int:
        return max(VIEWED, self.products // self.shops)


class Visitor(NamedTuple):
    """A browser that comes back: its cookie, and the two shops it knows."""

    key: int
    cookie: str
    shops: tuple[int, ...]


class World:
    """What is in the folder's database, and the keys to sign what its server will accept."""

    def __init__(self, folder: Path, size: Size) -> None:
        self.folder = folder
        self.size = size
        self.slot_id = write_id("slot", SLOT)
        self.clock = system_clock()
        self.consented_seconds = (self.clock() - DAY_MS) // 1_000  # when everybody said yes: before they came
        self.mint_key = KeyMint(MINTING_WORKER, self.clock)
        self.mint_earlier = KeyMint(MINTING_WORKER, lambda: self.clock() - DAY_MS)
        kept = load_keys(folder)
        self._tokens = TokenKeys(kept.current, {n: bytes.fromhex(key) for n, key in kept.tokens.items()})
        self._cookies = KeyRing(kept.current, {n: bytes.fromhex(key) for n, key in kept.cookies.items()})
        dice = Random(1)
        self.visitors = [self._visitor(number, dice) for number in range(size.visitors)]

    def _visitor(self, number: int, dice: Random) -> Visitor:
        random_bytes = dice.randbytes(RANDOM_BYTES)
        known, visited = min(SHOPS_OF_A_VISITOR, self.size.shops), self.size.visited or self.size.shops
        shops = tuple((number + step) % visited * (self.size.shops // visited) for step in range(known))
        return Visitor(visitor_of(random_bytes), f"rt={mint(random_bytes, self._cookies)}", shops)

    def public_id(self, shop: int) -> str:
        return f"shop{shop}"

    def item(self, shop: int, number: int) -> str:
        return f"sku-{shop}-{number % self.size.products_of_a_shop}"

    def viewed(self, visitor: Visitor, shop: int) -> list[str]:
        return [self.item(shop, visitor.key + place) for place in range(VIEWED)]

    def token(self, visitor: Visitor, model: PricingModel) -> str:
        """Proof of an ad that this visitor was shown a minute ago, by a campaign of their first shop."""
        shop = visitor.shops[0]
        campaign = campaign_key(shop, 0 if model is PricingModel.CPM else self.size.campaigns_of_a_shop - 1)
        item = self.viewed(visitor, shop)[0]
        token = AdToken(
            impression_id=self.mint_key(),
            campaign_key=campaign,
            campaign_version=1,
            slot_key=SLOT,
            creative_key=campaign,
            product_key=product_key(advertiser_key(shop), item),
            visitor_key=visitor.key,
            decided_at_ms=self.clock() - 60_000,
        )
        return sign(token, self._tokens)

    def copy_to(self, folder: Path) -> None:
        """A fresh database for one server; what it writes is thrown away with it."""
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("*.sock"))


def advertiser_key(shop: int) -> int:
    return 1_000 + shop


def campaign_key(shop: int, number: int) -> int:
    return 1_000_000 + shop * CAMPAIGNS_OF_A_SHOP + number


def make_world(folder: Path, size: Size, tell: Callable[[str], None]) -> World:
    """Write all of it into an empty folder, through the server's own writer."""
    world = World(folder, size)
    storage = own_storage(folder / "adserver.db")
    try:
        stages = {
            f"{size.shops:,} shops with {size.shops * size.campaigns_of_a_shop:,} campaigns": accounts(world),
            f"{size.shops * size.products_of_a_shop:,} products": products(world),
            f"{size.visitors:,} visitors": visits(world),
        }
        for name, writes in stages.items():
            tell(f"preparing {name}")
            commit(storage.writer.commit_many, writes)
        tell("the funnel takes yesterday's visits in")
        catch_up(storage)
    finally:
        storage.close()
    return world


def catch_up(storage: Storage) -> None:
    """Else the jobs of the server that is measured would have a day's work to do at its start."""
    server = Server(Settings(data_dir=storage.path.parent), storage)
    funnel = next(job for job in server.runner.jobs if job.name == "roll up the funnel")
    while funnel.run():
        pass


def commit(commit_many: Callable[[list[Write]], list[Outcome]], writes: Iterator[Write]) -> None:
    while some := list(islice(writes, WRITES_AT_ONCE)):
        for outcome in commit_many(some):
            assert outcome.result in (Result.SAVED, Result.ACCEPTED), outcome


def accounts(world: World) -> Iterator[Write]:
    """Of today, so that no job has days behind it to seal."""
    day = int(time.strftime("%Y%m%d", time.gmtime()))
    for entity in _entities(world.size, world.clock()):
        yield SaveEntity(entity, True, day, world.clock())


def _entities(size: Size, now_ms: int) -> Iterable[Entity]:
    yield make_publisher()
    yield make_site(domains=(NEWS_PAGE,))
    yield make_slot(key=SLOT, width=300, height=600)
    for shop in range(size.shops):
        owner = advertiser_key(shop)
        yield make_advertiser(
            key=owner, public_id=f"shop{shop}", domains=(SHOP_PAGE,), timezone="UTC",
            daily_budget_micros=PLENTY, created_at_ms=now_ms,
        )  # fmt: skip
        for number in range(size.campaigns_of_a_shop):
            key = campaign_key(shop, number)
            by_click = number >= size.campaigns_of_a_shop // 2
            yield make_campaign(
                key=key,
                advertiser_key=owner,
                pricing_model=PricingModel.CPC if by_click else PricingModel.CPM,
                rate_micros=Micros(1_500 if by_click else 2_000_000),
                daily_budget_micros=PLENTY,
                frequency_cap=FrequencyCap(50, Period.HOUR),
                created_at_ms=now_ms,
            )
            yield make_creative(key=key, campaign_key=key)


def products(world: World) -> Iterator[Write]:
    for shop in range(world.size.shops):
        owner = advertiser_key(shop)
        items = [world.item(shop, number) for number in range(world.size.products_of_a_shop)]
        products = tuple(
            make_product(
                item,
                key=product_key(owner, item),
                advertiser_key=owner,
                link=f"https://{SHOP_PAGE}/p/{item}",
            )
            for item in items
        )
        yield SaveProducts(owner, products)


def visits(world: World) -> Iterator[Write]:
    """Each came back once to each of their shops, yesterday: so there is a profile, and proof of a yes to it."""
    at_ms, proof = world.clock() - DAY_MS, proof_of_consent(world)
    for visitor in world.visitors:
        for shop in visitor.shops:
            items = world.viewed(visitor, shop)
            key = world.mint_earlier()
            event = make_event(EventName.VIEW_ITEM, *items, event_id=f"before-{key}")
            yield StoreEvent(key, advertiser_key(shop), visitor.key, False, event, at_ms, proof=proof)


def proof_of_consent(world: World) -> ConsentProof:
    """Of the yes that the cases' requests state: who comes back says what they said before."""
    said = Said(asserted=True, asserted_by=CONSENT_TOOL, asserted_at_seconds=world.consented_seconds)
    shop = Signals(Region.STRICT, world.clock(), said, origin_verified=True, site=SHOP_PAGE)
    proof = decide(shop).proof
    assert proof is not None
    return proof
