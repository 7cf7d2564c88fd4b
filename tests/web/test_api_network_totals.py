"""What only the operator looks at: totals, suspects, jobs, the audit log, settings and health."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from msgspec.structs import replace

from adserver.config import Settings
from adserver.domain.money import Micros
from adserver.domain.pricing import AdEvent
from adserver.domain.tally import NETWORK
from adserver.main.beside import settings_shown
from adserver.web.schemas.network_totals import PREFIXES
from adserver.web.settings import meanings
from adserver.writes import AddCounts, Entity, RecordAd, Scope
from tests.shared_data import PROJECT
from tests.web.api import NOW_MS, Api, World, key_behind, make_record

PATHS = (
    "/network/totals",
    "/network/suspects",
    "/network/health",
    "/network/settings",
    "/jobs",
    "/audit-log",
)
DAY_MS = 86_400_000


def log(api: Api, **asked: Any) -> list[Mapping[str, Any]]:
    answer = api.call("GET", "/audit-log", params=asked)
    assert answer.status_code == 200, answer.text
    items: list[Mapping[str, Any]] = answer.json()["items"]
    return items


@pytest.mark.parametrize("path", PATHS)
def test_only_the_operator_may_look(api: Api, world: World, path: str) -> None:
    assert api.call("GET", path).status_code == 200
    for scope, owner in ((Scope.ADVERTISER, world.advertiser), (Scope.PUBLISHER, world.publisher)):
        assert api.call("GET", path, key=api.make_key(scope, owner)).status_code == 403


def test_a_change_is_told_with_who_made_it_and_what_it_was_before(api: Api, world: World) -> None:
    path = f"/campaigns/{world.campaign}"
    assert api.call("PATCH", path, {"name": "Winter", "daily_budget_micros": 7_000_000}).status_code == 200
    (newest, *_) = log(api, entity_id=world.campaign)
    assert (newest["actor"]["kind"], newest["action"], newest["kind"]) == ("key", "changed", "Campaign")
    changes = {one["field"]: (one["before"], one["after"]) for one in newest["changes"]}
    assert changes["name"][1] == '"Winter"'
    assert changes["daily_budget_micros"][1] == "7000000"


def test_what_was_refused_is_not_told(api: Api, world: World) -> None:
    before = len(log(api))
    assert api.call("PATCH", f"/campaigns/{world.campaign}", {"name": ""}).status_code == 422
    assert len(log(api)) == before


def test_a_key_is_told_of_and_its_digest_is_not(api: Api, world: World) -> None:
    api.call("POST", "/keys", {"name": "shop", "scope": "operator"})
    (made, *_) = log(api, kind="ApiKey")
    digests = [one["after"] for one in made["changes"] if one["field"] == "digest"]
    assert (made["action"], made["name"], digests) == ("created", "shop", ["•••"])


def test_the_log_is_read_page_by_page_and_by_who_and_what(api: Api, world: World) -> None:
    everything = [one["number"] for one in log(api, limit=500)]
    assert everything == sorted(everything, reverse=True)
    first = api.call("GET", "/audit-log", params={"limit": 2}).json()
    rest = log(api, limit=500, before=first["next_before"])
    assert [one["number"] for one in [*first["items"], *rest]] == everything
    assert log(api, actor="nobody") == []
    assert {one["action"] for one in log(api, action="created")} == {"created"}
    assert api.call("GET", "/audit-log", params={"entity_id": "' OR 1"}).status_code == 422
    assert api.call("GET", "/audit-log", params={"before": -1}).status_code == 422


def test_a_deposit_is_told_of_once_however_often_it_is_sent(api: Api, world: World) -> None:
    body = {"advertiser_id": world.advertiser, "amount_micros": 5_000_000, "reference": "wire 1"}
    for key in ("one", "two"):
        assert api.call("POST", "/deposits", body, headers={"Idempotency-Key": key}).status_code == 200
    assert len(log(api, action="deposited", entity_id=world.advertiser)) == 1


def test_totals_are_the_slots_counts_once_and_the_ledgers_money(api: Api, world: World) -> None:
    record = make_record(world, AdEvent.CLICK, 77, 1_000_000)
    api.storage.writer.commit(RecordAd((replace(record, publisher_micros=Micros(700_000)),)))
    totals = api.call("GET", "/network/totals").json()
    today, yesterday, week = totals["periods"]
    (money,) = today["money"]
    statement = api.call("GET", f"/publishers/{world.publisher}/statements/2026-11").json()
    (paid,) = statement["totals"]
    assert money["spend_micros"] == paid["paid_by_advertisers_micros"] > 0
    assert money["publishers_micros"] == paid["net_micros"]
    assert money["margin_micros"] == money["spend_micros"] - money["publishers_micros"]
    assert (today["clicks"], week["clicks"], yesterday["clicks"]) == (1, 1, 0)
    assert (yesterday["money"], week["money"]) == ([], today["money"])


def test_a_day_with_far_more_suspect_clicks_than_usual_is_odd(api: Api, world: World) -> None:
    campaign = key_behind(world.campaign)
    today_ms = NOW_MS - NOW_MS % DAY_MS
    rows = [
        (today_ms - day * DAY_MS, name, campaign, n)
        for day in range(10)
        for name, n in (("impressions", 1_000), ("clicks", 10), ("clicks_visitor_clicks", 2))
    ]
    api.storage.writer.commit(AddCounts((*rows, (today_ms, "clicks_visitor_clicks", campaign, 40))))
    (found,) = api.call("GET", "/network/suspects").json()["campaigns"]
    assert (found["id"], found["odd"], found["suspect"]) == (world.campaign, True, 60)
    assert [one[:10] for one in found["much_suspect"]] == ["2026-11-18"]
    assert found["many_clicks"] == []
    assert found["days"][-1]["reasons"] == {"visitor_clicks": 42}


def test_whatever_is_saved_has_an_id_in_the_log() -> None:
    kinds = {one.__name__ for one in get_args(Entity)} - {"Import"}  # which tells of itself
    assert kinds <= PREFIXES.keys()


def test_log_ins_are_counted_without_anybodys_name(api: Api) -> None:
    hour = NOW_MS - NOW_MS % 3_600_000
    counted = (("logins_tried", 9), ("logins_right", 4), ("logins_held_up", 2))
    api.storage.writer.commit(AddCounts(tuple((hour, name, NETWORK, n) for name, n in counted)))
    told = api.call("GET", "/audit-log").json()["log_ins"]
    assert told == {"right": 4, "failed": 5, "held_up": 2}


def test_each_setting_has_a_meaning_in_each_language_and_the_english_is_the_readmes() -> None:
    names = {f"ADSERVER_{name.upper()}" for name in Settings.model_fields}
    for language in ("en", "fr", "it"):
        assert set(meanings(language)) == names, language
        assert all(meanings(language).values()), language
    readme = (PROJECT / "README.md").read_text("utf-8")
    plain = readme.replace("](", "\0").split("\0")
    text = plain[0] + "".join(part.partition(")")[2] for part in plain[1:])
    for name, meaning in meanings("en").items():
        assert meaning in text.replace("[", ""), name


def test_settings_are_told_as_they_were_read(tmp_path: Path) -> None:
    shown = {one.name: one for one in settings_shown(Settings(data_dir=tmp_path, ranking_rates={"EUR": 1.0}))}
    assert shown["ADSERVER_RANKING_RATES"].value == "EUR=1.0"
    assert not shown["ADSERVER_RANKING_RATES"].is_default
    assert (shown["ADSERVER_ROBOTS_REFUSED"].value, shown["ADSERVER_ROBOTS_REFUSED"].is_default) == (
        "true",
        True,
    )
