"""Reports say what a plain count of the same events says, whatever is rolled up already, in every zone."""

from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from adserver.domain.identity import read_id
from adserver.domain.report import PREFIXES, TIMES, Dimension, Metric, Report, ReportQuery
from adserver.domain.report_sums import Source
from adserver.domain.retention import Retention
from adserver.flows.purge import Purge
from adserver.flows.report import Reports, RollUpReports
from adserver.storage.embedded import Storage
from adserver.writes import Result
from tests.contract.stores import open_copy, rows_of
from tests.domain.makers import DAY_MS
from tests.flows.reports import (
    END_MS,
    FIRST,
    LAST,
    NETWORK_ZONE,
    ZONES,
    counted,
    happened,
    make_network,
    write,
)

SUMS = (Metric.FILLS, Metric.IMPRESSIONS, Metric.VIEWABLE, Metric.CLICKS, Metric.SPEND, Metric.REVENUE)
GROUPINGS: list[tuple[Dimension, ...]] = [
    (),
    *((one,) for one in Dimension if one not in (Dimension.REFUSAL, Dimension.ARM)),
    (Dimension.DAY, Dimension.CAMPAIGN),
    (Dimension.SITE, Dimension.DAY),
    (Dimension.HOUR, Dimension.SLOT),
    (Dimension.CAMPAIGN, Dimension.COUNTRY),
    (Dimension.ADVERTISER, Dimension.PUBLISHER),
    (Dimension.AUDIENCE, Dimension.PRODUCT, Dimension.DAY),
]


@pytest.fixture
def network(tmp_path: Path) -> Any:
    storage = open_copy("sqlite", tmp_path)
    make_network(storage)
    yield storage
    storage.close()


def roll_up(storage: Storage, now_ms: int = END_MS) -> int:
    return RollUpReports(storage, lambda: now_ms, NETWORK_ZONE).run()


def ask(storage: Storage, advertiser: int | None = None, publisher: int | None = None, **asked: Any) -> Any:
    reports = Reports(storage, lambda: END_MS, NETWORK_ZONE, Retention())
    of = storage.accounts.advertiser(advertiser) if advertiser else None
    account = storage.accounts.publisher(publisher) if publisher else of
    usual: dict[str, Any] = {"metrics": SUMS, "first": FIRST, "last": LAST}
    return reports.report(account, ReportQuery(**usual | asked))


def rows(report: Report) -> dict[Any, dict[str, Any]]:
    """As the plain count has them: by the keys behind the ids."""
    assert isinstance(report, Report), report
    found = {}
    for row in report.rows:
        group = tuple(
            _plain(one, name.id) for one, name in zip(report.query.group_by, row.group, strict=True)
        )
        figures = dict(zip(report.query.metrics, row.figures, strict=True))
        if any(figures.values()):
            found[group, row.currency] = figures
    return found


def _plain(dimension: Dimension, id_: str) -> str:
    if dimension in PREFIXES:
        return str(read_id(PREFIXES[dimension], id_) or 0)
    return id_


def plain(history: Any, by: tuple[Dimension, ...], zone: str, metrics: Any = SUMS) -> dict[Any, Any]:
    """Groups in which all is nothing are left out on both sides: a refund may undo all there was."""
    sums = counted(history.facts, by, zone, with_fills=Metric.FILLS in metrics)
    told = {key: {one: row[one] for one in metrics} for key, row in sums.items()}
    return {key: row for key, row in told.items() if any(row.values())}


@pytest.mark.parametrize("share", [0.0, 0.37, 1.0], ids=["all live", "some rolled up", "all rolled up"])
def test_every_grouping_is_what_a_plain_count_says(network: Storage, share: float) -> None:
    history = happened(seed=int(share * 100))
    until = int(len(history.writes) * share)
    write(network, history.writes[:until])
    if share:
        roll_up(network, END_MS if share == 1.0 else history.writes[until][0])
    write(network, history.writes[until:])
    for by in GROUPINGS:
        metrics = SUMS[1:] if Dimension.PRODUCT in by else SUMS
        told = rows(ask(network, group_by=by, metrics=metrics))
        assert told == plain(history, by, NETWORK_ZONE, metrics), by


MONTHS_LONG = (date(2026, 9, 15), date(2026, 11, 10))  # the end of one, a whole one, and a begin


@pytest.mark.parametrize("days", [MONTHS_LONG, (date(2026, 10, 1), date(2026, 10, 31))])
def test_whole_months_and_the_days_around_them_add_up(network: Storage, days: tuple[date, date]) -> None:
    history = happened(seed=5, weeks=6)
    write(network, history.writes)
    roll_up(network, END_MS + 43 * DAY_MS)
    for time in (None, *TIMES):
        for by in ((), (Dimension.CAMPAIGN,), (Dimension.SLOT,), (Dimension.SITE, Dimension.ADVERTISER)):
            grouping = by if time is None else (*by, time)
            told = rows(ask(network, group_by=grouping, first=days[0], last=days[1]))
            sums = counted(history.facts, grouping, NETWORK_ZONE, with_fills=True, days=days)
            assert told == {key: row for key, row in sums.items() if any(row.values())}, grouping


