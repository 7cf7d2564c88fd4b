"""The colours of an image creative that are not the brand's: light ones, and dark ones."""

from typing import NamedTuple

from creatives.colour import AA_CONTRAST, INK, WHITE, contrast, mixed


class Skin(NamedTuple):
    """What stands on what: each of the words' colours passes AA on `ground`."""

    ground: str
    foot: str  # under the label of a tall creative
    edge: str
    ink: str  # prices, headlines
    words: str
    grey: str  # the label, a price that no longer holds
    tile: str | None  # behind a picture, since ours are flattened on white


LIGHT = Skin(WHITE, "#f4f6f8", "#d3d8de", INK, "#2b323a", "#5b6570", None)
DARK = Skin("#181b20", "#22272e", "#3d454f", "#f3f5f7", "#dfe4ea", "#b4bdc7", WHITE)


def skin_for(theme: str) -> Skin:
    """A picture cannot know how its reader's system is set: "auto" is light."""
    return DARK if theme == "dark" else LIGHT


def readable_on(colour: str, ground: str) -> str:
    """`colour`, taken step by step towards what is far from `ground`, until text in it passes AA there."""
    far = WHITE if contrast(WHITE, ground) > contrast("#000000", ground) else "#000000"
    for percent in range(100, 0, -5):
        moved = mixed(colour, far, percent)
        if contrast(moved, ground) >= AA_CONTRAST:
            return moved
    return far
