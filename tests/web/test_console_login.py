"""Logging in to the console: invitations, throttling, codes, sessions, and forms that others cannot send."""

import re
from base64 import b32decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from adserver.domain.login import FREE_ATTEMPTS, totp_code
from adserver.domain.user import Grant, Role
from tests.web.console import PASSWORD, enter, invitation, send, token_of
from tests.web.visiting import OWN, Browser, Visiting


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    world = Visiting(Path(tmp_path_factory.mktemp("console")))
    yield world
    world.close()


def log_in(
    world: Visiting, email: str, password: str = PASSWORD, **fields: str
) -> tuple[Browser, httpx.Response]:
    browser = world.browser(**OWN)
    return browser, send(browser, "/console/login", email=email, password=password, **fields)


def test_an_invitation_lets_somebody_in_once(world: Visiting) -> None:
    link = invitation(world, "once@example.org")
    first, second = world.browser(**OWN), world.browser(**OWN)
    assert send(first, link, name="", password=PASSWORD).status_code == 422
    assert send(first, link, name="Anna", password="short").status_code == 422
    assert send(first, link, name="Anna", password=PASSWORD).headers["location"] == "/console"
    assert first.ask("GET", "/console").status_code == 200
    assert send(second, link, name="Eve", password=PASSWORD).status_code == 404
    assert second.ask("GET", "/console").headers["location"] == "/console/login?next=/console"


def test_an_invitation_and_a_code_serve_one_of_many_who_send_them_at_once(world: Visiting) -> None:
    path, email = invitation(world, "race@example.org"), "race@example.org"

    def accept(name: str) -> int:
        return send(world.browser(**OWN), path, name=name, password=PASSWORD).status_code

    with ThreadPoolExecutor(4) as four:
        assert sorted(four.map(accept, "ABCD")) == [303, 404, 404, 404]
    browser, secret = log_in(world, email)[0], "C" * 32
    step = world.server.clock() // 30_000
    first, second = (totp_code(b32decode(secret), step + later) for later in (0, 1))
    set_up = send(browser, "/console/account/codes", token=token_of(browser), secret=secret, code=first)
    assert set_up.status_code == 200
    with ThreadPoolExecutor(4) as four:
        tried = four.map(lambda _: log_in(world, email, code=second)[1].status_code, range(4))
        assert sorted(tried) == [303, 403, 403, 403]


def test_the_cookie_is_for_this_host_and_no_script(world: Visiting) -> None:
    answer = send(world.browser(**OWN), invitation(world, "c@example.org"), name="C", password=PASSWORD)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-session=")
    assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}


def test_an_unknown_address_and_a_wrong_password_are_answered_alike(world: Visiting) -> None:
    enter(world, "known@example.org")
    _, known = log_in(world, "known@example.org", "not this one")
    _, unknown = log_in(world, "nobody@example.org", "not this one")
    assert known.status_code == unknown.status_code == 403
    assert known.text.replace("known@", "x@") == unknown.text.replace("nobody@", "x@")


def test_many_wrong_passwords_must_wait_and_the_right_one_too(world: Visiting) -> None:
    enter(world, "slow@example.org")
    for _ in range(FREE_ATTEMPTS):
        assert log_in(world, "slow@example.org", "not this one")[1].status_code == 403
    _, refused = log_in(world, "slow@example.org")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 30


def test_after_a_log_in_the_page_is_shown_that_was_asked_for(world: Visiting) -> None:
    enter(world, "next@example.org")
    asked = {"next": "/console/account"}
    assert log_in(world, "next@example.org", **asked)[1].headers["location"] == "/console/account"
    for elsewhere in ("https://evil.example/", "//evil.example", "/console\\evil", "/api/v1"):
        _, answer = log_in(world, "next@example.org", next=elsewhere)
        assert answer.headers["location"] == "/console"


def test_another_password_ends_every_other_session(world: Visiting) -> None:
    one = enter(world, "two@example.org")
    other, _ = log_in(world, "two@example.org")
    fields = {"old": PASSWORD, "new": "five old wet boots"}
    assert send(one, "/console/account/password", token=token_of(one), **fields).status_code == 303
    assert one.ask("GET", "/console").status_code == 200
    assert other.ask("GET", "/console").status_code == 303
    assert log_in(world, "two@example.org")[1].status_code == 403


def test_logging_out_ends_the_session_itself(world: Visiting) -> None:
    browser = enter(world, "out@example.org")
    cookie = browser.ask("GET", "/console").request.headers["cookie"]
    assert send(browser, "/console/logout", token=token_of(browser)).headers["location"] == "/console/login"
    stolen = world.browser(**OWN, cookie=cookie)
    assert stolen.ask("GET", "/console").status_code == 303


