"""Reports as they are asked for in an address, as JSON, and as the rows of a sheet."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from adserver.domain.identity import read_id
from adserver.domain.named_period import NamedPeriod, days_of
from adserver.domain.report import (
    PREFIXES,
    TIMES,
    Dimension,
    Figure,
    GroupName,
    Metric,
    Report,
    ReportQuery,
    ReportRow,
)
from adserver.web import sheet
from adserver.web.schemas.arrivals import Day
from adserver.web.schemas.fields import ShownTime, Strict, id_reader

USUAL_DAYS = 30
USUAL_METRICS = (Metric.IMPRESSIONS, Metric.CLICKS, Metric.CTR)
MOST_NAMED = 200
ROWS_AT_ONCE = 500


def _words(given: object) -> object:
    """`impressions,clicks`, as one parameter or several of them, each word once."""
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, list):
        return given
    return list(dict.fromkeys(word for text in given for word in str(text).split(",") if word))


def _ids(dimension: Dimension) -> Any:
    prefix = PREFIXES[dimension]

    def read(given: object) -> object:
        words = _words(given)
        if not isinstance(words, list):
            return words
        keys = [read_id(prefix, word) for word in words]
        if None in keys:
            raise PydanticCustomError("not_an_id", "There is an id of another kind among these")
        return keys

    schema = WithJsonSchema({"type": "string", "description": f"ids `{prefix}_...`, separated by commas"})
    return Annotated[tuple[int, ...], BeforeValidator(read), schema, Field(max_length=MOST_NAMED)]


def _listed(kind: Any) -> Any:
    schema = WithJsonSchema({"type": "string", "description": "names, separated by commas"})
    return Annotated[tuple[kind, ...], BeforeValidator(_words), schema, Field(max_length=MOST_NAMED)]


_Metrics: Any = _listed(Metric)
_Dimensions: Any = _listed(Dimension)
_Countries: Any = _listed(Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")])
_Devices: Any = _listed(Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,20}$")])


class Filters(Strict):
    """What of the account the report is of; nothing named: all."""

    advertiser: _ids(Dimension.ADVERTISER) = ()  # type: ignore[valid-type]
    campaign: _ids(Dimension.CAMPAIGN) = ()  # type: ignore[valid-type]
    creative: _ids(Dimension.CREATIVE) = ()  # type: ignore[valid-type]
    product: _ids(Dimension.PRODUCT) = ()  # type: ignore[valid-type]
    publisher: _ids(Dimension.PUBLISHER) = ()  # type: ignore[valid-type]
    site: _ids(Dimension.SITE) = ()  # type: ignore[valid-type]
    slot: _ids(Dimension.SLOT) = ()  # type: ignore[valid-type]
    audience: _ids(Dimension.AUDIENCE) = ()  # type: ignore[valid-type]
    country: _Countries = ()
    device: _Devices = ()

    def filters(self) -> dict[Dimension, frozenset[int | str]]:
        named = ((one, getattr(self, one, ())) for one in Dimension)
        return {one: frozenset(values) for one, values in named if values}


class ReportAsked(Filters):
    """`advertiser_id` or `publisher_id` is whose report it is: an account's own key need not say."""

    metrics: _Metrics = USUAL_METRICS
    group_by: _Dimensions = ()
    first: Day | None = Field(default=None, alias="from", description="by default 30 days up to `to`")
    last: Day | None = Field(default=None, alias="to", description="itself included; by default today")
    period: NamedPeriod | None = Field(default=None, description="instead of `from` and `to`")
    compare: Literal["previous"] | None = Field(default=None, description="with the period before")
    advertiser_id: Annotated[int, id_reader("adv"), WithJsonSchema({"type": "string"})] | None = None
    publisher_id: Annotated[int, id_reader("pub"), WithJsonSchema({"type": "string"})] | None = None
    experiment: Annotated[int, id_reader("exp"), WithJsonSchema({"type": "string"})] | None = Field(
        default=None, description="whose arms `group_by=arm` tells of"
    )
    format: Literal["json", "csv"] = "json"

    def query(self, today: date) -> ReportQuery:
        """What the flow is asked, once it is known what day it is there."""
        if self.period is not None:
            first, last = days_of(self.period, today)
            return self._of(first, last)
        last = self.last or today
        return self._of(self.first or last - timedelta(days=USUAL_DAYS - 1), last)

    def _of(self, first: date, last: date) -> ReportQuery:
        return ReportQuery(
            metrics=self.metrics,
            group_by=self.group_by,
            first=first,
            last=last,
            compare=self.compare is not None,
            filters=self.filters(),
            experiment_key=self.experiment or 0,
        )


