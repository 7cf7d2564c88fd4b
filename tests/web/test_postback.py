"""Signed postbacks over HTTP: each valid once, for five minutes, for its own merchant; billed once."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from adserver.domain.offer import HandCode
from adserver.domain.postback import signature_of
from adserver.writes import Outcome, Result
from tests.web.api import BASE_URL, NOW_MS, Api, World, campaign_body, click_id, everything, key_behind

PRICE = 2_000_000
METHODS = pytest.mark.parametrize("method", ["GET", "POST"])


@pytest.fixture
def campaign(api: Api, world: World) -> str:
    terms = {"pricing_model": "cpa", "rate_micros": PRICE}
    made: str = api.make("/campaigns", campaign_body(world.advertiser, **terms))["id"]
    api.refresh.load()
    return made


def secret_of(api: Api, world: World) -> str:
    set_up = api.call("GET", f"/advertisers/{world.advertiser}/postback", key=world.advertiser_key).json()
    assert set_up["address"] == f"{BASE_URL}/api/v1/postback/{world.advertiser}"
    secret: str = set_up["secret"]
    return secret


def parameters(api: Api, **fields: str | None) -> dict[str, str]:
    given = {"order_id": "R-1", "value": "89.90", "currency": "EUR", "nonce": "nonce-0001"}
    every = given | {"ts": str(api.now_ms // 1000)} | fields
    return {name: value for name, value in every.items() if value is not None}


def call(api: Api, world: World, given: dict[str, str], method: str = "GET") -> httpx.Response:
    return api.call(method, f"/postback/{world.advertiser}", key="", params=given)


def send(api: Api, world: World, method: str = "GET", **fields: str | None) -> httpx.Response:
    given = parameters(api, **fields)
    return call(api, world, given | {"sig": signature_of(secret_of(api, world), given)}, method)


def refusal(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def spend(api: Api, campaign_id: str) -> int:
    micros: int = api.call("GET", f"/campaigns/{campaign_id}").json()["spend_micros"]
    return micros


@METHODS
def test_a_signed_order_is_billed(api: Api, world: World, campaign: str, method: str) -> None:
    response = send(api, world, method, rtclid=click_id(api, world, campaign))
    assert response.status_code == 200 and response.json() == {"result": "taken", "reason": None}
    assert spend(api, campaign) == PRICE


def test_an_order_is_credited_to_the_click_of_its_code(api: Api, world: World, campaign: str) -> None:
    advertiser, clicked = key_behind(world.advertiser), click_id(api, world, campaign)
    hand = HandCode(93, advertiser, 4711, clicked, 0, api.now_ms, None, 10, None, ("CODE-1",))
    assert api.storage.writer.commit(hand).text == "CODE-1"
    response = send(api, world, coupon="SUMMER,code-1")
    assert response.json() == {"result": "taken", "reason": None}


def test_a_lead_is_told_by_its_own_id(api: Api, world: World) -> None:
    lead = {"event": "generate_lead", "lead_id": "L-1", "order_id": None}
    response = send(api, world, **lead)
    assert response.json() == {"result": "unattributed", "reason": "no_touch"}


def test_the_same_postback_again_is_a_replay(api: Api, world: World, campaign: str) -> None:
    clicked = click_id(api, world, campaign)
    given = {"rtclid": clicked}
    assert send(api, world, **given).json()["result"] == "taken"
    before = everything(api)
    assert refusal(send(api, world, **given)) == (409, "replayed")
    assert refusal(send(api, world, order_id="R-2", **given)) == (409, "replayed")
    assert everything(api) == before
    anew = send(api, world, nonce="nonce-0002", **given)
    assert anew.json()["result"] == "duplicate"
    assert spend(api, campaign) == PRICE


def test_of_one_postback_sent_by_many_at_once_one_is_heard(api: Api, world: World, campaign: str) -> None:
    given = parameters(api, rtclid=click_id(api, world, campaign))
    given["sig"] = signature_of(secret_of(api, world), given)
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: call(api, world, given).status_code, range(8)))
    assert sorted(statuses) == [200] + [409] * 7
    assert spend(api, campaign) == PRICE


def test_a_nonce_is_one_merchants(api: Api, world: World) -> None:
    other = World(api, "B")
    assert send(api, world).status_code == send(api, other).status_code == 200


@pytest.mark.parametrize("off_seconds", [-301, 301])
def test_a_postback_of_another_time_is_refused(api: Api, world: World, off_seconds: int) -> None:
    told = str(NOW_MS // 1000 + off_seconds)
    assert refusal(send(api, world, ts=told)) == (422, "too_old")
    assert everything(api)["conversions"] == []


@pytest.mark.parametrize("change", ["order_id", "value", "ts", "nonce", "sig", "more", "twice"])
def test_what_is_not_signed_so_is_not_even_read(api: Api, world: World, change: str) -> None:
    given = parameters(api)
    given["sig"] = signature_of(secret_of(api, world), given)
    pairs = [(name, f"{value}0" if name == change else value) for name, value in given.items()]
    pairs += {"more": [("rtclid", "x")], "twice": [("order_id", "R-1")]}.get(change, [])
    before = everything(api)
    path = f"/postback/{world.advertiser}"
    assert refusal(api.call("GET", path, key="", params=pairs)) == (401, "bad_signature")
    assert everything(api) == before


def test_anothers_secret_and_no_merchant_at_all_are_a_bad_signature(api: Api, world: World) -> None:
    other, given = World(api, "B"), parameters(api)
    signed = given | {"sig": signature_of(secret_of(api, other), given)}
    assert refusal(call(api, world, signed)) == (401, "bad_signature")
    for nobody in ("adv_0000000000000", "x"):
        response = api.call("GET", f"/postback/{nobody}", key="", params=signed)
        assert refusal(response) == (401, "bad_signature")
    assert refusal(call(api, world, {})) == (401, "bad_signature")


@pytest.mark.parametrize(
    "fields",
    [
        {"order_id": None},
        {"lead_id": "L-1"},
        {"event": "view_item"},
        {"value": "much"},
        {"value": None},
        {"currency": None},
        {"currency": "XXX1"},
        {"nonce": "short"},
        {"nonce": "jane.doe@shop.example"},
        {"nonce": None},
        {"ts": None},
        {"ts": "soon"},
        {"order_id": "jane.doe@shop.example"},
        {"order_id": "jane.doe%40shop.example"},
        {"colour": "red"},
    ],
    ids=str,
)
def test_what_is_signed_may_still_be_unsound(api: Api, world: World, fields: dict[str, str | None]) -> None:
    before = everything(api)
    assert refusal(send(api, world, **fields)) == (422, "invalid_request")
    assert everything(api) == before


def test_what_could_not_be_recorded_may_be_sent_again(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(api.storage.writer, "commit", lambda write: Outcome(Result.UNRECORDED))
        assert refusal(send(api, world)) == (503, "unrecorded")
    assert send(api, world).json()["result"] == "unattributed"


def test_each_merchant_sees_its_own_secret_only(api: Api, world: World) -> None:
    other = World(api, "B")
    assert secret_of(api, world) != secret_of(api, other)
    path = f"/advertisers/{world.advertiser}/postback"
    assert api.call("GET", path, key=other.advertiser_key).status_code == 404
    assert api.call("GET", path, key=world.publisher_key).status_code == 403
