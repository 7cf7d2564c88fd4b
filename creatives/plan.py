"""Where the parts of an image creative stand, by its size; turned round for who reads from the right."""

from functools import lru_cache
from typing import Any, NamedTuple

from creatives.formats import FORMATS, RESPONSIVE, Format


class Box(NamedTuple):
    """A rectangle in pixels, right and bottom excluded."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top


class Plan(NamedTuple):
    """Where the parts of a frame stand, and how large their letters are."""

    band: Box  # the brand's colour
    brand: Box
    brand_size: int
    label: Box  # "Ad"
    picture: Box
    words: Box  # title and price, centred from top to bottom
    title_size: int
    title_lines: int
    price_size: int
    button: Box
    button_size: int
    body_lines: int  # of a message
    is_flat: bool = False  # too low for a badge and the advertiser's own headline


PLANS = {
    "300x250": Plan(
        Box(0, 0, 300, 34), Box(12, 0, 230, 34), 17, Box(236, 0, 290, 34),
        Box(8, 42, 160, 242), Box(171, 42, 292, 190), 15, 5, 22, Box(170, 200, 292, 240), 16, 3,
    ),
    "336x280": Plan(
        Box(0, 0, 336, 38), Box(13, 0, 262, 38), 18, Box(268, 0, 325, 38),
        Box(9, 47, 183, 271), Box(195, 47, 326, 214), 17, 5, 24, Box(194, 224, 326, 268), 17, 4,
    ),
    "728x90": Plan(
        Box(0, 0, 128, 90), Box(13, 8, 118, 68), 17, Box(13, 68, 118, 86),
        Box(140, 4, 246, 86), Box(262, 4, 576, 86), 18, 2, 22, Box(590, 24, 714, 66), 16, 2,
    ),
    "970x250": Plan(
        Box(0, 0, 190, 250), Box(18, 20, 176, 206), 26, Box(18, 222, 176, 242),
        Box(206, 10, 546, 240), Box(574, 10, 950, 184), 23, 3, 34, Box(574, 190, 774, 240), 20, 4,
    ),
    "160x600": Plan(
        Box(0, 0, 160, 50), Box(10, 0, 150, 50), 18, Box(10, 576, 150, 596),
        Box(8, 60, 152, 330), Box(12, 338, 148, 510), 18, 5, 23, Box(12, 520, 148, 564), 17, 7,
    ),
    "300x600": Plan(
        Box(0, 0, 300, 54), Box(16, 0, 284, 54), 22, Box(16, 574, 284, 596),
        Box(14, 66, 286, 352), Box(18, 358, 282, 510), 20, 3, 31, Box(16, 518, 284, 566), 20, 4,
    ),
    "320x50": Plan(
        Box(0, 0, 4, 50), Box(66, 2, 176, 14), 10, Box(178, 2, 228, 14),
        Box(8, 2, 60, 48), Box(66, 14, 228, 49), 12, 1, 14, Box(234, 9, 315, 41), 13, 1, True,
    ),
    "320x100": Plan(
        Box(0, 0, 5, 100), Box(110, 7, 226, 21), 12, Box(236, 7, 312, 21),
        Box(12, 5, 102, 95), Box(110, 21, 228, 94), 13, 2, 17, Box(234, 32, 312, 74), 14, 3,
    ),
}  # fmt: skip
STAND_IN = FORMATS["300x250"]  # the picture for a slot that has no size of its own


def drawn_as(format_: Format) -> Format:
    """The size that a format's pictures have."""
    return STAND_IN if format_.name == RESPONSIVE else format_


@lru_cache(maxsize=64)
def plan_for(name: str, *, rtl: bool = False) -> Plan:
    """The parts of a size; seen in a mirror where the words run from right to left."""
    plan = PLANS[name]
    if not rtl:
        return plan
    width = FORMATS[name].width
    parts = ("band", "brand", "label", "picture", "words", "button")
    boxes: dict[str, Any] = {part: _turned(getattr(plan, part), width) for part in parts}
    return plan._replace(**boxes)


def _turned(box: Box, width: int) -> Box:
    return Box(width - box.right, box.top, width - box.left, box.bottom)


def without_picture(plan: Plan) -> Plan:
    """Words take the picture's place, and larger letters where there is height for them."""
    words = plan.words._replace(
        left=min(plan.words.left, plan.picture.left),
        top=min(plan.words.top, plan.picture.top),
        right=max(plan.words.right, plan.picture.right),
    )
    if plan.picture.height < 100:
        beside = plan.brand.left < plan.band.right and plan.band.left < plan.brand.right
        brand = plan.brand if beside else _widened(plan.brand, words)
        return plan._replace(words=words._replace(top=plan.words.top), brand=brand)
    size, lines = plan.title_size * 3 // 2, plan.body_lines + 3
    return plan._replace(words=words, button=_widened(plan.button, words), title_size=size, body_lines=lines)


def _widened(box: Box, other: Box) -> Box:
    return box._replace(left=min(box.left, other.left), right=max(box.right, other.right))
