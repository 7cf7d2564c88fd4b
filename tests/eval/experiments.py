"""How often the intervals of experiments tell the truth: simulated months with a lift that is known.

Each month visitors come evenly, one in twenty of whom is held out in the realistic case and half in the
others; some order once or more, some days after they came, for amounts of a heavy tail. All figures are
reckoned by the server's own code from the sums that it keeps, and looked at on each day.
"""

from collections.abc import Callable, Sequence
from math import log1p
from random import Random
from statistics import NormalDist

import msgspec

from adserver.domain.comparison import events, moments
from adserver.domain.experiment import HELD_OUT, SHOWN, Arm, Experiment, Metric, Subject, arm_of
from adserver.domain.intervals import FEWEST, MISMATCH, Difference, difference, mismatch_chance
from adserver.domain.participant import Participant, Sums, change
from tests.eval.figures import Figure, Options

RUNS = 2_000
DAYS = 30
SECTION = "experiments"


class Month(msgspec.Struct, frozen=True):
    """A shop's month: how many visitors win ads, how many orders a hundred of them make, and the truth."""

    name: str
    visitors: int
    held_out: float
    orders_a_visitor: float
    lift: float
    delay_days: float = 2.0
    again: float = 0.15  # of those who order, so many order once more, and so on
    sigma: float = 1.0  # of the logarithm of an order's value


MONTHS = (
    Month("half held out, lift 10 %", 40_000, 0.5, 0.02, 0.10),
    Month("5 % held out, lift 20 %", 100_000, 0.05, 0.02, 0.20),
    Month("A/A", 40_000, 0.5, 0.02, 0.0),
    Month("small shop, lift 60 %, heavier tail", 12_000, 0.5, 0.015, 0.60, again=0.3, sigma=1.5),
)


class Looks(msgspec.Struct):
    """What was seen of a metric in one month."""

    fixed_covers: bool
    any_day_covers: bool
    fixed_finds: bool  # a difference at the end
    any_day_finds: bool  # a difference on any day
    fixed_found_any_day: bool


def run(options: Options) -> list[Figure]:
    """Coverage of both intervals, what an A/A test finds, and how often arms' sizes raise a false alarm."""
    figures: list[Figure] = []
    for number, month in enumerate(MONTHS):
        dice = Random(20_261_122 + number)
        seen = [simulate(month, dice) for _ in range(RUNS)]
        figures += _of_month(month, seen)
    return [*figures, *_sizes()]


def simulate(month: Month, dice: Random) -> dict[Metric, Looks]:
    """One month, looked at each evening."""
    arms = [_arm(month, arm, dice) for arm in (SHOWN, HELD_OUT)]
    looks = {metric: Looks(False, True, False, False, False) for metric in (Metric.PURCHASES, Metric.REVENUE)}
    for evening in zip(*arms, strict=True):
        for metric, look in looks.items():
            _look(look, metric, evening, log1p(month.lift))
    return looks


def _look(look: Looks, metric: Metric, evening: Sequence[Sums], truth: float) -> None:
    found = difference(*(moments(metric, sums) for sums in evening))
    if found is None or min(events(metric, sums) for sums in evening) < FEWEST:
        return
    look.fixed_covers = _covers(found, truth, lambda one: one.fixed.low, lambda one: one.fixed.high)
    look.any_day_covers &= _covers(found, truth, lambda one: one.any_day.low, lambda one: one.any_day.high)
    look.fixed_finds = not found.fixed.holds_nothing
    look.any_day_finds |= not found.any_day.holds_nothing
    look.fixed_found_any_day |= look.fixed_finds


def _covers(
    found: Difference, truth: float, low: Callable[[Difference], float], high: Callable[[Difference], float]
) -> bool:
    return log1p(low(found)) <= truth <= log1p(high(found))


