"""The colours of an image creative that are not the brand's: light ones, and dark ones."""

from typing import NamedTuple

from creatives.colour import INK, WHITE


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
