"""An advertiser's yesterday and today at a glance, as the head of its first page."""

import msgspec

from adserver.domain.campaign import Advertiser
from adserver.domain.named_period import NamedPeriod, days_of
from adserver.domain.report import Dimension, Metric, Report
from adserver.web.console.page import translations
from adserver.web.console.report_asked import Asked
from adserver.web.console.report_chart import drawn_of
from adserver.web.console.report_place import Place, shop_place
from adserver.web.console.report_table import Row, table_of
from adserver.web.flows import Flows

METRICS = (Metric.SPEND, Metric.IMPRESSIONS, Metric.CLICKS, Metric.CONVERSIONS)


class Glance(msgspec.Struct, frozen=True):
    """A day's figures, and the address of the report that tells more of it."""

    label: str
    row: Row
    labels: list[str]
    api: str
    link: str


class Overview(msgspec.Struct, frozen=True):
    """`picture` is drawn from the last fourteen days, "" where none of it was spent; `reports` tells more."""

    glances: list[Glance]
    picture: str
    reports: str


def overview_of(owner: Advertiser, flows: Flows, language: str) -> Overview | None:
    """None before anything was shown, when there is nothing to look at yet."""
    place, words = shop_place(owner), translations(language).gettext
    glances = [
        _glance(place, flows, NamedPeriod.YESTERDAY, words("Yesterday"), language),
        _glance(place, flows, NamedPeriod.TODAY, words("Today, so far"), language),
    ]
    fortnight = _asked(place, flows, NamedPeriod.FORTNIGHT, (Dimension.DAY,))
    drawn = flows.books.reports.report(owner, fortnight.query())
    if not isinstance(drawn, Report) or not any(any(row.figures) for row in drawn.rows):
        return None
    is_drawn = drawn_of(drawn, fortnight, language) is not None
    picture = f"{place.root}/chart.svg{fortnight.link()}" if is_drawn else ""
    return Overview([one for one in glances if one], picture, f"{place.root}{fortnight.link()}")


def _glance(place: Place, flows: Flows, period: NamedPeriod, label: str, language: str) -> Glance | None:
    asked = _asked(place, flows, period, (), compare=period is NamedPeriod.YESTERDAY)
    report = flows.books.reports.report(place.of, asked.query())
    if not isinstance(report, Report) or not report.totals:
        return None
    table = table_of(report, asked, language)
    labels = [column.label for column in table.figures]
    by_hour = _asked(place, flows, period, (Dimension.HOUR,))
    return Glance(label, table.totals[0], labels, asked.api(place.api), f"{place.root}{by_hour.link()}")


def _asked(
    place: Place, flows: Flows, period: NamedPeriod, by: tuple[Dimension, ...], *, compare: bool = False
) -> Asked:
    today = flows.books.reports.today(place.of)
    first, last = days_of(period, today)
    return Asked(period=period, first=first, last=last, by=by, metrics=METRICS, compare=compare)
