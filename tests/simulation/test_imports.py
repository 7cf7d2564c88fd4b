"""Imports and deltas over real HTTP: the next ad knows of them, and a server that is killed leaves none behind.

And the commands that an operator runs beside a server.
"""

import asyncio
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from adserver.storage.audit import CHECKS
from tests.simulation.browser import Browser, Connection, ask_once
from tests.simulation.crowd import connections_to_each_worker, readers_of_an_ad
from tests.simulation.running_server import RunningServer, wait_until
from tests.simulation.shop import CPM, NEWS_PAGE, Shop, consent, make_shop, shown_in

ITEM = "boots"
NEW_PRICE = "77.31 EUR"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Of one process; whoever ends it starts it again."""
    with RunningServer(tmp_path_factory.mktemp("alone"), fetch_private="1") as server:
        yield server


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("many"), workers=2, fetch_private="1") as server:
        yield server


@pytest.fixture(params=["alone", "many"], ids=["one worker", "two workers"])
def server(request: pytest.FixtureRequest) -> RunningServer:
    running: RunningServer = request.getfixturevalue(request.param)
    return running


def say(api: httpx.Client, shop: Shop, **change: object) -> None:
    products = [{"item_id": ITEM, **change}]
    answer = api.patch(f"/advertisers/{shop.advertiser_id}/products", json={"products": products})
    assert answer.status_code == 200, answer.text


def test_a_word_on_price_or_stock_is_in_the_next_ad_of_every_worker(server: RunningServer) -> None:
    shop = make_shop(server, [ITEM], {"cpm": CPM})

    async def next_ads(browser: Browser, connections: list[Connection]) -> list[bytes]:
        (slot_id,) = shop.slots.values()
        target = f"/slot/{slot_id}?{consent()}"
        answers = [await browser.get(connection, target, NEWS_PAGE) for connection in connections]
        shown = [shown_in(answer) for answer in answers]
        return [
            answer.body if ad and ITEM in ad.items else b"" for answer, ad in zip(answers, shown, strict=True)
        ]

    async def until(is_so: Callable[[list[bytes]], bool], browser: Browser, all_: list[Connection]) -> None:
        deadline = time.monotonic() + 20
        while not is_so(await next_ads(browser, all_)):
            assert time.monotonic() < deadline, "a worker shows what is no longer so"

    async def watch() -> None:
        (reader,) = await readers_of_an_ad(server, shop, 1, ITEM)
        async with connections_to_each_worker(server, 1) as connections:
            with server.api() as api:
                say(api, shop, price=NEW_PRICE)
                await until(
                    lambda ads: all(b"77.31" in ad or b"77,31" in ad for ad in ads),
                    reader.browser,
                    connections,
                )
                say(api, shop, availability="out_of_stock")
                await until(lambda ads: not any(ads), reader.browser, connections)
                say(api, shop, availability="in_stock")
                await until(all, reader.browser, connections)

    asyncio.run(watch())


def test_one_process_shows_a_word_with_its_very_next_ad(alone: RunningServer) -> None:
    shop = make_shop(alone, [ITEM], {"cpm": CPM})

    async def watch() -> None:
        (reader,) = await readers_of_an_ad(alone, shop, 1, ITEM)
        async with Connection(alone.url) as connection:
            with alone.api() as api:
                for _ in range(20):
                    for availability, is_shown in (("out_of_stock", False), ("in_stock", True)):
                        say(api, shop, availability=availability)
                        (slot_id,) = shop.slots.values()
                        ad = await reader.browser.get(connection, f"/slot/{slot_id}?{consent()}", NEWS_PAGE)
                        assert (shown_in(ad) is not None) is is_shown

    asyncio.run(watch())


# ---- a merchant's server that we write ----


class Feed:
    """A feed that is served piece by piece, as slowly as the test lets it."""

    def __init__(self, rows: int) -> None:
        items = "".join(
            f"<item><g:id>i{n}</g:id><title>Product i{n}</title><link>https://shop.example/{n}</link>"
            "<g:price>10.00 EUR</g:price></item>\n"
            for n in range(rows)
        )
        self.body = f'<rss xmlns:g="http://base.google.com/ns/1.0"><channel>{items}</channel></rss>'.encode()
        self.asked = threading.Semaphore(0)
        self.go_on = threading.Event()

    @contextmanager
    def served(self) -> Iterator[str]:
        listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/feed.xml"
        finally:
            self.go_on.set()
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._speak, args=(connection,), daemon=True).start()

    def _speak(self, connection: socket.socket) -> None:
        with connection:
            connection.recv(65_536)
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(self.body)}\r\n\r\n".encode()
            connection.sendall(head + self.body[:100])
            self.asked.release()
            self.go_on.wait(30)
            try:
                connection.sendall(self.body[100:])
            except OSError:
                return  # who asked was killed


def make_feed(api: httpx.Client, url: str, **fields: Any) -> str:
    """A shop and its feed; the feed's address in the API."""
    shop = {
        "name": "Shop",
        "domains": ["shop.example"],
        "currency": "EUR",
        "timezone": "UTC",
        "country": "FR",
    }
    advertiser = api.post("/advertisers", json=shop).json()["id"]
    made = api.post(f"/advertisers/{advertiser}/feeds", json={"url": url, **fields})
    assert made.status_code == 201, made.text
    return f"/advertisers/{advertiser}/feeds/{made.json()['id']}"


