"""Slot sizes, and how many cards fit each."""

import msgspec


class Format(msgspec.Struct, frozen=True):
    """A creative's size in CSS pixels and the number of cards an HTML document shows in it.

    The responsive one has no size of its own: its document fills whatever frame it is given.
    """

    width: int
    height: int
    cards: int

    @property
    def name(self) -> str:
        return f"{self.width}x{self.height}" if self.width else RESPONSIVE


RESPONSIVE = "responsive"
FORMATS = {
    format_.name: format_
    for format_ in (
        Format(300, 250, 2),
        Format(336, 280, 2),
        Format(728, 90, 3),
        Format(970, 250, 4),
        Format(300, 600, 4),
        Format(160, 600, 3),
        Format(320, 50, 1),
        Format(320, 100, 2),
        Format(0, 0, 6),
    )
}
