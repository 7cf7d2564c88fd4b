"""What reports read as it happened: orders as they stand now, caps, requests, refusals, arms and the holdout."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from adserver.domain.budget import day_span, local_day
from adserver.domain.identity import first_key_at, write_id
from adserver.domain.money import Micros
from adserver.domain.participant import Sums
from adserver.domain.report import Dimension, Metric, Report, ReportQuery, ReportRefusal, ReportRefused
from adserver.domain.report_sums import Source
from adserver.domain.retention import Retention
from adserver.flows.report import Reports, RollUpReports
from adserver.storage.embedded import Storage
from adserver.writes import AddCounts, CancelConversion, RecordAd, SettleConversion
from tests.contract.stores import (
    CPA_CAMPAIGN,
    SALE_PRICE,
    credit_by_pixel,
    credit_by_server,
    make_accounts,
    make_order_event,
    make_record,
    open_copy,
    save,
    save_new,
)
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    EXPERIMENT,
    HOUR_MS,
    NOW_MS,
    PUBLISHER,
    SLOT,
    make_campaign,
    make_experiment,
)

ZONE = "Europe/Paris"


@pytest.fixture
def network(tmp_path: Path) -> Any:
    storage = open_copy("sqlite", tmp_path)
    save_new(storage, *make_accounts())
    yield storage
    storage.close()


def ask(storage: Storage, *metrics: Metric, of: Any = None, **asked: Any) -> Any:
    reports = Reports(storage, lambda: NOW_MS, ZONE, Retention())
    today = reports.today(of)
    usual: dict[str, Any] = {"metrics": metrics, "first": today, "last": today}
    return reports.report(of, ReportQuery(**usual | asked))


def figures(report: Report) -> dict[tuple[str, ...], tuple[Any, ...]]:
    assert isinstance(report, Report), report
    return {tuple(one.id for one in row.group): row.figures for row in report.rows}


def test_an_order_counts_while_it_stands_and_its_value_less_what_went_back(network: Storage) -> None:
    def total() -> tuple[Any, ...]:
        (row,) = ask(network, Metric.CONVERSIONS, Metric.VALUE, Metric.SPEND, Metric.ROAS).totals
        return tuple(row.figures)

    assert total() == (0, 0, 0, None)
    network.writer.commit(credit_by_server(100))
    assert total() == (1, 80_000_000, SALE_PRICE, 20.0)
    back = CancelConversion(100, ADVERTISER, "r1", Micros(30_000_000), "EUR", "one of two", NOW_MS, 0)
    network.writer.commit(back)
    assert total()[:2] == (1, 50_000_000)
    network.writer.commit(make_order_event(101, 2))
    network.writer.commit(credit_by_pixel(101, reserve=True))
    assert total()[:3] == (2, 130_000_000, SALE_PRICE)
    network.writer.commit(SettleConversion(101, False, "fraud", NOW_MS))
    assert total()[:2] == (1, 50_000_000)


def test_an_order_is_told_by_the_card_that_led_to_it(network: Storage) -> None:
    click = make_record(5, campaign_key=CPA_CAMPAIGN, product_key=900, amount_micros=Micros(0))
    network.writer.commit(RecordAd((click,)))
    network.writer.commit(credit_by_server(100))
    by = (Dimension.CAMPAIGN, Dimension.PRODUCT, Dimension.SLOT)
    told = figures(ask(network, Metric.CONVERSIONS, Metric.VALUE, Metric.CLICKS, group_by=by))
    place = (write_id("cmp", CPA_CAMPAIGN), write_id("prd", 900), write_id("slot", SLOT))
    assert told == {place: (1, 80_000_000, 1)}
    here = ask(network, Metric.CONVERSIONS, filters={Dimension.PRODUCT: frozenset({900})}).totals
    elsewhere = ask(network, Metric.CONVERSIONS, filters={Dimension.PRODUCT: frozenset({901})}).totals
    assert (here[0].figures, elsewhere[0].figures) == ((1,), (0,))


def test_what_a_cap_left_unpaid_is_told_of_campaign_and_slot(network: Storage) -> None:
    capped = make_campaign(version=2, total_budget_micros=Micros(250_000))
    save(network, capped)
    for number in (1, 2, 3):
        network.writer.commit(RecordAd((make_record(number),)))
    told = figures(ask(network, Metric.UNBILLED_AT_CAP, Metric.SPEND, group_by=(Dimension.SLOT,)))
    assert told == {(write_id("slot", SLOT),): (2, 250_000)}
    publisher = network.accounts.publisher(PUBLISHER)
    (row,) = ask(network, Metric.UNBILLED_AT_CAP, Metric.REVENUE, Metric.ECPM, of=publisher).totals
    assert row.figures == (2, 175_000, None)


def test_requests_stand_beside_the_money_of_their_slot(network: Storage) -> None:
    hour_ms = NOW_MS - NOW_MS % HOUR_MS
    network.writer.commit(AddCounts(((hour_ms, "requests", SLOT, 7), (hour_ms, "requests", 999, 5))))
    told = ask(network, Metric.REQUESTS, Metric.SPEND, group_by=(Dimension.SLOT,))
    assert [(row.currency, row.figures) for row in told.rows] == [(None, (7, 0))]
    network.writer.commit(RecordAd((make_record(1),)))
    told = ask(network, Metric.REQUESTS, Metric.SPEND, group_by=(Dimension.SLOT,))
    assert [(row.currency, row.figures) for row in told.rows] == [("EUR", (7, 250_000))]
    assert [(row.currency, row.figures) for row in told.totals] == [("EUR", (7, 250_000))]


def test_refusals_are_told_by_their_names(network: Storage) -> None:
    hour_ms = NOW_MS - NOW_MS % HOUR_MS
    counts = (
        (hour_ms, "refused_lower_tier", CAMPAIGN, 7),
        (hour_ms, "refused_outranked", CAMPAIGN, 2),
        (hour_ms - 48 * HOUR_MS, "refused_outranked", CAMPAIGN, 100),
        (hour_ms, "refused_outranked_test", CAMPAIGN, 50),
    )
    network.writer.commit(AddCounts(counts))
    told = figures(ask(network, Metric.REFUSALS, group_by=(Dimension.CAMPAIGN, Dimension.REFUSAL)))
    campaign = write_id("cmp", CAMPAIGN)
    assert told == {(campaign, "lower_tier"): (7,), (campaign, "outranked"): (2,)}
    assert list(told) == [(campaign, "lower_tier"), (campaign, "outranked")]  # the largest first


def test_arms_are_told_of_one_experiment_alone(network: Storage) -> None:
    save_new(network, make_experiment())
    by_arm = (Dimension.ARM,)
    told = ask(network, Metric.REACH, Metric.CLICKS, Metric.CTR, group_by=by_arm, experiment_key=EXPERIMENT)
    assert [(row.group[0].name, row.figures) for row in told.rows] == [
        ("Blue", (0, 0, None)),
        ("Red", (0, 0, None)),
    ]
    for asked, reason in (
        ({"group_by": by_arm}, ReportRefusal.EXPERIMENT_NEEDED),
        ({"group_by": (*by_arm, Dimension.DAY), "experiment_key": 1}, ReportRefusal.UNANSWERABLE),
        ({"group_by": by_arm, "experiment_key": 404}, ReportRefusal.UNKNOWN_FILTER),
    ):
        refused = ask(network, Metric.CLICKS, **asked)
        assert isinstance(refused, ReportRefused) and refused.reason is reason


def test_all_arms_together_are_what_they_are_one_by_one_also_below_nothing(
    network: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More may have gone back on a day than was spent."""
    save_new(network, make_experiment())
    arms = {0: Sums(clicks=1, spend_micros=-300), 1: Sums(clicks=1, spend_micros=100)}
    monkeypatch.setattr(network.experiments, "sums", lambda *_: arms)
    told = ask(network, Metric.SPEND, group_by=(Dimension.ARM,), experiment_key=EXPERIMENT)
    assert [row.figures for row in (*told.rows, *told.totals)] == [(-300,), (100,), (-200,)]


