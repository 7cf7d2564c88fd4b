"""What nobody should send: each gets its address's normal answer, stores nothing, is counted and never logged."""

import asyncio
import json
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import ClassVar

import msgspec
import pytest

from adserver.domain.token import AdToken, TokenKeys, sign
from pixel.cookie import KeyRing, mint
from tests.simulation.browser import USER_AGENT, Answer, Browser, Connection, ask_once
from tests.simulation.crowd import Reader, readers_of_an_ad
from tests.simulation.running_server import RunningServer, wait_until
from tests.simulation.shop import NEWS_PAGE, SHOP_PAGE, Shop, consent, make_shop, tell

ITEM = "7"
GIF = b"GIF89a"
SECRET = "leak" + secrets.token_hex(8)  # in every bad value; it must not be in the log
FOREIGN_KEY = bytes(range(32))
TOKEN = AdToken(1, 2, 1, 3, 4, 5, 6, 7)
BASKET = {"pricing_model": "cpa", "basket_bps": 1_000, "max_charge_micros": 5_000_000}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("bad input"), log_level="debug") as running:
        yield running
        running.stop()
        assert SECRET not in running.log_text()
        assert "Traceback" not in running.log_text()
        running.assert_audit_is_clean()


@pytest.fixture(scope="module")
def shop(server: RunningServer) -> Shop:
    return make_shop(server, [ITEM], {"basket": BASKET}, trust_pixel_conversions=True)


@pytest.fixture(scope="module")
def reader(server: RunningServer, shop: Shop) -> Reader:
    """A visitor who was shown an ad and clicked it, so that an order of theirs would be billed."""
    (shown,) = asyncio.run(readers_of_an_ad(server, shop, 1, ITEM))
    assert get(server, f"{shown.shown.links[0]}&debug=1", NEWS_PAGE).charge == "not_billable"
    return shown


def get(server: RunningServer, target: str, page: str = SHOP_PAGE, cookie: str | None = None) -> Answer:
    return ask_once(server.url, "GET", target, Browser(cookie).headers(page))


def post(server: RunningServer, body: bytes) -> Answer:
    return ask_once(server.url, "POST", "/m/e", Browser().headers(SHOP_PAGE), body)


def stored(server: RunningServer) -> int:
    tables = ("events", "conversions", "charges", "ad_events", "profiles")
    return sum(int(server.rows(f"SELECT COUNT(*) FROM {table}")[0][0]) for table in tables)


class Expectation:
    """That nothing more is stored when the block ends, and that a name will have been counted once more.

    Counts are reported once a second, so the last test of this file awaits them all together.
    """

    counted: ClassVar[Counter[str]] = Counter()

    def __init__(self, server: RunningServer, name: str) -> None:
        self._server, self._name = server, name

    def __enter__(self) -> None:
        self._stored = stored(self._server)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            assert stored(self._server) == self._stored
            Expectation.counted[self._name] += 1


def body_of(shop: Shop, **event: object) -> bytes:
    given = {"granted": True, "cmp": "testcmp", "time": int(time.time())}
    return json.dumps({"m": shop.public_id, "events": [event], "consent": given}).encode()


# ---- hits that are refused ----


@pytest.mark.parametrize(
    ("query", "name"),
    [
        (f"m={SECRET}&e=view_item&id=7", "rejected_unknown_merchant"),
        ("e=view_item&id=7", "rejected_unknown_merchant"),
        (f"m={{shop}}&e={SECRET}", "rejected_unknown_event"),
        (f"m={{shop}}&e=view_item&id=7&url={SECRET}{'x' * 100_000}", "rejected_query_too_long"),
        (f"m={{shop}}&e=purchase&id=7&transaction_id={SECRET}%40example.com", "rejected_personal_data"),
    ],
    ids=["unknown merchant", "no merchant", "unknown event", "100 KB of query", "an e-mail address"],
)
def test_a_bad_query_gets_the_picture(server: RunningServer, shop: Shop, query: str, name: str) -> None:
    with Expectation(server, name):
        answer = get(server, f"/m/e?{query.format(shop=shop.public_id)}&{consent()}")
        assert answer.status == 200 and answer.body.startswith(GIF) and len(answer.body) == 43
        assert "set-cookie" not in answer.headers


