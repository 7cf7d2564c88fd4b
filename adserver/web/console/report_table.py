"""A report's rows as a table and headline figures: written for people, each with where the API tells it."""

from collections.abc import Sequence

import msgspec

from adserver.domain.report import TIMES, Dimension, Figure, GroupName, Metric, Report, ReportRow
from adserver.domain.report_rules import OF_VISITORS
from adserver.web.console.figures import number, price, share
from adserver.web.console.report_asked import FILTERS, Asked
from adserver.web.console.report_names import name_in_words
from adserver.web.console.report_words import Kind, Word, dimension_words, metric_words

ROWS_OF_A_PAGE = 100


class Change(msgspec.Struct, frozen=True):
    """Against the period before: `way` is up, down or same; `percent` None where there was nothing."""

    way: str
    percent: str | None


class Cell(msgspec.Struct, frozen=True):
    """`text` is None where there is nothing to tell; `path` leads to the same in the API's answer."""

    text: str | None
    value: Figure
    path: str
    before: "Cell | None" = None
    change: Change | None = None


class Name(msgspec.Struct, frozen=True):
    """A group; `link` asks for its own course."""

    column: str
    text: str
    link: str | None


class Row(msgspec.Struct, frozen=True):
    names: list[Name]
    currency: str
    cells: list[Cell]


class Column(msgspec.Struct, frozen=True):
    """`sorts` leads to the table by this column; `order` is as ARIA calls it."""

    label: str
    meaning: str
    sorts: str
    order: str | None


class Table(msgspec.Struct, frozen=True):
    groups: list[Column]
    figures: list[Column]
    rows: list[Row]
    totals: list[Row]
    count: int
    pages: int
    has_currency: bool  # more than one is in it
    has_few: bool  # something is not told, since it would tell of too few people
    has_unknown: bool  # people were asked for, and nobody knows them any more


def table_of(report: Report, asked: Asked, language: str) -> Table:
    order = _in_order(report, asked)
    start = (asked.page - 1) * ROWS_OF_A_PAGE
    shown = order[start : start + ROWS_OF_A_PAGE]
    by, named, kinds = asked.by, dimension_words(language), metric_words(language)
    told = [*report.rows, *report.totals]
    return Table(
        [Column(named[one], "", _sorts(asked, one, by), _order(asked, one)) for one in by],
        [
            Column(kinds[one].label, kinds[one].meaning, _sorts(asked, one, by), _order(asked, one))
            for one in asked.metrics
        ],
        [_row(report.rows[at], asked, f"rows/{at}", language) for at in shown],
        [_row(one, asked, f"totals/{at}", language) for at, one in enumerate(report.totals)],
        len(order),
        max(1, -(-len(order) // ROWS_OF_A_PAGE)),
        len({one.currency for one in told} - {None}) > 1,
        any(one.few_visitors for one in told),
        any(_is_of_unknown(one, asked) for one in told),
    )


def _is_of_unknown(row: ReportRow, asked: Asked) -> bool:
    people = [asked.metrics.index(one) for one in asked.metrics if one in OF_VISITORS]
    return not row.few_visitors and any(row.figures[at] is None for at in people)


def figure_in_words(value: Figure, word: Word, currency: str | None, language: str) -> str | None:
    if value is None:
        return None
    if word.kind is Kind.MONEY:
        return price(int(value), currency, language) if currency else None
    if word.kind is Kind.SHARE:
        return share(value, language)
    written = number(round(value, 2), language)
    return f"{written}\N{MULTIPLICATION SIGN}" if word.kind is Kind.TIMES else written


def change_of(value: Figure, before: Figure, language: str) -> Change | None:
    """None where one of them is not told."""
    if value is None or before is None:
        return None
    way = "same" if value == before else "up" if value > before else "down"
    percent = share(abs(value - before) / abs(before), language) if before and way != "same" else None
    return Change(way, percent)


def _row(row: ReportRow, asked: Asked, path: str, language: str) -> Row:
    columns = dimension_words(language)
    names = [
        Name(columns[by], name_in_words(by, group, language), _course(asked, by, group))
        for by, group in zip(asked.by, row.group, strict=False)
    ]
    cells = [_cell(row, at, metric, path, language) for at, metric in enumerate(asked.metrics)]
    return Row(names, row.currency or "", cells)


def _cell(row: ReportRow, at: int, metric: Metric, path: str, language: str) -> Cell:
    word, value = metric_words(language)[metric], row.figures[at]
    text = figure_in_words(value, word, row.currency, language)
    before = change = None
    if row.before is not None:
        was = row.before[at]
        words = figure_in_words(was, word, row.currency, language)
        before = Cell(words, was, f"{path}/before/{metric}")
        change = change_of(value, was, language)
    return Cell(text, value, f"{path}/figures/{metric}", before, change)


def _course(asked: Asked, by: Dimension, group: GroupName) -> str | None:
    """Of one campaign, slot and so on: the same figures by day."""
    if by not in FILTERS or not group.id or Dimension.DAY in asked.by:
        return None
    filters = {**asked.filters, by: (group.id,)}
    rest = tuple(one for one in asked.by if one is not by)
    return asked.link(by=(Dimension.DAY, *rest)[:2], filters=filters, sort="")


def _in_order(report: Report, asked: Asked) -> Sequence[int]:
    """Places in the report's rows as the reader wants them; what is not told comes last."""
    key = asked.sort.removeprefix("-")
    places = range(len(report.rows))
    if not key:
        return places
    falling = asked.sort.startswith("-")
    if key in frozenset(Dimension):
        at = asked.by.index(Dimension(key))
        is_time = Dimension(key) in TIMES

        def named(place: int) -> str:
            group = report.rows[place].group[at]
            return group.id if is_time else (group.name or group.id).casefold()

        return sorted(places, key=named, reverse=falling)
    at = asked.metrics.index(Metric(key))

    def figured(place: int) -> tuple[bool, float]:
        value = report.rows[place].figures[at]
        return value is None, (-(value or 0) if falling else (value or 0))

    return sorted(places, key=figured)


def _sorts(asked: Asked, name: str, by: Sequence[Dimension]) -> str:
    """Names begin with the first, figures with the largest; once more turns the order around."""
    first, other = (name, f"-{name}") if name in by else (f"-{name}", name)
    return asked.link(sort=other if asked.sort == first else first)


def _order(asked: Asked, name: str) -> str | None:
    if asked.sort.removeprefix("-") != name:
        return None
    return "descending" if asked.sort.startswith("-") else "ascending"


def nothing_in(report: Report) -> bool:
    """Whether there is nothing to look at."""
    return not any(value for row in [*report.rows, *report.totals] for value in row.figures)
