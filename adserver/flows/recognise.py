"""Answers by what browsers were known: on an advertiser's pages, in a publisher's slots, or everywhere."""

from adserver.domain.recognition import Recognition, Side, counters, recognition
from adserver.domain.tally import NETWORK
from adserver.ports import Stats


class Recognise:
    """Reads counts by the hour; it knows no visitor."""

    def __init__(self, stats: Stats) -> None:
        self._stats = stats

    def on_pages(self, since_ms: int, until_ms: int, advertiser_key: int = NETWORK) -> Recognition:
        return self._of(Side.PIXEL, advertiser_key, since_ms, until_ms)

    def in_slots(self, since_ms: int, until_ms: int, owner_key: int = NETWORK) -> Recognition:
        """Of a slot, or of all slots of a publisher."""
        return self._of(Side.SLOT, owner_key, since_ms, until_ms)

    def _of(self, side: Side, owner_key: int, since_ms: int, until_ms: int) -> Recognition:
        return recognition(side, self._stats.named(owner_key, counters(side), since_ms, until_ms))
