"""Reports over HTTP: whose they are, what they refuse by name, and that their money is the statements'."""

import csv
import io
from typing import Any

import pytest
from msgspec.structs import replace

from adserver.domain.identity import first_key_at
from adserver.domain.money import Micros
from adserver.domain.pricing import AdEvent
from adserver.domain.token import HOUR_MS
from adserver.flows.report import RollUpReports
from adserver.writes import RecordAd, RecordDecision, StoreEvent
from tests.domain.makers import make_event
from tests.web.api import NETWORK_ZONE, NOW_MS, Api, World, charge, key_behind, make_record, sell


def get(api: Api, key: str | None = None, **asked: object) -> Any:
    answer = api.call("GET", "/reports", key=key, params={"from": "2026-11-01", **asked})
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(api: Api, key: str | None = None, **asked: object) -> tuple[int, str, str | None]:
    answer = api.call("GET", "/reports", key=key, params=asked)
    return answer.status_code, answer.json()["code"], answer.json().get("what")


def see(api: Api, world: World, visitors: range) -> None:
    """An impression by each of them, who was at the shop before."""
    owner, event = key_behind(world.advertiser), make_event()
    for visitor in visitors:
        api.storage.writer.commit(StoreEvent(visitor, owner, visitor, False, event, NOW_MS))
        record = make_record(world, AdEvent.IMPRESSION, visitor, 0)
        api.storage.writer.commit(RecordAd((replace(record, visitor_key=visitor),)))


def test_a_report_of_nothing_has_no_rows_and_a_total_of_noughts(api: Api, world: World) -> None:
    told = get(api, world.advertiser_key, metrics="impressions,ctr,spend_micros", group_by="day")
    assert told["rows"] == []
    (total,) = told["totals"]
    assert total["figures"] == {"impressions": 0, "ctr": None, "spend_micros": 0}
    assert total["currency"] == "EUR"
    assert (told["from"], told["to"], told["timezone"]) == ("2026-11-01", "2026-11-18", "Europe/Paris")
    assert told["until"] == "2026-11-18T11:06:40.000Z"


def test_what_was_acknowledged_is_in_the_next_report_rolled_up_or_not(api: Api, world: World) -> None:
    asked = {"metrics": "clicks,spend_micros,ecpc_micros", "group_by": "campaign"}
    for number in (1, 2, 3):
        charge(api, world, 250_000, number)
        (row,) = get(api, world.advertiser_key, **asked)["rows"]
        assert row["group"] == {"campaign": {"id": world.campaign, "name": "Autumn"}}
        assert row["currency"] == "EUR"
        assert row["figures"] == {
            "clicks": number,
            "spend_micros": 250_000 * number,
            "ecpc_micros": 250_000,
        }
    assert RollUpReports(api.storage, lambda: NOW_MS + HOUR_MS, NETWORK_ZONE).run()
    (again,) = get(api, world.advertiser_key, **asked)["rows"]
    assert again == row
    assert not RollUpReports(api.storage, lambda: NOW_MS + HOUR_MS, NETWORK_ZONE).run()


def test_the_money_of_a_month_is_the_statements(api: Api, world: World) -> None:
    record = make_record(world, AdEvent.CLICK, 1, 900_001)
    api.storage.writer.commit(RecordAd((replace(record, publisher_micros=Micros(630_000)),)))
    refund = {"charge_id": sell(api, world), "refund_id": "r", "amount_micros": 333_333, "reason": "back"}
    made = api.call("POST", "/refunds", refund, headers={"Idempotency-Key": "1"})
    assert made.status_code in (200, 201), made.text
    month = {"from": "2026-11-01", "to": "2026-11-30", "metrics": "spend_micros,revenue_micros"}
    statement = api.call("GET", f"/advertisers/{world.advertiser}/statements/2026-11").json()
    payout = api.call("GET", f"/publishers/{world.publisher}/statements/2026-11").json()
    (total,) = get(api, **month)["totals"]
    assert total["figures"]["spend_micros"] == statement["total"]["net_micros"] == 900_001 + 1_666_667
    (earned,) = payout["totals"]
    assert total["figures"]["revenue_micros"] == earned["net_micros"] == 630_000


