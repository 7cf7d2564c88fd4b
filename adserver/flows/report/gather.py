"""The sums of a report's groups: rolled up ones, what came since, and what is read as it happened."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from adserver.domain.identity import LARGEST_KEY, first_key_at
from adserver.domain.refused import COUNTED, SHOWN
from adserver.domain.report import TIMES, Dimension, ReportQuery, Side
from adserver.domain.report_period import Period, number_of, pieces_of
from adserver.domain.report_rules import FINE, MONEY, SUMMED, Summand, needed_for
from adserver.domain.report_sums import (
    MONTHS,
    MOST_CELLS,
    OF_CAMPAIGN,
    QUARTER_MS,
    Cell,
    Cut,
    Fact,
    Sheet,
    Source,
    Span,
)
from adserver.flows.report.roll_up import with_currency
from adserver.flows.report.scope import COLUMNS, Scope
from adserver.ports import Stores

_NAMES = tuple(name for name in COUNTED if name != SHOWN)
_PREFIX = len("refused_")
_OF_ADS = frozenset({Summand.IMPRESSIONS, Summand.VIEWABLE, Summand.CLICKS})
APART_MS = QUARTER_MS  # of a decision's time and its key's: far more than they ever are
_OF_VISITORS = {
    **COLUMNS,
    Dimension.ADVERTISER: "advertiser_key",
    Dimension.PUBLISHER: "publisher_key",
    Dimension.SITE: "site_key",
}


class Group(msgspec.Struct, frozen=True, array_like=True):
    """A span's number, the values of the other dimensions in their order, and a currency or none."""

    span: int
    values: tuple[int | str, ...]
    currency: str


Sums = dict[Group, Counter[Summand]]