class GroupAnswer(Strict):
    id: str = Field(description="empty where it is not known; of a time, its begin")
    name: str


Figures = dict[str, int | float | None]


class ReportRowAnswer(Strict):
    """A group in one currency; `figures` by metric, null where a ratio would be one of nothing."""

    group: dict[str, GroupAnswer]
    currency: str | None = Field(description="null where no money is told")
    figures: Figures
    before: Figures | None = Field(description="of the period before, if it was asked for")
    few_visitors: bool = Field(description="fewer than 10, so that reach and frequency are not told")


class DaysAnswer(Strict):
    model_config = ConfigDict(serialize_by_alias=True)

    first: date = Field(serialization_alias="from")
    last: date = Field(serialization_alias="to")


class ReportAnswer(DaysAnswer):
    """Days are the account's own, in `timezone`; everything up to `until` is counted."""

    timezone: str
    until: ShownTime
    metrics: list[Metric]
    group_by: list[Dimension]
    before: DaysAnswer | None
    rows: list[ReportRowAnswer]
    totals: list[ReportRowAnswer] = Field(description="all groups together, one of each currency")


def show_report(report: Report) -> ReportAnswer:
    asked = report.query
    days = None if report.before is None else DaysAnswer(first=report.before[0], last=report.before[1])
    return ReportAnswer(
        first=asked.first,
        last=asked.last,
        timezone=report.timezone,
        until=report.until_ms,
        metrics=list(asked.metrics),
        group_by=list(asked.group_by),
        before=days,
        rows=[_row(row, asked.group_by, asked.metrics) for row in report.rows],
        totals=[_row(row, (), asked.metrics) for row in report.totals],
    )


def _row(row: ReportRow, groups: tuple[Dimension, ...], metrics: tuple[Metric, ...]) -> ReportRowAnswer:
    named: Mapping[Dimension, GroupName] = dict(zip(groups, row.group, strict=True))
    return ReportRowAnswer(
        group={dimension: GroupAnswer(id=one.id, name=one.name) for dimension, one in named.items()},
        currency=row.currency,
        figures=_figures(metrics, row.figures),
        before=None if row.before is None else _figures(metrics, row.before),
        few_visitors=row.few_visitors,
    )


def _figures(metrics: tuple[Metric, ...], figures: tuple[Figure, ...]) -> Figures:
    return dict(zip(metrics, figures, strict=True))


def sheet_rows(report: Report) -> Iterator[bytes]:
    """The columns' names, then the rows, a piece at a time; where reach is folded, it is empty."""
    asked = report.query
    columns = [name for one in asked.group_by for name in ([one] if one in TIMES else [f"{one}_id", one])]
    befores = [f"{metric}_before" for metric in asked.metrics] if asked.compare else []
    yield sheet.lines([[*columns, "currency", *asked.metrics, *befores]])
    for begin in range(0, len(report.rows), ROWS_AT_ONCE):
        yield sheet.lines([_cells(row, asked) for row in report.rows[begin : begin + ROWS_AT_ONCE]])


def _cells(row: ReportRow, asked: ReportQuery) -> list[object]:
    names = [
        text
        for dimension, one in zip(asked.group_by, row.group, strict=True)
        for text in ([one.name] if dimension in TIMES else [one.id, one.name])
    ]
    return [*names, row.currency, *row.figures, *(row.before or ())]
