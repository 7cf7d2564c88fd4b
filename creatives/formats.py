"""Slot sizes, and how many cards fit each."""

import msgspec


class Format(msgspec.Struct, frozen=True):
    """A creative's size in CSS pixels and the number of cards an HTML document shows in it."""

    width: int
    height: int
    cards: int

    @property
    def name(self) -> str:
        return f"{self.width}x{self.height}"


FORMATS = {
    format_.name: format_
    for format_ in (
        Format(300, 250, 2),
        Format(728, 90, 3),
        Format(160, 600, 3),
        Format(300, 600, 4),
        Format(320, 50, 1),
    )
}
