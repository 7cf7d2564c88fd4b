"""Offer pools over HTTP: made, filled by JSON or CSV, promised by creatives, checked and redeemed."""

import json
from typing import Any

import pytest

from adserver.domain.offer import HandCode
from tests.web.api import NOW_MS, Api, World, campaign_body, cards_body, click_id, key_behind, pool_body

DAY = "2026-12-01T00:00:00.000Z"


@pytest.fixture
def world(api: Api) -> World:
    return World(api)


def counts(api: Api, pool_id: str) -> dict[str, int]:
    shown: dict[str, int] = api.call("GET", f"/offer-pools/{pool_id}").json()["counts"]
    return shown


def upload(api: Api, pool_id: str, content: str | bytes, kind: str = "text/csv") -> dict[str, Any]:
    answer = api.call(
        "POST", f"/offer-pools/{pool_id}/codes", content=content, headers={"Content-Type": kind}
    )
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def hand(api: Api, world: World, impression_id: int = 4711, click: str = "click") -> str:
    """What a click gets; 4711 is the impression of `click_id`."""
    write = HandCode(
        key_behind(world.pool), key_behind(world.advertiser), impression_id, click, 0, NOW_MS,
        NOW_MS + 600_000, 10, None,
    )  # fmt: skip
    return api.storage.writer.commit(write).text


def ask(api: Api, world: World, what: str, code: str, **more: object) -> dict[str, Any]:
    body = {"advertiser_id": world.advertiser, "code": code} | more
    answer = api.call("POST", f"/offers/{what}", body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_a_pool_is_made_changed_and_listed(api: Api, world: World) -> None:
    made = api.make("/offer-pools", pool_body(world.advertiser, kind="generated", prefix="X-", ends_at=DAY))
    assert made | {"id": "", "created_at": ""} == {
        "id": "",
        "advertiser_id": world.advertiser,
        "name": "Autumn",
        "kind": "generated",
        "prefix": "X-",
        "length": 10,
        "valid_minutes": None,
        "ends_at": DAY,
        "shown": True,
        "counts": {"free": 0, "handed": 0, "redeemed": 0, "expired": 0},
        "version": 1,
        "created_at": "",
    }
    path = f"/offer-pools/{made['id']}"
    changed = api.call("PATCH", path, {"ends_at": None, "valid_minutes": 30}).json()
    assert (changed["ends_at"], changed["valid_minutes"], changed["version"]) == (None, 30, 2)
    assert api.call("GET", path).json() == changed
    listed = api.call("GET", "/offer-pools", params={"advertiser_id": world.advertiser}).json()["items"]
    assert sorted(one["id"] for one in listed) == sorted([world.pool, made["id"]])


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "mixed"}, {"kind": "uploaded", "prefix": "X"}, {"kind": "uploaded", "length": 9},
        {"kind": "generated", "length": 7}, {"kind": "generated", "length": 25}, {"kind": "generated", "prefix": "a b"},
        {"kind": "generated", "prefix": "-x"}, {"valid_minutes": 0}, {"valid_minutes": True}, {"name": ""},
        {"codes": ["A1B2"]}, {"low_ms": None}, {"shown": True},
    ],
    ids=str,
)  # fmt: skip
def test_a_pool_takes_no_field_or_value_that_is_not_the_callers_to_set(
    api: Api, world: World, fields: dict[str, object]
) -> None:
    refused = api.call("POST", "/offer-pools", pool_body(world.advertiser) | fields)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("change", [{"kind": "generated"}, {"prefix": "B-"}, {"length": 12}, {"name": None}])
def test_what_codes_were_made_by_stays(api: Api, world: World, change: dict[str, object]) -> None:
    assert api.call("PATCH", f"/offer-pools/{world.pool}", change).status_code == 422


def test_codes_come_as_json_and_the_same_again_adds_nothing(api: Api, world: World) -> None:
    body = json.dumps({"codes": ["A-1001", " a-1002 ", "A-1001", "a b", "A-1003"]})
    told = upload(api, world.pool, body, "application/json")
    assert told == {
        "added": 3,
        "rejected": {"repeated": 1, "bad_code": 1},
        "lines": [{"line": 3, "reason": "repeated"}, {"line": 4, "reason": "bad_code"}],
    }
    again = upload(api, world.pool, body, "application/json")
    assert (again["added"], again["rejected"]) == (0, {"known": 3, "repeated": 1, "bad_code": 1})
    assert [one["line"] for one in again["lines"]] == [1, 2, 3, 4, 5]
    assert counts(api, world.pool)["free"] == 3
    assert api.call("GET", f"/offer-pools/{world.pool}").json()["shown"] is True


