"""What a report is asked, as it stands in its page's address: the API's own names, and a period in words."""

from collections.abc import Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec.structs import replace
from starlette.datastructures import QueryParams

from adserver.domain.countries import COUNTRIES
from adserver.domain.identity import read_id
from adserver.domain.named_period import NamedPeriod, days_of
from adserver.domain.report import PREFIXES, TIMES, Dimension, Metric, ReportQuery, ReportRefusal, Side
from adserver.domain.report_rules import refusal_of
from adserver.web.schemas.reports import MOST_NAMED
from pixel.events import Device

MOST_GROUPS = 2
MOST_PAGES = 100_000
FILTERS: tuple[Dimension, ...] = tuple(
    one for one in Dimension if one not in (*TIMES, Dimension.ARM, Dimension.REFUSAL)
)
_NAMES: Mapping[Dimension, frozenset[str]] = {
    Dimension.COUNTRY: COUNTRIES,
    Dimension.DEVICE: frozenset(Device),
}


class Flaw(StrEnum):
    """What of an address cannot be read."""

    BAD_DATES = "bad_dates"
    UNKNOWN_NAME = "unknown_name"
    TOO_MANY_GROUPS = "too_many_groups"
    NO_METRIC = "no_metric"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """`sort` is a metric or a dimension, with a minus where the largest comes first; empty for its own order.

    `period` is None for dates of one's own. `filters` hold ids as the API writes them. `drawn` is the metric
    of the chart, `currency` of its money.
    """

    period: NamedPeriod | None
    first: date
    last: date
    by: tuple[Dimension, ...]
    metrics: tuple[Metric, ...]
    compare: bool = False
    filters: Mapping[Dimension, tuple[str, ...]] = {}
    experiment: str = ""  # the id of the one whose arms are told
    sort: str = ""
    drawn: Metric | None = None
    currency: str = ""
    page: int = 1

    def query(self) -> ReportQuery:
        """As the flow takes it; an id that is none is nobody's key."""
        return ReportQuery(
            metrics=self.metrics,
            group_by=self.by,
            first=self.first,
            last=self.last,
            compare=self.compare,
            filters={name: frozenset(_key(name, one) for one in ids) for name, ids in self.filters.items()},
            experiment_key=_experiment(self.experiment),
        )

    def link(self, **changes: Any) -> str:
        """The same page with other wishes; what it is by itself is not said. Its first rows again."""
        other = replace(self, **({"page": 1} | changes))
        said: list[tuple[str, object]] = [*other._dates(), *other._asked()]
        said += [("sort", other.sort), ("draw", other.drawn), ("currency", other.currency)]
        said += [("page", other.page)] if other.page > 1 else []
        return "?" + urlencode([(name, str(value)) for name, value in said if value], safe=",")

    def api(self, of: Mapping[str, str]) -> str:
        """Where the API tells the same: of the account that is named."""
        said = [*of.items(), ("from", str(self.first)), ("to", str(self.last)), *self._asked()]
        return "/api/v1/reports?" + urlencode(said, safe=",")

    def question(self) -> str:
        """As it is kept under a name, for whatever account: its days move on where the period has a name."""
        return urlencode([*self._dates(), *self._asked()], safe=",")

    def _dates(self) -> list[tuple[str, str]]:
        if self.period is not None:
            return [("period", self.period)]
        return [("from", str(self.first)), ("to", str(self.last))]

    def _asked(self) -> list[tuple[str, str]]:
        said = [("metrics", ",".join(self.metrics)), ("group_by", ",".join(self.by))]
        said += [("compare", "previous")] if self.compare else []
        said += [(name, ",".join(ids)) for name, ids in self.filters.items()]
        said += [("experiment", self.experiment)]
        return [(name, value) for name, value in said if value]