def test_each_side_is_told_its_own_and_nothing_of_others(api: Api, world: World) -> None:
    other = World(api, "B")
    charge(api, world, 250_000)
    assert get(api, other.advertiser_key, metrics="clicks")["totals"][0]["figures"] == {"clicks": 0}
    assert get(api, other.publisher_key, metrics="clicks")["totals"][0]["figures"] == {"clicks": 0}
    assert get(api, world.publisher_key, metrics="clicks")["totals"][0]["figures"] == {"clicks": 1}
    assert get(api, metrics="clicks", advertiser_id=other.advertiser)["totals"][0]["figures"] == {"clicks": 0}
    for key, metric in (
        (world.advertiser_key, "revenue_micros"),
        (world.advertiser_key, "requests"),
        (world.publisher_key, "spend_micros"),
        (world.publisher_key, "conversions"),
    ):
        assert refused(api, key, metrics=metric) == (403, "report_not_yours", metric)
    assert refused(api, world.publisher_key, metrics="clicks", group_by="campaign")[1] == "report_not_yours"
    assert refused(api, world.advertiser_key, advertiser_id=other.advertiser)[:2] == (404, "not_found")
    assert refused(api, world.advertiser_key, publisher_id=world.publisher)[:2] == (404, "not_found")
    assert refused(api, "", metrics="clicks")[:2] == (401, "unauthenticated")
    for name in ("campaign", "creative", "audience", "advertiser"):
        told = refused(api, world.advertiser_key, **{name: getattr(other, name)})
        assert told == (422, "report_unknown_filter", name)
    assert refused(api, world.publisher_key, slot=other.slot) == (422, "report_unknown_filter", "slot")


@pytest.mark.parametrize(
    ("asked", "code", "what"),
    [
        ({"metrics": "requests", "group_by": "campaign"}, "report_unanswerable", "requests by campaign"),
        ({"metrics": "refusals", "group_by": "product"}, "report_unanswerable", "refusals by product"),
        ({"metrics": "requests", "country": "FR"}, "report_unanswerable", "requests by country"),
        ({"metrics": "fills", "group_by": "product"}, "report_unanswerable", "fills by product"),
        ({"group_by": "day,month"}, "report_unanswerable", "month"),
        ({"group_by": "slot,refusal"}, "report_unanswerable", "impressions by refusal"),
        ({"metrics": "iroas"}, "report_unanswerable", "iroas of all advertisers together"),
        ({"metrics": "reach", "group_by": "arm"}, "report_experiment_needed", "arm"),
        ({"from": "2026-11-19", "to": "2026-11-18"}, "report_bad_period", None),
        ({"from": "2006-11-19"}, "report_bad_period", None),
        ({"from": "2026-08-01", "group_by": "country"}, "report_not_kept_so_long", "90"),
        ({"from": "2026-06-01", "to": "2026-06-02", "group_by": "hour"}, "report_not_kept_so_long", "90"),
        ({"from": "2025-09-01", "metrics": "requests"}, "report_not_kept_so_long", "399"),
    ],
)
def test_what_cannot_be_answered_is_refused_by_name(
    api: Api, world: World, asked: dict[str, str], code: str, what: str | None
) -> None:
    assert refused(api, **asked) == (422, code, what)


@pytest.mark.parametrize(
    "asked",
    [
        {"metrics": "everything"},
        {"group_by": "moon"},
        {"from": "yesterday"},
        {"campaign": "slot_0000000000001"},
        {"campaign": "cmp_1,,';--"},
        {"country": "France"},
        {"compare": "next"},
        {"unknown": "1"},
        {"format": "xls"},
        {"metrics": "clicks," * 300 + "moon"},
    ],
)
def test_what_is_no_question_is_an_invalid_request(api: Api, world: World, asked: dict[str, str]) -> None:
    assert refused(api, **asked)[:2] == (422, "invalid_request")


