"""Which metric may be told by which dimension and to whom, and the ratios that follow from sums."""

from collections.abc import Callable, Mapping
from enum import StrEnum

from adserver.domain.audience_reach import FEWEST_TOLD
from adserver.domain.report import (
    TIMES,
    Dimension,
    Figure,
    Metric,
    ReportQuery,
    ReportRefusal,
    ReportRefused,
    Side,
)


class Summand(StrEnum):
    """What is summed up; everything else follows from these."""

    FILLS = "fills"
    IMPRESSIONS = "impressions"
    VIEWABLE = "viewable"
    CLICKS = "clicks"
    SPEND = "spend_micros"
    REVENUE = "revenue_micros"
    REQUESTS = "requests"
    REFUSALS = "refusals"
    CONVERSIONS = "conversions"
    VALUE = "value_micros"
    UNBILLED = "unbilled_at_cap"
    VISITORS = "visitors"
    SEEN = "seen"  # impressions by visitors who are known


SUMMED = (
    Summand.FILLS,
    Summand.IMPRESSIONS,
    Summand.VIEWABLE,
    Summand.CLICKS,
    Summand.SPEND,
    Summand.REVENUE,
)
_NEEDS: dict[Metric, tuple[Summand, ...]] = {
    Metric.REQUESTS: (Summand.REQUESTS,),
    Metric.FILLS: (Summand.FILLS,),
    Metric.IMPRESSIONS: (Summand.IMPRESSIONS,),
    Metric.VIEWABLE: (Summand.VIEWABLE,),
    Metric.VIEWABILITY: (Summand.VIEWABLE, Summand.IMPRESSIONS),
    Metric.CLICKS: (Summand.CLICKS,),
    Metric.CTR: (Summand.CLICKS, Summand.IMPRESSIONS),
    Metric.CONVERSIONS: (Summand.CONVERSIONS,),
    Metric.CONVERSION_RATE: (Summand.CONVERSIONS, Summand.CLICKS),
    Metric.SPEND: (Summand.SPEND,),
    Metric.REVENUE: (Summand.REVENUE,),
    Metric.ECPM: (Summand.SPEND, Summand.REVENUE, Summand.IMPRESSIONS),
    Metric.ECPC: (Summand.SPEND, Summand.CLICKS),
    Metric.ECPA: (Summand.SPEND, Summand.CONVERSIONS),
    Metric.VALUE: (Summand.VALUE,),
    Metric.ROAS: (Summand.VALUE, Summand.SPEND),
    Metric.IROAS: (),
    Metric.REACH: (Summand.VISITORS,),
    Metric.FREQUENCY: (Summand.SEEN, Summand.VISITORS),
    Metric.UNBILLED_AT_CAP: (Summand.UNBILLED,),
    Metric.REFUSALS: (Summand.REFUSALS,),
}
MONEY = frozenset(
    {Metric.SPEND, Metric.REVENUE, Metric.ECPM, Metric.ECPC, Metric.ECPA, Metric.VALUE, Metric.ROAS}
)
OF_VISITORS = frozenset({Metric.REACH, Metric.FREQUENCY})

_PLACES = {Dimension.PUBLISHER, Dimension.SITE, Dimension.SLOT}
_OWNERS = {Dimension.ADVERTISER, Dimension.CAMPAIGN}
# What leaves with the quarters of an hour; days are of campaigns and slots only.
FINE = frozenset(
    {
        Dimension.HOUR,
        Dimension.CREATIVE,
        Dimension.PRODUCT,
        Dimension.COUNTRY,
        Dimension.DEVICE,
        Dimension.AUDIENCE,
    }
)
_SHOWN = frozenset({*TIMES, *_OWNERS, *_PLACES, *FINE})
_MEANT: dict[Summand, frozenset[Dimension]] = {
    **dict.fromkeys(Summand, _SHOWN),
    Summand.FILLS: _SHOWN - {Dimension.PRODUCT},  # an ad shows several
    Summand.REQUESTS: frozenset({*TIMES, *_PLACES}),
    Summand.REFUSALS: frozenset({*TIMES, *_OWNERS, Dimension.REFUSAL}),
    Summand.UNBILLED: frozenset({*TIMES, *_OWNERS, *_PLACES}),
}
OF_ARMS = frozenset(
    {
        Metric.IMPRESSIONS,
        Metric.CLICKS,
        Metric.CTR,
        Metric.CONVERSIONS,
        Metric.CONVERSION_RATE,
        Metric.SPEND,
        Metric.ECPM,
        Metric.ECPC,
        Metric.ECPA,
        Metric.VALUE,
        Metric.ROAS,
        Metric.REACH,
    }
)
_UNTOLD: dict[Side, frozenset[Metric | Dimension]] = {
    Side.NETWORK: frozenset(),
    Side.ADVERTISER: frozenset({Metric.REQUESTS, Metric.REVENUE}),
    Side.PUBLISHER: frozenset(
        {
            *Metric,
            *Dimension,
        }
        - {
            *(Metric.REQUESTS, Metric.FILLS, Metric.IMPRESSIONS, Metric.VIEWABLE, Metric.VIEWABILITY),
            *(Metric.CLICKS, Metric.CTR, Metric.REVENUE, Metric.ECPM, Metric.UNBILLED_AT_CAP),
            *TIMES,
            *_PLACES,
            *(Dimension.ADVERTISER, Dimension.COUNTRY, Dimension.DEVICE),
        }
    ),
}


