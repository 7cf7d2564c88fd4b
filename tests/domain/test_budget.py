"""Days of every time zone tile time, and a charge fits all of its balances or none."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.budget import (
    LARGEST_BALANCE,
    WHOLE_LIFE,
    Bucket,
    BucketId,
    Calendar,
    DaySpan,
    admit,
    buckets_of,
    day_before,
    day_span,
    local_day,
)
from adserver.domain.money import LARGEST, Micros
from tests.domain.makers import DAY_MS, HOUR_MS, NOW_MS, make_bucket

ZONES = sorted(available_timezones() - {"localtime"})

zones = st.sampled_from(ZONES)
instants = st.datetimes(datetime(1970, 1, 3), datetime(2045, 1, 1)).map(  # noqa: DTZ001  naive, made UTC below
    lambda wall: round(wall.replace(tzinfo=UTC).timestamp() * 1000)
)
amounts = st.integers(min_value=0, max_value=LARGEST)


def at(text: str) -> int:
    """Milliseconds of an instant such as 2018-11-04T03:00Z."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def wall_clock(at_ms: int, zone: str) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(zone))


def changes_of_the_clock(zone: str, since: str, until: str) -> list[int]:
    """The seconds at which a zone's offset changes, found by halving."""
    place = ZoneInfo(zone)

    def offset(second: int) -> object:
        return datetime.fromtimestamp(second, UTC).astimezone(place).utcoffset()

    found = []
    weeks = range(at(since) // 1000, at(until) // 1000, 7 * 86_400)
    for early, late in pairwise(weeks):
        low, high = early, late
        if offset(low) == offset(high):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
        found.append(high)
    return found


def assert_tiles(at_ms: int, zone: str) -> None:
    """The day that holds an instant, and its neighbours, agree with each other to the millisecond."""
    span = day_span(at_ms, zone)
    assert span.start_ms <= at_ms < span.end_ms
    assert span.day == local_day(at_ms, zone)
    for inside in (span.start_ms, span.end_ms - 1, (span.start_ms + span.end_ms) // 2):
        assert day_span(inside, zone) == span
        assert local_day(inside, zone) == span.day
    before, after = day_span(span.start_ms - 1, zone), day_span(span.end_ms, zone)
    assert before.end_ms == span.start_ms and after.start_ms == span.end_ms
    assert before.day < span.day < after.day


@pytest.mark.parametrize("zone", ZONES)
def test_days_tile_time_around_each_change_of_a_clock(zone: str) -> None:
    for second in changes_of_the_clock(zone, "2024-01-01T00:00Z", "2028-01-01T00:00Z"):
        for hours in (-25, -1, 0, 1, 24):
            assert_tiles(second * 1000 + hours * HOUR_MS, zone)
        assert_tiles(second * 1000 - 1, zone)


@given(zones, instants)
def test_days_of_every_zone_tile_time(zone: str, at_ms: int) -> None:
    assert_tiles(at_ms, zone)


@pytest.mark.parametrize(
    ("zone", "noon", "hours", "begins"),
    [
        ("UTC", "2026-11-18T12:00Z", 24, "00:00"),
        ("Europe/Paris", "2026-03-29T12:00Z", 23, "00:00"),
        ("Europe/Paris", "2026-10-25T12:00Z", 25, "00:00"),
        ("America/New_York", "2026-11-01T12:00Z", 25, "00:00"),
        ("Australia/Lord_Howe", "2026-04-05T00:00Z", 24.5, "00:00"),
        ("Australia/Lord_Howe", "2026-10-04T00:00Z", 23.5, "00:00"),
        ("America/Sao_Paulo", "2018-11-04T12:00Z", 23, "01:00"),  # midnight does not exist
        ("America/Sao_Paulo", "2018-02-17T12:00Z", 25, "00:00"),
        ("Africa/Cairo", "2026-04-24T12:00Z", 23, "01:00"),
        ("Africa/Cairo", "2026-10-29T12:00Z", 25, "00:00"),
        ("Asia/Beirut", "2026-03-29T12:00Z", 23, "01:00"),
        ("America/Havana", "2026-11-01T12:00Z", 25, "00:00"),  # midnight exists twice
        ("Pacific/Apia", "2011-12-29T20:00Z", 24, "00:00"),  # the 30th did not take place
        ("America/St_Johns", "2006-10-29T12:00Z", 25, "00:00"),  # back over midnight, from 00:01 to 23:01
        ("America/St_Johns", "2006-10-28T12:00Z", 24, "00:00"),
        ("America/Toronto", "1919-03-31T12:00Z", 23.5, "00:30"),  # on over midnight, from 23:30
    ],
)
def test_a_day_is_as_long_as_the_clock_makes_it(zone: str, noon: str, hours: float, begins: str) -> None:
    assert_tiles(at(noon), zone)
    span = day_span(at(noon), zone)
    assert (span.end_ms - span.start_ms) / HOUR_MS == hours
    assert f"{wall_clock(span.start_ms, zone):%H:%M}" == begins


def test_a_day_that_did_not_take_place_is_nobodys() -> None:
    before = day_span(at("2011-12-30T09:59Z"), "Pacific/Apia")
    after = day_span(at("2011-12-30T10:00Z"), "Pacific/Apia")
    assert (before.day, after.day) == (20111229, 20111231)
    assert before.end_ms == after.start_ms


def test_a_clock_that_goes_back_over_midnight_does_not_bring_yesterday_back() -> None:
    zone, second_turn = "America/St_Johns", at("2006-10-29T02:45Z")
    assert wall_clock(second_turn, zone).day == 28
    assert local_day(second_turn, zone) == 20061029


def test_the_same_instant_is_another_day_elsewhere() -> None:
    assert local_day(NOW_MS, "Europe/Paris") == 20261118
    assert local_day(at("2026-11-18T23:30Z"), "Europe/Paris") == 20261119
    assert local_day(at("2026-11-18T10:00Z"), "Pacific/Kiritimati") == 20261119
    assert local_day(at("2026-11-18T10:00Z"), "Pacific/Pago_Pago") == 20261117


def test_a_calendar_answers_like_day_span_in_any_order_of_time() -> None:
    calendar = Calendar()
    for zone in ("Europe/Paris", "America/St_Johns", "UTC"):
        for days in (0, 1, 0, -3, 200, 0):
            at_ms = NOW_MS + days * DAY_MS
            assert calendar.span(at_ms, zone) == day_span(at_ms, zone)


def test_a_calendar_reckons_a_day_once() -> None:
    calendar = Calendar()
    span = calendar.span(NOW_MS, "Europe/Paris")
    assert isinstance(span, DaySpan)
    assert calendar.span(span.end_ms - 1, "Europe/Paris") is span
    assert calendar.span(span.end_ms, "Europe/Paris") is not span


def test_a_charge_touches_both_owners_today_and_for_life() -> None:
    assert buckets_of(70, 7, 20261118) == (
        BucketId(70, WHOLE_LIFE),
        BucketId(70, 20261118),
        BucketId(7, WHOLE_LIFE),
        BucketId(7, 20261118),
    )


def test_what_remains_is_the_cap_less_spent_and_pending() -> None:
    assert make_bucket(100, 30, 20).remaining == 50
    assert make_bucket(0).remaining == 0
    assert make_bucket(None, 30, 20).remaining is None


@pytest.mark.parametrize("tight", range(4))
def test_one_full_balance_of_four_refuses_a_charge(tight: int) -> None:
    buckets = [make_bucket(1_000) for _ in range(4)]
    buckets[tight] = make_bucket(100, 40, 50)
    assert admit(Micros(10), buckets)
    assert not admit(Micros(11), buckets)


@given(amounts, st.lists(st.tuples(st.none() | amounts, amounts, amounts), max_size=4))
def test_what_is_admitted_leaves_no_balance_over_its_cap(
    amount: int, rows: list[tuple[int | None, int, int]]
) -> None:
    buckets: list[Bucket] = [make_bucket(*row) for row in rows]
    fits = all(cap is None or spent + pending + amount <= cap for cap, spent, pending in rows)
    assert admit(Micros(amount), buckets) is fits


def test_a_balance_without_a_cap_has_an_end_too() -> None:
    """A database's sums have 64 bits; what an account may spend in its life ends long before."""
    bucket = Bucket(spent=Micros(LARGEST_BALANCE - 10), pending=Micros(4))
    assert admit(Micros(6), [bucket]) and not admit(Micros(7), [bucket])
    assert LARGEST_BALANCE * 90 < 2**63


@given(st.dates(date(1970, 1, 2), date(9999, 12, 31)))
def test_the_day_before_is_the_calendars(day: date) -> None:
    before = day - timedelta(days=1)
    assert day_before(int(day.strftime("%Y%m%d"))) == int(before.strftime("%Y%m%d"))
