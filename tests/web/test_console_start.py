"""The first run: five steps from an empty database, each kept at once, and a list that ticks itself."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from adserver.config import Settings
from adserver.domain.identity import read_id
from adserver.domain.network import Check
from adserver.domain.user import Grant, Role
from adserver.main.server import Server
from tests.web.console import enter, send, submit, words_of
from tests.web.visiting import OWN, Browser, Visiting

START = "/console/start"
SAID = {"name": "Nord Net", "country": "FR", "currency": "EUR", "timezone": "Europe/Paris"}


class Empty(Visiting):
    """A server in which nothing was ever made."""

    def _make_world(self) -> None: ...


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Visiting]:
    world = Empty(tmp_path)
    yield world
    world.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    world = Visiting(Path(tmp_path_factory.mktemp("console")))
    yield world
    world.close()


@pytest.fixture(scope="module")
def operator(world: Visiting) -> Browser:
    return enter(world, "operator@example.org")


@pytest.fixture(scope="module")
def unset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Visiting, Browser]]:
    """A network in which no account was opened, and its operator."""
    world = Empty(Path(tmp_path_factory.mktemp("unset")))
    operator = enter(world, "operator@example.org")
    submit(operator, f"{START}/identity", **SAID)
    yield world, operator
    world.close()


def network(world: Visiting) -> dict[str, object]:
    return world.change("GET", "/network")


def test_an_empty_network_is_set_up_in_five_steps(empty: Visiting) -> None:
    operator = enter(empty, "first@example.org")
    assert operator.ask("GET", "/console").headers["location"] == START
    for step, fields, following in (
        ("identity", SAID, "consent"),
        ("consent", {"tool": "tcf", "vendor": "1234"}, "region"),
        ("region", {"skip": "yes"}, "browser"),
        ("browser", {"test": "on"}, "browser"),
    ):
        done = submit(operator, f"{START}/{step}", **fields)
        assert done.headers["location"] == f"{START}?done=saved#{following}"
    submit(operator, f"{START}/shop", name="Boots", domain="https://Boots.example/winter")
    submit(operator, f"{START}/publisher", name="Press", domain="press.example", size="300x250")
    page = operator.ask("GET", START).text
    assert page.count('class="sheet done"') == 5
    (shop,), (site,) = empty.listed("/advertisers"), empty.listed("/sites")
    assert (shop["domains"], shop["currency"], site["domains"]) == (
        ["boots.example"],
        "EUR",
        ["press.example"],
    )
    assert f"init&#39;, &#39;{shop['public_id']}" in page
    assert empty.listed(f"/slots?site_id={site['id']}")[0]["embed"]["script"] in unescaped(page)
    assert network(empty)["tcf_vendor_id"] == 1234


def unescaped(page: str) -> str:
    return page.replace("&lt;", "<").replace("&gt;", ">").replace("&#34;", '"').replace("&#39;", "'")


def test_a_step_that_was_taken_twice_makes_nothing_twice(empty: Visiting) -> None:
    operator = enter(empty, "first@example.org")
    submit(operator, f"{START}/identity", **SAID)
    for _ in range(2):
        submit(operator, f"{START}/shop", name="Boots", domain="boots.example")
    assert len(empty.listed("/advertisers")) == 1
    for domain, status in (("no domain", 422), ("press.example", 303)):
        answer = submit(operator, f"{START}/publisher", name="Press", domain=domain, size="300x250")
        assert answer.status_code == status
    assert (len(empty.listed("/publishers")), len(empty.listed("/sites"))) == (1, 1)


@pytest.mark.parametrize(
    ("step", "fields"),
    [
        ("identity", SAID | {"name": " "}),
        ("identity", SAID | {"country": "ZZ"}),
        ("identity", SAID | {"currency": "EURO"}),
        ("identity", SAID | {"timezone": "Mars/Olympus"}),
        ("identity", SAID | {"name": "a" * 201}),
        ("consent", {"tool": "magic"}),
        ("consent", {"tool": "tcf", "vendor": "70000"}),
        ("consent", {"tool": "tcf", "vendor": "²"}),
        ("shop", {"name": "", "domain": "boots.example"}),
        ("shop", {"name": "Boots", "domain": "boots"}),
        ("shop", {"name": "Boots", "domain": "http://["}),
        ("publisher", {"name": "Press", "domain": "press.example", "size": "1x1"}),
    ],
)
def test_what_is_not_well_filled_in_is_said_and_stays_filled_in(
    unset: tuple[Visiting, Browser], step: str, fields: dict[str, str]
) -> None:
    world, operator = unset
    before = network(world), world.listed("/advertisers"), world.listed("/sites")
    answer = submit(operator, f"{START}/{step}", **fields)
    assert (answer.status_code, 'role="alert"' in answer.text) == (422, True)
    for typed in fields.values():
        assert typed in unescaped(answer.text) or typed in ("magic", "ZZ", "EURO", "Mars/Olympus", "1x1")
    assert (network(world), world.listed("/advertisers"), world.listed("/sites")) == before


def test_a_line_is_in_effect_once_the_server_was_started_with_it(world: Visiting, operator: Browser) -> None:
    submit(operator, f"{START}/identity", **SAID)
    line = "<code>ADSERVER_TIMEZONE=Europe/Paris</code> "
    assert f'{line}<span class="badge">not in effect' in operator.ask("GET", START).text
    settings = Settings(data_dir=world.storage.path.parent, timezone="Europe/Paris")
    assert Server(settings, world.storage).network.running.timezone == "Europe/Paris"


def test_a_region_file_in_the_data_folder_is_seen(world: Visiting, operator: Browser) -> None:
    path = world.storage.path.parent / "countries.mmdb"
    path.write_bytes(b"")
    assert f"ADSERVER_GEOIP_PATH={path}" in operator.ask("GET", START).text


def test_the_browser_that_is_left_out_bills_nothing(world: Visiting) -> None:
    operator = enter(world, "own@example.org")
    submit(operator, f"{START}/browser", test="on")
    assert "a test visitor" in operator.ask("GET", "/test-visitor").text
    submit(operator, f"{START}/browser", test="off")
    assert "an ordinary visitor" in operator.ask("GET", "/test-visitor").text


def test_the_list_ticks_as_things_happen_and_the_api_tells_the_same(empty: Visiting) -> None:
    operator = enter(empty, "first@example.org")
    assert operator.ask("GET", f"{START}/checks").json() == dict.fromkeys(map(str, Check), False)
    Visiting._make_world(empty)
    submit(operator, f"{START}/backup")
    told = operator.ask("GET", f"{START}/checks").json()
    assert told["products"] and told["campaign"] and told["backup"]
    assert not told["click"]
    assert network(empty)["checks"] == told
    page = operator.ask("GET", "/console").text
    assert '<li data-check="campaign" class="done">' in page
    assert '<li data-check="click">' in page


def test_a_list_that_was_put_away_stays_away(world: Visiting, operator: Browser) -> None:
    assert "data-checks" in operator.ask("GET", "/console").text
    assert submit(operator, f"{START}/hide", hide="yes").headers["location"] == "/console?done=saved"
    assert "data-checks" not in operator.ask("GET", "/console").text
    assert "data-checks" in operator.ask("GET", START).text


def test_only_an_operator_sets_the_network_up(world: Visiting) -> None:
    owner = enter(world, "owner@shop.example", Grant(Role.ADVERTISER, read_id("adv", world.advertiser)))
    before = network(world)
    assert owner.ask("GET", START).headers["location"] == "/console"
    assert owner.ask("GET", f"{START}/checks").headers["location"] == "/console"
    for step in ("identity", "consent", "region", "browser", "shop", "publisher", "backup", "hide"):
        assert submit(owner, f"{START}/{step}", **SAID).headers["location"] == "/console"
        assert send(world.browser(**OWN), f"{START}/{step}", **SAID).headers["location"] == "/console/login"
    assert network(world) == before


def test_forms_without_our_token_keep_nothing(world: Visiting, operator: Browser) -> None:
    before = network(world)
    assert send(operator, f"{START}/identity", **SAID | {"name": "Evil"}).status_code == 403
    assert network(world) == before


def test_a_network_of_no_strict_law_is_told_what_silence_means(world: Visiting, operator: Browser) -> None:
    submit(operator, f"{START}/identity", **SAID | {"country": "US", "timezone": "America/New_York"})
    page = words_of(operator.ask("GET", START).text)
    assert "No European law applies there." in page
    assert "ADSERVER_DEFAULT_REGION" not in page


def test_the_demo_prints_a_way_into_the_console(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "adserver", "demo", "--port", "0", "--data", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        try:
            link = next(line.strip() for line in demo.stdout if "/console/welcome/" in line)
            assert "operator@demo.example" in httpx.get(link).text
        finally:
            demo.terminate()