class Gathering:
    """Of one report and one period; read within one moment."""

    def __init__(self, stores: Stores, scope: Scope, asked: ReportQuery, period: Period) -> None:
        self._sources = stores.report_sources
        self._stored = stores.report_sums
        self._scope = scope
        self._asked = asked
        self._period = period
        self._needed = needed_for(asked.metrics)
        self._splits = bool(MONEY.intersection(asked.metrics))
        self._dimensions = tuple(one for one in asked.group_by if one not in TIMES)
        named = [COLUMNS[one] for one in self._dimensions if one in COLUMNS]
        self._by = tuple(dict.fromkeys(named))
        self._begins = [span.begin_ms for span in period.spans]
        self.sums: Sums = {}
        self.overflows = False  # whether there is more than a report holds

    def gather(self) -> Sums:
        """Everything that the metrics need."""
        if self._needed.intersection(SUMMED):
            self._add_rolled_up()
            self._add_facts(self._news())
        if self._needed & {Summand.CONVERSIONS, Summand.VALUE}:
            self._add_cells(self._stored.conversions(self._raw()), (Summand.CONVERSIONS, Summand.VALUE))
        if Summand.UNBILLED in self._needed:
            self._add_cells(self._stored.unbilled(self._raw()), (Summand.UNBILLED,))
        if Summand.REQUESTS in self._needed:
            self._add_requests()
        if Summand.REFUSALS in self._needed:
            self._add_refusals()
        return self.sums

    def reach(self) -> tuple[Sums, Sums]:
        """Visitors of each group, and of all: who is of two groups is one visitor."""
        named = tuple(_OF_VISITORS[one] for one in self._dimensions)
        more = ("currency",) if self._splits else ()
        by_group = self._stored.reach(self._raw(by=(*named, *more)))
        whole = (msgspec.structs.replace(self._period.spans[0], end_ms=self._period.end_ms),)
        of_all = self._stored.reach(self._raw(by=more, spans=whole))
        return self._visitors(by_group), self._visitors(of_all)

    def _visitors(self, cells: list[Cell]) -> Sums:
        found: Sums = {}
        self.overflows |= len(cells) > MOST_CELLS
        for cell in cells:
            *values, currency = cell.group if self._splits else (*cell.group, "")
            sums = Counter({Summand.VISITORS: cell.figures[0], Summand.SEEN: cell.figures[1]})
            found[Group(cell.span, tuple(values), str(currency))] = sums
        return found

    # ---- cuts ----

    def _sheet(self) -> Sheet | None:
        """The days that tell it, unless only quarters of an hour do."""
        named = {*self._asked.group_by, *self._asked.filters}
        if named & FINE:
            return None
        by_slot = self._scope.by_slot or "slot_key" in self._by
        by_campaign = self._scope.by_campaign or "campaign_key" in self._by
        if self._scope.side is Side.ADVERTISER:
            return Sheet.OWN_BY_BOTH if by_slot else Sheet.OWN_BY_CAMPAIGN
        if by_slot:
            return Sheet.NETWORK_BY_BOTH if by_campaign else Sheet.NETWORK_BY_SLOT
        return Sheet.NETWORK_BY_CAMPAIGN if by_campaign else Sheet.NETWORK

    def _raw(self, by: tuple[str, ...] | None = None, spans: tuple[Span, ...] | None = None) -> Cut:
        period = self._period
        return Cut(
            spans=spans or period.spans,
            first_day=number_of(period.first),
            last_day=number_of(period.last),
            campaign_keys=tuple(self._scope.campaigns),
            by=self._by if by is None else by,
            filters=self._scope.filters,
            divisor=period.divisor,
        )

    # ---- sums and news ----

    def _add_rolled_up(self) -> None:
        sheet, cut = self._sheet(), self._raw()
        if sheet is None:
            self._add_cells(self._stored.sums(cut), SUMMED)
            return
        keys = cut.campaign_keys if sheet in OF_CAMPAIGN else (0,)
        for piece in pieces_of(self._period):
            days = msgspec.structs.replace(
                cut,
                sheet=sheet + MONTHS if piece.are_months else sheet,
                first_day=piece.first,
                last_day=piece.last,
                campaign_keys=keys,
            )
            self._add_cells(self._stored.sums(days), SUMMED, self._period.span_of)

    def _news(self) -> list[Fact]:
        """What no roll-up has taken in yet: of the last minutes, unless much is being caught up with."""
        begin_ms, end_ms, sources = self._period.begin_ms, self._period.end_ms, self._sources
        ads, fills = sources.cursor(Source.ADS), sources.cursor(Source.FILLS)
        news: list[Fact] = []
        if ads < end_ms and self._needed & _OF_ADS:
            news += sources.facts(Source.ADS, max(ads, begin_ms), end_ms)
        if fills < first_key_at(end_ms) and Summand.FILLS in self._needed:
            # A key is minted within its request, a moment from the time that the decision bears.
            first, last = (
                min(LARGEST_KEY, first_key_at(at_ms)) for at_ms in (begin_ms - APART_MS, end_ms + APART_MS)
            )
            news += sources.facts(Source.FILLS, max(fills, first), last)
        if self._needed & {Summand.SPEND, Summand.REVENUE}:
            waiting = sources.waiting(self._scope.campaigns if self._scope.by_campaign else None)
            news += sources.money(waiting) if waiting else []
        return news

    def _add_facts(self, facts: Sequence[Fact]) -> None:
        campaigns, period = self._scope.campaigns, self._period
        for fact in with_currency(facts, campaigns):
            place = fact.place
            if not period.begin_ms <= place.begin_ms < period.end_ms:
                continue
            if any(getattr(place, name) not in values for name, values in self._scope.filters.items()):
                continue
            span = bisect_right(self._begins, place.begin_ms) - 1
            columns = {name: getattr(place, name) for name in self._by}
            self._add(span, columns, place.currency, zip(SUMMED, fact.sums, strict=True))

    def _add_cells(
        self, cells: list[Cell], bases: tuple[Summand, ...], span_of: Mapping[int, int] | None = None
    ) -> None:
        self.overflows |= len(cells) > MOST_CELLS
        for cell in cells:
            columns = dict(zip(self._by, cell.group, strict=True))
            span = cell.span if span_of is None else span_of[cell.span]
            self._add(span, columns, cell.currency, zip(bases, cell.figures, strict=True))

    # ---- counters ----

    def _add_requests(self) -> None:
        """By the hour that they came in; a slot has no currency."""
        for span, slot_key, _, n in self._stored.counted(
            self._raw(), ("requests",), tuple(self._scope.slots)
        ):
            self._add(span, {"slot_key": slot_key}, "", ((Summand.REQUESTS, n),))

    def _add_refusals(self) -> None:
        campaigns = self._scope.campaigns
        for span, key, name, n in self._stored.counted(self._raw(), _NAMES, tuple(campaigns)):
            if n > 0:  # less than nothing: another part of a line-up is yet to be reported
                columns: dict[str, int | str] = {"campaign_key": key, Dimension.REFUSAL: name[_PREFIX:]}
                self._add(span, columns, campaigns[key].currency, ((Summand.REFUSALS, n),))

    def _add(
        self,
        span: int,
        columns: Mapping[str, int | str],
        currency: str,
        figures: Iterable[tuple[Summand, int]],
    ) -> None:
        values = tuple(self._scope.value(one, columns[COLUMNS.get(one, one)]) for one in self._dimensions)
        group = Group(span, values, currency if self._splits else "")
        known = self.sums.get(group)
        if known is None:
            known = self.sums[group] = Counter()
        for base, n in figures:
            known[base] += n
