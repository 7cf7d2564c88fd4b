"""Money: whole micros of an ISO 4217 currency, and nothing else."""

from typing import NewType

Micros = NewType("Micros", int)

ZERO = Micros(0)
MICROS_PER_UNIT = 1_000_000
LARGEST = Micros(10**9 * MICROS_PER_UNIT)  # a budget, price or basket above a thousand million is a mistake


def basis_points_of(amount: Micros, basis_points: int) -> Micros:
    """`basis_points` ten-thousandths of `amount`, rounded down to a whole micro."""
    return Micros(amount * basis_points // 10_000)


def part_of_share(share: int, whole: int, part: int) -> Micros:
    """What of a share belongs to a part of the whole, rounded down: shares of growing parts never shrink."""
    return Micros(share * part // whole)


def per_thousand(amount: Micros, count: int) -> Micros | None:
    """What a thousand of them are worth where `count` came to `amount`, rounded down; None of none."""
    return Micros(amount * 1_000 // count) if count else None
