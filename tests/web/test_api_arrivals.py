"""The arrivals report over HTTP: its figures, its sheet, whose it is, and what it refuses by name."""

import csv
import io
from typing import Any

import msgspec
import pytest

from adserver.domain.pricing import AdEvent
from adserver.web.schemas.fields import write_time
from adserver.writes import RecordAd, RecordArrival, Result
from pixel.events import EventName
from tests.web.api import NOW_MS, Api, World, campaign_body, click_id, key_behind, make_record

NOTHING = {
    "clicks": 0,
    "clicks_suspect": 0,
    "landed": 0,
    "landing_rate": None,
    "seconds_to_land_median": None,
    "seconds_to_land_p90": None,
    "seconds_to_load_median": None,
    "engaged": 0,
    "bounce_rate": None,
}


def path(world: World) -> str:
    return f"/advertisers/{world.advertiser}/arrivals"


def click(api: Api, world: World, impression_id: int, seconds: float | None = None, **fields: object) -> None:
    """A click, and so many seconds later its landing."""
    record = msgspec.structs.replace(make_record(world, AdEvent.CLICK, impression_id, 0), **fields)
    api.storage.writer.commit(RecordAd((record,)))
    if seconds is not None:
        at_ms = NOW_MS + int(seconds * 1000)
        arrival = RecordArrival(impression_id, record.advertiser_key, EventName.LANDED, NOW_MS, at_ms, 700)
        assert api.storage.writer.commit(arrival).result is Result.ACCEPTED


def get(api: Api, world: World, **asked: object) -> Any:
    answer = api.call("GET", path(world), key=world.advertiser_key, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_report_without_clicks_divides_by_nothing(api: Api, world: World) -> None:
    told = get(api, world)
    assert told == {
        "advertiser_id": world.advertiser, "from": "2026-10-20", "to": "2026-11-18", "group_by": "campaign",
        "rows": [], "total": NOTHING,
    }  # fmt: skip


def test_rows_tell_shares_and_times_and_the_total_all_of_them(api: Api, world: World) -> None:
    click(api, world, 1, 1.2)
    click(api, world, 2, 700)
    click(api, world, 3)
    click(api, world, 4, not_billed="robot")
    told = get(api, world)
    (row,) = told["rows"]
    assert (row.pop("id"), row.pop("name")) == (world.campaign, "Autumn")
    assert row == told["total"] == {
        "clicks": 3, "clicks_suspect": 1, "landed": 2, "landing_rate": 0.667,
        "seconds_to_land_median": 1.5, "seconds_to_land_p90": 600, "seconds_to_load_median": 0.75,
        "engaged": 0, "bounce_rate": 1.0,
    }  # fmt: skip


def test_each_grouping_names_its_rows(api: Api, world: World) -> None:
    click(api, world, 1, 1)
    (product,) = api.storage.catalogue.page(key_behind(world.advertiser), -1, 9)
    click(api, world, 2, product_key=product.key)
    names = {
        by: [row["name"] for row in get(api, world, group_by=by)["rows"]] for by in ("page", "day", "site")
    }
    assert names == {
        "page": ["(unknown)", "https://shop.example/boots"], "day": ["2026-11-18"], "site": ["News"],
    }  # fmt: skip
    assert get(api, world, **{"from": "2026-11-18", "to": "2026-11-18"})["total"]["clicks"] == 2
    assert get(api, world, to="2026-11-17")["total"] == NOTHING


def test_the_sheet_has_the_same_rows_and_no_formula(api: Api, world: World) -> None:
    body = campaign_body(world.advertiser, name="=SUM(A1)")
    click(api, world, 1, 1.2, campaign_key=key_behind(api.make("/campaigns", body)["id"]))
    answer = api.call("GET", path(world), params={"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv; charset=utf-8")
    assert answer.headers["content-disposition"] == f'attachment; filename="{world.advertiser}-arrivals.csv"'
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert list(row)[:4] == ["id", "name", "clicks", "clicks_suspect"]
    assert (row["name"], row["landing_rate"], row["seconds_to_land_median"]) == ("'=SUM(A1)", "1.0", "1.25")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"from": "yesterday"}, "query.from"),
        ({"from": "1795000000"}, "query.from"),
        ({"to": "2026-02-30"}, "query.to"),
        ({"to": "1999-12-31"}, "query.to"),
        ({"to": "2026-11-18T00:00:00Z"}, "query.to"),
        ({"group_by": "visitor"}, "query.group_by"),
        ({"format": "xlsx"}, "query.format"),
        ({"first": "2026-11-18"}, "query.first"),
    ],
)
def test_bad_input_is_refused_by_its_field(api: Api, world: World, asked: dict[str, str], field: str) -> None:
    answer = api.call("GET", path(world), params=asked)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert answer.json()["errors"][0]["field"] == field


