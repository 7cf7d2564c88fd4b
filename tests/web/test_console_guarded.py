"""Nothing of the console's is kept by a browser or framed by others, and odd input is refused, never a fault."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adserver.domain.login import totp_link
from adserver.web.console.reading import Reading
from tests.web.console import PASSWORD, enter, invitation, send, submit, token_of
from tests.web.visiting import OWN, Browser, Visiting


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    world = Visiting(Path(tmp_path_factory.mktemp("guarded")))
    yield world
    world.close()


@pytest.fixture(scope="module")
def operator(world: Visiting) -> Browser:
    return enter(world, "anna@network.example")


@pytest.fixture(scope="module")
def root(world: Visiting) -> str:
    return f"/console/publisher/{world.listed('/publishers')[0]['id']}"


@pytest.mark.parametrize("name", ["slots", "events"])
def test_a_publishers_sheet_is_kept_by_no_browser(operator: Browser, root: str, name: str) -> None:
    sheet = operator.ask("GET", f"{root}/earnings/2026-10/{name}.csv")
    assert sheet.status_code == 200
    assert sheet.headers["cache-control"] == "no-store"
    assert sheet.headers["x-content-type-options"] == "nosniff"


def test_a_look_at_an_ad_is_kept_by_no_browser_and_framed_by_us_alone(
    world: Visiting, operator: Browser, root: str
) -> None:
    creative = world.listed(f"/creatives?campaign_id={world.campaign}")[0]["id"]
    for path in (
        f"/console/network/approvals/{creative}/300x250",
        f"{root}/approvals/{creative}/300x250",
        f"{root}/sites/slots/{world.slot}/seen/nobody",
    ):
        headers = operator.ask("GET", path).headers
        assert headers["cache-control"] == "no-store", path
        assert headers["x-frame-options"] == "SAMEORIGIN", path
        assert headers["x-content-type-options"] == "nosniff", path
        assert "sandbox" in headers["content-security-policy"], path


def test_a_number_is_not_read_by_its_first_digits() -> None:
    for text in ("0000000001999", "1" * 5000):
        reading = Reading({"off": text}, "en")
        assert (reading.whole("off", 90), list(reading.flaws)) == (None, ["off"])
    assert Reading({"off": "090"}, "en").whole("off", 90) == 90


def test_a_feeds_schedule_of_thousands_of_digits_is_refused(world: Visiting, operator: Browser) -> None:
    form = {"url": "https://shop.example/g.xml", "every": "9" * 5000}
    assert submit(operator, f"/console/shop/{world.advertiser}/feeds", **form).status_code == 422


def test_a_file_in_the_place_of_a_text_is_no_fault(world: Visiting, operator: Browser) -> None:
    answer = operator.ask(
        "POST", f"/console/shop/{world.advertiser}/keys", headers=OWN,
        data={"token": token_of(operator), "access": "none"}, files={"name": ("a", b"\xff\xfe")},
    )  # fmt: skip
    assert answer.status_code == 422


def test_a_networks_name_says_nothing_else_to_an_authenticator_app() -> None:
    link = totp_link("ABC", "anna@example.org", "Nord & Süd?issuer=x")
    assert link.startswith("otpauth://totp/Nord%20%26%20S%C3%BCd%3Fissuer%3Dx:anna%40example.org?secret=ABC&")
    assert link.count("issuer=") == 1


@pytest.mark.parametrize("name", ["x" * 101, "Atelier\u202egnp", " "])
def test_a_name_that_the_api_refuses_is_refused_in_forms_too(
    world: Visiting, operator: Browser, name: str
) -> None:
    """Else an account is opened that its own page cannot change any more."""
    for path in ("/console/start/shop", "/console/start/publisher"):
        answer = submit(operator, path, name=name, domain="late.example", size="300x250")
        assert (answer.status_code, "at most 100 letters" in answer.text) == (422, True), path
    keys = f"/console/shop/{world.advertiser}/keys"
    assert submit(operator, keys, name=name, access="read", days="30").status_code == 422


def test_why_earnings_are_held_names_nobody(operator: Browser, root: str) -> None:
    form = {"publisher": root.rsplit("/", 1)[1], "since": "2026-01-01", "reason": "ask anna@shop.example"}
    answer = submit(operator, "/console/network/traffic/holds", **form)
    assert (answer.status_code, "without e-mail addresses" in answer.text) == (422, True)


def test_nobody_has_a_name_longer_than_a_line(world: Visiting) -> None:
    browser, path = world.browser(**OWN), invitation(world, "long@example.org")
    for name in ("x" * 101, "Anna\u202e"):
        assert send(browser, path, name=name, password=PASSWORD).status_code == 422
    assert send(browser, path, name="x" * 100, password=PASSWORD).headers["location"] == "/console"
