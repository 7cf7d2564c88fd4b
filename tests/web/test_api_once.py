"""A repeated POST has one effect and one answer, alone or all at once."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from adserver.domain.attribution import ServerOrder
from adserver.flows.convert import Credited
from adserver.flows.manage.keys import PURGED_AT_ONCE, RECEIPT_KEPT_MS
from adserver.writes import Outcome, Receipt, Result
from tests.domain.makers import DAY_MS
from tests.web.api import Api, World, campaign_body, click_id, conversion_body, everything

KEY = {"Idempotency-Key": "order-4711"}


def campaigns_of(api: Api) -> list[Any]:
    items: list[Any] = api.call("GET", "/campaigns", params={"limit": 500}).json()["items"]
    return items


def cpa_campaign(api: Api, world: World, **fields: object) -> str:
    body = campaign_body(world.advertiser, pricing_model="cpa", rate_micros=2_000_000, **fields)
    campaign_id: str = api.make("/campaigns", body)["id"]
    api.refresh.poll()
    return campaign_id


def test_a_repeat_gets_the_same_answer_and_makes_nothing(api: Api, world: World) -> None:
    body = campaign_body(world.advertiser)
    first = api.call("POST", "/campaigns", body, headers=KEY)
    api.call("PATCH", f"/campaigns/{first.json()['id']}", {"name": "Changed since"})
    again = api.call("POST", "/campaigns", body, headers=KEY)
    assert (again.status_code, again.content) == (201, first.content)
    assert len(campaigns_of(api)) == 2


def test_the_same_key_with_another_body_or_address_is_refused(api: Api, world: World) -> None:
    api.call("POST", "/campaigns", campaign_body(world.advertiser), headers=KEY)
    other_body = api.call("POST", "/campaigns", campaign_body(world.advertiser, name="B"), headers=KEY)
    other_address = api.call("POST", "/publishers", {"name": "B"}, headers=KEY)
    for response in (other_body, other_address):
        assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert len(campaigns_of(api)) == 2


def test_two_api_keys_may_use_the_same_idempotency_key(api: Api, world: World) -> None:
    body = campaign_body(world.advertiser)
    first = api.call("POST", "/campaigns", body, headers=KEY)
    second = api.call("POST", "/campaigns", body, world.advertiser_key, headers=KEY)
    assert first.json()["id"] != second.json()["id"]


def test_a_refused_request_does_not_use_its_key_up(api: Api, world: World) -> None:
    refused = api.call("POST", "/campaigns", campaign_body(world.advertiser, rate_micros=0), headers=KEY)
    assert refused.status_code == 422
    assert api.call("POST", "/campaigns", campaign_body(world.advertiser), headers=KEY).status_code == 201


def test_twenty_at_once_make_one_campaign_and_get_one_answer(api: Api, world: World) -> None:
    body = campaign_body(world.advertiser)
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: api.call("POST", "/campaigns", body, headers=KEY), range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len(campaigns_of(api)) == 2


def test_a_repeat_never_shows_an_api_keys_text_again(api: Api) -> None:
    body = {"name": "x", "scope": "operator"}
    first = api.call("POST", "/keys", body, headers=KEY).json()
    again = api.call("POST", "/keys", body, headers=KEY).json()
    assert first["secret"].startswith("rt_live_")
    assert again == first | {"secret": None}


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "a b", "é"])
def test_an_idempotency_key_is_short_visible_ascii(api: Api, key: str) -> None:
    response = api.call("POST", "/publishers", {"name": "A"}, headers={"Idempotency-Key": key.encode()})
    assert response.json()["errors"][0]["field"] == "header.Idempotency-Key"


def test_a_conversion_is_credited_billed_and_told(api: Api, world: World) -> None:
    campaign = cpa_campaign(api, world)
    body = conversion_body(world.advertiser, rtclid=click_id(api, world, campaign))
    answer = api.call("POST", "/conversions", body, world.advertiser_key, headers=KEY)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["result"], told["campaign_id"]) == ("taken", campaign)
    assert told["charge_id"].startswith("chg_")
    assert api.call("GET", f"/campaigns/{campaign}").json()["spend_micros"] == 2_000_000


def test_an_order_told_under_two_keys_is_billed_once(api: Api, world: World) -> None:
    campaign = cpa_campaign(api, world)
    body = conversion_body(world.advertiser, rtclid=click_id(api, world, campaign))
    first = api.call("POST", "/conversions", body, headers=KEY).json()
    second = api.call("POST", "/conversions", body, headers={"Idempotency-Key": "another"}).json()
    assert (first["result"], second["result"], second["charge_id"]) == ("taken", "duplicate", None)
    assert api.call("GET", f"/campaigns/{campaign}").json()["spend_micros"] == 2_000_000


def test_twenty_conversions_at_once_are_billed_once_and_all_told_so(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert = api.convert.convert

    def slowly(order: ServerOrder, receipt: Receipt) -> Credited:
        """Who is billed answers last, as another worker might."""
        credited = convert(order, receipt)
        time.sleep(0.1 if credited.outcome.result == "taken" else 0)
        return credited

    monkeypatch.setattr(api.convert, "convert", slowly)
    campaign = cpa_campaign(api, world)
    body = conversion_body(world.advertiser, rtclid=click_id(api, world, campaign))
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: api.call("POST", "/conversions", body, headers=KEY), range(20)))
    assert {answer.json()["result"] for answer in answers} == {"taken"}
    assert len({answer.content for answer in answers}) == 1
    assert api.call("GET", f"/campaigns/{campaign}").json()["spend_micros"] == 2_000_000


def test_an_answer_that_was_lost_after_its_effect_is_given_to_the_repeat(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert = api.convert.convert

    def dies(order: ServerOrder, receipt: Receipt) -> Credited:
        convert(order, receipt)
        raise SystemError("killed between effect and answer")

    monkeypatch.setattr(api.convert, "convert", dies)
    campaign = cpa_campaign(api, world)
    body = conversion_body(world.advertiser, rtclid=click_id(api, world, campaign))
    assert api.call("POST", "/conversions", body, headers=KEY).status_code == 500
    monkeypatch.undo()
    told = api.call("POST", "/conversions", body, headers=KEY).json()
    assert (told["result"], told["campaign_id"]) == ("taken", campaign)
    assert told["charge_id"].startswith("chg_")
    assert api.call("GET", f"/campaigns/{campaign}").json()["spend_micros"] == 2_000_000


def test_a_key_of_a_conversion_stands_for_its_body_even_a_week_later(api: Api, world: World) -> None:
    body = conversion_body(world.advertiser, occurred_at="2026-11-18T00:00:00Z")
    first = api.call("POST", "/conversions", body, headers=KEY)
    before = everything(api)
    other = api.call("POST", "/conversions", body | {"order_id": "R-2"}, headers=KEY)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    api.now_ms += 7 * DAY_MS - 1
    again = api.call("POST", "/conversions", body, headers=KEY)
    assert (again.status_code, again.content) == (200, first.content)
    assert everything(api) == before


def test_what_could_not_be_recorded_does_not_use_its_key_up(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = conversion_body(world.advertiser)
    monkeypatch.setattr(api.storage.writer, "commit", lambda write: Outcome(Result.UNRECORDED))
    assert api.call("POST", "/conversions", body, headers=KEY).json()["code"] == "unrecorded"
    monkeypatch.undo()
    assert api.call("POST", "/conversions", body, headers=KEY).json()["result"] == "unattributed"


def test_receipts_are_kept_for_a_week_and_then_their_keys_are_free(api: Api, world: World) -> None:
    for number in range(PURGED_AT_ONCE + 1):
        api.call("POST", "/publishers", {"name": "A"}, headers={"Idempotency-Key": f"{number}"})
    api.call("POST", "/conversions", conversion_body(world.advertiser), headers=KEY)
    api.now_ms += RECEIPT_KEPT_MS
    assert api.manage.keys.purge_receipts() == 0
    api.now_ms += 1
    api.call("POST", "/publishers", {"name": "B"}, headers={"Idempotency-Key": "new"})
    assert api.manage.keys.purge_receipts() == PURGED_AT_ONCE + 2
    assert api.manage.keys.purge_receipts() == 0
    assert [row[1] for row in everything(api)["receipts"]] == ["new"]
    other = api.call("POST", "/publishers", {"name": "C"}, headers=KEY)
    assert (other.status_code, other.json()["name"]) == (201, "C")


def test_a_conversion_nobody_earned_is_told_with_its_reason(api: Api, world: World) -> None:
    told = api.call("POST", "/conversions", conversion_body(world.advertiser), headers=KEY).json()
    assert (told["result"], told["campaign_id"], told["charge_id"]) == ("unattributed", None, None)
    assert told["reason"]


def test_a_conversion_past_the_cap_is_credited_and_not_billed(api: Api, world: World) -> None:
    campaign = cpa_campaign(api, world, total_budget_micros=1_000_000)
    body = conversion_body(world.advertiser, rtclid=click_id(api, world, campaign))
    told = api.call("POST", "/conversions", body, headers=KEY).json()
    assert (told["result"], told["campaign_id"], told["charge_id"]) == ("cap_reached", campaign, None)
    assert api.call("GET", f"/campaigns/{campaign}").json()["unbilled_at_cap"] == 1
