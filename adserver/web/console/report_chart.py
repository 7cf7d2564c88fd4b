"""A report becomes a picture: over time where it is grouped by time, else its largest groups side by side."""

from collections.abc import Callable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from adserver.domain.report import TIMES, Dimension, Figure, Metric, Report, ReportRow
from adserver.web.console.charts import Chart, Look, Series, bars, columns, lines
from adserver.web.console.page import translations
from adserver.web.console.report_asked import Asked
from adserver.web.console.report_names import name_in_words, short_time, times_of
from adserver.web.console.report_table import figure_in_words
from adserver.web.console.report_words import Kind, Word, metric_words

MOST_LINES = 5
MOST_BARS = 12
MOST_COLUMNS = 62  # more of them are a line
MOST_POINTS = 800  # of all lines together: a finer drawing would be seen by nobody

Draw = Callable[[Chart, Look], bytes]


class Drawn(msgspec.Struct, frozen=True):
    """How a report is drawn; `is_part` where only its largest groups are. `currency` is that of the money."""

    draw: Draw
    chart: Chart
    is_part: bool
    currency: str


def drawn_of(report: Report, asked: Asked, language: str) -> Drawn | None:
    """None where a picture would tell nothing: of no groups, or of more points than can be told apart."""
    metric = drawn_metric(asked)
    currency = _currency(report, asked)
    rows = [one for one in report.rows if one.currency in (None, currency)]
    if not asked.by or not any(_figure(one, asked, metric) for one in rows):
        return None
    time = next((one for one in asked.by if one in TIMES), None)
    one = _Report(report, rows, asked, metric, language, currency)
    return one.over_time(time) if time else one.beside_each_other()


def drawn_metric(asked: Asked) -> Metric:
    return asked.drawn or asked.metrics[0]


def currencies_of(report: Report) -> list[str]:
    return sorted({one.currency for one in [*report.totals, *report.rows] if one.currency})


class _Report(msgspec.Struct, frozen=True):
    """What is drawn, and for whom."""

    report: Report
    rows: Sequence[ReportRow]
    asked: Asked
    metric: Metric
    language: str
    currency: str

    def over_time(self, time: Dimension) -> Drawn | None:
        until = datetime.fromtimestamp(self.report.until_ms / 1000, ZoneInfo(self.report.timezone))
        times = times_of(time, self.asked.first, self.asked.last, until)
        place = self.asked.by.index(time)
        others = [at for at in range(len(self.asked.by)) if at != place]
        names, is_part = self._largest(others)
        if len(times) * max(1, len(names)) > MOST_POINTS:
            return None
        series = [self._series(times, place, others, name) for name in names]
        compares = self.asked.compare and len(names) == 1
        if compares:
            series.append(self._series(times, place, others, names[0], is_before=True))
        labels = [short_time(time, one, self.language) for one in times]
        stands = self._word.is_sum and not compares and len(times) <= MOST_COLUMNS
        return Drawn(columns if stands else lines, self._chart(labels, series), is_part, self.currency)

    def beside_each_other(self) -> Drawn:
        rows = sorted(self.rows, key=lambda one: -(self._of(one) or 0))
        shown = [one for one in rows if self._of(one) is not None][:MOST_BARS]
        labels = [self._name(one, range(len(self.asked.by))) for one in shown]
        series = [Series(self._word.label, [self._scaled(self._of(one)) for one in shown])]
        if self.asked.compare:
            before = [self._scaled(self._before(one)) for one in shown]
            series.append(Series(self._earlier(), before, is_before=True))
        return Drawn(bars, self._chart(labels, series), len(shown) < len(rows), self.currency)

    @property
    def _word(self) -> Word:
        return metric_words(self.language)[self.metric]

    def _largest(self, places: Sequence[int]) -> tuple[list[tuple[str, ...]], bool]:
        """The groups that are drawn, the largest first; only the whole where there is nothing beside time."""
        sums: dict[tuple[str, ...], float] = {}
        for row in self.rows:
            name = tuple(row.group[at].id for at in places)
            sums[name] = sums.get(name, 0) + (self._of(row) or 0)
        order = sorted(sums, key=lambda name: -sums[name])
        return order[:MOST_LINES], len(order) > MOST_LINES

    def _series(
        self,
        times: Sequence[str],
        place: int,
        others: Sequence[int],
        name: tuple[str, ...],
        *,
        is_before: bool = False,
    ) -> Series:
        told: dict[str, Figure] = {}
        label = ""
        for row in self.rows:
            if tuple(row.group[at].id for at in others) == name:
                told[row.group[place].id] = self._before(row) if is_before else self._of(row)
                label = self._name(row, others)
        nothing = 0.0 if self._word.is_sum else None
        values = [self._scaled(told[one]) if one in told else nothing for one in times]
        return Series(self._earlier() if is_before else label or self._word.label, values, is_before)

    def _of(self, row: ReportRow) -> Figure:
        return _figure(row, self.asked, self.metric)

    def _before(self, row: ReportRow) -> Figure:
        return None if row.before is None else row.before[self.asked.metrics.index(self.metric)]

    def _name(self, row: ReportRow, places: Sequence[int]) -> str:
        return " · ".join(name_in_words(self.asked.by[at], row.group[at], self.language) for at in places)

    def _earlier(self) -> str:
        words = translations(self.language).gettext
        return words("Before")

    def _scaled(self, value: Figure) -> float | None:
        return None if value is None else float(value)

    def _chart(self, labels: Sequence[str], series: Sequence[Series]) -> Chart:
        word = self._word

        def write(value: float) -> str:
            return figure_in_words(value, word, self.currency, self.language) or ""

        words = translations(self.language).gettext
        return Chart(word.label, labels, series, write, words("Nothing in this period"))


def _figure(row: ReportRow, asked: Asked, metric: Metric) -> Figure:
    return row.figures[asked.metrics.index(metric)]


def _currency(report: Report, asked: Asked) -> str:
    known = currencies_of(report)
    if asked.currency in known:
        return asked.currency
    counts = {one: sum(row.currency == one for row in report.rows) for one in known}
    return max(known, key=lambda one: counts[one], default="")


def is_money(asked: Asked, language: str) -> bool:
    return metric_words(language)[drawn_metric(asked)].kind is Kind.MONEY
