"""Months begin and end where their zone's clocks say, and what a month owes is carried to the next."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.money import Micros
from adserver.domain.pricing import AdEvent, PricingModel
from adserver.domain.statement import (
    Kind,
    Line,
    Order,
    Origin,
    Sums,
    Tally,
    carried_forward,
    checks,
    month_of,
    month_with,
    months_until,
    read_month,
    total,
)
from tests.domain.makers import DAY_MS, HOUR_MS, NOW_MS, make_terms

ZONES = sorted(available_timezones() - {"localtime", "Factory"})


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def make_line(event: AdEvent = AdEvent.CLICK, **fields: object) -> Line:
    row = {
        "entry": 1, "charge_id": 5 << 2 | event, "campaign_key": 70, "campaign_version": 1, "advertiser_key": 7,
        "slot_key": 800, "creative_key": 700, "product_key": 0, "audience_key": 0, "at_ms": NOW_MS,
        "charged_ms": NOW_MS, "day": 20261118, "currency": "EUR", "amount": Micros(10), "share": Micros(7),
    }  # fmt: skip
    return Line(**row | fields)  # type: ignore[arg-type]


def make_order(**fields: object) -> Order:
    row = {
        "event": "purchase", "by_server": True, "trusted": True, "occurred_ms": NOW_MS, "settled": "",
        "touch_impression_id": 5,
    }  # fmt: skip
    return Order(**row | fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("zone", "month", "begins", "ends"),
    [
        ("UTC", (2026, 11), "2026-11-01T00:00+00:00", "2026-12-01T00:00+00:00"),
        ("Asia/Kolkata", (2026, 11), "2026-10-31T18:30+00:00", "2026-11-30T18:30+00:00"),
        ("America/New_York", (2026, 11), "2026-11-01T00:00-04:00", "2026-12-01T00:00-05:00"),
        ("America/New_York", (2026, 3), "2026-03-01T00:00-05:00", "2026-04-01T00:00-04:00"),
        ("Europe/Paris", (2026, 12), "2026-12-01T00:00+01:00", "2027-01-01T00:00+01:00"),
    ],
)
def test_a_month_is_the_zones_own(zone: str, month: tuple[int, int], begins: str, ends: str) -> None:
    found = month_of(*month, zone)
    assert (found.start_ms, found.end_ms) == (at(begins), at(ends))


def test_a_month_in_which_the_clock_goes_back_has_an_hour_more() -> None:
    month = month_of(2026, 11, "America/New_York")
    assert month.end_ms - month.start_ms == 30 * DAY_MS + HOUR_MS
    month = month_of(2026, 3, "America/New_York")
    assert month.end_ms - month.start_ms == 31 * DAY_MS - HOUR_MS


@given(st.sampled_from(ZONES), st.integers(at("2000-01-02T00:00+00:00"), at("2099-12-30T00:00+00:00")))
def test_every_instant_lies_in_one_month_of_each_zone(zone: str, at_ms: int) -> None:
    month = month_with(at_ms, zone)
    assert month.start_ms <= at_ms < month.end_ms
    assert month_with(month.end_ms - 1, zone) == month
    following = month_with(month.end_ms, zone)
    assert following.start_ms == month.end_ms
    local = datetime.fromtimestamp(at_ms // 1000, ZoneInfo(zone))
    if abs(at_ms - month.start_ms) > HOUR_MS:  # a clock that goes back over midnight repeats an hour
        assert (month.year, month.number) == (local.year, local.month)


def test_months_are_walked_without_gaps() -> None:
    months = months_until(at("2025-11-30T23:59+00:00"), month_of(2026, 2, "Asia/Kolkata"), "Asia/Kolkata")
    assert [(month.year, month.number) for month in months] == [(2025, 12), (2026, 1)]
    assert months[0].end_ms == months[1].start_ms
    assert months_until(NOW_MS, month_of(2026, 11, "UTC"), "UTC") == []


@pytest.mark.parametrize(
    ("text", "month"), [("2026-11", (2026, 11)), ("2000-01", (2000, 1)), ("2099-12", (2099, 12))]
)
def test_a_month_is_read_as_it_is_written(text: str, month: tuple[int, int]) -> None:
    assert read_month(text) == month


@pytest.mark.parametrize(
    "text",
    """2026-13 2026-00 2026-1 26-11 202611 2026-11-01 1999-12 2100-01 2026/11 -2026-1 2026-+1
       ٢٠٢٦-١١ 2026-1¹ - 2026- -11""".split(),
)
def test_what_is_no_month_is_not_read(text: str) -> None:
    assert read_month(text) is None


def test_what_is_given_back_is_a_refund_within_the_month_and_a_credit_note_after_it() -> None:
    month = month_of(2026, 11, "UTC")
    assert make_line().kind(month) is Kind.CHARGE
    assert make_line(refund_id="r", charged_ms=month.start_ms).kind(month) is Kind.REFUND
    assert make_line(refund_id="r", charged_ms=month.start_ms - 1).kind(month) is Kind.CREDIT_NOTE


def test_sums_add_up_without_touching_what_they_are_made_of() -> None:
    one = Sums(Tally(2, Micros(20)), Tally(1, Micros(5)), Tally(1, Micros(30)))
    assert one.net == -15
    both = total([one, one])
    assert (both.charges, both.net) == (Tally(4, Micros(40)), -30)
    assert one.charges == Tally(2, Micros(20))


@pytest.mark.parametrize(
    ("nets", "carried"),
    [([], 0), ([5], 0), ([-5], -5), ([-5, 3], -2), ([-5, 9], 0), ([100, -30, -5], -35), ([-5, 9, -1], -1)],
)
def test_only_what_is_below_zero_is_carried_forward(nets: list[int], carried: int) -> None:
    assert carried_forward(map(Micros, nets)) == carried


def test_the_checks_of_an_ad_event_are_those_of_its_token() -> None:
    assert checks(make_line(), Origin(), make_terms()) == ("token ok", "not suspect")


@pytest.mark.parametrize(
    ("order", "word"),
    [
        ({}, "told by server"),
        ({"by_server": False}, "told by a trusted page"),
        ({"by_server": False, "trusted": False, "settled": "approved"}, "approved"),
        (
            {"by_server": False, "trusted": False, "settled": "nobody objected in time"},
            "approved: nobody objected in time",
        ),
    ],
)
def test_the_checks_of_an_order_say_who_told_it(order: dict[str, object], word: str) -> None:
    origin = Origin(click_ms=NOW_MS - DAY_MS, order=make_order(**order))
    found = checks(make_line(AdEvent.CONVERSION), origin, make_terms(pricing_model=PricingModel.CPA))
    assert found == ("within click window 30 d", word)


@pytest.mark.parametrize(
    ("origin", "word"),
    [
        (Origin(click_ms=NOW_MS - 30 * DAY_MS + 1), "within click window 30 d"),
        (Origin(click_ms=NOW_MS - 30 * DAY_MS), "click id ok"),
        (Origin(impression_ms=NOW_MS - 1), "within view window 1 d"),
        (Origin(impression_ms=NOW_MS - DAY_MS), "click id ok"),
        (Origin(), "click id ok"),
    ],
)
def test_the_checks_of_an_order_name_the_window_it_fell_into(origin: Origin, word: str) -> None:
    origin = Origin(origin.impression_ms, None, origin.click_ms, make_order())
    terms = make_terms(pricing_model=PricingModel.CPA, bill_post_view=True)
    assert checks(make_line(AdEvent.CONVERSION), origin, terms)[0] == word


@pytest.mark.parametrize("text", ["", "2026- 1", " 2026-11", "2026-11\n"])
def test_space_makes_no_month(text: str) -> None:
    assert read_month(text) is None


def test_the_test_of_zones_has_zones_to_look_at() -> None:
    assert len(ZONES) > 300
    assert datetime.fromtimestamp(NOW_MS // 1000, UTC).year == 2026
