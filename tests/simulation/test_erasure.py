"""Forget me, on a running server with two workers and requests under way: no byte of the visitor stays in a file."""

import asyncio
import json
import secrets
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest

from adserver.domain.decision_sample import is_sampled
from adserver.domain.identity import read_id
from adserver.flows.serve import SlotRequest, image_key
from adserver.storage.embedded import join_storage
from pixel.cookie import visitor_of
from tests.contract.stores import roll_up_funnel
from tests.simulation.browser import Answer, Browser, Connection
from tests.simulation.crowd import connections_to_each_worker
from tests.simulation.planting import held_by
from tests.simulation.running_server import RunningServer, wait_until
from tests.simulation.shop import (
    CPC,
    NEWS_PAGE,
    SHOP_PAGE,
    Shop,
    Shown,
    ask_slot,
    consent,
    event_id,
    make_shop,
    tell,
)

ITEM, RIVALS_ITEM = "7", "8"
LETTER = "letter-1"  # the embedder's key of a picture
OTHER_NAMES = {"click_id", "token", "image_key"}  # of columns that name a visitor
AT_ONCE = 6
MOST_BROWSERS = 400
BEFORE_SECONDS, AFTER_SECONDS = 0.1, 1.0  # so few rows that no index outgrows a page, which leaves copies
MINUTE_MS = 60_000
MOST_SECONDS = 10.0  # until a log that somebody was reading is emptied


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("erasure"), workers=2, log_level="debug") as running:
        yield running
        running.assert_audit_is_clean()


@pytest.fixture(scope="module")
def shop(server: RunningServer) -> Shop:
    """Its ads promise each click a code of its own."""
    shop = make_shop(server, [ITEM], {"cpc": CPC})
    with server.api() as api:
        pool = {"advertiser_id": shop.advertiser_id, "name": "Autumn", "kind": "generated"}
        made = api.post("/offer-pools", json=pool)
        assert made.status_code == 201, made.text
        listed = api.get("/creatives", params={"campaign_id": shop.campaigns["cpc"]}).json()
        (creative,) = next(value for value in listed.values() if isinstance(value, list))
        offer = {"percent": 10, "pool": made.json()["id"]}
        changed = api.patch(f"/creatives/{creative['id']}", json={"offer": offer})
        assert changed.status_code == 200, changed.text
    return shop


@pytest.fixture(scope="module")
def rival(server: RunningServer) -> Shop:
    """A shop that pays more, and holds half of its visitors out."""
    rival = make_shop(server, [RIVALS_ITEM], {"cpc": CPC | {"rate_micros": 10 * int(CPC["rate_micros"])}})
    with server.api() as api:
        changed = api.patch(f"/advertisers/{rival.advertiser_id}", json={"holdout_bps": 5_000})
        assert changed.status_code == 200, changed.text
    return rival


class Life(NamedTuple):
    """What a visitor has of us, and what only they said."""

    browser: Browser
    shown: Shown
    party_id: str
    click_id: str
    page: str


