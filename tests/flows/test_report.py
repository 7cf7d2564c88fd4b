"""Reports say what a plain count of the same events says, whatever is rolled up already, in every zone."""

from pathlib import Path
from typing import Any

import pytest

from adserver.domain.identity import read_id
from adserver.domain.report import (
    PREFIXES,
    Dimension,
    Metric,
    Report,
    ReportQuery,
)
from adserver.domain.retention import Retention
from adserver.flows.report import Reports, RollUpReports
from adserver.storage.embedded import Storage
from tests.contract.stores import open_copy
from tests.flows.reports import (
    END_MS,
    FIRST,
    LAST,
    NETWORK_ZONE,
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
