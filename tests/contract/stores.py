"""The implementations of storage that every contract is run against, and what is stored in them first."""

import atexit
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from adserver.domain.budget import BucketId, buckets_of
from adserver.domain.decision_sample import DecisionSample, Rival, ShopSeen
from adserver.domain.experiment import HELD_OUT, Entry
from adserver.domain.memory import new_memory
from adserver.domain.money import ZERO, Micros
from adserver.domain.pricing import AdEvent, PricingModel
from adserver.flows.funnel import RollUpFunnel
from adserver.flows.refresh import Refresh
from adserver.parties import Parties
from adserver.storage.embedded import Storage, own_storage
from adserver.writes import (
    AdRecord,
    Conversion,
    CreditConversion,
    Entity,
    KeepDecisionSample,
    Outcome,
    RecordGhost,
    Result,
    SaveEntity,
    StoreEvent,
)
from pixel.events import EventName
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    CREATIVE,
    NOW_MS,
    PUBLISHER,
    SLOT,
    TODAY,
    make_advertiser,
    make_campaign,
    make_creative,
    make_event,
    make_publisher,
    make_site,
    make_slot,
)

Opener = Callable[[Path], Storage]

# A second implementation of the ports is added here, and every contract runs against it too.
IMPLEMENTATIONS: dict[str, Opener] = {"sqlite": lambda folder: own_storage(folder / "adserver.db")}

CLICK_PRICE = Micros(250_000)
SALE_PRICE = Micros(4_000_000)
CPA_CAMPAIGN = CAMPAIGN + 1
HOLDOUT = 5_500

_templates: dict[str, Path] = {}


def open_copy(name: str, folder: Path) -> Storage:
    """A fresh storage; its tables are made once and copied, since making them takes a while."""
    if name not in _templates:
        template = Path(tempfile.mkdtemp(prefix="contract-"))
        atexit.register(shutil.rmtree, template, ignore_errors=True)
        IMPLEMENTATIONS[name](template).close()
        _templates[name] = template
    for file in _templates[name].glob("*.db"):
        shutil.copy(file, folder)
    return IMPLEMENTATIONS[name](folder)


def make_accounts() -> list[Entity]:
    """An advertiser with a campaign paid by the click and one by the sale, and a publisher's slot."""
    sale = make_campaign(key=CPA_CAMPAIGN, pricing_model=PricingModel.CPA, rate_micros=SALE_PRICE)
    return [
        make_advertiser(),
        make_campaign(),
        sale,
        make_creative(),
        make_publisher(),
        make_site(),
        make_slot(),
    ]


def save(storage: Storage, entity: Entity, *, is_new: bool = False, today: int = TODAY) -> Outcome:
    return storage.writer.commit(SaveEntity(entity, is_new, today))


def save_new(storage: Storage, *entities: Entity) -> None:
    for entity in entities:
        assert save(storage, entity, is_new=True).result is Result.SAVED


def make_sample(key: int = 1, visitor_key: int = 0, at_ms: int = NOW_MS) -> KeepDecisionSample:
    """A decision for a visitor who was at the shop and has seen its campaign, kept for a replay."""
    shop = ShopSeen(ADVERTISER, [(9, 1, 60)], [(1, 60)])
    features = DecisionSample(0.5, 0, CAMPAIGN, 1.0, [Rival(CAMPAIGN, 1e6)], True, [shop], [(CAMPAIGN, [5])])
    return KeepDecisionSample(key, at_ms, SLOT, visitor_key, msgspec.msgpack.encode(features))