@pytest.mark.parametrize(
    "text",
    [
        "A-1001\nA-1002\n", "code\r\nA-1001\r\nA-1002", "\ufeffCode,Type\nA-1001,x\nA-1002,y\n",
        "name;code\nx;A-1001\n\n;A-1002\n", "Code\tUsed\nA-1001\t0\nA-1002\t1\n", '"code"\n"A-1001"\n"A-1002"',
    ],
)  # fmt: skip
def test_codes_come_as_the_csv_that_shops_export(api: Api, world: World, text: str) -> None:
    assert upload(api, world.pool, text.encode())["added"] == 2
    assert hand(api, world, 1) in ("A-1001", "A-1002")


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"code\n", b"\xff\xfe\x00", b'"open', b"{", b'{"codes": []}', b'{"codes": [1]}', b'{"code": []}',
     b'{"codes": ["A1B2"], "more": 1}', b'{"codes": null}', "\ufeff".encode()],
)  # fmt: skip
def test_an_upload_that_cannot_be_read_adds_nothing(api: Api, world: World, content: bytes) -> None:
    refused = api.call("POST", f"/offer-pools/{world.pool}/codes", content=content)
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_codes")
    assert counts(api, world.pool)["free"] == 0


def test_bad_codes_are_named_by_line_and_the_rest_is_in(api: Api, world: World) -> None:
    told = upload(api, world.pool, "code\nA-1001\n=1+1\n<b>\nabc\n\n" + "x" * 41 + "\nA-1002,more\n")
    assert told["added"] == 2
    assert told["lines"] == [{"line": line, "reason": "bad_code"} for line in (3, 4, 5, 7)]


def test_a_code_of_another_pool_of_the_advertiser_is_known_and_of_another_advertiser_is_not(
    api: Api, world: World
) -> None:
    other, second = World(api, "B"), api.make("/offer-pools", pool_body(world.advertiser))["id"]
    assert upload(api, world.pool, "A-1001\n")["added"] == 1
    assert upload(api, second, "a-1001\n")["lines"] == [{"line": 1, "reason": "known"}]
    assert upload(api, other.pool, "A-1001\n")["added"] == 1