def newest(api: httpx.Client, feed: str) -> dict[str, Any]:
    items = api.get(f"{feed}/imports").json()["items"]
    return dict(items[0]) if items else {"state": None}


def wait_for_state(api: httpx.Client, feed: str, *states: str) -> dict[str, Any]:
    wait_until(lambda: newest(api, feed)["state"] in states, f"an import is {' or '.join(states)}")
    return newest(api, feed)


def test_an_import_beside_the_request_answers_at_once_and_tells_how_far_it_is(alone: RunningServer) -> None:
    merchant = Feed(rows=3_000)
    with merchant.served() as url, alone.api() as api:
        feed = make_feed(api, url)
        answer = api.post(f"{feed}/import", params={"wait": "false"})
        assert (answer.status_code, answer.json()["state"]) == (202, "queued")
        assert merchant.asked.acquire(timeout=60)
        under_way = wait_for_state(api, feed, "fetching")
        assert (under_way["id"], under_way["finished_at"]) == (answer.json()["id"], None)
        merchant.go_on.set()
        done = wait_for_state(api, feed, "done")
        assert (done["products"], done["rows"]) == (3_000, 3_000)
        assert api.get(feed).json()["last_import"]["import_id"] == done["id"]


def test_a_large_feed_may_be_sent_as_it_is(alone: RunningServer) -> None:
    body = Feed(rows=300).body.replace(
        b"<title>", b"<description>%b</description><title>" % (b"word " * 10_000)
    )
    assert len(body) > 14_000_000
    with alone.api() as api:
        feed = make_feed(api, "https://shop.example/feed.xml")
        answer = api.post(f"{feed}/import", content=body, timeout=60)
        assert (answer.status_code, answer.json().get("products")) == (200, 300), answer.text


@pytest.mark.parametrize("scheduled", [True, False], ids=["by schedule", "asked for"])
def test_a_server_that_is_killed_leaves_no_import_under_way_for_ever(
    alone: RunningServer, scheduled: bool
) -> None:
    merchant = Feed(rows=30)
    schedule = {"schedule": {"every_minutes": 15}} if scheduled else {}
    with merchant.served() as url, alone.api() as api:
        feed = make_feed(api, url, **schedule)
        if not scheduled:
            api.post(f"{feed}/import", params={"wait": "false"})
        assert merchant.asked.acquire(timeout=60)
        wait_for_state(api, feed, "fetching")
        alone.kill()
        merchant.go_on.set()
        alone.start()
        expected = "done" if scheduled else "interrupted"
        wait_for_state(api, feed, expected)
        states = [one["state"] for one in api.get(f"{feed}/imports").json()["items"]]
        assert states == (["done", "interrupted"] if scheduled else ["interrupted"])