async def held_out(shop: Shop, rival: Shop, connection: Connection) -> Browser:
    """One of the few whose decisions are sampled, and whom the rival holds out: its ad wins, and is not shown."""
    for _ in range(MOST_BROWSERS):
        browser, seen = Browser(), f"&id={RIVALS_ITEM}"
        await tell(browser, connection, rival, "view_item", f"{seen}&event_id={event_id()}")
        if not is_sampled(key_of(browser), time.time_ns() // 1_000_000, 0.5):
            continue
        await tell(browser, connection, rival, "view_item", f"{seen}&event_id={event_id()}")
        if await ask_slot(browser, connection, shop.slots["300x250"]) is None:
            return browser
    raise AssertionError("nobody is held out")


async def lived(server: RunningServer, shop: Shop, rival: Shop) -> Life:
    """Something in every table that can name a visitor."""
    page, slot = f"https://{SHOP_PAGE}/{secrets.token_hex(8)}", shop.slots["300x250"]
    async with Connection(server.url) as connection:
        browser = await held_out(shop, rival, connection)
        for _ in range(3):
            said = f"&id={ITEM}&event_id={event_id()}&url={page}"
            assert (await tell(browser, connection, shop, "view_item", said)).event == "accepted"
        shown = await ask_slot(browser, connection, slot)
        assert shown is not None
        await browser.get(connection, f"/i?t={shown.token}", NEWS_PAGE)
        await browser.get(connection, f"/slot/{slot}.gif?n={LETTER}&{consent()}", NEWS_PAGE)
        landing = await browser.get(connection, shown.links[0], NEWS_PAGE)
        (click_id,) = parse_qs(urlsplit(landing.headers["location"]).query)["rtclid"]
        order = f"&id={ITEM}&transaction_id={event_id()}&value=10&currency=EUR&rtclid={click_id}"
        assert (await tell(browser, connection, shop, "purchase", order)).event == "accepted"
        told = await browser.get(connection, f"/m/id?m={shop.public_id}&{consent()}", SHOP_PAGE)
    take_into_the_funnel(server)
    put_on_a_list(server, shop, json.loads(told.body)["visitor"])
    return Life(browser, shown, json.loads(told.body)["visitor"], click_id, page)


def take_into_the_funnel(server: RunningServer) -> None:
    """As the server's own job does half a minute later, which nobody waits for here."""
    storage = join_storage(server.database_path)
    try:
        roll_up_funnel(storage, int(time.time() * 1000) + MINUTE_MS)
    finally:
        storage.close()


def put_on_a_list(server: RunningServer, shop: Shop, visitor: str) -> None:
    lists = f"/advertisers/{shop.advertiser_id}/suppression-lists"
    with server.api() as api:
        made = api.post(lists, json={"name": "Staff"}).json()["id"]
        assert api.post(f"{lists}/{made}/visitors", content=visitor).json()["named"] == 1


def key_of(browser: Browser) -> int:
    return visitor_of(random_bytes_of(browser))


def random_bytes_of(browser: Browser) -> bytes:
    """What the cookie was minted from: behind the key's id, before the signature."""
    assert browser.cookie is not None
    return urlsafe_b64decode(browser.cookie.partition("=")[2])[1:17]


def as_row_number(number: int) -> bytes:
    """As SQLite writes a row's own number: seven bits a byte, and eight in the ninth."""
    if not number >> 56:  # one key in 128 is so short
        places = range((number.bit_length() - 1) // 7 * 7, -1, -7)
        return bytes([(number >> shift & 0x7F) | (0x80 if shift else 0) for shift in places])
    return bytes([*((number >> shift & 0x7F) | 0x80 for shift in range(57, 7, -7)), number & 0xFF])


def forms_of(life: Life, shop: Shop) -> dict[str, bytes]:
    """Every way in which the visitor could stand in a file."""
    slot_key = read_id("slot", shop.slots["300x250"])
    assert slot_key is not None and life.browser.cookie is not None
    numbers = {
        "the id": key_of(life.browser),
        "the picture's key": image_key(SlotRequest(slot_key, embed_key=LETTER), key_of(life.browser)),
    }
    forms = {
        "what the cookie is made of": random_bytes_of(life.browser)[:8],
        "the cookie": life.browser.cookie.partition("=")[2].encode(),
        "the shop's id for them": life.party_id.encode(),
        "the same, decoded": urlsafe_b64decode(life.party_id),
        "the ad's token": life.shown.token.encode(),
        "the ad's token, decoded": urlsafe_b64decode(life.shown.token + "=="),
        "the click id": life.click_id.encode(),
        "the page they saw": life.page.encode(),
    }
    for name, number in numbers.items():
        forms |= {
            f"{name}, big-endian": number.to_bytes(8, "big"),
            f"{name}, little-endian": number.to_bytes(8, "little"),
            f"{name} as a row's number": as_row_number(number),
            f"{name} in decimals": str(number).encode(),
            f"{name} in hex": f"{number:x}".encode(),
        }
    return forms


def found(server: RunningServer, forms: dict[str, bytes]) -> list[str]:
    """Which forms are in which files: database, log, shared memory, pictures, and what the server printed."""
    files = held_by(server.folder / "data", server.log)
    assert {"adserver.db", "adserver.db-wal", "adserver.db-shm", "server.log"} <= set(files)
    return [
        f"{name} in {file}" for file, held in files.items() for name, form in forms.items() if form in held
    ]


def columns_that_name(server: RunningServer) -> set[tuple[str, str]]:
    """The tables and columns by which a visitor could be known, from the database's own description."""
    named = server.rows(
        "SELECT tables.name, columns.name FROM sqlite_master tables, pragma_table_info(tables.name) columns"
        " WHERE tables.type = 'table'"
    )
    return {(table, column) for table, column in named if "visitor" in column or column in OTHER_NAMES}


def rows_of(server: RunningServer, table: str, key: int) -> int:
    return int(server.rows(f"SELECT COUNT(*) FROM {table} WHERE visitor_key = ?", key)[0][0])


# ---- what is under way ----


async def go_on(life: Life, shop: Shop, connection: Connection) -> None:
    """As the open tabs of a visitor do, with the cookie they had."""
    old = Browser(life.browser.cookie)
    slot = shop.slots["300x250"]
    targets = (
        (f"/m/e?m={shop.public_id}&e=view_item&id={ITEM}&rtclid={life.click_id}&{consent()}", SHOP_PAGE),
        (f"/m/e?m={shop.public_id}&e=purchase&id={ITEM}&rtclid={life.click_id}&transaction_id={{}}&{consent()}",
         SHOP_PAGE),
        (f"/slot/{slot}?{consent()}", NEWS_PAGE),
        (f"/slot/{slot}.gif?n={LETTER}&{consent()}", NEWS_PAGE),
        (f"/slot/{slot}/click?n={LETTER}&{consent()}", NEWS_PAGE),
        (f"/i?t={life.shown.token}", NEWS_PAGE),
        (f"/v?t={life.shown.token}", NEWS_PAGE),
        (life.shown.links[0], NEWS_PAGE),
    )  # fmt: skip
    while True:
        for target, page in targets:
            answer = await connection.ask("GET", target.format(event_id()), old.headers(page))
            assert answer.status in (200, 302), answer
        body = f"t={life.shown.token}&wish=not_this_shop".encode()
        await connection.ask("POST", "/why", own_form(old, connection), body)


def own_form(browser: Browser, connection: Connection) -> dict[str, str]:
    return {**browser.headers("any.example"), "Origin": connection.url}


async def forget(life: Life, connection: Connection) -> Answer:
    return await connection.ask("POST", "/privacy/forget", own_form(life.browser, connection))


async def forget_while_going_on(server: RunningServer, shop: Shop, life: Life) -> Answer:
    async with connections_to_each_worker(server, AT_ONCE) as connections, Connection(server.url) as own:
        going_on = [asyncio.create_task(go_on(life, shop, one)) for one in connections[:AT_ONCE]]
        await asyncio.sleep(BEFORE_SECONDS)
        answer = await forget(life, own)
        await asyncio.sleep(AFTER_SECONDS)
        for task in going_on:
            task.cancel()
        for task in going_on:
            with suppress(asyncio.CancelledError):
                await task
    return answer


# ---- ----


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_whoever_is_forgotten_while_their_tabs_go_on_is_in_no_file(
    server: RunningServer, shop: Shop, rival: Shop
) -> None:
    life, other = asyncio.run(lived(server, shop, rival)), asyncio.run(lived(server, shop, rival))
    key, forms, columns = key_of(life.browser), forms_of(life, shop), columns_that_name(server)
    assert {column for _, column in columns} == {"visitor_key", *OTHER_NAMES}
    naming = [table for table, column in columns if column == "visitor_key"]
    assert len(naming) >= 5
    for table in naming:
        assert rows_of(server, table, key), f"nothing to forget in {table}"
    before = found(server, forms)
    for form in ("the id, big-endian", "the picture's key, big-endian", "the page they saw", "the click id"):
        assert any(one.startswith(form) for one in before), f"{form} is not found before"

    answer = asyncio.run(forget_while_going_on(server, shop, life))
    assert answer.status == 200 and b"erasure_" in answer.body
    with suppress(AssertionError):  # what is found says more
        wait_until(lambda: not found(server, forms), "no file holds the visitor", MOST_SECONDS)
    assert found(server, forms) == []
    for table in naming:
        assert not rows_of(server, table, key), table
    assert rows_of(server, "profiles", key_of(other.browser)) == 1
    proof = server.rows("SELECT COUNT(*) FROM erasures")
    assert proof == [(1,)]  # by a digest, which is none of the forms


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_receipt_is_given_when_the_files_are_clean(
    server: RunningServer, shop: Shop, rival: Shop
) -> None:
    """Where nothing else goes on: no byte waits for a later checkpoint."""

    async def forgotten() -> Life:
        life = await lived(server, shop, rival)
        async with Connection(server.url) as connection:
            assert (await forget(life, connection)).status == 200
        return life

    life = asyncio.run(forgotten())
    assert found(server, forms_of(life, shop)) == []
