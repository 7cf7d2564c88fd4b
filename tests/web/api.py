"""A server's API over real storage, and plain functions that make what tests are about."""

import asyncio
import secrets
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from adserver.domain.attribution import conversion_key
from adserver.domain.identity import read_id, write_id
from adserver.domain.installation import Installation
from adserver.domain.memory import Memory, new_memory
from adserver.domain.money import Micros
from adserver.domain.network import Running
from adserver.domain.pricing import AdEvent
from adserver.domain.token import LANDED, AdToken, Secrets, TokenKeys, sign
from adserver.flows.arrivals import ArrivalReports
from adserver.flows.audience_sizes import AudienceSizeReports
from adserver.flows.campaign_days import CampaignDays
from adserver.flows.collect import Collect, CollectPolicy
from adserver.flows.consents import ProveConsent
from adserver.flows.convert import Convert
from adserver.flows.feed import ImportFeed
from adserver.flows.funnel import FunnelReports
from adserver.flows.imports import RunImports
from adserver.flows.live_view import WatchLiveEvents
from adserver.flows.manage import Desk, Holding, KeyCalls, Manage, Reach
from adserver.flows.network import ManageNetwork
from adserver.flows.notify import Notify
from adserver.flows.outlook import Outlooks
from adserver.flows.picture import PictureReports
from adserver.flows.pixel_doctor import PixelDoctor
from adserver.flows.postback import Postback
from adserver.flows.preview import Preview
from adserver.flows.recognise import Recognise
from adserver.flows.redeem import Redeem
from adserver.flows.refresh import Refresh
from adserver.flows.refusals import CountRefusals
from adserver.flows.relay import Relay, RelayPolicy
from adserver.flows.replay import Replay
from adserver.flows.serve import ServingPolicy
from adserver.flows.serve.explain import Explain
from adserver.flows.serve.try_slot import TrySlot
from adserver.flows.shops import Shops
from adserver.flows.upload import Upload
from adserver.outside.clock import KeyMint
from adserver.outside.pictures import PictureDecoder
from adserver.outside.signer import HeadSigner
from adserver.parties import Parties
from adserver.storage.embedded import own_storage
from adserver.web.app import make_app
from adserver.web.flows import Decisions, Flows, books_of, operations_of
from adserver.writes import (
    AddCounts,
    AdRecord,
    ApiKey,
    Conversion,
    CreditConversion,
    RecordAd,
    Scope,
    StoreEvent,
)
from pixel.consent import Region
from pixel.cookie import KeyRing
from pixel.events import Event, EventName
from tests.web.standins import DrawnHere, NoNetwork

NOW_MS = 1_795_000_000_000  # 2026-11-18, just after noon in Paris
TODAY = 20261118
BASE_URL = "https://cards.example"
NETWORK_ZONE = "Europe/Berlin"
PARTIES = b"q" * 32  # the key of the ids that merchants know visitors by
BODY_LIMIT_BYTES = 20_000
FEED_LIMIT_BYTES = 50_000


RUNNING = Running(base_url=BASE_URL, default_region=Region.STRICT, timezone=NETWORK_ZONE, folder="/data")