def test_the_jobs_process_that_is_killed_is_followed_by_another_that_begins_again(
    many: RunningServer,
) -> None:
    merchant = Feed(rows=30)
    with merchant.served() as url, many.api() as api:
        feed = make_feed(api, url, schedule={"every_minutes": 15})
        assert merchant.asked.acquire(timeout=60)
        os.kill(many.children()["jobs"], signal.SIGKILL)
        merchant.go_on.set()
        wait_for_state(api, feed, "done")
        states = [one["state"] for one in api.get(f"{feed}/imports").json()["items"]]
        assert states == ["done", "interrupted"]


# ---- the command ----


def test_the_command_imports_beside_a_running_server(alone: RunningServer, tmp_path: Path) -> None:
    file = tmp_path / "feed.xml"
    body = Feed(rows=25).body.replace(b"10.00 EUR", b"free", 1)
    file.write_bytes(body)
    with alone.api() as api:
        feed = make_feed(api, "https://shop.example/feed.xml")
        feed_id = feed.rpartition("/")[2]
        told = alone.command("feed", "import", feed_id, str(file), "--json")
        assert told.returncode == 0, told.stderr
        report = json.loads(told.stdout)
        assert (report["products"], report["rejected_count"], report["fatal"]) == (24, 1, None)
        assert report["rejected"][0]["item_id"] == "i0" and report["rejected"][0]["advice"]
        imported = newest(api, feed)
        assert (imported["id"], imported["asked_by"]) == (report["import_id"], "command")
        file.write_bytes(Feed(rows=3).body)
        shrunk = alone.command("feed", "import", feed_id, str(file))
        assert shrunk.returncode == 1 and "waits for your yes" in shrunk.stderr, shrunk.stderr
        assert newest(api, feed)["state"] == "waiting_for_a_yes"
        nothing = alone.command("feed", "import", "feed_0000000000000", str(file))
        assert nothing.returncode == 2 and "there is no feed" in nothing.stderr


def test_the_command_imports_where_no_server_runs(alone: RunningServer, tmp_path: Path) -> None:
    with alone.api() as api:
        feed = make_feed(api, "https://shop.example/feed.xml")
    feed_id = feed.rpartition("/")[2]
    assert alone.stop() == 0
    file = tmp_path / "feed.xml"
    file.write_bytes(Feed(rows=5).body)
    told = alone.command("feed", "import", feed_id, str(file))
    assert (told.returncode, told.stdout) == (0, "5 products are live, 0 rows were left out\n"), told.stderr
    file.write_text("no feed")
    refused = alone.command("feed", "import", feed_id, str(file))
    assert refused.returncode == 1 and "are live" not in refused.stdout
    assert "nothing was changed: not_a_product_feed" in refused.stderr and "Export one" in refused.stderr
    no_address = alone.command("feed", "import", feed_id)
    assert no_address.returncode == 1  # nobody answers there
    alone.start()
    with alone.api() as api:
        assert newest(api, feed)["state"] == "failed"
        items = api.get(f"{feed.rpartition('/feeds')[0]}/products").json()["items"]
        assert len(items) == 5


def test_the_commands_make_a_key_and_audit_beside_a_running_server(many: RunningServer) -> None:
    made = many.command("keys", "create", "--json")
    key = {"Authorization": f"Bearer {json.loads(made.stdout)['key']}"}
    assert ask_once(many.url, "GET", "/api/v1/campaigns", key).status == 200
    audited = many.command("audit", "--json")
    report = json.loads(audited.stdout)
    assert audited.returncode == 0 and report["clean"], audited.stdout
    assert [check["name"] for check in report["checks"]] == list(CHECKS)
    assert not any(check["violations"] for check in report["checks"])
