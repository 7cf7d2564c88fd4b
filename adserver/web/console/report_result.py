"""A report as its page shows it: headline figures, a picture, a table, and where they lead on to."""

from datetime import date

import msgspec
from babel.dates import format_interval, get_timezone_location

from adserver.domain.report import Report, ReportRefused
from adserver.web.console.figures import moment
from adserver.web.console.report_asked import Asked
from adserver.web.console.report_chart import currencies_of, drawn_metric, drawn_of, is_money
from adserver.web.console.report_place import Place
from adserver.web.console.report_table import ROWS_OF_A_PAGE, Table, nothing_in, table_of
from adserver.web.console.report_words import dimension_words, metric_words
from creatives.price import locale_for


class Choice(msgspec.Struct, frozen=True):
    """Another look at the same report."""

    label: str
    link: str
    is_chosen: bool


class Picture(msgspec.Struct, frozen=True):
    """`address` lacks but the look. `is_part` where only the largest groups are drawn, `count` of them."""

    address: str
    title: str
    is_part: bool
    draws: list[Choice]
    currencies: list[Choice]


class Result(msgspec.Struct, frozen=True):
    """`until` is the moment up to which everything is in it; empty where that is the whole period."""

    title: str
    days: str
    before: str
    until: str
    has_today: bool
    zone: str
    is_empty: bool
    table: Table
    picture: Picture | None
    rows: tuple[int, int]  # the first and the last that are shown, of those there are
    earlier: str
    later: str
    sheet: str


def result_of(report: Report, asked: Asked, place: Place, today: date, language: str) -> Result:
    table = table_of(report, asked, language)
    return Result(
        title=_title(asked, language),
        days=days_in_words(asked.first, asked.last, language),
        before=days_in_words(*report.before, language) if report.before else "",
        until=moment(report.until_ms, report.timezone, language),
        has_today=asked.first <= today <= asked.last,
        zone=get_timezone_location(report.timezone, locale=locale_for(language), return_city=True),
        is_empty=nothing_in(report),
        table=table,
        picture=_picture(report, asked, place, language),
        rows=((asked.page - 1) * ROWS_OF_A_PAGE + 1, (asked.page - 1) * ROWS_OF_A_PAGE + len(table.rows)),
        earlier=asked.link(page=asked.page - 1) if asked.page > 1 else "",
        later=asked.link(page=asked.page + 1) if asked.page < table.pages else "",
        sheet=f"{place.root}/sheet.csv{asked.link()}",
    )


def days_in_words(first: date, last: date, language: str) -> str:
    return str(format_interval(first, last, "yMMMd", locale=locale_for(language)))


def what_in_words(refused: ReportRefused | None, language: str) -> str:
    """What a refusal names, as the page calls it."""
    named = {str(one): word.label for one, word in metric_words(language).items()}
    named |= {str(one): word for one, word in dimension_words(language).items()}
    parts = () if refused is None else refused.what.split()
    return " + ".join(named.get(one, one) for one in parts if one in named or one.isdigit())


def _title(asked: Asked, language: str) -> str:
    """ "Spent · Clicks, by day": what is told, by what."""
    figures = ", ".join(metric_words(language)[one].label for one in asked.metrics[:3])
    more = "…" if len(asked.metrics) > 3 else ""
    groups = " · ".join(dimension_words(language)[one] for one in asked.by)
    return f"{figures}{more} · {groups}" if groups else figures + more


def _picture(report: Report, asked: Asked, place: Place, language: str) -> Picture | None:
    """None where there is nothing to be seen, whatever is drawn."""
    kinds, chosen = metric_words(language), drawn_metric(asked)
    drawn = drawn_of(report, asked, language)
    if not asked.by or nothing_in(report):
        return None
    known = currencies_of(report) if is_money(asked, language) else []
    currency = "" if drawn is None else drawn.currency
    return Picture(
        "" if drawn is None else f"{place.root}/chart.svg{asked.link()}",
        kinds[chosen].label,
        drawn is not None and drawn.is_part,
        [Choice(kinds[one].label, asked.link(drawn=one), one is chosen) for one in asked.metrics],
        [Choice(one, asked.link(currency=one), one == currency) for one in known],
    )