def many_items(count: int) -> dict[str, object]:
    return {"name": "view_item", "items": [{"item_id": SECRET}] * count}


@pytest.mark.parametrize(
    ("event", "name"),
    [
        ({"name": "page_view", "url": SECRET + "x" * 10_000_000}, "rejected_body_too_large"),
        (many_items(10_000), "rejected_body_too_large"),
        (many_items(1_000), "rejected_too_many_items"),
        ({"name": "view_item", "items": SECRET}, "rejected_malformed"),
        ({"name": "view_item", "items": [{"item_id": ""}]}, "rejected_bad_item_id"),
    ],
    ids=["10 MB", "10,000 items", "1,000 items", "items that are none", "an item without an id"],
)
def test_a_bad_body_gets_no_content(
    server: RunningServer, shop: Shop, event: Mapping[str, object], name: str
) -> None:
    with Expectation(server, name):
        answer = post(server, body_of(shop, **event))
        assert (answer.status, answer.body) == (204, b"")


@pytest.mark.parametrize(
    "body",
    [b"{" + SECRET.encode(), b"\xff\xfe" + SECRET.encode(), b"[" * 50_000, b""],
    ids=["cut off", "no text", "deep", "empty"],
)
def test_broken_json_gets_no_content(server: RunningServer, body: bytes) -> None:
    with Expectation(server, "rejected_malformed"):
        assert post(server, body).status == 204


# ---- tokens ----


def bad_tokens(reader: Reader) -> dict[str, str]:
    good = reader.shown.token
    turned = good[:40] + ("A" if good[40] != "A" else "B") + good[41:]
    foreign = sign(TOKEN, TokenKeys(1, {1: FOREIGN_KEY}))
    return {
        "forged": turned,
        "cut": good[:-3],
        "foreign": foreign,
        "none": "",
        "long": SECRET + "x" * 100_000,
    }


@pytest.mark.parametrize("which", ["forged", "cut", "foreign", "none", "long"])
@pytest.mark.parametrize("path", ["/i", "/v", "/c"])
def test_a_bad_token_gets_the_picture_or_a_safe_redirect(
    server: RunningServer, reader: Reader, path: str, which: str
) -> None:
    with Expectation(server, "token_invalid"):
        answer = get(server, f"{path}?t={bad_tokens(reader)[which]}", NEWS_PAGE)
        if path == "/c":
            assert answer.status == 302 and answer.headers["location"].rstrip("/") == server.url
        else:
            assert answer.status == 200 and answer.body.startswith(GIF)


def test_a_click_leads_to_the_product_whatever_address_is_added(
    server: RunningServer, reader: Reader
) -> None:
    added = f"dest=https%3A%2F%2F{SECRET}.example&url=https://{SECRET}.example"
    answer = get(server, f"{reader.shown.links[0]}&{added}", NEWS_PAGE)
    assert answer.status == 302 and answer.headers["location"].startswith(
        f"https://{SHOP_PAGE}/p/{ITEM}?rtclid="
    )
    with Expectation(server, "token_invalid"):
        answer = get(server, f"/c?{added}&t={reader.shown.token}", NEWS_PAGE)
        assert answer.status == 302 and answer.headers["location"].rstrip("/") == server.url


def test_a_slot_asked_with_a_hundred_kilobytes_shows_the_house_ad(server: RunningServer, shop: Shop) -> None:
    before = stored(server)
    (slot_id,) = shop.slots.values()
    answer = get(server, f"/slot/{slot_id}?click={SECRET}{'x' * 100_000}&{consent()}", NEWS_PAGE)
    assert answer.status == 200 and answer.headers["x-slot"] == "empty"
    assert stored(server) == before


# ---- amounts ----