def test_fewer_than_ten_visitors_are_folded_and_their_money_is_not(api: Api, world: World) -> None:
    see(api, world, range(1, 10))
    charge(api, world, 250_000, 1)
    asked = {"metrics": "reach,frequency,impressions,spend_micros", "group_by": "slot"}
    (row,) = get(api, **asked)["rows"]
    assert row["few_visitors"] is True
    assert row["figures"] == {"reach": None, "frequency": None, "impressions": 9, "spend_micros": 250_000}
    see(api, world, range(10, 13))
    (row,) = get(api, **asked)["rows"]
    assert row["few_visitors"] is False
    assert row["figures"] == {"reach": 12, "frequency": 1.0, "impressions": 12, "spend_micros": 250_000}
    older = get(api, **asked | {"from": "2026-10-01"})
    assert older["totals"][0]["figures"]["reach"] is None
    assert older["totals"][0]["figures"]["impressions"] == 12


def test_a_sheet_has_the_rows_of_the_answer_and_no_formula(api: Api, world: World) -> None:
    assert api.call("PATCH", f"/campaigns/{world.campaign}", {"name": "=HYPERLINK(1)"}).status_code == 200
    charge(api, world, 250_000)
    asked = {"metrics": "clicks,spend_micros", "group_by": "day,campaign", "compare": "previous"}
    answer = api.call("GET", "/reports", params=asked | {"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    header, row = csv.reader(io.StringIO(answer.text))
    assert header == [
        *("day", "campaign_id", "campaign", "currency", "clicks", "spend_micros"),
        *("clicks_before", "spend_micros_before"),
    ]
    assert row == ["2026-11-18", world.campaign, "'=HYPERLINK(1)", "EUR", "1", "250000", "0", "0"]


def test_the_period_before_stands_beside_each_row(api: Api, world: World) -> None:
    charge(api, world, 250_000)
    told = get(api, **{"from": "2026-11-19", "to": "2026-11-19"}, metrics="clicks,ctr", compare="previous")
    assert told["before"] == {"from": "2026-11-18", "to": "2026-11-18"}
    assert told["totals"][0]["figures"] == {"clicks": 0, "ctr": None}
    assert told["totals"][0]["before"] == {"clicks": 1, "ctr": None}


def test_an_ad_is_told_by_its_country_device_and_audience(api: Api, world: World) -> None:
    slot, campaign = key_behind(world.slot), key_behind(world.campaign)
    audience, creative = key_behind(world.audience), key_behind(world.creative)
    impression = first_key_at(NOW_MS) + 77
    decision = RecordDecision(
        impression,
        NOW_MS,
        slot,
        campaign,
        creative,
        0,
        (),
        audience_key=audience,
        country="FR",
        device="mobile",
    )
    api.storage.writer.commit(decision)
    record = replace(make_record(world, AdEvent.CLICK, impression, 250_000), audience_key=audience)
    api.storage.writer.commit(RecordAd((record,)))
    asked = {"metrics": "fills,clicks,spend_micros", "group_by": "country,device,audience"}
    (row,) = get(api, **asked)["rows"]
    assert [one["name"] for one in row["group"].values()] == ["FR", "mobile", "Left a cart"]
    assert row["figures"] == {"fills": 1, "clicks": 1, "spend_micros": 250_000}
    assert get(api, **asked | {"country": "FR", "audience": world.audience, "group_by": ""})["rows"][0][
        "figures"
    ] == {"fills": 1, "clicks": 1, "spend_micros": 250_000}
    assert get(api, **asked | {"device": "desktop"})["rows"] == []