@pytest.mark.parametrize(
    ("headers", "token"),
    [({"Origin": "https://evil.example"}, True), ({"Origin": "null"}, True), ({}, False)],
    ids=["another site", "a sandbox", "no token"],
)
def test_a_form_of_another_page_changes_nothing(
    world: Visiting, headers: dict[str, str], token: bool
) -> None:
    browser = enter(world, f"csrf{len(headers)}{token}{headers.get('Origin', '')[-4:]}@example.org".lower())
    fields = {"token": token_of(browser)} if token else {}
    answer = browser.ask("POST", "/console/logout", data=fields, headers=headers)
    assert answer.status_code == 403
    assert browser.ask("GET", "/console").status_code == 200


def test_codes_are_asked_for_once_set_up_and_each_serves_once(world: Visiting) -> None:
    browser, email = enter(world, "codes@example.org"), "codes@example.org"
    shown = send(browser, "/console/account/codes", token=token_of(browser)).text
    secret = re.findall(r"<code class=\"key\">([A-Z2-7]{32})</code>", shown)[0]
    step = world.server.clock() // 30_000
    fields = {"token": token_of(browser), "secret": secret}
    assert send(browser, "/console/account/codes", code="000000", **fields).status_code == 422
    code = totp_code(b32decode(secret), step)
    recovery = re.findall(
        r"<li><code>([^<]+)</code>", send(browser, "/console/account/codes", code=code, **fields).text
    )
    assert len(recovery) == 8
    assert "authenticator app" in log_in(world, email)[1].text
    assert log_in(world, email, code=code)[1].status_code == 403  # it has been used
    assert log_in(world, email, code=totp_code(b32decode(secret), step + 1))[1].status_code == 303
    assert log_in(world, email, code=recovery[0].upper())[1].status_code == 303
    assert log_in(world, email, code=recovery[0])[1].status_code == 403


def test_who_finds_a_browser_logged_in_puts_no_other_telephone_in_place_of_the_users(world: Visiting) -> None:
    browser, email = enter(world, "desk@example.org"), "desk@example.org"
    own, foreign = "A" * 32, "B" * 32
    step = world.server.clock() // 30_000
    token = token_of(browser)
    for secret, status in ((own, 200), (foreign, 422)):
        fields = {"token": token, "secret": secret, "code": totp_code(b32decode(secret), step)}
        assert send(browser, "/console/account/codes", **fields).status_code == status
    assert log_in(world, email, code=totp_code(b32decode(foreign), step + 1))[1].status_code == 403
    assert log_in(world, email, code="\u0661\u0662\u0663\u0664\u0665\u0666")[1].status_code == 403
    assert log_in(world, email, code=totp_code(b32decode(own), step + 1))[1].status_code == 303


def test_who_forgets_their_own_password_slows_nobody_else_down(world: Visiting) -> None:
    """Seven users mistake it five times each: more than a network may."""
    for number in range(7):
        browser = enter(world, f"forgets{number}@example.org")
        token = token_of(browser)
        for _ in range(FREE_ATTEMPTS):
            tried = send(
                browser, "/console/account/password", token=token, old="wrong", new="ten old wet boots"
            )
            assert tried.status_code == 422
    sound = enter(world, "sound@example.org")
    new = {"token": token_of(sound), "old": PASSWORD, "new": "ten old wet boots"}
    assert send(sound, "/console/account/password", **new).status_code == 303


def test_only_an_operator_sees_and_changes_users(world: Visiting) -> None:
    operator = enter(world, "op@example.org")
    page = operator.ask("GET", "/console/network/users").text
    assert "op@example.org" in page
    owner = int(re.findall(r'value="advertiser:(\d+)"', page)[0])
    shop = enter(world, "shop@example.org", Grant(Role.ADVERTISER, owner))
    assert shop.ask("GET", "/console/network/users").headers["location"] == "/console"
    fields = {"token": token_of(shop), "email": "eve@example.org", "grant": "operator:"}
    assert send(shop, "/console/network/users", **fields).headers["location"] == "/console"
    users = {user.email: user for user in world.server.storage.users.users(-1, 500)}
    token = token_of(operator)
    gone = send(operator, f"/console/network/users/{users['shop@example.org'].key}/disable", token=token)
    assert gone.status_code == 303
    assert shop.ask("GET", "/console").headers["location"].startswith("/console/login")
    assert log_in(world, "shop@example.org")[1].status_code == 403


def test_an_invitation_from_the_page_works(world: Visiting) -> None:
    operator = enter(world, "inviter@example.org")
    fields = {"token": token_of(operator), "email": "Guest@Example.org", "grant": "operator:"}
    shown = send(operator, "/console/network/users", **fields).text
    link = re.findall(r"https://cards\.example(/console/welcome/[\w-]+)", shown)[0]
    guest = world.browser(**OWN)
    assert "guest@example.org" in guest.ask("GET", link).text
    assert send(guest, link, name="Guest", password=PASSWORD).status_code == 303
    bad = send(operator, "/console/network/users", token=token_of(operator), email="x", grant="operator:")
    assert bad.status_code == 422


def test_the_pages_are_not_kept_not_framed_and_run_no_inline_code(world: Visiting) -> None:
    headers = world.browser().ask("GET", "/console/login").headers
    policy = headers["content-security-policy"]
    assert "unsafe-inline" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["cache-control"] == "no-store"