def read(params: QueryParams, usual: Asked, today: date) -> tuple[Asked, Flaw | None]:
    """What can be read of an address, the usual in place of what it does not tell; and its first flaw."""
    if not any(name in params for name in ("metrics", "group_by", "period", "from", "to", "report")):
        return usual, None
    period, first, last = _period(params, today)
    named = _listed(params, "metrics")
    metrics = tuple(dict.fromkeys(Metric(one) for one in named if one in frozenset(Metric)))
    groups = [one for one in _listed(params, "group_by") if one]
    by = tuple(dict.fromkeys(Dimension(one) for one in groups if one in frozenset(Dimension)))
    filters = {name: tuple(ids) for name in FILTERS if (ids := _listed(params, name))}
    drawn, currency, page = params.get("draw", ""), params.get("currency", ""), params.get("page", "1")
    asked = Asked(
        period=period,
        first=first or usual.first,
        last=last or usual.last,
        by=by[:MOST_GROUPS],
        metrics=metrics or usual.metrics,
        compare="compare" in params,
        filters=filters,
        experiment=params.get("experiment", ""),
        sort=_sort(params.get("sort", ""), (*metrics, *by)),
        drawn=Metric(drawn) if drawn in metrics else None,
        currency=currency if len(currency) == 3 and currency.isascii() and currency.isalpha() else "",
        page=int(page) if page.isascii() and page.isdigit() and 0 < int(page) <= MOST_PAGES else 1,
    )
    flaws = {
        Flaw.BAD_DATES: first is None or last is None or first > last,
        Flaw.UNKNOWN_NAME: set(named) > set(metrics) or set(groups) > set(by) or not _are_known(filters),
        Flaw.TOO_MANY_GROUPS: len(by) > MOST_GROUPS,
        Flaw.NO_METRIC: "metrics" in params and not metrics,
    }
    return asked, next((flaw for flaw, holds in flaws.items() if holds), None)


def _are_known(filters: Mapping[Dimension, Sequence[str]]) -> bool:
    """Ids are looked up, so many at once as the API takes; countries and devices are known by their names."""
    if any(len(ids) > MOST_NAMED for ids in filters.values()):
        return False
    return all(names.issuperset(filters.get(dimension, ())) for dimension, names in _NAMES.items())


def _period(params: QueryParams, today: date) -> tuple[NamedPeriod | None, date | None, date | None]:
    """The last thirty days where nothing is said, as the API has it."""
    named = params.get("period", "")
    if named in frozenset(NamedPeriod):
        period = NamedPeriod(named)
        return (period, *days_of(period, today))
    if named or "from" in params or "to" in params:
        return None, _day(params.get("from", "")), _day(params.get("to", ""))
    return (NamedPeriod.MONTH, *days_of(NamedPeriod.MONTH, today))


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


def _listed(params: QueryParams, name: str) -> Sequence[str]:
    """What a form sends one by one, and a link in one, parted by commas."""
    return list(dict.fromkeys(one for text in params.getlist(name) for one in text.split(",") if one))


def _sort(text: str, known: Sequence[str]) -> str:
    return text if text.removeprefix("-") in known else ""


def _key(name: Dimension, text: str) -> int | str:
    prefix = PREFIXES.get(name)
    if prefix is None:
        return text
    key = read_id(prefix, text)
    return -1 if key is None else key


def _experiment(text: str) -> int:
    """0 where none is named; nobody's key where the name is none."""
    key = read_id("exp", text) if text else 0
    return -1 if key is None else key


def usual_metrics(side: Side) -> tuple[Metric, ...]:
    """What is asked for most, of those that the side is told."""
    shown = (Metric.IMPRESSIONS, Metric.CLICKS, Metric.CTR)
    if side is Side.PUBLISHER:
        return (Metric.REVENUE, Metric.REQUESTS, Metric.FILLS, Metric.IMPRESSIONS, Metric.CLICKS, Metric.ECPM)
    if side is Side.ADVERTISER:
        return (Metric.SPEND, *shown, Metric.CONVERSIONS, Metric.VALUE)
    return (Metric.SPEND, Metric.REVENUE, *shown, Metric.CONVERSIONS)


def offered_metrics(side: Side) -> tuple[Metric, ...]:
    """What the side is told."""
    return tuple(one for one in Metric if _is_told(side, one, ()))


def offered_groups(side: Side) -> tuple[Dimension, ...]:
    """Arms are asked for by their experiment, see `arms_of`."""
    named = (one for one in Dimension if one is not Dimension.ARM)
    return tuple(one for one in named if _is_told(side, Metric.IMPRESSIONS, (one,)))


def _is_told(side: Side, metric: Metric, by: tuple[Dimension, ...]) -> bool:
    day = date(2000, 1, 1)
    refused = refusal_of(ReportQuery(metrics=(metric,), group_by=by, first=day, last=day), side)
    return refused is None or refused.reason is not ReportRefusal.NOT_YOURS