@pytest.mark.parametrize(
    "asked",
    [
        {"from": "2026-11-18", "to": "2026-11-17"},
        {"from": "2025-10-14", "to": "2026-11-18"},
        {"from": "2099-12-31"},
    ],
)
def test_a_period_that_is_none_is_refused(api: Api, world: World, asked: dict[str, str]) -> None:
    answer = api.call("GET", path(world), params=asked)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_period")


def test_the_last_days_of_the_calendar_are_no_fault(api: Api, world: World) -> None:
    assert get(api, world, to="2000-01-01")["from"] == "1999-12-03"
    assert get(api, world, **{"from": "2099-12-31", "to": "2099-12-31"})["total"] == NOTHING


def test_nobody_else_reads_an_advertisers_arrivals(api: Api, world: World) -> None:
    click(api, world, 1, 1)
    other = World(api, "B")
    assert api.call("GET", path(world), key=other.advertiser_key).status_code == 404
    assert api.call("GET", path(world), key=world.publisher_key).status_code == 403
    assert api.call("GET", path(world), key="").status_code == 401
    assert api.call("GET", "/advertisers/adv_0000000000000/arrivals").status_code == 404
    assert get(api, other)["total"] == NOTHING
    assert api.call("GET", path(world)).json()["total"]["landed"] == 1


def test_a_merchants_server_may_tell_the_landing_with_its_own_time(api: Api, world: World) -> None:
    api.refresh.poll()
    clicked_ms = NOW_MS - 3_600_000
    click(api, world, 4_711, at_ms=clicked_ms)
    consent = {"granted": True, "cmp": "Shop banner", "time": clicked_ms // 1000}
    event = {
        "name": "landed", "event_id": "x", "rtclid": click_id(api, world, world.campaign),
        "occurred_at": write_time(clicked_ms + 3_500),
    }  # fmt: skip
    for result in ("accepted", "duplicate"):
        body = {"events": [event], "consent": consent}
        told = api.call("POST", "/events", body, world.advertiser_key).json()
        assert [one["result"] for one in told["results"]] == [result]
    total = get(api, world)["total"]
    assert (total["clicks"], total["landed"], total["seconds_to_land_median"]) == (1, 1, 3.5)


def test_the_doctor_tells_in_words_that_clicks_do_not_land(api: Api, world: World) -> None:
    (product,) = api.storage.catalogue.page(key_behind(world.advertiser), -1, 9)
    for impression_id in range(60):
        click(api, world, 1_000 + impression_id, product_key=product.key)
        click(api, world, 2_000 + impression_id)  # of a product that has gone: its page is not the shop's
    findings = api.call("GET", f"/advertisers/{world.advertiser}/pixel").json()["findings"]
    (finding,) = [one for one in findings if one["code"] == "clicks_do_not_land"]
    assert finding["severity"] == "error"
    assert finding["figures"] == {"clicks": 60, "landed": 0, "pages_without": 1}
    assert "None did on https://shop.example/boots: paste the tag there" in finding["message"]
