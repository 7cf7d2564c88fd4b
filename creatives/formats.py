"""Slot sizes, how many cards fit each, and which frame an HTML document is laid out in."""

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


class Frame(msgspec.Struct, frozen=True):
    """Sizes that are laid out alike; each bound belongs to the frame."""

    name: str
    least_width: int = 0
    most_width: int | None = None
    least_height: int = 0
    most_height: int | None = None

    def holds(self, width: int, height: int) -> bool:
        fits_width = self.least_width <= width and (self.most_width is None or width <= self.most_width)
        fits_height = self.least_height <= height and (self.most_height is None or height <= self.most_height)
        return fits_width and fits_height

    @property
    def bounds(self) -> str:
        """As a media query: in an iframe the window is the frame, and zoom makes fractions of pixels."""
        limits = [f"(min-width:{self.least_width}px)"] if self.least_width else []
        limits += [f"(max-width:{self.most_width}.98px)"] if self.most_width is not None else []
        limits += [f"(min-height:{self.least_height}px)"] if self.least_height else []
        limits += [f"(max-height:{self.most_height}.98px)"] if self.most_height is not None else []
        return " and ".join(limits)


FRAMES = (
    Frame("micro", most_height=71),
    Frame("low", most_width=479, least_height=72, most_height=149),
    Frame("bar", least_width=480, least_height=72, most_height=149),
    Frame("tower", most_width=239, least_height=250),
    Frame("box", most_width=239, least_height=150, most_height=249),
    Frame("box", least_width=240, most_width=479, least_height=150, most_height=399),
    Frame("wide", least_width=480, least_height=150, most_height=399),
    Frame("page", least_width=240, least_height=400),
)


def frame_of(width: int, height: int) -> Frame:
    """The one frame of a size; there is one for every size."""
    return next(frame for frame in FRAMES if frame.holds(width, height))
