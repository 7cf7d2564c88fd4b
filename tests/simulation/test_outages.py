"""A full disk, or no writer at all: honest answers, shoppers who notice nothing, and recovery."""

import asyncio
import json
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from tests.simulation.browser import Answer, Browser, Connection, ask_once
from tests.simulation.crowd import LEAST_OF_A_WORKER, Reader, all_at_once, readers_of_an_ad
from tests.simulation.load import Acknowledged, faults_of
from tests.simulation.running_server import RunningServer, wait_until
from tests.simulation.shop import (
    CPC,
    NEWS_PAGE,
    SHOP_PAGE,
    Shop,
    ask_slot,
    change_campaign,
    consent,
    event_id,
    make_shop,
)

ITEM = "7"
KNOWN_SECONDS = 1.0  # until every worker has heard: a tenth of one, on a machine that is not busy
NOTHING = 1  # bytes a file may have: every write to one fails


@contextmanager
def full_disk(server: RunningServer) -> Iterator[None]:
    """The process that commits may write no file any more: EFBIG, as ENOSPC from a full disk."""
    writer = server.children()["writer"]
    free, hard = resource.prlimit(writer, resource.RLIMIT_FSIZE)
    resource.prlimit(writer, resource.RLIMIT_FSIZE, (NOTHING, hard))
    try:
        yield
    finally:
        resource.prlimit(writer, resource.RLIMIT_FSIZE, (free, hard))


@contextmanager
def writer_away(server: RunningServer) -> Iterator[None]:
    """The writer is killed, and the supervisor sleeps, who would start another."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        os.kill(server.children()["writer"], signal.SIGKILL)
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def ask(server: RunningServer, browser: Browser, target: str, page: str, body: bytes | None = None) -> Answer:
    method = "GET" if body is None else "POST"
    return ask_once(server.url, method, target, browser.headers(page), body or b"")


def pixel(shop: Shop, known: str) -> str:
    return f"/m/e?m={shop.public_id}&e=view_item&id={ITEM}&event_id={known}&{consent()}&debug=1"


def slot(server: RunningServer, shop: Shop, browser: Browser, suffix: str = "") -> Answer:
    (slot_id,) = shop.slots.values()
    return ask(server, browser, f"/slot/{slot_id}{suffix}?{consent()}&n=1", NEWS_PAGE)


def assert_try_again(answer: Answer) -> None:
    assert answer.status == 503 and int(answer.headers["retry-after"]) > 0
    assert "set-cookie" not in answer.headers


def assert_honest(server: RunningServer, shop: Shop, reader: Reader, known: str) -> None:
    browser, shown = reader
    assert_try_again(ask(server, browser, pixel(shop, known), SHOP_PAGE))
    body = {"m": shop.public_id, "events": [{"name": "page_view"}], **dict(parse_qsl(consent()))}
    assert_try_again(ask(server, browser, "/m/e", SHOP_PAGE, json.dumps(body).encode()))
    for path in ("/i", "/v"):
        assert_try_again(ask(server, browser, f"{path}?t={shown.token}", NEWS_PAGE))
    assert clicked(server, reader).charge == "unrecorded"
    house = slot(server, shop, browser)
    assert (house.status, house.headers["x-slot"]) == (200, "empty")
    assert slot(server, shop, browser, ".gif").body.startswith(b"GIF89a")
    with server.api() as api:
        refused = api.patch(f"/campaigns/{shop.campaigns['cpc']}", json={"name": "other"})
    assert refused.status_code == 503, refused.text


@pytest.mark.parametrize(
    ("outage", "workers"),
    [(full_disk, 1), (full_disk, 2), (writer_away, 2)],
    ids=["full disk, one worker", "full disk, two workers", "no writer, two workers"],
)
def test_while_nothing_can_be_recorded_nothing_is_acknowledged_shoppers_notice_nothing_and_all_recovers(
    tmp_path: Path, outage: Callable[[RunningServer], AbstractContextManager[None]], workers: int
) -> None:
    with RunningServer(tmp_path, workers=workers) as server:
        shop = make_shop(server, [ITEM], {"cpc": CPC})
        (reader,) = asyncio.run(readers_of_an_ad(server, shop, 1, ITEM))
        known, before = event_id(), server.rows("SELECT COUNT(*) FROM events")
        with outage(server):
            told(server, shop, reader, event_id())  # a full disk is noticed by the first write it refuses
            wait_until(lambda: all_know(server, shop, reader), "every worker knows", KNOWN_SECONDS)
            for _ in range(2):
                assert_honest(server, shop, reader, known)
            assert server.rows("SELECT COUNT(*) FROM events") == before
        wait_until(lambda: told(server, shop, reader, known) == "accepted", "events are taken")
        assert told(server, shop, reader, known) == "duplicate"
        wait_until(lambda: clicked(server, reader).charge == "taken", "clicks are taken")
        wait_until(lambda: slot(server, shop, reader.browser).headers["x-slot"] == "filled", "ads are served")
        with server.api() as api:
            change_campaign(api, shop.campaigns["cpc"], name="other")
        wait_until(lambda: server.count("rejected_unrecorded") >= 4, "refused events are counted")
        wait_until(lambda: server.count("charge_unrecorded") >= 6, "unrecorded ad events are counted")
        assert server.stop() == 0
        assert faults_of(server, Acknowledged(events={known})) == []
        server.assert_audit_is_clean()


def all_know(server: RunningServer, shop: Shop, reader: Reader) -> bool:
    """Whether no worker serves ads any more."""
    (slot_id,) = shop.slots.values()

    async def empty(number: int, connection: Connection) -> bool:
        return await ask_slot(reader.browser, connection, slot_id) is None

    return all(asyncio.run(all_at_once(server, range(LEAST_OF_A_WORKER * server.workers), empty)))


def told(server: RunningServer, shop: Shop, reader: Reader, known: str) -> str | None:
    return ask(server, reader.browser, pixel(shop, known), SHOP_PAGE).event


def clicked(server: RunningServer, reader: Reader) -> Answer:
    answer = ask(server, reader.browser, f"{reader.shown.links[0]}&debug=1", NEWS_PAGE)
    assert answer.status == 302
    assert answer.headers["location"].startswith(f"https://shop.example/p/{ITEM}?rtclid=")
    return answer
