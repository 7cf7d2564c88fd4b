"""A path of the shop's own server, nginx's or Caddy's, that leads to the ad server: as docs/tag.md says, run for real."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from pixel.assets import tag_script
from tests.simulation.browser import USER_AGENT
from tests.simulation.running_server import RunningServer, free_port
from tests.simulation.shop import CPA, SHOP_PAGE, Shop, make_shop
from tests.simulation.shop_front import KINDS, SHOP_HOST, CardsHost, ShopFront, make_certificate

SHOPS_SERVER = "127.0.0.7"  # trusted to tell where its visitors are
HERE = "127.0.0.1"  # where consent need not be asked for
ELSEWHERE = "127.0.0.5"  # where it must


class World(NamedTuple):
    """The ad server, the host that stands before it, and the shop in it."""

    server: RunningServer
    cards: CardsHost
    shop: Shop


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("world")
    settings = {"base_url": "https://localhost", "trusted_proxies": SHOPS_SERVER, "loopback_region": "open"}
    with (
        RunningServer(folder / "server", **settings) as server,
        closing(CardsHost(folder, server.port, SHOPS_SERVER)) as cards,
    ):
        shop = make_shop(server, ["boots"], {"sale": CPA}, domains=[SHOP_PAGE, SHOP_HOST])
        yield World(server, cards, shop)


@pytest.fixture(params=KINDS)
def front(request: pytest.FixtureRequest, world: World, tmp_path: Path) -> Iterator[ShopFront]:
    with ShopFront(request.param, tmp_path, world.cards.name, world.cards.certificate) as front:
        world.cards.heard.clear()
        world.cards.seen_as = SHOPS_SERVER
        yield front


class Shopper:
    """A browser at the shop, at an address of its own; it keeps its cookies."""

    def __init__(self, world: World, front: ShopFront, address: str = HERE) -> None:
        self._merchant = world.shop.public_id
        self._url = f"http://127.0.0.1:{front.port}"
        self._address = address
        self._says = {"Host": f"{SHOP_HOST}:{front.port}", "User-Agent": USER_AGENT, "Origin": front.url}
        self.cookies = {"session": "s3cret", "x__Host-rt": "not-ours"}

    def ask(self, method: str, path: str, content: bytes = b"", **headers: str) -> httpx.Response:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        says = {**self._says, "Cookie": cookies, **headers}
        transport = httpx.HTTPTransport(local_address=self._address, verify=False)  # nothing is encrypted
        with httpx.Client(base_url=self._url, transport=transport, timeout=20) as client:
            answer = client.request(method, path, content=content, headers=says)
        self.cookies |= dict(answer.cookies)
        return answer

    def views(self, granted: bool = False, **headers: str) -> httpx.Response:
        """A product; `granted` where its page says that its visitor allows it, and not in silence."""
        said = {"consent": True, "consent_cmp": "c", "consent_time": int(time.time())} if granted else {}
        event = {"name": "view_item", "items": [{"item_id": "boots"}]}
        body = {"m": self._merchant, "events": [event], "consent": said, "debug": 1}
        return self.ask("POST", "/rt/e", json.dumps(body).encode(), **headers)


def test_the_tag_is_loaded_and_asked_about_through_the_path(world: World, front: ShopFront) -> None:
    shopper = Shopper(world, front)
    tag = shopper.ask("GET", "/rt/tag.js")
    assert (tag.status_code, tag.content) == (200, tag_script())
    assert tag.headers["content-type"].startswith("text/javascript")
    looked = shopper.ask("HEAD", "/rt/tag.js")
    assert (looked.status_code, looked.content) == (200, b"")
    assert int(looked.headers["content-length"]) == len(tag_script())
    assert shopper.ask("OPTIONS", "/rt/e").headers["access-control-allow-origin"] == front.url


def test_the_cookie_is_the_shops_own_and_a_second_visit_is_the_same_visitors(
    world: World, front: ShopFront
) -> None:
    shopper = Shopper(world, front)
    first = shopper.views()
    assert (first.status_code, first.headers["x-event"]) == (204, "accepted")
    name, _, rest = first.headers["set-cookie"].partition("=")
    assert name == "__Host-rt"
    assert rest.split("; ")[1:] == ["Max-Age=33696000", "Path=/", "Secure", "HttpOnly", "SameSite=None"]
    again = shopper.views()
    assert again.headers["x-event"] == "accepted" and "set-cookie" not in again.headers
    assert shopper.ask("GET", f"/rt/id?m={world.shop.public_id}").json()["visitor"]
    latest = world.server.rows("SELECT visitor_key FROM events ORDER BY event_key DESC LIMIT 2")
    assert len(latest) == 2 and len(set(latest)) == 1


def test_only_our_cookies_pass_and_of_the_page_only_its_host(world: World, front: ShopFront) -> None:
    shopper = Shopper(world, front)
    shopper.views()
    shopper.cookies["__Host-rt-optout"] = "1"
    page = f"{front.url}/account?mail=jane@doe.example"
    refused = shopper.views(Authorization="Basic c2hvcDpzdGFmZg==", Referer=page)
    assert refused.headers["x-event"] == "opted_out"
    first, second = world.cards.heard
    assert first.headers.get("cookie", "") == ""
    passed = second.headers["cookie"].rstrip("; ").split("; ")
    assert passed == [f"__Host-rt={shopper.cookies['__Host-rt']}", "__Host-rt-optout=1"]
    assert second.headers["referer"] == f"{front.url}/"
    assert not any(secret in str(world.cards.heard) for secret in ("s3cret", "not-ours", "jane", "Basic"))


def test_the_shops_server_is_believed_about_addresses_and_no_shopper_is(
    world: World, front: ShopFront
) -> None:
    assert Shopper(world, front, HERE).views().headers["x-event"] == "accepted"
    abroad = Shopper(world, front, ELSEWHERE)
    assert abroad.views().headers["x-event"] == "no_consent"
    assert abroad.views(**{"X-Forwarded-For": HERE}).headers["x-event"] == "no_consent"
    assert abroad.views(**{"X-Forwarded-For": f"{HERE}, {SHOPS_SERVER}"}).headers["x-event"] == "no_consent"
    assert abroad.views(granted=True).headers["x-event"] == "accepted"


def test_of_a_server_that_the_operator_did_not_name_every_visitor_is_where_it_stands(
    world: World, front: ShopFront
) -> None:
    world.cards.seen_as = HERE
    assert Shopper(world, front, ELSEWHERE).views().headers["x-event"] == "accepted"


def test_a_body_that_is_too_large_stores_nothing_and_stops_nobody(world: World, front: ShopFront) -> None:
    shopper = Shopper(world, front)
    answer = shopper.ask("POST", "/rt/e", b"{" + b" " * 2_000_000)
    assert answer.status_code == {"nginx": 413, "caddy": 204}[front.kind]
    assert shopper.views().headers["x-event"] == "accepted"


def test_the_path_leads_to_the_pixel_and_nowhere_else(world: World, front: ShopFront) -> None:
    (front.pages / "index.html").write_text("the shop")
    for path in ("/rt/../slot/x", "/rt/%2e%2e/privacy", "/rt/..%2fprivacy", "/rt/e/../../privacy", "/rt"):
        with socket.create_connection(("127.0.0.1", front.port)) as raw:
            raw.sendall(f"GET {path} HTTP/1.0\r\nHost: {SHOP_HOST}:{front.port}\r\n\r\n".encode())
            assert raw.recv(4096).split(b" ", 2)[1] in (b"301", b"308", b"404")
    assert not [heard for heard in world.cards.heard if ".." in heard.path or heard.path[:3] != "/m/"]


@pytest.mark.slow
def test_an_ad_server_that_is_silent_is_given_up_and_the_shop_goes_on(world: World, front: ShopFront) -> None:
    (front.pages / "index.html").write_text("the shop")
    shopper = Shopper(world, front)
    world.cards.answers.clear()
    try:
        assert shopper.views().status_code == 504
        assert shopper.ask("GET", "/").text == "the shop"
    finally:
        world.cards.answers.set()


@pytest.mark.parametrize("kind", KINDS)
def test_an_ad_server_that_is_away_is_an_error_of_the_path_alone(
    world: World, tmp_path: Path, kind: str
) -> None:
    with ShopFront(kind, tmp_path, f"localhost:{free_port()}", world.cards.certificate) as front:
        (front.pages / "index.html").write_text("the shop")
        shopper = Shopper(world, front)
        assert shopper.ask("GET", "/rt/tag.js").status_code == 502
        assert shopper.ask("GET", "/").text == "the shop"


@pytest.mark.parametrize("kind", KINDS)
def test_cookies_are_not_shown_to_a_host_without_the_ad_servers_certificate(
    world: World, tmp_path: Path, kind: str
) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(make_certificate("localhost"))
    world.cards.heard.clear()
    with ShopFront(kind, tmp_path, world.cards.name, other) as front:
        assert Shopper(world, front).views().status_code == 502
    assert world.cards.heard == []
