"""What an evaluation found, beside what it must be."""

from pathlib import Path

import msgspec


class Options(msgspec.Struct, frozen=True):
    """What to evaluate on: `data` is a folder of click logs of one's own, None for the public ones."""

    data: Path | None = None


class Figure(msgspec.Struct, frozen=True):
    """One figure with its 95 % interval, where it has one, and the bounds it must keep, where it must."""

    section: str
    name: str
    value: float
    low: float | None = None
    high: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    aim: float | None = None
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether the figure is within its bounds."""
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )
