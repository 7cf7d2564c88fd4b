"""The colours of a creative in the light and in the dark, so that a brand can be read in both."""

import msgspec

from creatives.card import Brand
from creatives.colour import (
    INK,
    PART_CONTRAST,
    WHITE,
    badge_colour,
    mixed,
    readable_on,
    safe_colour,
    text_on,
)


class Ground(msgspec.Struct, frozen=True):
    """What a creative is printed on, before any brand's colour."""

    ground: str
    raised: str  # a card under the pointer
    ink: str
    muted: str
    line: str
    frame: str


LIGHT = Ground(WHITE, "#f7f8fa", INK, "#525b66", "#e3e7eb", "#cfd5db")
DARK = Ground("#181b20", "#22272e", "#f3f5f7", "#b4bdc7", "#333a43", "#3d454f")


class Palette(msgspec.Struct, frozen=True):
    """Every colour a style sheet names. Text stands out by 4.5 to 1, the edge of a button by 3 to 1."""

    ground: str
    raised: str
    ink: str
    muted: str
    line: str
    frame: str
    primary: str
    on_primary: str
    pressed: str
    deep: str
    edge: str
    badge: str
    on_badge: str
    sale: str


def palette(brand: Brand, ground: Ground) -> Palette:
    """`brand` on `ground`; raises UnsafeColour."""
    primary, accent = safe_colour(brand.primary), safe_colour(brand.accent)
    on_primary = text_on(primary)
    badge = badge_colour(accent)
    away = WHITE if on_primary != WHITE else "#000000"  # pressing never lessens the contrast of its text
    return Palette(
        ground=ground.ground,
        raised=ground.raised,
        ink=ground.ink,
        muted=ground.muted,
        line=ground.line,
        frame=ground.frame,
        primary=primary,
        on_primary=on_primary,
        pressed=mixed(primary, away, 86),
        deep=mixed(primary, "#000000", 80) if on_primary == WHITE else primary,
        edge=readable_on(primary, ground.raised, PART_CONTRAST),
        badge=badge,
        on_badge=text_on(badge),
        sale=readable_on(accent, ground.raised),
    )


def palettes(brand: Brand) -> tuple[Palette, Palette | None]:
    """The one that holds, and the one for readers whose system is dark, where the brand leaves it to them."""
    if brand.theme == "auto":
        return palette(brand, LIGHT), palette(brand, DARK)
    return palette(brand, DARK if brand.theme == "dark" else LIGHT), None
