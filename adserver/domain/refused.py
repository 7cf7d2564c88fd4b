"""Why a campaign's ads were not shown in some hours: how many requests it was refused for, by reason."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from adserver.domain.eligibility import Refusal
from adserver.domain.refusal_words import words_of

SHOWN = "fills"
_NAMES = {f"refused_{refusal}": refusal for refusal in Refusal}
COUNTED = (SHOWN, *_NAMES)
MOST_REASONS_SAID = 4


class Hour(msgspec.Struct, frozen=True):
    """One hour of a campaign: requests that showed it, and those that refused it."""

    hour_ms: int
    shown: int
    refused: Mapping[Refusal, int]


class Refused(msgspec.Struct, frozen=True):
    """Some hours of a campaign, those in which nothing was asked left out."""

    hours: list[Hour]

    @property
    def shown(self) -> int:
        return sum(hour.shown for hour in self.hours)

    @property
    def reasons(self) -> list[tuple[Refusal, int]]:
        """Of all hours together, the most frequent first."""
        sums = Counter[Refusal]()
        for hour in self.hours:
            sums.update(hour.refused)
        return sorted(sums.items(), key=lambda one: (-one[1], one[0]))

    @property
    def requests(self) -> int:
        return self.shown + sum(n for _, n in self.reasons)

    def share(self, n: int) -> float:
        """Of all requests, to a hundredth of a per cent."""
        return round(n / self.requests, 4)


def refused_of(rows: Iterable[tuple[int, str, int]]) -> Refused:
    """Of counters by hour and name."""
    shown, refused = Counter[int](), dict[int, dict[Refusal, int]]()
    for hour_ms, name, n in rows:
        by_reason = refused.setdefault(hour_ms, {})
        if name == SHOWN:
            shown[hour_ms] += n
        elif n > 0:  # less than nothing: the winner of a line-up, whose other part is yet to be reported
            by_reason[_NAMES[name]] = n
    return Refused([Hour(hour_ms, shown[hour_ms], refused[hour_ms]) for hour_ms in sorted(refused)])


def summary(refused: Refused, span: str) -> str:
    """One sentence: `span` is like "the last 24 hours"."""
    if not refused.requests:
        return (
            f"In {span} no request could have shown it: no visitor of the shop, and no page that it is shown"
            " for, has asked. See whether the pixel hears the shop's pages, and publishers' slots ask."
        )
    reasons = refused.reasons
    told = [f"{n:,} {words_of(reason).counted}" for reason, n in reasons[:MOST_REASONS_SAID]]
    rest = sum(n for _, n in reasons[MOST_REASONS_SAID:])
    told += [f"{rest:,} for other reasons"] if rest else []
    start = f"In {span} {refused.requests:,} requests could have shown it: {refused.shown:,} did"
    return f"{'; '.join([start, *told])}."
