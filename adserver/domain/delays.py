"""How long orders take after their click, so that clicks of today are not held against an ad."""

from collections.abc import Mapping
from itertools import pairwise

HOUR_MS = 3_600_000
EDGES_HOURS = (1, 2, 4, 8, 16, 24, 48, 96, 168, 336, 720)  # of the longest click window: thirty days
NAMES = tuple(f"ordered_within_{hours}h" for hours in EDGES_HOURS)
USUAL_ORDERS = 10.0  # as many of the usual delays are believed to have been seen already
# Of orders after clicks, the share that comes within each of the edges, before any was seen.
USUAL_SHARES = (0.30, 0.38, 0.46, 0.54, 0.62, 0.68, 0.77, 0.85, 0.91, 0.96, 1.0)


def name_of(delay_ms: int) -> str:
    """Under which name an order is counted that came so long after its click."""
    for hours, name in zip(EDGES_HOURS, NAMES, strict=True):
        if delay_ms <= hours * HOUR_MS:
            return name
    return NAMES[-1]


class Delays:
    """The share of an advertiser's orders after clicks that have come by a click's age."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        usual = [later - sooner for sooner, later in pairwise((0.0, *USUAL_SHARES))]
        weights = [
            counts.get(name, 0) + USUAL_ORDERS * share for name, share in zip(NAMES, usual, strict=True)
        ]
        self._shares: list[float] = [0.0]
        for weight in weights:
            self._shares.append(self._shares[-1] + weight / sum(weights))

    def share_by(self, age_ms: int) -> float:
        """Within an interval, as if its orders were spread evenly over it."""
        since = 0
        for place, hours in enumerate(EDGES_HOURS):
            if age_ms < hours * HOUR_MS:
                before, after = self._shares[place : place + 2]
                return before + (after - before) * max(0, age_ms - since) / (hours * HOUR_MS - since)
            since = hours * HOUR_MS
        return 1.0


USUAL = Delays({})