def refusal_of(asked: ReportQuery, side: Side) -> ReportRefused | None:
    """Why this cannot be answered, whatever happened."""
    dimensions = (*asked.group_by, *asked.filters)
    for named in (*asked.metrics, *dimensions):
        if named in _UNTOLD[side]:
            return ReportRefused(ReportRefusal.NOT_YOURS, named)
    times = [one for one in asked.group_by if one in TIMES]
    twice = [one for one in asked.group_by if asked.group_by.count(one) > 1] or times[1:]
    if twice or not asked.metrics:
        return ReportRefused(ReportRefusal.UNANSWERABLE, twice[0] if twice else "metrics")
    if Dimension.ARM in dimensions:
        return _refusal_of_arms(asked)
    for metric in asked.metrics:
        for dimension in dimensions:
            if dimension not in _meant_by(metric):
                return ReportRefused(ReportRefusal.UNANSWERABLE, f"{metric} by {dimension}")
        if metric is Metric.IROAS and side is Side.NETWORK and Dimension.ADVERTISER not in asked.group_by:
            return ReportRefused(ReportRefusal.UNANSWERABLE, f"{metric} of all advertisers together")
    return None


def _refusal_of_arms(asked: ReportQuery) -> ReportRefused | None:
    if not asked.experiment_key:
        return ReportRefused(ReportRefusal.EXPERIMENT_NEEDED, Dimension.ARM)
    if asked.group_by != (Dimension.ARM,) or asked.filters or asked.compare:
        return ReportRefused(ReportRefusal.UNANSWERABLE, "arms by anything else")
    wrong = [metric for metric in asked.metrics if metric not in OF_ARMS]
    return ReportRefused(ReportRefusal.UNANSWERABLE, f"{wrong[0]} by {Dimension.ARM}") if wrong else None


def _meant_by(metric: Metric) -> frozenset[Dimension]:
    """A ratio means something by what all of its sums do."""
    if metric is Metric.IROAS:
        return frozenset({Dimension.ADVERTISER})  # a holdout is of all that an advertiser shows
    return frozenset.intersection(*(_MEANT[base] for base in _NEEDS[metric]))


def needed_for(metrics: tuple[Metric, ...]) -> frozenset[Summand]:
    return frozenset(base for metric in metrics for base in _NEEDS[metric])


def first_sum(metrics: tuple[Metric, ...]) -> Summand:
    """By which the largest group comes first."""
    return next((base for metric in metrics for base in _NEEDS[metric]), Summand.SPEND)


Sum = Mapping[Summand, int]


def figure_of(metric: Metric, sums: Sum, side: Side) -> Figure:
    """A sum, or a ratio of sums; None where it would be one of nothing. `iroas` is no sum's."""
    if metric in _RATIOS:
        return _RATIOS[metric](sums, side)
    if metric is Metric.REACH:
        return None if are_few(sums) else sums[Summand.VISITORS]
    return sums[_NEEDS[metric][0]]


def are_few(sums: Sum) -> bool:
    """So few visitors that their number might say who they are."""
    return 0 < sums[Summand.VISITORS] < FEWEST_TOLD


def _share(part: Summand, whole: Summand) -> Callable[[Sum, Side], Figure]:
    return lambda sums, _: round(sums[part] / sums[whole], 6) if sums[whole] else None


def _price(of: Summand, each: int = 1) -> Callable[[Sum, Side], Figure]:
    """Whole micros, half of one rounded up; a publisher's are of what it earns."""

    def price(sums: Sum, side: Side) -> Figure:
        paid = sums[Summand.REVENUE if side is Side.PUBLISHER else Summand.SPEND] * each
        return (2 * paid + sums[of]) // (2 * sums[of]) if sums[of] else None

    return price


def _frequency(sums: Sum, _: Side) -> Figure:
    visitors = sums[Summand.VISITORS]
    return round(sums[Summand.SEEN] / visitors, 6) if visitors >= FEWEST_TOLD else None


_RATIOS: dict[Metric, Callable[[Sum, Side], Figure]] = {
    Metric.VIEWABILITY: _share(Summand.VIEWABLE, Summand.IMPRESSIONS),
    Metric.CTR: _share(Summand.CLICKS, Summand.IMPRESSIONS),
    Metric.CONVERSION_RATE: _share(Summand.CONVERSIONS, Summand.CLICKS),
    Metric.ECPM: _price(Summand.IMPRESSIONS, 1000),
    Metric.ECPC: _price(Summand.CLICKS),
    Metric.ECPA: _price(Summand.CONVERSIONS),
    Metric.ROAS: _share(Summand.VALUE, Summand.SPEND),
    Metric.FREQUENCY: _frequency,
}
