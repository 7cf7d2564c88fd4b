"""A shop, a news page and the flows between them, on real storage, at a time and with dice of the test's."""

import itertools
import random
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

from adserver.domain.attribution import ServerOrder
from adserver.domain.caller import Caller
from adserver.domain.memory import new_memory
from adserver.domain.money import Micros
from adserver.domain.pricing import AdEvent, PricingModel
from adserver.domain.token import SERVED, AdToken, Secrets, TokenKeys, sign, verify
from adserver.domain.validity import Limits
from adserver.flows.bill import Bill, BillingPolicy, Landing
from adserver.flows.collect import Collect, Collected, CollectPolicy
from adserver.flows.convert import Convert, Credited
from adserver.flows.refresh import Refresh
from adserver.flows.serve import Chance, Serve, Served, ServingPolicy, SlotRequest
from adserver.parties import Parties
from adserver.ports import Deferred
from adserver.storage.audit import audit
from adserver.storage.embedded import Storage
from adserver.writes import AddCounts, Outcome, Receipt, Result, SaveProducts
from pixel.consent import Region, Said
from pixel.cookie import KeyRing
from pixel.events import EventName
from pixel.parse import Hit, from_query
from tests.contract.stores import open_copy, save, save_new
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    CREATIVE,
    NOW_MS,
    SLOT,
    TODAY,
    make_advertiser,
    make_campaign,
    make_creative,
    make_product,
    make_publisher,
    make_site,
    make_slot,
)

HOUSE_URL = "https://cards.example"
VISITOR = 4_242_424_242_424
SHOPPER = Caller(Region.OPEN, origin="shop.example", visitor_key=VISITOR)
READER = Caller(Region.OPEN, origin="news.example", visitor_key=VISITOR)
PRICE = Micros(250_000)
SALE = Micros(4_000_000)
BOOTS = make_product("boots")


class Street:
    """One worker's flows. `now_ms` is the time; `outcome_of` waits until something is durable."""

    def __init__(self, folder: Path, limits: Limits = Limits()) -> None:  # noqa: B008  it is frozen
        self.now_ms = NOW_MS
        self.storage: Storage = open_copy("sqlite", folder)
        self.memory = new_memory(limits)
        self.secrets = Secrets(TokenKeys(1, {1: b"t" * 32}), b"o" * 32)
        self.dice = random.Random(7)
        self.keys = itertools.count(10_000)
        stores, clock = self.storage, self.clock
        self.refresh = Refresh(self.memory.snapshot, stores.changes, stores.stats, stores.writer)
        parties = Parties(self.memory, stores.campaigns, self.refresh.poll)
        self.convert = Convert(self.memory, stores, parties, clock, self.secrets)
        self.register()
        self.bill = Bill(self.memory, stores, parties, clock, self.secrets, BillingPolicy(HOUSE_URL, 300))
        self.refresh.load()

    def clock(self) -> int:
        return self.now_ms

    def register(self, vendor_id: int | None = None) -> None:
        """The flows that ask for consent, of an operator with this id on the IAB's vendor list."""
        stores, clock, mint_key = self.storage, self.clock, lambda: next(self.keys)
        policy = CollectPolicy(
            KeyRing(1, {1: b"c" * 32}), self.secrets.tokens, self.secrets.orders, vendor_id
        )
        self.collect = Collect(
            self.memory, stores, self.refresh.if_stale, clock, mint_key, self.dice.randbytes, policy,
            self.convert.submit_credits,
        )  # fmt: skip
        chance = Chance(mint_key, self.dice.random)
        serving = ServingPolicy(HOUSE_URL, {"EUR": 1.0, "USD": 0.9}, policy.cookies, vendor_id)
        self.serve = Serve(self.memory, stores, self.refresh.if_stale, clock, chance, self.secrets, serving)

    def close(self) -> None:
        self.storage.close()

    # ---- what is there ----

    def open(self, **campaign: object) -> None:
        """A shop with boots and a campaign, and a news page with a slot; the shopper has seen the boots."""
        self.open_shop()
        save_new(self.storage, make_campaign(**campaign), make_creative())
        self.look()

    def open_shop(self, **advertiser: object) -> None:
        save_new(self.storage, make_advertiser(**advertiser), make_publisher(), make_site(), make_slot())
        self.storage.writer.commit(SaveProducts(ADVERTISER, (BOOTS,)))

    def change(self, version: int = 2, **campaign: object) -> Outcome:
        """Replace the campaign by its next version."""
        return save(self.storage, make_campaign(version=version, **campaign))

    # ---- what people do ----

    def hit(
        self,
        caller: Caller = SHOPPER,
        more: Sequence[tuple[str, str]] = (),
        *,
        posted: bool = False,
        **query: object,
    ) -> Collected:
        """One request of the shop's tag; every event of it is on disk afterwards."""
        fields = {"m": "shop", "e": "view_item", "id": "boots"} | query
        text = urlencode([*((name, value) for name, value in fields.items() if value is not None), *more])
        hit = from_query(text.encode())
        if isinstance(hit, Hit):
            hit = msgspec.structs.replace(hit, posted=posted)
        collected = self.collect.take(hit, caller)
        for stored in collected.stored:
            outcome_of(stored)
        return collected

    def look(self, item_id: str = "boots") -> None:
        assert self.hit(id=item_id).rejection is None

    def visit(self, caller: Caller = READER, click_prefix: str | None = None, **said: object) -> Served:
        """The news page's slot as a document; `said` is what the page said about privacy."""
        request = SlotRequest(SLOT, click_prefix, said=Said(**said))  # type: ignore[arg-type]
        served = self.serve.document(request, caller)
        assert served is not None
        return served

    def token(self, caller: Caller = READER) -> str:
        """The token of an ad that was served to the caller just now, for its first product."""
        links = [part.split('"')[0] for part in self.visit(caller).body.decode().split("/c?t=")[1:]]
        assert links, "no ad was served"
        return links[0]

    def signed(self, **fields: object) -> str:
        """A token like those that `visit` makes, shown a second ago."""
        token = AdToken(99, CAMPAIGN, 1, SLOT, CREATIVE, BOOTS.key, VISITOR, self.now_ms - 1_000)
        return sign(msgspec.structs.replace(token, **fields), self.secrets.tokens)

    def read(self, text: str, purpose: bytes = SERVED) -> AdToken:
        token = verify(text, self.secrets.tokens, purpose)
        assert token is not None
        return token

    def see(
        self, text: str, caller: Caller | None = None, event: AdEvent = AdEvent.IMPRESSION
    ) -> Result | str:
        return settled(self.bill.beacon(event, text, caller or self.whose(text)))

    def click(self, text: str, caller: Caller | None = None) -> tuple[Landing, Result | str]:
        landing = self.bill.click(text, caller or self.whose(text))
        return landing, settled(landing.charge)

    def whose(self, text: str) -> Caller:
        """The browser that the ad was made for."""
        token = verify(text, self.secrets.tokens)
        return READER if token is None else msgspec.structs.replace(READER, visitor_key=token.visitor_key)

    def click_id(self, text: str | None = None) -> str:
        """The `rtclid` of a click."""
        landing, _ = self.click(text or self.signed())
        return parse_qs(urlsplit(landing.location).query)["rtclid"][0]

    def order(self, reference: str = "R-1", receipt: Receipt | None = None, **fields: object) -> Credited:
        """The shop's server tells an order."""
        order = ServerOrder(
            advertiser_key=ADVERTISER,
            event=EventName.PURCHASE,
            reference=reference,
            value_micros=Micros(80_000_000),
            currency="EUR",
            click_id=None,
            occurred_at_ms=self.now_ms,
        )
        return self.convert.convert(msgspec.structs.replace(order, **fields), receipt)

    # ---- what came of it ----

    def spent(self, campaign_key: int = CAMPAIGN, day: int = 0) -> tuple[int, int]:
        """Spent and pending of a campaign, of its life or of a day."""
        rows = self.rows(
            "SELECT spent, pending FROM budgets WHERE owner_key = ? AND day = ?", campaign_key, day
        )
        return rows[0] if rows else (0, 0)  # type: ignore[return-value]

    def spent_today(self) -> tuple[int, int]:
        return self.spent(day=TODAY)

    def rows(self, sql: str, *parameters: object) -> list[tuple[object, ...]]:
        return self.storage.reader.rows(sql, parameters)

    def orders(self) -> list[tuple[object, ...]]:
        """Each conversion: told by the server or not, its state and the reason."""
        return self.rows("SELECT by_server, state, reason FROM conversions ORDER BY arrived_at_ms, by_server")

    def counted(self, owner_key: int = ADVERTISER) -> dict[str, int]:
        """What was counted of an owner, in memory and on disk, but not of the writer's own batches."""
        rows = self.memory.tally.take(0)
        if rows:
            self.storage.writer.commit(AddCounts(rows))
        counts = self.storage.stats.counts(owner_key, 0)
        return {name: n for name, n in counts.items() if not name.startswith("commit_")}

    def assert_audit_is_clean(self) -> None:
        assert not [finding.violations for finding in audit(self.storage.path) if finding.violation_count]


def sale_terms(**fields: object) -> dict[str, object]:
    """A campaign paid by the sale."""
    return {"pricing_model": PricingModel.CPA, "rate_micros": SALE} | fields


def outcome_of(deferred: Deferred) -> Outcome:
    """The outcome, once its batch is durable."""
    future: Future[Outcome] = Future()
    deferred.then(future.set_result)
    return future.result(20)


def settled(charge: Deferred | str) -> Result | str:
    return charge if isinstance(charge, str) else outcome_of(charge).result
