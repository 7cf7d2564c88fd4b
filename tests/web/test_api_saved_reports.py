"""Saved reports over HTTP: kept, changed, taken away, and each account's own."""

from typing import Any

import pytest

from tests.web.api import Api, World


def listed(api: Api, key: str | None = None, **asked: object) -> list[str]:
    answer = api.call("GET", "/saved-reports", key=key, params=asked)
    assert answer.status_code == 200, answer.text
    return [one["name"] for one in answer.json()["items"]]


def test_a_report_is_kept_under_a_name_changed_and_taken_away(api: Api, world: World) -> None:
    body = {"name": "By day", "query": "metrics=spend_micros,clicks&group_by=day&compare=previous"}
    made = api.make("/saved-reports", body, world.advertiser_key)
    path = f"/saved-reports/{made['id']}"
    assert made["advertiser_id"] == world.advertiser and made["side"] == "advertiser"
    assert api.call("GET", f"/reports?{made['query']}", key=world.advertiser_key).status_code == 200
    assert listed(api, world.advertiser_key) == ["Clicks", "By day"] or listed(api, world.advertiser_key) == [
        "By day",
        "Clicks",
    ]
    changed = api.call("PATCH", path, {"name": "Daily"}, world.advertiser_key).json()
    assert (changed["name"], changed["query"]) == ("Daily", body["query"])
    assert api.call("DELETE", path, key=world.advertiser_key).status_code == 204
    assert api.call("DELETE", path, key=world.advertiser_key).status_code == 404
    assert api.call("GET", path).status_code == 404
    assert listed(api, world.advertiser_key) == ["Clicks"]


def test_each_account_and_the_network_have_their_own(api: Api, world: World) -> None:
    api.make("/saved-reports", {"name": "All", "query": "metrics=requests&group_by=site"})
    api.make("/saved-reports", {"name": "Mine", "query": "metrics=requests"}, world.publisher_key)
    assert listed(api) == ["All"]
    assert listed(api, world.publisher_key) == ["Mine"] == listed(api, publisher_id=world.publisher)
    assert listed(api, advertiser_id=world.advertiser) == ["Clicks"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("metrics=moon", "invalid_request"),
        ("advertiser_id=adv_0000000000001", "invalid_request"),
        ("format=csv", "invalid_request"),
        ("metrics=clicks&" * 60, "invalid_request"),
        ("metrics=clicks" + "," * 4_000, "invalid_request"),
        ("metrics=requests", "report_not_yours"),
        ("metrics=refusals&group_by=slot", "report_unanswerable"),
    ],
)
def test_a_question_without_an_answer_is_not_kept(api: Api, world: World, query: str, code: str) -> None:
    for method, path in (("POST", "/saved-reports"), ("PATCH", f"/saved-reports/{world.saved_report}")):
        body: dict[str, Any] = {"name": "No", "query": query}
        answer = api.call(method, path, body, world.advertiser_key)
        assert answer.json()["code"] == code, answer.text
    assert listed(api, world.advertiser_key) == ["Clicks"]