def make_record(impression_id: int = 1, event: AdEvent = AdEvent.CLICK, **fields: object) -> AdRecord:
    row = {
        "campaign_key": CAMPAIGN,
        "campaign_version": 1,
        "advertiser_key": ADVERTISER,
        "publisher_key": PUBLISHER,
        "slot_key": SLOT,
        "creative_key": CREATIVE,
        "product_key": 0,
        "visitor_key": 0,
        "at_ms": NOW_MS,
        "day": TODAY,
        "currency": "EUR",
        "amount_micros": CLICK_PRICE if event is AdEvent.CLICK else ZERO,
    } | fields
    share = {"publisher_micros": Micros(row["amount_micros"] * 7 // 10)}  # type: ignore[operator]
    return AdRecord(event, impression_id, **share | row)  # type: ignore[arg-type]


def make_ghost(ghost_key: int = 1, **fields: object) -> RecordGhost:
    """An ad that the advertiser's holdout kept from its visitor."""
    row = {
        "at_ms": NOW_MS,
        "slot_key": SLOT,
        "advertiser_key": ADVERTISER,
        "campaign_key": CAMPAIGN,
        "campaign_version": 1,
        "creative_key": CREATIVE,
        "visitor_key": 0,
        "audience_key": 0,
        "currency": "EUR",
        "entries": (Entry(HOLDOUT, HELD_OUT),),
    } | fields
    return RecordGhost(ghost_key, **row)  # type: ignore[arg-type]


def make_sale_record(order_key: int = 100, **fields: object) -> AdRecord:
    """What a conversion of the campaign paid by the sale costs."""
    row = {"campaign_key": CPA_CAMPAIGN, "amount_micros": SALE_PRICE} | fields
    return make_record(order_key, AdEvent.CONVERSION, **row)


def make_order_event(order_key: int = 100, event_key: int = 1, **fields: object) -> StoreEvent:
    """An order as a pixel tells it."""
    event = make_event(EventName.PURCHASE, "boots", value_micros=80_000_000, currency="EUR")
    row = {"visitor_key": 0, "first": False, "event": event, "at_ms": NOW_MS, "conversion_key": order_key}
    return StoreEvent(event_key, ADVERTISER, **row | fields)  # type: ignore[arg-type]


def make_arrival(order_key: int = 100, **fields: object) -> Conversion:
    """An order as the merchant's server tells it."""
    row = {
        "event": EventName.PURCHASE,
        "by_server": True,
        "trusted": True,
        "visitor_key": 0,
        "click_id": None,
        "value_micros": Micros(80_000_000),
        "currency": "EUR",
        "arrived_at_ms": NOW_MS,
        "occurred_at_ms": NOW_MS,
    } | fields
    return Conversion(order_key, ADVERTISER, **row)  # type: ignore[arg-type]


def credit_by_pixel(order_key: int = 100, **fields: object) -> CreditConversion:
    row = {"record": make_sale_record(order_key), "touch_impression_id": 5} | fields
    return CreditConversion(order_key, False, **row)  # type: ignore[arg-type]


def credit_by_server(order_key: int = 100, **fields: object) -> CreditConversion:
    row = {
        "record": make_sale_record(order_key),
        "touch_impression_id": 5,
        "arrival": make_arrival(order_key),
    } | fields
    return CreditConversion(order_key, True, **row)  # type: ignore[arg-type]


def roll_up_funnel(storage: Storage, now_ms: int = NOW_MS + 60_000) -> int:
    """Take all events that are settled by then into the funnel."""
    memory = new_memory()
    refresh = Refresh(memory.snapshot, storage.changes, storage.stats, storage.writer)
    refresh.load()
    parties = Parties(memory, storage.campaigns, refresh.poll)
    return RollUpFunnel(storage, parties, lambda: now_ms).run()


def balances(storage: Storage, campaign_key: int = CAMPAIGN, day: int = TODAY) -> list[tuple[int, int]]:
    """(spent, pending) of campaign and advertiser, each for life and for the day."""
    ids: tuple[BucketId, ...] = buckets_of(campaign_key, ADVERTISER, day)
    return [(bucket.spent, bucket.pending) for bucket in storage.ledger.buckets(ids)]


def rows_of(storage: Storage, sql: str, **parameters: object) -> list[tuple[object, ...]]:
    """What a table holds, where no port tells it."""
    return storage.reader.rows(sql, parameters)
