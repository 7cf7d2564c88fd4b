"""The network's queue in the console: what was looked at is approved or refused, several at once."""

from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from adserver.domain.identity import read_id
from adserver.domain.user import Grant, Role
from tests.web.console import enter, send, submit
from tests.web.visiting import Browser, Visiting

QUEUE = "/console/network/approvals"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    world = Visiting(Path(tmp_path_factory.mktemp("approvals")))
    yield world
    world.close()


@pytest.fixture(scope="module")
def operator(world: Visiting) -> Browser:
    return enter(world, "operator@example.org")


@pytest.fixture(scope="module")
def shop(world: Visiting) -> Browser:
    """The advertiser's own key: what it makes waits."""
    secret = world.change("POST", "/keys", name="k", scope="advertiser", owner_id=world.advertiser)["secret"]
    return world.browser(Authorization=f"Bearer {secret}")


def made(world: Visiting, shop: Browser, name: str) -> dict[str, str]:
    body = {"campaign_id": world.campaign, "template": "cards", "brand": {"name": name}}
    answer = shop.ask("POST", "/api/v1/creatives", json=body).json()
    assert answer["approval"] == "pending", answer
    return dict(answer)


def told(world: Visiting, creative: dict[str, str]) -> dict[str, str]:
    return world.change("GET", f"/creatives/{creative['id']}")


def test_nothing_waits_at_first(operator: Browser) -> None:
    assert "Nothing waits" in operator.ask("GET", QUEUE).text


def test_several_are_approved_at_once(world: Visiting, operator: Browser, shop: Browser) -> None:
    both = [made(world, shop, name) for name in ("One <b>", "Two")]
    page = operator.ask("GET", QUEUE).text
    assert "One &lt;b&gt;" in page
    assert "Nordhaus Trading Ltd" in page
    assert "shop.example" in page
    ticks = {one["id"]: one["content_hash"] for one in both}
    done = submit(operator, QUEUE, word="approve", standing="pending", **ticks)
    assert done.headers["location"] == f"{QUEUE}?standing=pending&done=saved"
    assert [told(world, one)["approval"] for one in both] == ["approved", "approved"]


def test_one_is_refused_with_a_reason_and_taken_down_later(
    world: Visiting, operator: Browser, shop: Browser
) -> None:
    creative = made(world, shop, "Three")
    tick = {creative["id"]: creative["content_hash"]}
    for reason in ("", " ", "x" * 301, "a\u202eb"):
        answer = submit(operator, QUEUE, word="refuse", reason=reason, **tick)
        assert answer.status_code == 422
        assert "Say why" in answer.text
        assert "checked" in answer.text
    assert told(world, creative)["approval"] == "pending"
    submit(operator, QUEUE, word="refuse", reason="The price needs its <unit>", **tick)
    assert told(world, creative)["reason"] == "The price needs its <unit>"
    page = operator.ask("GET", f"{QUEUE}?standing=rejected").text
    assert "The price needs its &lt;unit&gt;" in page
    submit(operator, QUEUE, word="approve", standing="rejected", **tick)
    assert told(world, creative)["shown"]
    submit(operator, QUEUE, word="withdraw", standing="approved", reason="Complaints", **tick)
    assert (told(world, creative)["shown"], told(world, creative)["reason"]) == (False, "Complaints")


def test_what_was_changed_meanwhile_is_looked_at_again(
    world: Visiting, operator: Browser, shop: Browser
) -> None:
    creative = made(world, shop, "Four")
    shop.ask("PATCH", f"/api/v1/creatives/{creative['id']}", json={"brand": {"name": "Other"}})
    answer = submit(operator, QUEUE, word="approve", **{creative["id"]: creative["content_hash"]})
    assert answer.status_code == 409
    assert "changed while you looked" in unescape(answer.text)
    assert told(world, creative)["approval"] == "pending"


def test_an_edit_says_that_the_approved_version_is_on_show(
    world: Visiting, operator: Browser, shop: Browser
) -> None:
    creative = made(world, shop, "Five")
    submit(operator, QUEUE, word="approve", **{creative["id"]: creative["content_hash"]})
    shop.ask("PATCH", f"/api/v1/creatives/{creative['id']}", json={"brand": {"name": "Fives"}})
    page = operator.ask("GET", QUEUE).text
    assert "approved before is on show" in page
    look = operator.ask("GET", f"{QUEUE}/{creative['id']}/300x250")
    assert "Fives" in look.text
    assert "frame-ancestors 'self'" in look.headers["content-security-policy"]


def test_nothing_ticked_and_strange_ticks_change_nothing(world: Visiting, operator: Browser) -> None:
    assert submit(operator, QUEUE, word="approve").status_code == 422
    for name in ("crv_0000000000000", "crv_x"):
        answer = submit(operator, QUEUE, word="approve", standing="<b>", **{name: "0" * 64})
        assert answer.status_code in (409, 422)
    assert operator.ask("GET", f"{QUEUE}/crv_0000000000000/300x250").headers["location"] == QUEUE
    assert operator.ask("GET", f"{QUEUE}?standing=strange&after=cur_x").status_code == 200


def test_only_operators_judge(world: Visiting, shop: Browser) -> None:
    creative = made(world, shop, "Six")
    publisher = world.listed("/publishers")[0]["id"]
    grants = (
        Grant(Role.PUBLISHER, read_id("pub", publisher)),
        Grant(Role.ADVERTISER, read_id("adv", world.advertiser)),
    )
    for number, grant in enumerate(grants):
        stranger = enter(world, f"s{number}@example.org", grant)
        assert stranger.ask("GET", QUEUE).headers["location"] == "/console"
        assert stranger.ask("GET", f"{QUEUE}/{creative['id']}/300x250").headers["location"] == "/console"
        tick = {creative["id"]: creative["content_hash"]}
        assert submit(stranger, QUEUE, word="approve", **tick).headers["location"] == "/console"
    assert told(world, creative)["approval"] == "pending"


def test_a_form_without_its_token_changes_nothing(world: Visiting, operator: Browser, shop: Browser) -> None:
    creative = made(world, shop, "Seven")
    answer = send(operator, QUEUE, word="approve", **{creative["id"]: creative["content_hash"]})
    assert answer.status_code == 403
    assert told(world, creative)["approval"] == "pending"