@pytest.mark.parametrize(
    ("value", "currency", "flaw"),
    [
        ("-100", "EUR", "flaw_bad_value"),
        ("NaN", "EUR", "flaw_bad_value"),
        ("1e308", "EUR", "flaw_bad_value"),
        ("0,99", "EUR", "flaw_bad_value"),
        ("9.99", "ZZQ", "flaw_bad_currency"),
    ],
)
def test_an_order_of_a_nonsense_amount_is_kept_without_it_and_never_billed(
    server: RunningServer, shop: Shop, reader: Reader, value: str, currency: str, flaw: str
) -> None:
    async def buy() -> Answer:
        said = f"&transaction_id={secrets.token_hex(8)}&value={value}&currency={currency}"
        async with Connection(server.url) as connection:
            return await tell(reader.browser, connection, shop, "purchase", said)

    assert asyncio.run(buy()).event == "accepted"
    ((body,),) = server.rows("SELECT body FROM events ORDER BY event_key DESC LIMIT 1")
    assert msgspec.msgpack.decode(body)[3] is None
    Expectation.counted[flaw] += 1
    unsettled = "SELECT 1 FROM conversions WHERE state = 'new'"
    wait_until(lambda: not server.rows(unsettled), "the order is settled")
    states = {row[0] for row in server.rows("SELECT DISTINCT state || ' ' || reason FROM conversions")}
    assert states == {"not_billable no_value"} and not server.rows("SELECT 1 FROM charges")


@pytest.mark.parametrize("price", [-100, "NaN", 1e308, "0,99"])
def test_an_item_of_a_nonsense_price_is_kept_without_it(
    server: RunningServer, shop: Shop, price: object
) -> None:
    item = {"item_id": ITEM, "price": price}
    assert post(server, body_of(shop, name="view_item", currency="EUR", items=[item])).status == 204
    ((body,),) = server.rows("SELECT body FROM events ORDER BY event_key DESC LIMIT 1")
    assert msgspec.msgpack.decode(body)[2] == [[ITEM, 1, None]]
    Expectation.counted["flaw_bad_price"] += 1


# ---- cookies ----

OWN = "rt=" + mint(bytes(16), KeyRing(1, {1: FOREIGN_KEY}))


@pytest.mark.parametrize(
    ("cookie", "name"),
    [(f"{OWN}; {OWN}", "cookie_doubled"), (OWN, "cookie_forged"), (OWN[:-5], "cookie_malformed"),
     (f"rt={SECRET}", "cookie_malformed")],
    ids=["two", "forged", "cut", "nonsense"],
)  # fmt: skip
def test_a_bad_visitor_cookie_makes_a_new_visitor_whose_event_is_kept(
    server: RunningServer, shop: Shop, cookie: str, name: str
) -> None:
    answer = get(server, f"/m/e?m={shop.public_id}&e=view_item&id=7&{consent()}&debug=1", cookie=cookie)
    assert answer.event == "accepted"
    given = answer.headers["set-cookie"].split(";")[0]
    assert given.startswith("rt=") and given not in cookie
    Expectation.counted[name] += 1


def test_the_user_agent_of_these_tests_is_a_browsers(server: RunningServer, shop: Shop) -> None:
    """Else everything above would be refused as a robot's, and prove nothing."""
    headers = {**Browser().headers(SHOP_PAGE), "User-Agent": f"{USER_AGENT} (compatible; {SECRET}bot/1.0)"}
    target = f"/m/e?m={shop.public_id}&e=view_item&id=7&{consent()}&debug=1"
    with Expectation(server, "rejected_robot"):
        assert ask_once(server.url, "GET", target, headers).event == "robot"


def test_each_of_these_was_counted_once_under_its_name(server: RunningServer) -> None:
    expected = Expectation.counted

    def counts() -> Counter[str]:
        return Counter({name: server.count(name) for name in expected})

    wait_until(lambda: counts().total() >= expected.total(), f"{dict(expected)} are counted")
    assert counts() == expected
