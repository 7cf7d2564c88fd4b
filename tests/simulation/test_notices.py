"""Notices over real HTTP to the documented receiver: signed, at least once, whoever is killed meanwhile."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adserver.domain.notice import FIRST_RETRY_MS, sign_notice
from adserver.flows.notify import Notify
from adserver.outside.fetcher import HttpFetcher
from adserver.storage.embedded import Storage, own_storage
from adserver.writes import Result, SaveEntity
from tests.contract.outbox import keep, make_notice
from tests.domain.makers import ADVERTISER, make_advertiser
from tests.simulation.browser import Connection
from tests.simulation.crowd import readers_of_an_ad
from tests.simulation.receiver import Receiver
from tests.simulation.running_server import RunningServer, wait_until
from tests.simulation.shop import CPM, NEWS_PAGE, Shop, make_shop

SECRET = "a secret between the two"
BODY = b'{"kind":"ping"}'
ITEM = "boots"
IMPRESSION_MICROS = CPM["rate_micros"] // 1000  # type: ignore[operator]


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    receiver = Receiver(tmp_path)
    yield receiver
    receiver.kill()


def post(receiver: Receiver, sent: int, secret: str = SECRET, body: bytes = BODY) -> int:
    headers = {"X-Notice-Timestamp": str(sent), "X-Notice-Signature": sign_notice(secret, sent, BODY)}
    return HttpFetcher(allow_private=True).post(receiver.url, body, headers)


def test_the_documented_receiver_takes_what_is_genuine_and_of_now_and_nothing_else(
    receiver: Receiver,
) -> None:
    receiver.start(SECRET)
    now = int(time.time())
    assert post(receiver, now) == 204
    assert post(receiver, now - 3_600) == 403  # genuine, and played again after an hour
    assert post(receiver, now + 3_600) == 403
    assert post(receiver, now, secret="a guess") == 403
    assert post(receiver, now, body=b'{"kind":"forged"}') == 403
    assert receiver.taken() == [{"kind": "ping"}]


class Courier:
    """The flow over real storage and real HTTP; its clock may be put forward within what receivers allow."""

    def __init__(self, storage: Storage, receiver: Receiver) -> None:
        self.storage = storage
        self.ahead_ms = 0
        advertiser = make_advertiser(webhook_url=receiver.url)
        assert storage.writer.commit(SaveEntity(advertiser, is_new=True)).result is Result.SAVED
        self.notify = self.another()

    def another(self) -> Notify:
        return Notify(
            writer=self.storage.writer,
            accounts=self.storage.accounts,
            notices=self.storage.notices,
            fetcher=HttpFetcher(allow_private=True),
            clock=self.clock,
            dice=lambda: 0.5,
            mint_key=lambda: 1,
            server_key=b"k" * 32,
        )

    def clock(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms

    def status(self) -> str:
        (notice,) = self.storage.notices.recent(ADVERTISER, 10)
        return notice.status


def test_a_receiver_that_was_killed_gets_the_notice_once_it_is_back(
    tmp_path: Path, receiver: Receiver
) -> None:
    with closing(own_storage(tmp_path / "adserver.db")) as storage:
        courier = Courier(storage, receiver)
        keep(storage.path, make_notice(1, courier.clock()))
        receiver.start(courier.notify.secret(ADVERTISER))
        receiver.kill()
        courier.notify.deliver_due()
        assert courier.status() == "unreachable"
        receiver.start(courier.notify.secret(ADVERTISER))
        assert courier.notify.deliver_due() == 0  # not before its time
        courier.ahead_ms = FIRST_RETRY_MS
        assert courier.notify.deliver_due() == 1
        assert courier.status() == "delivered"
        assert len(receiver.taken()) == 1


def test_a_courier_that_died_before_it_could_note_the_arrival_delivers_again(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(own_storage(tmp_path / "adserver.db")) as storage:
        courier = Courier(storage, receiver)
        keep(storage.path, make_notice(1, courier.clock()))
        receiver.start(courier.notify.secret(ADVERTISER))
        dying = courier.another()

        def die(*_: object) -> bool:
            raise KeyboardInterrupt

        monkeypatch.setattr(dying, "_settle", die)
        with pytest.raises(KeyboardInterrupt):
            dying.deliver_due()
        assert courier.notify.deliver_due() == 1
        first, second = receiver.taken()
        assert first == second
        assert courier.status() == "delivered"


# ---- the whole server ----


def webhook(server: RunningServer, shop: Shop) -> dict[str, Any]:
    with server.api() as api:
        answer = api.get(f"/advertisers/{shop.advertiser_id}/webhook")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


async def bill_impressions(server: RunningServer, shop: Shop, count: int) -> None:
    """One after the other: ads under way count too, and a budget of five has no room for four of them twice."""
    async with Connection(server.url) as connection:
        for _ in range(count):
            ((browser, shown),) = await readers_of_an_ad(server, shop, 1, ITEM)
            seen = await browser.get(connection, f"/i?t={shown.token}&debug=1", NEWS_PAGE)
            assert seen.charge == "taken", seen


def test_a_budget_is_told_at_80_and_100_percent_though_receiver_and_server_are_killed(
    tmp_path: Path, receiver: Receiver
) -> None:
    with RunningServer(tmp_path / "server", fetch_private="true") as server:
        terms = {**CPM, "total_budget_micros": 5 * IMPRESSION_MICROS}
        shop = make_shop(server, [ITEM], {"Autumn": terms}, webhook_url=receiver.url)
        receiver.start(webhook(server, shop)["secret"])
        asyncio.run(bill_impressions(server, shop, 4))
        wait_until(lambda: len(receiver.taken()) == 1, "the first notice arrives")
        receiver.kill()
        asyncio.run(bill_impressions(server, shop, 1))
        wait_until(lambda: webhook(server, shop)["recent"][0]["status"] == "unreachable", "it is missed")
        server.kill()
        server.start()
        receiver.start(webhook(server, shop)["secret"])
        wait_until(lambda: len(receiver.taken()) >= 2, "the second notice arrives", 40)
        wait_until(
            lambda: {notice["status"] for notice in webhook(server, shop)["recent"]} == {"delivered"},
            "both are noted as delivered",
        )
        taken = {notice["id"]: notice for notice in receiver.taken()}
        figures = [(n["kind"], n["spent_micros"] // IMPRESSION_MICROS) for n in taken.values()]
        assert figures == [("budget_80", 4), ("budget_reached", 5)]
        assert {notice["campaign_id"] for notice in taken.values()} == set(shop.campaigns.values())
        server.assert_audit_is_clean()
