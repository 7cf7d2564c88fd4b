"""How fast a day's budget may be spent: at once, or as its traffic comes."""

from hashlib import blake2b
from struct import pack

import msgspec

from adserver.domain.money import Micros
from adserver.domain.traffic import Traffic, remaining_share

FIRST_BASIS_POINTS = 100  # of the budget may be spent before any traffic was seen


class DayBudget(msgspec.Struct, frozen=True):
    """A daily budget at a moment of its day; `committed` is spent, pending or under way."""

    budget: Micros
    committed: Micros
    price: Micros  # of the next ad
    elapsed_ms: int
    day_length_ms: int


def may_spend(day: DayBudget, traffic: Traffic | None, dice: float) -> bool:
    """Whether an even campaign may answer this request; `dice` in [0, 1) is thrown for it alone.

    Before any traffic was seen, it may have a hundredth of the budget or one ad. Where less than half is
    spent of what should be by now, the forecast was wrong: it does not wait.
    """
    if traffic is None:
        first = Micros(day.budget * FIRST_BASIS_POINTS // 10_000)
        return day.committed + day.price <= max(first, day.price)
    return dice < chance_to_pass(day, traffic) or _is_far_behind(day, traffic)


def chance_to_pass(day: DayBudget, traffic: Traffic) -> float:
    """The ratio controller: (budget - committed) / (cost of a request x requests still to come), in [0, 1].

    Feed-forward, and its own correction: what was not spent in time raises the chance of all that follows.
    The formula, and how it compares with others: decisions.md, "Pacing".
    """
    remaining = max(0, day.budget - day.committed)
    share = remaining_share(traffic.profile, day.elapsed_ms, day.day_length_ms)
    to_spend = traffic.cost_micros * traffic.requests_per_day * share
    return 1.0 if to_spend <= remaining else remaining / to_spend


def _is_far_behind(day: DayBudget, traffic: Traffic) -> bool:
    over = 1.0 - remaining_share(traffic.profile, day.elapsed_ms, day.day_length_ms)
    if over <= traffic.begun_share:
        return False
    planned = day.budget * (over - traffic.begun_share) / (1.0 - traffic.begun_share)
    return day.committed + day.price <= planned / 2


def dice_of(campaign_key: int, dice: float, purpose: bytes = b"pacing") -> float:
    """A campaign's own throw, in [0, 1), made of a request's; it says nothing of the request's own."""
    thrown = blake2b(pack("<dq", dice, campaign_key), digest_size=8, person=purpose).digest()
    return (int.from_bytes(thrown, "big") >> 11) / 2**53
