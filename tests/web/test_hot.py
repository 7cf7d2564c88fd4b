"""Who may read the hot addresses' answers, what merely asks and bills nothing, and pictures whose charge is late."""

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from adserver.flows import draw
from adserver.flows.bill import Bill
from adserver.flows.collect import Collect
from adserver.flows.refresh import Refresh
from adserver.flows.serve import Serve
from adserver.web import hot, hot_answers
from adserver.writes import Result
from creatives.formats import Format
from creatives.gif import house_gif
from tests.web.visiting import NEWS, Browser, Visiting

EVIL = {"Origin": "https://evil.example"}
CREDENTIALS = "access-control-allow-credentials"


class Never:
    """A charge whose batch does not end."""

    def then(self, resolve: object) -> None: ...


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    world = Visiting(tmp_path_factory.mktemp("hot"))
    yield world
    world.close()


@pytest.fixture
def browser(world: Visiting) -> Browser:
    browser = world.browser()
    assert browser.view() == "accepted"
    return browser


def picture(world: Visiting, browser: Browser, headers: dict[str, str] = NEWS) -> httpx.Response:
    return browser.ask("GET", f"/slot/{world.slot}.gif?n=mail&debug=1", headers=headers)


def test_no_page_may_read_a_visitors_ad_and_a_foreign_one_gets_the_houses(
    world: Visiting, browser: Browser
) -> None:
    assert browser.is_shown_an_ad()
    token = browser.see()
    for path in (
        f"/slot/{world.slot}",
        f"/slot/{world.slot}.gif",
        f"/i?t={token}",
        f"/c?t={token}",
        "/slot.js",
    ):
        answer = browser.ask("GET", path, headers=EVIL)
        assert not [name for name in answer.headers if name.startswith("access-control")], path
    answer = browser.ask("GET", f"/slot/{world.slot}", headers=EVIL)
    assert (answer.status_code, answer.headers["x-slot"]) == (200, "empty")
    assert b"boots" not in answer.content


def test_a_merchants_page_may_read_what_became_of_its_event(world: Visiting, browser: Browser) -> None:
    shop = {"Origin": "https://shop.example"}
    answer = browser.ask("GET", f"/m/e?m={world.merchant}&e=page_view", headers=shop)
    assert answer.headers["access-control-allow-origin"] == shop["Origin"]
    assert answer.headers[CREDENTIALS] == "true"
    assert browser.ask("OPTIONS", "/m/e", headers=shop).headers[CREDENTIALS] == "true"


def test_a_merchants_page_may_read_that_its_event_could_not_be_kept_and_send_it_again(
    world: Visiting, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Collect, "take", lambda *_: 1 / 0)
    shop = {"Origin": "https://shop.example"}
    answer = browser.ask("GET", f"/m/e?m={world.merchant}", headers=shop)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (503, shop["Origin"])


def test_a_preflight_bills_nothing_and_is_answered_at_every_hot_address(
    world: Visiting, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = browser.see()

    def billed(*_: object) -> str:
        raise AssertionError("billed")

    for name in ("beacon", "click", "image_shown"):
        monkeypatch.setattr(Bill, name, billed)
    for path in (
        f"/i?t={token}",
        f"/v?t={token}",
        f"/c?t={token}",
        "/m/e",
        f"/slot/{world.slot}.gif",
        "/slot.js",
    ):
        answer = browser.ask("OPTIONS", path, headers=EVIL)
        assert answer.status_code == 204
        assert answer.headers["access-control-allow-methods"] == "GET, POST"


def test_every_beacon_is_listed_with_both_of_its_methods() -> None:
    assert {"GET /i", "POST /i", "GET /v", "POST /v"} <= set(hot.ADDRESSES)


@pytest.mark.parametrize("name", [Result.CAP_REACHED, Result.UNRECORDED])
def test_a_picture_whose_charge_was_refused_is_the_houses(
    world: Visiting, browser: Browser, monkeypatch: pytest.MonkeyPatch, name: Result
) -> None:
    house = picture(world, browser, EVIL).content
    monkeypatch.setattr(Bill, "image_shown", lambda *_: name)
    answer = picture(world, browser)
    assert (answer.headers["x-charge"], answer.content == house) == (name, True)


def test_a_picture_whose_charge_is_late_is_shown_since_it_may_yet_be_billed(
    world: Visiting, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = picture(world, browser, EVIL).content
    monkeypatch.setattr(hot, "SHOPPER_SECONDS", 0.01)
    monkeypatch.setattr(Bill, "image_shown", lambda *_: Never())
    answer = picture(world, browser)
    assert (answer.headers["x-charge"], answer.content == house) == (hot_answers.LATE, False)


def test_a_mails_picture_says_no_page_and_shows_the_ad(world: Visiting, browser: Browser) -> None:
    assert picture(world, browser, {}).content != picture(world, browser, EVIL).content


def test_the_house_picture_is_not_drawn_on_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn_by: list[threading.Thread] = []

    def watched(format_: Format, language: str) -> bytes:
        drawn_by.append(threading.current_thread())
        return house_gif(format_, language)

    monkeypatch.setattr(draw, "house_gif", watched)
    world = Visiting(tmp_path)
    try:
        loops: list[threading.Thread] = []
        world.loop.call_soon_threadsafe(lambda: loops.append(threading.current_thread()))
        assert picture(world, world.browser()).status_code == 200
        assert drawn_by and not set(drawn_by) & set(loops)
    finally:
        world.close()


FAULT = "a fault that names nobody"


def broken(*_: object, **__: object) -> None:
    raise RuntimeError(FAULT)


@pytest.mark.parametrize(
    ("step", "path", "status"),
    [
        ((Collect, "take"), "/m/e?m=x&e=view_item&id=secret-item", 503),
        ((Bill, "beacon"), "/i?t=secret-token", 503),
        ((Bill, "click"), "/c?t=secret-token", 302),
        ((Serve, "document"), "/slot/{slot}?n=secret-key", 200),
        ((Serve, "image"), "/slot/{slot}.gif?n=secret-key", 200),
        ((Serve, "image_token"), "/slot/{slot}/click?n=secret-key", 302),
    ],
)
def test_a_fault_of_ours_shows_no_error_to_a_shopper(
    world: Visiting,
    browser: Browser,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    step: tuple[type, str],
    path: str,
    status: int,
) -> None:
    monkeypatch.setattr(*step, broken)
    answer = browser.ask("GET", path.format(slot=world.slot), headers=NEWS)
    assert answer.status_code == status
    assert FAULT not in answer.text
    assert FAULT in caplog.text and "secret" not in caplog.text


def test_a_look_that_fails_is_made_up_by_the_next(
    world: Visiting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Refresh, "poll", broken)
        world.server.freshen()
    assert FAULT in caplog.text
    caplog.clear()
    world.server.freshen(figures=True)
    assert not caplog.text