@pytest.mark.parametrize(
    "days", [("1999-12-31", "2026-11-18"), ("9999-12-30", "9999-12-31"), ("2026-11-18", "2026-11-17")]
)
def test_days_of_no_calendar_of_ours_are_refused(network: Storage, days: tuple[str, str]) -> None:
    first, last = map(date.fromisoformat, days)
    refused = ask(network, Metric.CLICKS, first=first, last=last, compare=True)
    assert refused == ReportRefused(ReportRefusal.BAD_PERIOD)


def test_the_last_days_of_our_calendar_are_empty(network: Storage) -> None:
    day = date(2099, 12, 31)
    assert ask(network, Metric.CLICKS, Metric.FILLS, first=day, last=day).totals[0].figures == (0, 0)


def test_of_what_is_not_rolled_up_yet_no_more_is_read_than_the_period(
    network: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database of years is caught up with for hours; today must not wait for it."""
    asked: list[tuple[Source, int, int]] = []
    facts = network.report_sources.facts

    def spy(source: Source, after: int, until: int) -> Any:
        asked.append((source, after, until))
        return facts(source, after, until)

    monkeypatch.setattr(network.report_sources, "facts", spy)
    ask(network, Metric.CLICKS, Metric.FILLS)
    day = day_span(NOW_MS, ZONE)
    ads, fills = asked
    assert ads == (Source.ADS, day.start_ms, day.end_ms)
    assert fills[1] > first_key_at(day.start_ms - HOUR_MS) and fills[2] < first_key_at(day.end_ms + HOUR_MS)
    asked.clear()
    ask(network, Metric.SPEND)
    assert asked == []  # money is of the chains


def test_without_a_holdout_nothing_is_known_to_be_caused(network: Storage) -> None:
    network.writer.commit(RecordAd((make_record(1),)))
    advertiser = network.accounts.advertiser(ADVERTISER)
    (row,) = ask(network, Metric.IROAS, Metric.ROAS, of=advertiser, group_by=(Dimension.ADVERTISER,)).rows
    assert row.figures == (None, 0.0)


def test_a_suspect_click_that_is_redeemed_counts_when_it_is(network: Storage) -> None:
    suspect = make_record(1, not_billed="too_fast", amount_micros=Micros(0))
    network.writer.commit(RecordAd((suspect,)))
    assert ask(network, Metric.CLICKS).totals[0].figures == (0,)
    network.writer.commit(RecordAd((make_record(1, at_ms=NOW_MS + 1),)))
    assert ask(network, Metric.CLICKS, Metric.SPEND).totals[0].figures == (1, 250_000)


def test_today_is_the_accounts_own_day(network: Storage) -> None:
    day = Reports(network, lambda: NOW_MS, "Pacific/Kiritimati", Retention()).today(None)
    assert int(day.strftime("%Y%m%d")) == local_day(NOW_MS, "Pacific/Kiritimati") == 20261119


@pytest.mark.parametrize(
    "most", ["adserver.flows.report.ask.MOST_ROWS", "adserver.flows.report.gather.MOST_CELLS"]
)
def test_a_report_of_too_much_is_refused_and_not_cut_short(
    network: Storage, monkeypatch: pytest.MonkeyPatch, most: str
) -> None:
    for number in (1, 2):
        at_ms = NOW_MS - number * HOUR_MS
        network.writer.commit(RecordAd((make_record(number, at_ms=at_ms),)))
    RollUpReports(network, lambda: NOW_MS, ZONE).run()
    by = (Dimension.HOUR,)
    assert len(ask(network, Metric.CLICKS, group_by=by).rows) == 2
    monkeypatch.setattr(most, 1)
    refused = ask(network, Metric.CLICKS, group_by=by)
    assert refused == ReportRefused(ReportRefusal.TOO_MANY_ROWS)


def test_what_is_read_together_is_of_one_moment(network: Storage) -> None:
    """A charge that is booked, or summed up, while a report is read is in it once or not at all."""
    network.writer.commit(RecordAd((make_record(1, at_ms=NOW_MS - HOUR_MS),)))
    with network.report_sources.together():
        waiting = network.report_sources.waiting()
        RollUpReports(network, lambda: NOW_MS, ZONE).run()
        network.writer.commit(RecordAd((make_record(2),)))
        assert network.report_sources.waiting() == waiting
    assert network.report_sources.waiting() != waiting
    assert ask(network, Metric.CLICKS, Metric.SPEND).totals[0].figures == (2, 500_000)
