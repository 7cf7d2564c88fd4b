"""Earnings of a place that are withheld while its traffic is looked into, and what that does to a month.

What is earned under a hold is withheld in the month in which it is earned, or in which the hold was placed
where that is later, so that a closed month never changes; what is freed is paid in the month of its release.
What of it goes back to the advertisers is withheld no more, since it is not earned any more either.
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from adserver.domain.statement import Month


class Ending(StrEnum):
    """What became of it."""

    RELEASED = "released"  # the publisher is paid
    REFUNDED = "refunded"  # the advertisers have their money back


class PayoutHold(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Of a publisher, or of one of its slots; `since_ms` to `until_ms` is when the earnings were made."""

    key: int
    publisher_key: int
    slot_key: int | None = None
    since_ms: int
    until_ms: int | None = None  # None: whatever is earned until it ends
    reason: str
    placed_ms: int
    ended_ms: int | None = None
    ending: Ending | None = None
    version: int = 1

    @property
    def is_open(self) -> bool:
        return self.ended_ms is None

    def covers(self, slot_key: int) -> bool:
        return self.slot_key in (None, slot_key)

    def earned(self, now_ms: int) -> "Span":
        """When what it withholds was earned, as far as that has happened."""
        end_ms = now_ms if self.ended_ms is None else self.ended_ms
        return Span(self.since_ms, end_ms if self.until_ms is None else min(end_ms, self.until_ms))

    def withheld_in(self, month: Month) -> "Span":
        """What of it the month withholds: all of before where it was placed in that month."""
        span = self.earned(month.end_ms)
        if self.placed_ms >= month.end_ms:
            return NOTHING
        start_ms = span.start_ms if self.placed_ms >= month.start_ms else max(span.start_ms, month.start_ms)
        return Span(start_ms, min(span.end_ms, month.end_ms))

    def freed_in(self, month: Month) -> "Span":
        """What of it the month pays after all, less what went back `before` it."""
        if self.ending is not Ending.RELEASED or not month.start_ms <= (self.ended_ms or 0) < month.end_ms:
            return NOTHING
        return self.earned(month.end_ms)

    def before(self, month: Month) -> "Span":
        """When refunds of it were made that earlier months have told of, and while it was withheld."""
        return NOTHING if self.placed_ms >= month.start_ms else Span(0, month.start_ms)

    def given_back_in(self, month: Month) -> "Span":
        """When refunds were made that the month counts: all of before where it was placed in that month."""
        is_over = self.ending is Ending.RELEASED and (self.ended_ms or 0) < month.end_ms
        if is_over or self.placed_ms >= month.end_ms:
            return NOTHING
        return Span(self.before(month).end_ms, month.end_ms)


class Span(msgspec.Struct, frozen=True):
    """Instants [start, end)."""

    start_ms: int
    end_ms: int

    @property
    def is_empty(self) -> bool:
        return self.start_ms >= self.end_ms


NOTHING = Span(0, 0)


def overlap(one: PayoutHold, other: PayoutHold) -> bool:
    """Whether some earnings would be withheld twice: of one place, and both open."""
    same_place = one.slot_key is None or other.slot_key is None or one.slot_key == other.slot_key
    return one.publisher_key == other.publisher_key and same_place and one.is_open and other.is_open


def conflicting(hold: PayoutHold, others: Iterable[PayoutHold]) -> PayoutHold | None:
    return next((one for one in others if one.key != hold.key and overlap(hold, one)), None)
