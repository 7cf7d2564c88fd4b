"""What an advertiser's ads have changed: those who saw them beside those from whom they were held out."""

from collections.abc import Mapping

import msgspec

from adserver.domain.campaign import Advertiser
from adserver.domain.comparison import Comparison, Sizes, compare, percent, sizes_of
from adserver.domain.experiment import HELD_OUT, SHOWN, WHOLE_BPS, Metric
from adserver.domain.intervals import Interval, information_needed, smallest_seen
from adserver.domain.participant import Sums

PROPOSED_BPS = 500
PROPOSED_WITHIN_MONTHS = 3
WORTH_SEEING = 0.20  # a holdout is proposed where a lift of so much shows within those months
METRICS = (Metric.PURCHASES, Metric.REVENUE, Metric.LEADS)
_NAMES = ("Showing the ads", "holding them back")


class Return(msgspec.Struct, frozen=True):
    """What comes back of a unit of money spent: of all sales credited to ads, and of those they caused."""

    credited: float
    incremental: float | None
    fixed: Interval | None
    any_day: Interval | None


class Proposal(msgspec.Struct, frozen=True):
    """Whether a holdout could show anything, from how many visitors win ads a month and what they buy."""

    holdout_bps: int
    visitors_a_month: int
    visitors_needed_a_month: int | None
    smallest_lift: float | None  # that would show within the months
    said: str


class Lift(msgspec.Struct, frozen=True):
    """An advertiser's holdout since its share was last changed."""

    arms: tuple[Sums, Sums]
    sizes: Sizes | None
    comparisons: tuple[Comparison, ...]
    returned: Return | None
    proposal: Proposal
    said: str


def lift_of(advertiser: Advertiser, sums: Mapping[int, Sums], last_month: Mapping[int, Sums]) -> Lift:
    """`sums` are all since the share is what it is, `last_month` those of whoever entered of late."""
    arms = sums.get(SHOWN, Sums()), sums.get(HELD_OUT, Sums())
    proposal = propose(last_month)
    if not advertiser.holdout_bps:
        return Lift(arms, None, (), None, proposal, f"There is no holdout. {proposal.said}")
    shown, held_out = arms
    shares = (WHOLE_BPS - advertiser.holdout_bps, advertiser.holdout_bps)
    sizes = sizes_of([shown.entered, held_out.entered], shares)
    comparisons = tuple(
        compare(metric, _NAMES[SHOWN], shown, _NAMES[HELD_OUT], held_out)
        for metric in METRICS
        if metric is not Metric.LEADS or shown.leads + held_out.leads
    )
    if not sizes.are_sound:
        return Lift(arms, sizes, comparisons, None, proposal, sizes.said)
    by_metric = {one.metric: one for one in comparisons}
    returned = _return(shown, by_metric[Metric.REVENUE])
    metric = Metric.PURCHASES if shown.purchases or not shown.leads else Metric.LEADS
    return Lift(arms, sizes, comparisons, returned, proposal, by_metric[metric].said)


def _return(shown: Sums, revenue: Comparison) -> Return | None:
    """Of what the group that sees the ads spent, the part that would not have come without them."""
    if not shown.spend_micros:
        return None
    earned = shown.revenue_micros / shown.spend_micros

    def caused(relative: float) -> float:
        return earned * (1 - 1 / (1 + relative))

    def bounds(interval: Interval | None) -> Interval | None:
        return None if interval is None else Interval(caused(interval.low), caused(interval.high))

    return Return(
        shown.credited_micros / shown.spend_micros,
        None if revenue.relative is None else caused(revenue.relative),
        bounds(revenue.fixed),
        bounds(revenue.any_day),
    )


def propose(last_month: Mapping[int, Sums]) -> Proposal:
    """5 % where that shows a lift of a fifth within three months, else how many visitors are missing."""
    seen = Sums()
    for one in last_month.values():
        seen.add(one)
    counted = seen.of_purchases if seen.purchases >= seen.leads else seen.of_leads
    if counted.figure <= 0:
        said = "Nobody who was to see an ad has bought yet: ask again once some have."
        return Proposal(0, seen.entered, None, None, said)
    share = PROPOSED_BPS / WHOLE_BPS
    each = counted.relative_variance * counted.visitors * (1 / (1 - share) + 1 / share)
    smallest = smallest_seen(each / (seen.entered * PROPOSED_WITHIN_MONTHS))
    needed = round(each * information_needed(WORTH_SEEING) / PROPOSED_WITHIN_MONTHS)
    if smallest <= WORTH_SEEING:
        said = (
            f"With 5 % held out, a lift of {percent(smallest)} shows within {PROPOSED_WITHIN_MONTHS} months:"
            " set `holdout_bps` to 500."
        )
        return Proposal(PROPOSED_BPS, seen.entered, needed, smallest, said)
    said = (
        f"A holdout of 5 % would show no lift below {percent(smallest)} within {PROPOSED_WITHIN_MONTHS}"
        f" months: it takes {needed:,} visitors a month, and there were {seen.entered:,}. Leave it off."
    )
    return Proposal(0, seen.entered, needed, smallest, said)
