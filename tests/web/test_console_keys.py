"""API keys in the console: for one's own account, shown once, and as narrow as the reader's role."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from adserver.domain.identity import read_id
from adserver.domain.user import Grant, Role
from tests.web.console import enter, send, submit, words_of
from tests.web.visiting import Browser, Visiting

TEXT = re.compile(r"rt_live_[A-Za-z0-9_-]{43}")
ROTATE = re.compile(r'action="(/console/[^"]+/rotate)"')


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    world = Visiting(Path(tmp_path_factory.mktemp("console")))
    yield world
    world.close()


@pytest.fixture(scope="module")
def operator(world: Visiting) -> Browser:
    return enter(world, "operator@example.org")


@pytest.fixture(scope="module")
def owner(world: Visiting) -> Browser:
    return enter(world, "owner@shop.example", Grant(Role.ADVERTISER, read_id("adv", world.advertiser)))


@pytest.fixture(scope="module")
def webmaster(world: Visiting) -> Browser:
    return enter(world, "web@shop.example", Grant(Role.WEBMASTER, read_id("adv", world.advertiser)))


def keys_of(world: Visiting) -> str:
    return f"/console/shop/{world.advertiser}/keys"


def status(world: Visiting, key: str, method: str, path: str) -> int:
    answer = world.browser(Authorization=f"Bearer {key}").ask(method, f"/api/v1{path}", json={})
    return int(answer.status_code)


def test_a_key_is_shown_once_and_does_what_it_may(world: Visiting, owner: Browser) -> None:
    made = submit(owner, keys_of(world), name="Dashboard", access="read", days="90")
    text = TEXT.search(made.text)
    assert text is not None
    assert status(world, text[0], "GET", "/campaigns") == 200
    assert status(world, text[0], "PATCH", f"/campaigns/{world.campaign}") == 403
    page = owner.ask("GET", keys_of(world)).text
    assert TEXT.search(page) is None
    assert "Dashboard" in page
    assert text[0][:14] in page


def test_a_replaced_key_has_a_successor_and_a_revoked_one_opens_nothing(
    world: Visiting, owner: Browser
) -> None:
    first = TEXT.search(submit(owner, keys_of(world), name="Server", access="full", days="0").text)
    assert first is not None
    page = owner.ask("GET", keys_of(world)).text
    action = ROTATE.search(page[page.index("Server") :])
    assert action is not None
    second = TEXT.search(submit(owner, action[1]).text)
    assert second is not None
    assert {status(world, one[0], "GET", "/campaigns") for one in (first, second)} == {200}
    done = submit(owner, action[1].replace("/rotate", "/revoke"))
    assert done.headers["location"] == f"{keys_of(world)}?done=revoked"
    assert "nothing gets in with it" in owner.ask("GET", done.headers["location"]).text
    assert (status(world, first[0], "GET", "/campaigns"), status(world, second[0], "GET", "/campaigns")) == (
        401,
        200,
    )


def test_a_webmaster_makes_keys_for_events_and_knows_of_no_other(world: Visiting, webmaster: Browser) -> None:
    page = webmaster.ask("GET", keys_of(world)).text
    assert "Dashboard" not in page
    assert "Read and change" not in page
    assert submit(webmaster, keys_of(world), name="All", access="full", days="0").status_code == 422
    text = TEXT.search(submit(webmaster, keys_of(world), name="Shop", access="events", days="0").text)
    assert text is not None
    assert status(world, text[0], "GET", "/campaigns") == 403


@pytest.mark.parametrize(
    "fields",
    [
        {"name": " ", "access": "read"},
        {"name": "a" * 201, "access": "read"},
        {"name": "Kept", "access": "everything"},
        {"name": "Kept"},
    ],
)
def test_what_is_not_well_filled_in_makes_no_key_and_stays_filled_in(
    world: Visiting, owner: Browser, fields: dict[str, str]
) -> None:
    answer = submit(owner, keys_of(world), **fields)
    assert answer.status_code == 422
    assert TEXT.search(answer.text) is None
    assert f'value="{fields["name"].strip()}"' in answer.text


def test_keys_of_others_are_neither_seen_nor_changed(
    world: Visiting, owner: Browser, operator: Browser
) -> None:
    theirs = TEXT.search(submit(operator, "/console/network/keys", name="Ops", access="full", days="0").text)
    assert theirs is not None
    action = ROTATE.search(operator.ask("GET", "/console/network/keys").text)
    assert action is not None
    key = action[1].split("/")[-2]
    assert submit(owner, f"{keys_of(world)}/{key}/revoke").status_code == 404
    assert submit(owner, f"/console/network/keys/{key}/revoke").headers["location"] == "/console"
    assert owner.ask("GET", "/console/network/keys").headers["location"] == "/console"
    assert submit(operator, f"/console/network/keys/{key}/delete").status_code == 404
    publisher = world.change("POST", "/publishers", name="Press")["id"]
    press = enter(world, "press@example.org", Grant(Role.PUBLISHER, read_id("pub", publisher)))
    assert press.ask("GET", keys_of(world)).headers["location"] == "/console"
    assert status(world, theirs[0], "GET", "/keys") == 200


def test_a_form_without_our_token_makes_nothing(world: Visiting, owner: Browser) -> None:
    assert send(owner, keys_of(world), name="Mine", access="read", days="0").status_code == 403


def test_a_publisher_without_keys_is_told_what_they_are_for(world: Visiting) -> None:
    publisher = world.change("POST", "/publishers", name="Post")["id"]
    post = enter(world, "post@example.org", Grant(Role.PUBLISHER, read_id("pub", publisher)))
    root = f"/console/publisher/{publisher}/keys"
    assert "No key yet" in words_of(post.ask("GET", root).text)
    assert submit(post, root, name="Post", access="events", days="0").status_code == 422
    text = TEXT.search(submit(post, root, name="Post", access="read", days="0").text)
    assert text is not None
    assert status(world, text[0], "GET", "/publishers") == 200