def test_too_many_codes_at_once_and_codes_for_a_pool_that_makes_its_own_are_refused(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = api.make("/offer-pools", pool_body(world.advertiser, kind="generated"))["id"]
    refused = api.call("POST", f"/offer-pools/{made}/codes", {"codes": ["A-1001"]})
    assert (refused.status_code, refused.json()["code"]) == (409, "codes_are_made")
    monkeypatch.setattr("adserver.web.schemas.offers.MOST_CODES", 2)
    refused = api.call("POST", f"/offer-pools/{world.pool}/codes", {"codes": ["A-1001", "A-1002", "A-1003"]})
    assert (refused.status_code, refused.json()["code"]) == (413, "too_many_codes")
    assert counts(api, world.pool)["free"] == 0


def test_a_creative_promises_codes_of_its_own_advertisers_pools_only(api: Api, world: World) -> None:
    other = World(api, "B")
    offer = {"percent": 10, "pool": world.pool}
    made = api.make("/creatives", cards_body(world.campaign, offer=offer))
    assert made["offer"] == offer | {"amount_micros": None, "code": None, "ends_at": None}
    for pool in (other.pool, "pool_0000000000000"):
        refused = api.call("POST", "/creatives", cards_body(world.campaign, offer=offer | {"pool": pool}))
        assert (refused.status_code, refused.json()["code"]) == (422, "unknown_pool")
    both = api.call("POST", "/creatives", cards_body(world.campaign, offer=offer | {"code": "AUTUMN"}))
    assert both.status_code == 422
    path = f"/creatives/{made['id']}"
    changed = api.call("PATCH", path, {"offer": {"percent": 5}}).json()
    assert (changed["offer"]["pool"], changed["offer"]["percent"]) == (None, 5)
    assert api.call("PATCH", path, {"offer": offer}).json()["offer"]["pool"] == world.pool
    assert api.call("PATCH", path, {"brand": {"name": "New"}}).json()["offer"]["pool"] == world.pool
    assert api.call("PATCH", path, {"offer": None}).json()["offer"] is None


def test_a_code_is_checked_and_redeemed_once(api: Api, world: World) -> None:
    upload(api, world.pool, "A-1001\nA-1002\n")
    assert ask(api, world, "check", "A-1001")["result"] == "not_handed"
    rtclid = click_id(api, world, world.campaign)
    code = hand(api, world, click=rtclid)
    checked = ask(api, world, "check", code.lower(), rtclid=rtclid)
    assert checked["detail"]
    assert checked | {"detail": ""} == {
        "result": "valid",
        "detail": "",
        "same_click": True,
        "percent": 10,
        "amount_micros": None,
        "pool_id": world.pool,
        "handed_at": "2026-11-18T11:06:40.000Z",
        "expires_at": "2026-11-18T11:16:40.000Z",
    }
    assert ask(api, world, "redeem", code, order_id="R-1", rtclid=rtclid)["result"] == "redeemed"
    assert ask(api, world, "redeem", code, order_id="R-1")["result"] == "redeemed"
    again = ask(api, world, "redeem", code, order_id="R-2", rtclid=rtclid)
    assert (again["result"], again["percent"]) == ("already_redeemed", None)
    assert counts(api, world.pool) == {"free": 1, "handed": 1, "redeemed": 1, "expired": 0}


def test_a_shared_an_expired_and_an_unknown_code_are_refused_by_name(api: Api, world: World) -> None:
    upload(api, world.pool, "A-1001\n")
    code, rtclid = hand(api, world, 1), click_id(api, world, world.campaign)
    assert ask(api, world, "check", code, rtclid=rtclid)["result"] == "shared_code"
    assert ask(api, world, "redeem", code, order_id="R-1", rtclid=rtclid)["result"] == "shared_code"
    assert ask(api, world, "check", "SUMMER", rtclid=rtclid)["result"] == "unknown_code"
    other = World(api, "B")
    foreign = click_id(api, other, other.campaign)
    api.refresh.poll()
    assert ask(api, world, "check", code, rtclid=foreign)["result"] == "wrong_advertiser"
    assert ask(api, other, "check", code)["result"] == "unknown_code"
    api.now_ms += 600_000
    assert ask(api, world, "redeem", code, order_id="R-1")["result"] == "expired"
    assert counts(api, world.pool) == {"free": 0, "handed": 1, "redeemed": 0, "expired": 1}


@pytest.mark.parametrize(
    "body", [{"code": "A-1001"}, {"order_id": "R-1"}, {"code": "A", "order_id": "jane@shop.example"},
             {"code": "A", "order_id": "R", "rtclid": "a b"}, {"code": "", "order_id": "R"}]
)  # fmt: skip
def test_a_redemption_names_a_code_and_an_order(api: Api, world: World, body: dict[str, object]) -> None:
    refused = api.call("POST", "/offers/redeem", {"advertiser_id": world.advertiser} | body)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


def test_an_order_of_the_server_with_its_coupon_is_credited_to_the_codes_click(
    api: Api, world: World
) -> None:
    sale = campaign_body(world.advertiser, pricing_model="cpa", rate_micros=2_000_000, status="active")
    campaign = api.make("/campaigns", sale)["id"]
    upload(api, world.pool, "A-1001\n")
    code = hand(api, world, click=click_id(api, world, campaign))
    body = {"advertiser_id": world.advertiser, "event": "purchase", "order_id": "R-1", "coupon": f"X, {code}"}
    told = api.call("POST", "/conversions", body, headers={"Idempotency-Key": "one"}).json()
    assert (told["result"], told["campaign_id"]) == ("taken", campaign)
    assert counts(api, world.pool)["redeemed"] == 1
    unknown = body | {"order_id": "R-2", "coupon": "SUMMER"}
    assert api.call("POST", "/conversions", unknown, headers={"Idempotency-Key": "two"}).json()["result"] == (
        "unattributed"
    )


@pytest.mark.parametrize("head", ["Coupon", "voucher_code", "Discount Code", "Gutschein", "Código"])
def test_what_the_column_is_called_is_no_code_that_a_shopper_could_get(
    api: Api, world: World, head: str
) -> None:
    told = upload(api, world.pool, f"Value;{head}\n5;HEAD-1\n5;HEAD-2\n")
    assert (told["added"] + told["rejected"].get("known", 0), len(told["lines"])) == (2, 2 - told["added"])
    asked = {"advertiser_id": world.advertiser, "code": "Coupon"}
    assert api.call("POST", "/offers/check", asked).json()["result"] == "unknown_code"
