"""Reports: figures of a period by any group, money from the ledger, live to the second."""

from collections import Counter
from datetime import date

from adserver.domain.budget import local_day
from adserver.domain.campaign import Advertiser
from adserver.domain.participant import Sums as ArmSums
from adserver.domain.report import (
    TIMES,
    Dimension,
    GroupName,
    Report,
    ReportQuery,
    ReportRefusal,
    ReportRefused,
)
from adserver.domain.report_period import before, period_of, starts_of
from adserver.domain.report_rules import FINE, Summand, needed_for, refusal_of
from adserver.domain.retention import COUNT_RETENTION_MS, REPORT_PART_RETENTION_MS, Retention
from adserver.domain.visitor import DAY_MS
from adserver.flows.report.gather import Gathering
from adserver.flows.report.scope import Account, Scope, scope_of, side_of
from adserver.flows.report.table import Table, Told, row_of
from adserver.ports import Clock, Stores

FIRST_YEAR, LAST_YEAR = 2000, 2099  # which are those of the API's addresses
MOST_DAYS = 3_700  # ten years
MOST_ROWS = 50_000
FINE_DAYS = REPORT_PART_RETENTION_MS // DAY_MS - 1  # whole ones, in any zone
COUNTED_DAYS = COUNT_RETENTION_MS // DAY_MS - 1
_COUNTED = frozenset({Summand.REQUESTS, Summand.REFUSALS, Summand.UNBILLED})


class Reports:
    """Reads only."""

    def __init__(
        self,
        stores: Stores,
        clock: Clock,
        timezone: str,
        retention: Retention,
    ) -> None:
        """`timezone` is the network's, of reports over all accounts and of publishers'."""
        self._stores = stores
        self._clock = clock
        self._timezone = timezone
        self._retention = retention

    def today(self, of: Account) -> date:
        """In the account's zone."""
        number = local_day(self._clock(), self._zone(of))
        return date(number // 10_000, number // 100 % 100, number % 100)

    def _zone(self, of: Account) -> str:
        return of.timezone if isinstance(of, Advertiser) else self._timezone

    def report(self, of: Account, asked: ReportQuery) -> Report | ReportRefused:
        """What the account may be told; without one, the whole network."""
        side = side_of(of)
        refused = refusal_of(asked, side) or self._out_of_time(of, asked)
        if refused is not None:
            return refused
        if Dimension.ARM in asked.group_by:
            return self._of_arms(of, asked)
        with self._stores.report_sources.together():
            scope = scope_of(self._stores, of, asked, self._timezone)
            if isinstance(scope, ReportRefused):
                return scope
            until_ms = self._clock()
            now = self._told(scope, asked, asked.first, asked.last)
            earlier = self._told(scope, asked, *before(asked.first, asked.last)) if asked.compare else None
            both = [one for one in (now, earlier) if one is not None]
            if any(one.overflows or len(one.by_group) > MOST_ROWS for one in both):
                return ReportRefused(ReportRefusal.TOO_MANY_ROWS)
            table = Table(self._stores, scope, asked, now, earlier)
            return Report(
                asked,
                scope.timezone,
                table.rows(),
                table.totals(),
                until_ms,
                None if earlier is None else earlier.days,
            )

    def _told(self, scope: Scope, asked: ReportQuery, first: date, last: date) -> Told:
        time = next((one for one in asked.group_by if one in TIMES), None)
        period = period_of(first, last, scope.timezone, time)
        oldest_ms = self._clock() - self._retention.ads_ms
        gathering = Gathering(self._stores, scope, asked, period)
        return Told(gathering, asked, period, knows_visitors=period.begin_ms >= oldest_ms)

    def _out_of_time(self, of: Account, asked: ReportQuery) -> ReportRefused | None:
        """Days are kept for good; what is finer, and counts of requests and refusals, leave."""
        first, last = asked.first, asked.last
        if first.year < FIRST_YEAR or last.year > LAST_YEAR or not 0 <= (last - first).days < MOST_DAYS:
            return ReportRefused(ReportRefusal.BAD_PERIOD)
        begins = before(first, last)[0] if asked.compare else first
        age_days = (self.today(of) - begins).days
        if FINE.intersection((*asked.group_by, *asked.filters)) and age_days >= FINE_DAYS:
            return ReportRefused(ReportRefusal.NOT_KEPT_SO_LONG, str(FINE_DAYS))
        if needed_for(asked.metrics) & _COUNTED and age_days >= COUNTED_DAYS:
            return ReportRefused(ReportRefusal.NOT_KEPT_SO_LONG, str(COUNTED_DAYS))
        return None

    def _of_arms(self, of: Account, asked: ReportQuery) -> Report | ReportRefused:
        """Of the visitors who entered on these days of UTC's, all that they have done since."""
        experiment = self._stores.experiments.experiment(asked.experiment_key)
        if experiment is None or (isinstance(of, Advertiser) and experiment.advertiser_key != of.key):
            return ReportRefused(ReportRefusal.UNKNOWN_FILTER, "experiment")
        starts = starts_of(asked.first, asked.last, "UTC")
        sums = self._stores.experiments.sums(experiment.key, starts[0], starts[-1])
        campaign = self._stores.campaigns.campaign(experiment.campaign_key)
        currency = campaign.terms.currency if campaign is not None else None
        arms = [_of_arm(sums.get(number, ArmSums())) for number in range(len(experiment.arms))]
        side = side_of(of)
        rows = [
            row_of((GroupName(str(number), arm.name),), currency, figures, asked.metrics, side)
            for number, (arm, figures) in enumerate(zip(experiment.arms, arms, strict=True))
        ]
        whole: Counter[Summand] = Counter()
        for figures in arms:
            whole.update(figures)  # a sum by + would leave out what is below nothing
        total = row_of((), currency, whole, asked.metrics, side)
        return Report(asked, "UTC", rows, [total], self._clock())


def _of_arm(arm: ArmSums) -> Counter[Summand]:
    return Counter(
        {
            Summand.VISITORS: arm.entered,
            Summand.IMPRESSIONS: arm.impressions,
            Summand.CLICKS: arm.clicks,
            Summand.CONVERSIONS: arm.purchases + arm.leads,
            Summand.VALUE: arm.revenue_micros,
            Summand.SPEND: arm.spend_micros,
        }
    )