@pytest.mark.parametrize("advertiser", ZONES)
def test_an_advertisers_days_are_those_of_its_zone(network: Storage, advertiser: int) -> None:
    history = happened(seed=advertiser)
    own = [fact for fact in history.facts if fact.advertiser == advertiser]
    write(network, history.writes[:150])
    roll_up(network, history.writes[150][0])
    write(network, history.writes[150:])
    metrics = SUMS[:-1]
    for by in ((Dimension.DAY,), (Dimension.HOUR,), (Dimension.SITE, Dimension.WEEK), (Dimension.DEVICE,)):
        sums = counted(own, by, ZONES[advertiser], with_fills=True)
        expected = {key: {one: row[one] for one in metrics} for key, row in sums.items()}
        told = rows(ask(network, advertiser=advertiser, group_by=by, metrics=metrics))
        assert told == {key: row for key, row in expected.items() if any(row.values())}, by


def test_a_publisher_is_told_of_its_own_slots(network: Storage) -> None:
    history = happened(seed=3)
    write(network, history.writes)
    roll_up(network)
    own = [fact for fact in history.facts if fact.publisher == 8]
    metrics = (Metric.FILLS, Metric.IMPRESSIONS, Metric.VIEWABLE, Metric.CLICKS, Metric.REVENUE)
    for by in ((Dimension.SLOT, Dimension.DAY), (Dimension.ADVERTISER,), (Dimension.COUNTRY,)):
        sums = counted(own, by, NETWORK_ZONE, with_fills=True)
        expected = {key: {one: row[one] for one in metrics} for key, row in sums.items()}
        told = rows(ask(network, publisher=8, group_by=by, metrics=metrics))
        assert told == {key: row for key, row in expected.items() if any(row.values())}, by


def test_filters_let_through_what_they_name_whatever_reads_it(network: Storage) -> None:
    history = happened(seed=4)
    write(network, history.writes[:100])
    roll_up(network, history.writes[100][0])
    write(network, history.writes[100:])
    for filters in (
        {Dimension.CAMPAIGN: frozenset({70, 170})},
        {Dimension.SITE: frozenset({80})},
        {Dimension.ADVERTISER: frozenset({7}), Dimension.COUNTRY: frozenset({"FR"})},
        {Dimension.CREATIVE: frozenset({701})},
        {Dimension.DEVICE: frozenset({"mobile"}), Dimension.SLOT: frozenset({801})},
    ):
        let = [
            fact
            for fact in history.facts
            if all(getattr(fact, one) in values for one, values in filters.items())
        ]
        sums = counted(let, (Dimension.DAY,), NETWORK_ZONE, with_fills=True)
        told = rows(ask(network, group_by=(Dimension.DAY,), filters=filters))
        assert told == {key: row for key, row in sums.items() if any(row.values())}, filters


def test_a_job_that_dies_anywhere_or_runs_beside_another_counts_everything_once(
    network: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adserver.flows.report.roll_up.STRETCH", 7)
    history = happened(seed=6)
    write(network, history.writes)
    by = (Dimension.DAY, Dimension.CAMPAIGN)
    expected = plain(history, by, NETWORK_ZONE)
    commit, asked = network.writer.commit, []

    def die_or_repeat(one: Any) -> Any:
        asked.append(one)
        if len(asked) % 5 == 1:
            raise ConnectionError("killed before it was written")
        outcome = commit(one)
        assert commit(one).result is Result.CONFLICT  # another's, or this one's sent again
        if len(asked) % 5 == 3:
            raise ConnectionError("killed after it was written")
        return outcome

    monkeypatch.setattr(network.writer, "commit", die_or_repeat)
    for _ in range(500):
        try:
            if not roll_up(network):
                break
        except ConnectionError:
            assert rows(ask(network, group_by=by)) == expected  # at every border of what is rolled up
    else:
        pytest.fail("it never comes to an end")
    assert len(asked) > 50
    assert rows(ask(network, group_by=by)) == expected


def test_quarters_of_an_hour_that_would_leave_at_once_are_not_written(network: Storage) -> None:
    """An old database is caught up with: what is only there to be purged would hold the writer up twice."""
    history = happened(seed=5)
    write(network, history.writes)
    roll_up(network, END_MS + 100 * DAY_MS)
    assert rows_of(network, "SELECT count(*) FROM report_parts") == [(0,)]
    reports = Reports(network, lambda: END_MS + 100 * DAY_MS, NETWORK_ZONE, Retention())
    told = reports.report(None, ReportQuery(metrics=SUMS, group_by=(), first=FIRST, last=LAST))
    assert rows(told) == plain(history, (), NETWORK_ZONE)


def test_hours_leave_and_days_stay(network: Storage) -> None:
    history = happened(seed=7)
    write(network, history.writes)
    roll_up(network)
    Purge(network.writer, lambda: END_MS + 92 * DAY_MS, Retention()).run()
    assert rows_of(network, "SELECT count(*) FROM report_parts") == [(0,)]
    by = (Dimension.DAY, Dimension.SLOT)
    assert rows(ask(network, group_by=by)) == plain(history, by, NETWORK_ZONE)


def test_a_run_ends_where_it_began_however_long_it_takes(network: Storage) -> None:
    history = happened(seed=6)
    write(network, history.writes)
    moments = count(END_MS, DAY_MS)  # a day goes by whenever the job looks at its clock
    job = RollUpReports(network, lambda: next(moments), NETWORK_ZONE)
    assert job.run() and rows(ask(network, group_by=(Dimension.DAY,))) == plain(
        history, (Dimension.DAY,), NETWORK_ZONE
    )
    assert job.run() <= len(Source), "of each source no more than the stretch up to now, which is empty"
