"""An advertiser whose ads were clicked, and whose orders wait for its word, in a whole server."""

import secrets
import sqlite3
from contextlib import closing

from adserver.domain.budget import local_day
from adserver.domain.identity import read_id, write_id
from adserver.domain.money import Micros
from adserver.domain.pricing import AdEvent
from adserver.writes import AdRecord, CreditConversion, RecordAd, StoreEvent
from pixel.events import Event, EventName
from tests.web.visiting import Visiting

PRICE = 1_230_000


def key_of(id_: str) -> int:
    key = read_id(id_.partition("_")[0], id_)
    assert key is not None
    return key


class Billed:
    """What is billed and reserved goes straight to the writer, as the flows would send it."""

    def __init__(self, world: Visiting) -> None:
        self.world = world
        self.shop = f"/console/shop/{world.advertiser}"
        self._publisher = key_of(world.listed("/publishers")[0]["id"])
        self._creative = key_of(world.listed(f"/creatives?campaign_id={world.campaign}")[0]["id"])

    def _record(self, event: AdEvent, impression_id: int, amount: int) -> AdRecord:
        world, now_ms = self.world, self.world.server.clock()
        return AdRecord(
            event=event,
            impression_id=impression_id,
            campaign_key=key_of(world.campaign),
            campaign_version=1,
            advertiser_key=key_of(world.advertiser),
            publisher_key=self._publisher,
            slot_key=key_of(world.slot),
            creative_key=self._creative,
            product_key=0,
            visitor_key=0,
            at_ms=now_ms,
            day=local_day(now_ms, "Europe/Paris"),
            currency="EUR",
            amount_micros=Micros(amount),
        )

    def click(self, amount: int = PRICE) -> str:
        """A click that was billed; its charge."""
        impression = secrets.randbelow(2**60)
        record = self._record(AdEvent.CLICK, impression, amount)
        assert self.world.storage.writer.commit(RecordAd((record,))).result == "taken"
        return write_id("chg", impression << 2 | AdEvent.CLICK)

    def order(self, number: str, amount: int = PRICE) -> str:
        """An order that a browser told after a click; it waits."""
        storage, shop = self.world.storage, key_of(self.world.advertiser)
        key = self.world.server.manage.conversions.key_of(shop, EventName.PURCHASE, number)
        touch = secrets.randbelow(2**60)
        storage.writer.commit(RecordAd((self._record(AdEvent.CLICK, touch, 0),)))
        event = Event(EventName.PURCHASE, order_id=number, value_micros=89_000_000, currency="EUR")
        now_ms = self.world.server.clock()
        storage.writer.commit(
            StoreEvent(key, shop, 0, first=False, event=event, at_ms=now_ms, conversion_key=key)
        )
        record = self._record(AdEvent.CONVERSION, key, amount)
        write = CreditConversion(key, False, record, touch_impression_id=touch, reserve=True)
        assert storage.writer.commit(write).result == "pending"
        return write_id("cnv", key)

    def refund(self, charge_id: str, amount: int) -> None:
        body = {"charge_id": charge_id, "refund_id": "r-1", "amount_micros": amount, "reason": "sent back"}
        answer = self.world.operator.ask(
            "POST", "/api/v1/refunds", json=body, headers={"Idempotency-Key": secrets.token_hex(8)}
        )
        assert answer.status_code == 200, answer.text

    def state(self, conversion: str) -> str:
        path = f"/advertisers/{self.world.advertiser}/conversions?limit=500"
        return next(str(one["state"]) for one in self.world.listed(path) if one["id"] == conversion)

    def ledger(self) -> dict[str, int]:
        """The advertiser's money, added up anew from the ledger's rows."""
        sums = {
            "charged": "SELECT sum(amount_micros) FROM charges WHERE advertiser_key = ?",
            "refunded": "SELECT sum(amount_micros) FROM refunds WHERE advertiser_key = ?",
            "deposited": "SELECT sum(amount_micros) FROM deposits WHERE advertiser_key = ?",
            "pending": "SELECT sum(amount_micros) FROM conversions WHERE advertiser_key = ? AND state = 'pending'",
        }
        with closing(sqlite3.connect(self.world.storage.path)) as connection:
            found = {
                name: connection.execute(sql, [key_of(self.world.advertiser)]).fetchone()[0] or 0
                for name, sql in sums.items()
            }
        return found | {"spent": found["charged"] - found["refunded"]}