class Api:
    """The app on one event loop in a thread of its own, so that tests may call it from many threads."""

    def __init__(self, folder: Path) -> None:
        self.now_ms = NOW_MS
        self.network = NoNetwork()
        self.drawing = DrawnHere()
        self.storage = own_storage(folder / "adserver.db")
        memory = new_memory()
        self.refresh = Refresh(memory.snapshot, self.storage.changes, self.storage.stats, self.storage.writer)
        self.refresh.load()
        self.secrets = Secrets(TokenKeys(1, {1: b"t" * 32}), b"o" * 32)
        parties = Parties(memory, self.storage.campaigns, self.refresh.poll)
        self.convert = Convert(memory, self.storage, parties, self.clock, self.secrets)
        self.shops = Shops(
            self.storage.accounts, self.storage.stats, memory.tally, self.clock,
            self.convert.convert, self.convert.cancel,
        )  # fmt: skip
        collect = Collect(
            memory, self.storage, self.refresh.if_stale, self.clock, KeyMint(1, self.clock),
            secrets.token_bytes,
            CollectPolicy(KeyRing(1, {1: b"c" * 32}), self.secrets.tokens, self.secrets.orders),
            self.convert.submit_credits,
        )  # fmt: skip
        self.relay = Relay(
            memory, self.storage, self.clock, self.secrets, RelayPolicy(PARTIES),
            collect, self.convert.convert,
        )  # fmt: skip
        self.tally = memory.tally
        self.manage = self._manage(memory)
        self.pictures = PictureDecoder(children=1)  # begun when the first picture comes
        self.importer = ImportFeed(
            writer=self.storage.writer,
            catalogue=self.storage.catalogue,
            feeds=self.storage.feeds,
            fetcher=self.network,
            clock=self.clock,
            mint_key=KeyMint(0, self.clock),
            dice=lambda: 0.0,
        )
        self.imports = RunImports(
            steps=self.importer,
            writer=self.storage.writer,
            accounts=self.storage.accounts,
            feeds=self.storage.feeds,
            imports=self.storage.imports,
            files=self.storage.import_files,
            clock=self.clock,
            mint_key=KeyMint(2, self.clock),
            tally=memory.tally,
        )
        arrivals = ArrivalReports(self.storage, self.clock)
        managed = Flows(
            manage=self.manage,
            convert=self.convert,
            imports=self.imports,
            notify=self._notify(),
            shops=self.shops,
            pixel_doctor=PixelDoctor(
                self.storage.pixel, self.storage.catalogue, self.storage.feeds, self.clock, arrivals.pages
            ),
            live_view=WatchLiveEvents(
                self.storage.writer, self.storage.live_views, self.storage.catalogue, self.clock
            ),
            arrivals=arrivals,
            audience_sizes=AudienceSizeReports(self.storage, self.clock),
            funnel=FunnelReports(self.storage, self.clock),
            pictures=PictureReports(
                self.storage.writer, self.storage.catalogue, self.storage.picture_book, self.clock
            ),
            recognise=Recognise(self.storage.stats),
            relay=self.relay,
            consents=ProveConsent(self.storage.consents, PARTIES),
            postback=Postback(self.storage.accounts, self.clock, self.convert.convert, b"p" * 32),
            upload=Upload(self.storage.media, self.pictures),
            preview=Preview(self.storage.catalogue, self.drawing, self.clock),
            network=ManageNetwork(
                self.storage.writer, self.storage.networks, self.clock, RUNNING, lambda: ()
            ),
            redeem=Redeem(memory, self.storage, self.clock, self.secrets),
            books=books_of(self.storage, HeadSigner(b"s" * 32), self.clock, NETWORK_ZONE),
            decisions=self._decisions(memory),
            operations=operations_of(self.storage, self.manage, NETWORK_ZONE, self._examine, ()),
            base_url=BASE_URL,
        )
        self.app = make_app(
            managed,
            most_body_bytes=BODY_LIMIT_BYTES,
            most_feed_bytes=FEED_LIMIT_BYTES,
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url=BASE_URL, timeout=30)
        self.operator = self.make_key(Scope.OPERATOR)

    def _decisions(self, memory: Memory) -> Decisions:
        policy = ServingPolicy(BASE_URL, {}, KeyRing(1, {1: b"c" * 32}))
        clock, refresh = self.clock, self.refresh.if_stale
        explain = Explain(memory, self.storage, refresh, clock, lambda: 0.5, policy, PARTIES)
        replay = Replay(
            memory.snapshot, self.storage.decision_samples, self.storage.catalogue, clock, {}, refresh
        )
        try_slot = TrySlot(explain, self.storage.catalogue, memory.snapshot, refresh)
        days, outlooks = (
            CampaignDays(self.storage.stats, clock),
            Outlooks(memory.snapshot, self.storage, clock),
        )
        return Decisions(explain, CountRefusals(self.storage.stats, clock), replay, try_slot, days, outlooks)

    def _manage(self, memory: Memory) -> Manage:
        storage = self.storage
        desk = Desk(
            writer=storage.writer,
            accounts=storage.accounts,
            campaigns=storage.campaigns,
            audiences=storage.audiences,
            experiments=storage.experiments,
            saved_reports=storage.saved_reports,
            inventory=storage.inventory,
            keys=storage.keys,
            catalogue=storage.catalogue,
            product_sets=storage.product_sets,
            suppressions=storage.suppressions,
            feeds=storage.feeds,
            ledger=storage.ledger,
            offers=storage.offers,
            media=storage.media,
            payments=storage.payments,
            pending=storage.pending,
            key_calls=KeyCalls(storage.stats, memory.tally),
            clock=self.clock,
            mint_key=lambda: secrets.randbelow(2**63),
            mint_secret=lambda: secrets.token_urlsafe(32),
            order_secret=self.secrets.orders,
        )
        return Manage(desk, Holding(storage.holds, storage.payouts))

    def _examine(self) -> Installation:
        return Installation(
            now_ms=self.now_ms, base_url=BASE_URL, default_region="strict", folder=".", open_files=65_536
        )

    def _notify(self) -> Notify:
        return Notify(
            writer=self.storage.writer,
            accounts=self.storage.accounts,
            notices=self.storage.notices,
            fetcher=self.network,
            clock=self.clock,
            dice=lambda: 0.5,
            mint_key=lambda: secrets.randbelow(2**63),
            server_key=b"w" * 32,
        )

    def clock(self) -> int:
        return self.now_ms

    def report_counts(self) -> None:
        """What a worker does each second."""
        hour_ms = self.now_ms - self.now_ms % 3_600_000
        self.storage.writer.commit(AddCounts(self.tally.take(hour_ms)))

    def close(self) -> None:
        self._wait(self._client.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.pictures.close()
        self.storage.close()

    def _wait(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def call(
        self, method: str, path: str, body: object = None, key: str | None = None, **more: Any
    ) -> httpx.Response:
        """Ask /api/v1 with a key, the operator's where none is named; `key` "" sends none."""
        headers = dict(more.pop("headers", {}))
        text = self.operator if key is None else key
        if text:
            headers.setdefault("Authorization", f"Bearer {text}")
        if body is not None:
            more["json"] = body
        response: httpx.Response = self._wait(
            self._client.request(method, f"/api/v1{path}", headers=headers, **more)
        )
        return response

    def make(self, path: str, body: object, key: str | None = None) -> dict[str, Any]:
        response = self.call("POST", path, body, key)
        assert response.status_code == 201, response.text
        made: dict[str, Any] = response.json()
        return made

    def make_key(self, scope: Scope, owner_id: str | None = None) -> str:
        prefix = {Scope.ADVERTISER: "adv", Scope.PUBLISHER: "pub"}.get(scope, "")
        owner_key = read_id(prefix, owner_id) if owner_id else None
        draft = ApiKey(key=0, digest="", scope=scope, owner_key=owner_key, name="test")
        made = self.manage.keys.create(Reach(Scope.OPERATOR), draft)
        text: str = made.text  # type: ignore[union-attr]
        return text


def advertiser_body(**fields: object) -> dict[str, object]:
    return {
        "name": "Shop",
        "domains": ["shop.example"],
        "currency": "EUR",
        "timezone": "Europe/Paris",
        "country": "FR",
    } | fields


def campaign_body(advertiser_id: str, **fields: object) -> dict[str, object]:
    terms = {"pricing_model": "cpc", "rate_micros": 250_000}
    return {"advertiser_id": advertiser_id, "name": "Autumn", "status": "active"} | terms | fields


def audience_body(advertiser_id: str, **fields: object) -> dict[str, object]:
    rule = {"event": "add_to_cart", "retention_days": 14}
    return {"advertiser_id": advertiser_id, "name": "Left a cart", "inclusions": [rule]} | fields


def cards_body(campaign_id: str, **fields: object) -> dict[str, object]:
    return {"campaign_id": campaign_id, "template": "cards", "brand": {"name": "Shop"}} | fields


def message_body(campaign_id: str, **fields: object) -> dict[str, object]:
    message = {"headline": "Still here?", "body": "Your form is kept.", "button": "Go on"}
    return (
        cards_body(campaign_id, template="message", message=message, link="https://shop.example/form")
        | fields
    )


def product_body(**fields: object) -> dict[str, object]:
    return {
        "title": "Boots",
        "link": "https://shop.example/boots",
        "price_micros": 89_900_000,
        "currency": "EUR",
    } | fields


def set_body(**fields: object) -> dict[str, object]:
    return {"name": "Nike", "inclusions": [{"brands": ["Nike"]}]} | fields


def site_body(publisher_id: str, **fields: object) -> dict[str, object]:
    return {"publisher_id": publisher_id, "name": "News", "domains": ["news.example"]} | fields


def slot_body(site_id: str, **fields: object) -> dict[str, object]:
    return {"site_id": site_id, "name": "Side", "width": 300, "height": 250} | fields


def conversion_body(advertiser_id: str, **fields: object) -> dict[str, object]:
    order = {"event": "purchase", "order_id": "R-1001", "value_micros": 89_900_000, "currency": "EUR"}
    return {"advertiser_id": advertiser_id} | order | fields


def experiment_body(campaign: str, creatives: Sequence[str], **fields: object) -> dict[str, object]:
    """The campaign's creatives beside each other."""
    share = 10_000 // len(creatives)
    return {
        "campaign_id": campaign,
        "name": "Blue or red",
        "subject": "creatives",
        "metric": "click_rate",
        "visitors_planned": 20_000,
        "arms": [
            {"name": f"arm {n}", "share_bps": share, "creative_ids": [id_]} for n, id_ in enumerate(creatives)
        ],
    } | fields


def pool_body(advertiser_id: str, **fields: object) -> dict[str, object]:
    return {"advertiser_id": advertiser_id, "name": "Autumn", "kind": "uploaded"} | fields


class World:
    """An advertiser A with everything, and a publisher with everything; their ids and keys."""

    def __init__(self, api: Api, name: str = "A") -> None:
        self.advertiser = api.make(
            "/advertisers", advertiser_body(name=name, webhook_url="https://shop.example/hooks")
        )["id"]
        self.publisher = api.make("/publishers", {"name": name})["id"]
        self.campaign = api.make("/campaigns", campaign_body(self.advertiser))["id"]
        self.creative = api.make("/creatives", cards_body(self.campaign))["id"]
        self.audience = api.make("/audiences", audience_body(self.advertiser))["id"]
        lists = f"/advertisers/{self.advertiser}/suppression-lists"
        self.suppression_list = api.make(lists, {"name": "Staff"})["id"]
        self.product_set = api.make(f"/advertisers/{self.advertiser}/product-sets", set_body())["id"]
        self.pool = api.make("/offer-pools", pool_body(self.advertiser))["id"]
        self.site = api.make("/sites", site_body(self.publisher))["id"]
        self.slot = api.make("/slots", slot_body(self.site))["id"]
        self.feed = api.make(f"/advertisers/{self.advertiser}/feeds", {})["id"]
        self.needless_feed = api.make(f"/advertisers/{self.advertiser}/feeds", {})["id"]
        self.item = "boots-1"
        path = f"/advertisers/{self.advertiser}/products/{self.item}"
        assert api.call("PUT", path, product_body()).status_code == 200
        self.approvable = self.declinable = ""  # pending conversions, where a test has made some
        self.charge = ""  # likewise
        self.slots = [self.slot] * 3
        self.hold = self.released = ""  # likewise, of earnings
        self.experiment = ""  # likewise; and what another would be made of
        self.untried: dict[str, object] = {}
        self.approvable_import = self.rejectable_import = ("", "")  # likewise: a feed, its import that waits
        mine = {"name": "Clicks", "query": "metrics=clicks", "advertiser_id": self.advertiser}
        self.saved_report = self.removable_report = api.make("/saved-reports", mine)["id"]
        self.advertiser_key = api.make_key(Scope.ADVERTISER, self.advertiser)
        self.publisher_key = api.make_key(Scope.PUBLISHER, self.publisher)


def key_behind(id_: str) -> int:
    key = read_id(id_.partition("_")[0], id_)
    assert key is not None
    return key


def make_record(world: World, event: AdEvent, impression_id: int, amount_micros: int) -> AdRecord:
    """What happened to an ad of the world's campaign, and what it costs."""
    return AdRecord(
        event=event,
        impression_id=impression_id,
        campaign_key=key_behind(world.campaign),
        campaign_version=1,
        advertiser_key=key_behind(world.advertiser),
        publisher_key=key_behind(world.publisher),
        slot_key=key_behind(world.slot),
        creative_key=key_behind(world.creative),
        product_key=0,
        visitor_key=0,
        at_ms=NOW_MS,
        day=TODAY,
        currency="EUR",
        amount_micros=Micros(amount_micros),
    )


def charge(api: Api, world: World, amount_micros: int, impression_id: int = 77) -> str:
    """Bill a click of the world's campaign; its charge's id."""
    record = make_record(world, AdEvent.CLICK, impression_id, amount_micros)
    assert api.storage.writer.commit(RecordAd((record,))).result == "taken"
    return write_id("chg", impression_id << 2 | AdEvent.CLICK)


def sell(api: Api, world: World, order_id: str = "R-1001", amount_micros: int = 2_000_000) -> str:
    """Bill an order that the shop's server told, to the world's campaign; its charge's id."""
    advertiser_key = key_behind(world.advertiser)
    key = conversion_key(api.secrets.orders, advertiser_key, EventName.PURCHASE, order_id)
    arrival = Conversion(
        key, advertiser_key, EventName.PURCHASE, True, True, 0, None, None, None, NOW_MS, NOW_MS
    )
    record = make_record(world, AdEvent.CONVERSION, key, amount_micros)
    outcome = api.storage.writer.commit(CreditConversion(key, True, record, arrival=arrival))
    assert outcome.result == "taken"
    return write_id("chg", key << 2 | AdEvent.CONVERSION)


def everything(api: Api) -> dict[str, list[Any]]:
    """All rows of all tables."""
    with closing(sqlite3.connect(api.storage.path)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}


def reserve(api: Api, world: World, amount_micros: int = 1_000) -> str:
    """A browser's order that reserves an amount of the world's campaign; its id."""
    key, advertiser_key = secrets.randbelow(2**60), key_behind(world.advertiser)
    event = Event(EventName.PURCHASE, order_id=f"{key:x}")
    api.storage.writer.commit(
        StoreEvent(key, advertiser_key, 0, first=False, event=event, at_ms=NOW_MS, conversion_key=key)
    )
    record = make_record(world, AdEvent.CONVERSION, key, amount_micros)
    outcome = api.storage.writer.commit(CreditConversion(key, False, record, reserve=True))
    assert outcome.result == "pending"
    return write_id("cnv", key)


def click_id(api: Api, world: World, campaign_id: str, version: int = 1) -> str:
    """The `rtclid` of a click on the campaign's ad, an hour ago."""
    token = AdToken(
        impression_id=4711,
        campaign_key=key_behind(campaign_id),
        campaign_version=version,
        slot_key=key_behind(world.slot),
        creative_key=key_behind(world.creative),
        product_key=0,
        visitor_key=0,
        decided_at_ms=NOW_MS - 3_600_000,
    )
    return sign(token, api.secrets.tokens, LANDED)
