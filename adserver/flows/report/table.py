"""What was gathered becomes the rows of a report, named and in their order, with those of before."""

from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Any

from msgspec.structs import replace

from adserver.domain.experiment import holdout_key
from adserver.domain.lift import lift_of
from adserver.domain.report import (
    TIMES,
    Dimension,
    Figure,
    GroupName,
    Metric,
    ReportQuery,
    ReportRow,
    Side,
)
from adserver.domain.report_period import Period
from adserver.domain.report_rules import MONEY, OF_VISITORS, Summand, are_few, figure_of, first_sum
from adserver.flows.report.gather import Gathering, Group, Sums
from adserver.flows.report.names import Key, Names
from adserver.flows.report.scope import Scope
from adserver.ports import Stores


class Told:
    """All sums of one period, and the visitors in it if all of them are still known."""

    def __init__(
        self, gathering: Gathering, asked: ReportQuery, period: Period, *, knows_visitors: bool
    ) -> None:
        self.period = period
        self.knows_visitors = knows_visitors
        sums = gathering.gather()
        whole: Sums = {}
        for group, figures in sums.items():
            whole.setdefault(Group(0, (), group.currency), Counter()).update(figures)
        if knows_visitors and OF_VISITORS.intersection(asked.metrics):
            for known, visitors in zip((sums, whole), gathering.reach(), strict=True):
                for group, figures in visitors.items():
                    known.setdefault(group, Counter()).update(figures)
        self.by_group = _joined(sums)
        self.overflows = gathering.overflows
        self.by_currency = {group.currency: figures for group, figures in _joined(whole).items()}

    @property
    def days(self) -> tuple[date, date]:
        return self.period.first, self.period.last


def _joined(sums: Sums) -> Sums:
    """What is of no currency, such as requests, stands beside the money of its group if that is of one."""
    currencies: dict[tuple[int, tuple[Key, ...]], list[str]] = {}
    for group in sums:
        if group.currency:
            currencies.setdefault((group.span, group.values), []).append(group.currency)
    found: Sums = {}
    for group, figures in sums.items():
        only = currencies.get((group.span, group.values), [])
        place = replace(group, currency=only[0]) if not group.currency and len(only) == 1 else group
        found.setdefault(place, Counter()).update(figures)
    return found


def row_of(
    group: tuple[GroupName, ...],
    currency: str | None,
    sums: Counter[Summand],
    metrics: tuple[Metric, ...],
    side: Side,
) -> ReportRow:
    figures = tuple(figure_of(metric, sums, side) for metric in metrics)
    return ReportRow(group, currency, figures, None, _folds(metrics, sums))


def _folds(metrics: tuple[Metric, ...], sums: Counter[Summand]) -> bool:
    return bool(OF_VISITORS.intersection(metrics)) and are_few(sums)


class Table:
    """One report's rows. The figures of before stand where they stood in their own period, from its begin."""

    def __init__(
        self, stores: Stores, scope: Scope, asked: ReportQuery, now: Told, before: Told | None
    ) -> None:
        self._stores = stores
        self._scope = scope
        self._asked = asked
        self._now = now
        self._before = before
        self._names = Names(stores, scope)
        self._dimensions = tuple(one for one in asked.group_by if one not in TIMES)
        self._caused: dict[int, Figure] = {}
        owners = {one.advertiser_key for one in scope.campaigns.values()}
        self._only_owner: Key | None = owners.pop() if len(owners) == 1 else None

    def rows(self) -> list[ReportRow]:
        groups = dict.fromkeys(self._now.by_group)
        if self._before is not None:
            last = len(self._now.period.spans)
            groups |= dict.fromkeys(group for group in self._before.by_group if group.span < last)
        names = [
            self._names.of(one, {group.values[place] for group in groups})
            for place, one in enumerate(self._dimensions)
        ]
        order = self._order(list(groups))
        return [self._row(group, names) for group in sorted(groups, key=order)]

    def totals(self) -> list[ReportRow]:
        """One of each currency; without any, of nothing."""
        now = self._now.by_currency
        before = self._before.by_currency if self._before is not None else {}
        found = []
        for currency in sorted({*now, *before}) or [self._own_currency()]:
            sums = now.get(currency, Counter())
            told = before.get(currency, Counter()) if self._before is not None else None
            found.append(self._figures((), currency, sums, told, self._only_owner))
        return found

    def _own_currency(self) -> str:
        """In which there was nothing, where there is one only."""
        currencies = {one.currency for one in self._scope.campaigns.values()}
        told = MONEY.intersection(self._asked.metrics) and len(currencies) == 1
        return currencies.pop() if told else ""

    def _row(self, group: Group, names: list[dict[Key, GroupName]]) -> ReportRow:
        values = dict(zip(self._dimensions, group.values, strict=True))
        named = dict(
            zip(
                self._dimensions,
                (one[key] for one, key in zip(names, group.values, strict=True)),
                strict=True,
            )
        )
        place = tuple(
            self._now.period.names[group.span] if one in TIMES else named[one] for one in self._asked.group_by
        )
        sums = self._now.by_group.get(group, Counter())
        told = None if self._before is None else self._before.by_group.get(group, Counter())
        owner = values.get(Dimension.ADVERTISER) or self._only_owner
        return self._figures(place, group.currency, sums, told, owner)

    def _figures(
        self,
        place: tuple[GroupName, ...],
        currency: str,
        sums: Counter[Summand],
        before: Counter[Summand] | None,
        owner: Key | None,
    ) -> ReportRow:
        told = None
        if before is not None and self._before is not None:
            told = self._of(before, owner, knows_visitors=self._before.knows_visitors)
        now = self._of(sums, owner, knows_visitors=self._now.knows_visitors)
        return ReportRow(place, currency or None, now, told, _folds(self._asked.metrics, sums))

    def _of(self, sums: Counter[Summand], owner: Key | None, *, knows_visitors: bool) -> tuple[Figure, ...]:
        return tuple(
            self._iroas(owner)
            if metric is Metric.IROAS
            else None
            if metric in OF_VISITORS and not knows_visitors
            else figure_of(metric, sums, self._scope.side)
            for metric in self._asked.metrics
        )

    def _iroas(self, owner: Key | None) -> Figure:
        """What the holdout says since its share was set, whatever the period; None without one."""
        if owner is None:
            return None
        key = int(owner)
        if key not in self._caused:
            advertiser = self._stores.accounts.advertiser(key)
            returned = None
            if advertiser is not None:
                sums = self._stores.experiments.sums(holdout_key(advertiser))
                returned = lift_of(advertiser, sums, {}).returned
            caused = None if returned is None else returned.incremental
            self._caused[key] = None if caused is None else round(caused, 6)
        return self._caused[key]

    def _order(self, groups: list[Group]) -> Callable[[Group], tuple[Any, ...]]:
        """By time, and by how much of the first metric there is of all else."""
        base = first_sum(self._asked.metrics)
        sizes: list[Counter[Key]] = [Counter() for _ in self._dimensions]
        for group in groups:
            n = self._now.by_group.get(group, Counter())[base]
            for place, value in enumerate(group.values):
                sizes[place][value] += n
        places = {one: place for place, one in enumerate(self._dimensions)}

        def order(group: Group) -> tuple[Any, ...]:
            found: list[Any] = []
            for one in self._asked.group_by:
                if one in TIMES:
                    found.append(group.span)
                else:
                    value = group.values[places[one]]
                    found += [-sizes[places[one]][value], str(value)]
            return (*found, group.currency)

        return order
