"""An advertiser says where its notices go, checks them with its secret, and sees what became of each."""

from collections.abc import Mapping

import pytest

from adserver.domain.identity import write_id
from tests.contract.outbox import keep, make_notice
from tests.web.api import NOW_MS, Api, World, advertiser_body, key_behind

URL = "https://shop.example/hooks"


def webhook_path(world: World) -> str:
    return f"/advertisers/{world.advertiser}/webhook"


def test_the_owner_sets_and_takes_away_its_own_webhook(api: Api, world: World) -> None:
    path = f"/advertisers/{world.advertiser}"
    moved = api.call("PATCH", path, {"webhook_url": "https://other.example/x"}, world.advertiser_key)
    assert moved.json()["webhook_url"] == "https://other.example/x"
    assert api.call("PATCH", path, {"name": "Same place"}).json()["webhook_url"] == "https://other.example/x"
    lifted = api.call("PATCH", path, {"webhook_url": None}, world.advertiser_key)
    assert lifted.json()["webhook_url"] is None
    assert api.call("GET", webhook_path(world)).json()["url"] is None


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://shop.example/hooks", "webhook_not_https"),
        ("http://127.0.0.1/hooks", "webhook_not_https"),
        ("ftp://shop.example/", "bad_link"),
        ("https://shop.example@evil.test/", "bad_link"),
        ("", "invalid_request"),
        ("https://shop.example/" + "x" * 2_000, "invalid_request"),
        (7, "invalid_request"),
    ],
)
def test_a_bad_webhook_is_refused_by_name_and_changes_nothing(
    api: Api, world: World, url: object, code: str
) -> None:
    refused = api.call("PATCH", f"/advertisers/{world.advertiser}", {"webhook_url": url})
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    opened = api.call("POST", "/advertisers", advertiser_body(webhook_url=url))
    assert (opened.status_code, opened.json()["code"]) == (422, code)
    assert api.call("GET", webhook_path(world)).json()["url"] == URL


def test_the_secret_is_the_accounts_own_and_the_same_for_owner_and_operator(api: Api, world: World) -> None:
    shown = [api.call("GET", webhook_path(world), key=key).json() for key in (None, world.advertiser_key)]
    assert shown[0] == shown[1] == {"url": URL, "secret": shown[0]["secret"], "recent": []}
    assert len(shown[0]["secret"]) == 64
    other = api.call("GET", webhook_path(World(api, "B"))).json()["secret"]
    assert other != shown[0]["secret"]


def test_recent_tells_what_became_of_each_notice_newest_first(api: Api, world: World) -> None:
    advertiser = key_behind(world.advertiser)
    keep(
        api.storage.path,
        make_notice(
            1, NOW_MS, advertiser_key=advertiser, attempts=3, due_ms=NOW_MS + 80_000, status="timed_out"
        ),
        make_notice(2, NOW_MS + 1_000, advertiser_key=advertiser),
        make_notice(3, NOW_MS - 1_000, advertiser_key=advertiser, due_ms=None, status="no_address"),
        make_notice(4, NOW_MS, advertiser_key=advertiser + 1),
    )
    recent = api.call("GET", webhook_path(world), key=world.advertiser_key).json()["recent"]
    assert [notice["id"] for notice in recent] == [write_id("ntc", key) for key in (2, 1, 3)]
    assert [notice["status"] for notice in recent] == ["waiting", "timed_out", "no_address"]
    body = recent[1].pop("body")
    assert body["id"] == recent[1]["id"]
    assert recent[1] == {
        "id": write_id("ntc", 1),
        "kind": "budget_80",
        "at": "2026-11-18T11:06:40.000Z",
        "attempts": 3,
        "status": "timed_out",
        "next_at": "2026-11-18T11:08:00.000Z",
    }
    assert recent[2]["next_at"] is None


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (204, {"delivered": True, "status": 204, "failure": None}),
        (500, {"delivered": False, "status": 500, "failure": "status_500"}),
        (302, {"delivered": False, "status": 302, "failure": "status_302"}),
    ],
)
def test_a_test_says_what_the_receiver_answered(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch, status: int, answer: dict[str, object]
) -> None:
    posted: list[tuple[str, str]] = []

    def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
        posted.append((url, headers["X-Notice-Kind"]))
        return status

    monkeypatch.setattr(api.network, "post", post)
    tested = api.call("POST", f"{webhook_path(world)}/test", key=world.advertiser_key)
    assert (tested.status_code, tested.json()) == (200, answer)
    assert posted == [(URL, "ping")]


def test_a_test_without_an_answer_names_the_failure(api: Api, world: World) -> None:
    tested = api.call("POST", f"{webhook_path(world)}/test", key=world.advertiser_key)
    assert tested.json() == {"delivered": False, "status": None, "failure": "no network here"}


def test_a_test_without_an_address_is_refused_by_name(api: Api, world: World) -> None:
    api.call("PATCH", f"/advertisers/{world.advertiser}", {"webhook_url": None})
    refused = api.call("POST", f"{webhook_path(world)}/test")
    assert (refused.status_code, refused.json()["code"]) == (409, "no_webhook")


@pytest.mark.parametrize(("method", "suffix"), [("GET", ""), ("POST", "/test")])
def test_nobody_else_sees_or_tests_a_webhook(api: Api, world: World, method: str, suffix: str) -> None:
    path, other = webhook_path(world) + suffix, World(api, "B")
    assert api.call(method, path, key=other.advertiser_key).status_code == 404
    assert api.call(method, path, key=world.publisher_key).status_code == 403
    assert api.call(method, "/advertisers/adv_0000000000000/webhook" + suffix).status_code == 404
    assert api.call(method, path, key="").status_code == 401