def _arm(month: Month, arm: int, dice: Random) -> list[Sums]:
    """The arm's sums on each evening."""
    share = month.held_out if arm == HELD_OUT else 1 - month.held_out
    rate = month.orders_a_visitor * (1 + month.lift if arm == SHOWN else 1)
    a_day = month.visitors * share / DAYS
    buyers_a_day = a_day * rate * (1 - month.again)
    days = [Sums() for _ in range(DAYS)]
    for day in days:
        day.entered = max(0, round(dice.gauss(a_day, a_day**0.5)))
    came = dice.expovariate(buyers_a_day)
    while came < DAYS:
        _buy(month, came, days, dice)
        came += dice.expovariate(buyers_a_day)
    return _added_up(days)


def _buy(month: Month, came: float, days: list[Sums], dice: Random) -> None:
    """A visitor's orders, each on its day."""
    did, ordered = Participant(), came
    while True:
        ordered += dice.expovariate(1 / month.delay_days)
        if ordered >= DAYS:
            return
        micros = round(dice.lognormvariate(3.5, month.sigma) * 1_000_000)
        bought = Participant(purchases=did.purchases + 1, revenue_micros=did.revenue_micros + micros)
        days[int(ordered)].add(change(did, bought))
        did = bought
        if dice.random() >= month.again:
            return


def _added_up(days: Sequence[Sums]) -> list[Sums]:
    so_far, evenings = Sums(), []
    for day in days:
        so_far.add(day)
        evenings.append(msgspec.structs.replace(so_far))
    return evenings


def _of_month(month: Month, seen: Sequence[dict[Metric, Looks]]) -> list[Figure]:
    orders, revenue = ([one[metric] for one in seen] for metric in (Metric.PURCHASES, Metric.REVENUE))
    figures = [
        _share(f"fixed covers: {month.name}", [one.fixed_covers for one in orders], 0.935, 0.965),
        _share(f"any day covers: {month.name}", [one.any_day_covers for one in orders], 0.95),
        _share(f"fixed covers revenue: {month.name}", [one.fixed_covers for one in revenue]),
        _share(f"any day covers revenue: {month.name}", [one.any_day_covers for one in revenue], 0.95),
    ]
    if month.lift:
        return [*figures, _share(f"any day has found: {month.name}", [one.any_day_finds for one in orders])]
    return [
        *figures,
        _share("A/A found by one look", [one.fixed_finds for one in orders], at_most=0.065),
        _share("A/A found on any day", [one.any_day_finds for one in orders], at_most=0.05),
        _share("A/A found by daily looks at the fixed one", [one.fixed_found_any_day for one in orders]),
    ]


def _sizes(runs: int = 20_000, visitors: int = 400, assigned: int = 1_000_000) -> list[Figure]:
    """False alarms where lots are drawn by the server's own hash, and an alarm where some are lost."""
    experiment = Experiment(
        key=1, advertiser_key=1, campaign_key=1, name="", subject=Subject.CREATIVES,
        arms=(Arm("A", 5_000, (1,)), Arm("B", 5_000, (2,))), metric=Metric.CLICK_RATE,
        visitors_planned=1, starts_at_ms=0,
    )  # fmt: skip
    dice = Random(7)
    arms = [arm_of(experiment, dice.getrandbits(62)) for _ in range(assigned)]
    alarms = []
    for _ in range(runs):
        first = dice.randrange(assigned - visitors)
        in_b = sum(1 for arm in arms[first : first + visitors] if arm)
        alarms.append(mismatch_chance((visitors - in_b, in_b), (1, 1)) < MISMATCH)
    whole = sum(1 for arm in arms if arm)
    return [
        _share("false alarm of arms' sizes", alarms, at_most=0.002),
        Figure(SECTION, "chance of a million lots", mismatch_chance((assigned - whole, whole), (1, 1)),
               at_least=MISMATCH),
        Figure(SECTION, "chance where one in fifty of B is lost",
               mismatch_chance((assigned // 10, assigned // 10 * 98 // 100), (1, 1)), at_most=MISMATCH),
    ]  # fmt: skip


def _share(
    name: str, found: Sequence[bool], at_least: float | None = None, at_most: float | None = None
) -> Figure:
    """With its 95 % interval (Wilson)."""
    n, share, z = len(found), sum(found) / len(found), NormalDist().inv_cdf(0.975)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    return Figure(SECTION, name, share, middle - half, middle + half, at_least, at_most)
