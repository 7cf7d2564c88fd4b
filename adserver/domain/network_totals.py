"""The whole network on some days: what was asked for, shown and clicked, and what it brought in."""

from collections.abc import Iterable, Sequence

import msgspec

from adserver.domain.money import ZERO, Micros

COUNTED = ("requests", "fills", "impressions", "viewable_impressions", "clicks", "conversions")


class Booked(msgspec.Struct, frozen=True):
    """In one currency: what advertisers paid, and what of it is the publishers'."""

    currency: str
    spend: Micros
    publishers: Micros

    @property
    def margin(self) -> Micros:
        return Micros(self.spend - self.publishers)


class Period(msgspec.Struct, frozen=True):
    """Days of the network's zone; money is the ledger's, to the micro."""

    name: str
    start_ms: int
    end_ms: int
    counts: dict[str, int]
    money: Sequence[Booked]


class Attention(msgspec.Struct, frozen=True):
    """How many of each wait for somebody's hand."""

    creatives_waiting: int
    feeds_failing: int
    pixels_silent: int
    campaigns_out_of_budget: int
    campaigns_of_empty_accounts: int
    jobs_failing: int
    holds_open: int
    disk_free_bytes: int


class Totals(msgspec.Struct, frozen=True):
    timezone: str
    periods: Sequence[Period]
    attention: Attention


def added(days: Iterable[Sequence[Booked]]) -> list[Booked]:
    """By currency; currencies are never added."""
    sums: dict[str, Booked] = {}
    for day in days:
        for one in day:
            known = sums.get(one.currency, Booked(one.currency, ZERO, ZERO))
            sums[one.currency] = Booked(
                one.currency, Micros(known.spend + one.spend), Micros(known.publishers + one.publishers)
            )
    return [sums[currency] for currency in sorted(sums)]
