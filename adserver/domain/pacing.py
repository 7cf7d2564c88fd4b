"""How fast a day's budget may be spent: at once, or along the day; and what is already under way."""

from collections import deque

from adserver.domain.money import ZERO, Micros

IN_FLIGHT_MS = 30_000
SLACK_BASIS_POINTS = 100  # an even campaign may be ahead of its plan by one percent of the budget


def may_spend_evenly(
    spent: Micros, budget: Micros, price: Micros, elapsed_ms: int, day_length_ms: int
) -> bool:
    """Whether an even campaign is not ahead of its plan: the budget spread over the day, plus one ad."""
    planned = budget * elapsed_ms // day_length_ms
    slack = budget * SLACK_BASIS_POINTS // 10_000
    return spent <= planned + max(slack, price)


class InFlight:
    """Money that ads served a moment ago will probably cost; it keeps a budget's last ads few.

    Worker-local. What is not answered in thirty seconds never will be, for this purpose.
    """

    def __init__(self) -> None:
        self._served: dict[int, deque[tuple[int, int, Micros]]] = {}
        self._sums: dict[int, Micros] = {}

    def add(self, campaign_key: int, impression_id: int, expected: Micros, now_ms: int) -> None:
        self._served.setdefault(campaign_key, deque()).append(
            (now_ms + IN_FLIGHT_MS, impression_id, expected)
        )
        self._sums[campaign_key] = Micros(self._sums.get(campaign_key, ZERO) + expected)

    def answered(self, campaign_key: int, impression_id: int) -> None:
        """The billed event came: its cost is in the ledger now."""
        served = self._served.get(campaign_key, deque())
        for entry in served:
            if entry[1] == impression_id:
                served.remove(entry)
                self._sums[campaign_key] = Micros(self._sums[campaign_key] - entry[2])
                return

    def expected(self, campaign_key: int, now_ms: int) -> Micros:
        """Micros that are probably under way at `now_ms`."""
        served = self._served.get(campaign_key)
        while served and served[0][0] <= now_ms:
            self._sums[campaign_key] = Micros(self._sums[campaign_key] - served.popleft()[2])
        return self._sums.get(campaign_key, ZERO)
