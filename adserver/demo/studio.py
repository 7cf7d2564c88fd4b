"""A small photo studio: backdrops, soft shadows, turned and cut shapes, drawn large and then reduced."""

from collections.abc import Sequence
from io import BytesIO
from itertools import pairwise
from math import cos, pi, sin
from random import Random

from PIL import Image, ImageChops, ImageColor, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Point = tuple[float, float]
Profile = Sequence[tuple[float, float]]  # (height, radius) pairs of a turned shape, from the top down

SIDE = 600
FINENESS = 2  # drawn this many times larger, then reduced
_JPEG_QUALITY = 92


def colour(text: str) -> Colour:
    red, green, blue, *_ = ImageColor.getrgb(text)
    return red, green, blue


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """`share` of the other colour in the one; below 0 and above 1 it is cut."""
    share = min(1.0, max(0.0, share))
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def lighter(of: Colour, share: float) -> Colour:
    return mixed(of, (255, 255, 255), share)


def darker(of: Colour, share: float) -> Colour:
    return mixed(of, (18, 14, 22), share)


def curve(points: Sequence[Point], *, closed: bool = True, steps: int = 16) -> list[Point]:
    """A smooth line through the points (Catmull-Rom)."""
    many = len(points)
    ends = range(many if closed else many - 1)

    def at(index: int) -> Point:
        return points[index % many] if closed else points[min(max(index, 0), many - 1)]

    line: list[Point] = []
    for index in ends:
        before, here, there, after = (at(index + step) for step in (-1, 0, 1, 2))
        line += [_between(before, here, there, after, step / steps) for step in range(steps)]
    return line if closed else [*line, points[-1]]


def _between(before: Point, here: Point, there: Point, after: Point, t: float) -> Point:
    def axis(a: float, b: float, c: float, d: float) -> float:
        return 0.5 * (
            2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
        )

    return axis(before[0], here[0], there[0], after[0]), axis(before[1], here[1], there[1], after[1])


def arc(centre: Point, radii: Point, start: float, end: float, steps: int = 40) -> list[Point]:
    """Part of an ellipse, in turns: 0 is right, 0.25 is down."""
    angles = (2 * pi * (start + (end - start) * step / steps) for step in range(steps + 1))
    return [(centre[0] + radii[0] * cos(angle), centre[1] + radii[1] * sin(angle)) for angle in angles]


class Studio:
    """A canvas in units of the finished picture; the light comes from the upper left."""

    def __init__(self, wall: str, floor: str | None = None, size: tuple[int, int] = (SIDE, SIDE)) -> None:
        self.width, self.height = size
        self.image = Image.new("RGB", (self.width * FINENESS, self.height * FINENESS))
        self._backdrop(colour(wall), colour(floor) if floor else None)

    def _backdrop(self, wall: Colour, floor: Colour | None) -> None:
        rows = Image.new("RGB", (1, self.height))
        horizon = self.height * 0.74
        for y in range(self.height):
            tone = mixed(lighter(wall, 0.30), darker(wall, 0.04), y / self.height)
            if floor is not None and y > horizon - 14:
                ground = mixed(
                    lighter(floor, 0.05), darker(floor, 0.10), (y - horizon) / (self.height - horizon)
                )
                tone = mixed(tone, ground, (y - horizon + 14) / 28)
            rows.putpixel((0, y), tone)
        self.image.paste(rows.resize(self.image.size))
        self.glow((self.width * 0.28, self.height * 0.2), self.width * 0.75, lighter(wall, 0.75), 0.55)

    # ---- light ----

    def glow(self, centre: Point, radius: float, tint: Colour, strength: float) -> None:
        """Light that falls off around a point."""
        side = round(2 * radius * FINENESS)
        fall = ImageChops.invert(Image.radial_gradient("L")).resize((side, side))
        fall = fall.point(lambda level: max(0, level - 74) / 181 * 255 * strength)
        at = (round((centre[0] - radius) * FINENESS), round((centre[1] - radius) * FINENESS))
        self.image.paste(Image.new("RGB", fall.size, tint), at, fall)

    def shadow(self, centre: Point, radii: Point, strength: float = 0.42, blur: float = 14) -> None:
        """A soft shadow on the ground: a wide faint one, and a tight dark one where things touch."""
        for spread, share in ((1.0, 0.62), (0.72, 0.55)):
            mask = self._mask()
            x, y = centre[0] + (radii[0] * 0.10 * spread), centre[1]
            rx, ry = radii[0] * spread, radii[1] * spread
            ImageDraw.Draw(mask).ellipse(
                _scaled((x - rx, y - ry, x + rx, y + ry)), fill=round(255 * strength * share)
            )
            self._paint(mask.filter(ImageFilter.GaussianBlur(blur * spread * FINENESS)), (34, 24, 28))

    # ---- shapes ----

    def turned(
        self,
        centre_x: float,
        profile: Profile,
        tint: str,
        *,
        gloss: float = 0.35,
        round_foot: float = 0.16,
        speckles: int = 0,
    ) -> None:
        """A shape from the potter's wheel: each row is one round shading, as wide as it is there."""
        line = _interpolated(profile)
        lowest, radius = line[-1]
        foot = round(radius * round_foot)
        line += [(lowest + step, radius * (1 - (step / foot) ** 2) ** 0.5) for step in range(1, foot + 1)]
        layer, mask = Image.new("RGB", self.image.size), self._mask()
        strip, solid = _round_shading(colour(tint), gloss), Image.new("L", (1, 1), 255)
        for row in range(round(line[0][0] * FINENESS), round(line[-1][0] * FINENESS)):
            radius = _radius_at(line, row / FINENESS) * FINENESS
            width = max(1, round(2 * radius))
            left = round(centre_x * FINENESS - radius)
            layer.paste(strip.resize((width, 1)), (left, row))
            mask.paste(solid.resize((width, 1)), (left, row))
        if speckles:
            _speckle(layer, mask, speckles)
        self.image.paste(layer, (0, 0), mask)

    def mouth(self, centre: Point, radii: Point, rim: str, inside: str, thickness: float = 5) -> None:
        """The opening of a pot: its rim, and the darker inside."""
        outer = _round_shading(lighter(colour(rim), 0.18), 0.2)
        self._disc(centre, radii, outer)
        inner = (radii[0] - thickness, radii[1] - thickness * 0.55)
        self._disc(
            (centre[0], centre[1] + thickness * 0.15),
            inner,
            _round_shading(darker(colour(inside), 0.35), 0.0).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        )

    def disc(self, centre: Point, radii: Point, tint: str, gloss: float = 0.2) -> None:
        self._disc(centre, radii, _round_shading(colour(tint), gloss))

    def _disc(self, centre: Point, radii: Point, strip: Image.Image) -> None:
        mask = self._mask()
        box = (centre[0] - radii[0], centre[1] - radii[1], centre[0] + radii[0], centre[1] + radii[1])
        ImageDraw.Draw(mask).ellipse(_scaled(box), fill=255)
        left, width = round(box[0] * FINENESS), max(1, round(2 * radii[0] * FINENESS))
        layer = Image.new("RGB", self.image.size)
        layer.paste(strip.resize((width, self.image.height)), (left, 0))
        self.image.paste(layer, (0, 0), mask)

    def cut(self, outline: Sequence[Point], top: str, bottom: str, *, across: bool = False) -> None:
        """A flat shape, its colour going over from top to bottom (or from left to right)."""
        mask = self._mask()
        ImageDraw.Draw(mask).polygon([(x * FINENESS, y * FINENESS) for x, y in outline], fill=255)
        box = mask.getbbox()
        if box is None:
            return
        fall = Image.linear_gradient("L")
        fall = fall.rotate(90) if across else fall
        size = (box[2] - box[0], box[3] - box[1])
        painted = Image.composite(
            Image.new("RGB", size, colour(bottom)), Image.new("RGB", size, colour(top)), fall.resize(size)
        )
        self.image.paste(painted, box[:2], mask.crop(box))

    def line(self, points: Sequence[Point], tint: str, width: float) -> None:
        """A round-ended line."""
        draw = ImageDraw.Draw(self.image)
        scaled = [(x * FINENESS, y * FINENESS) for x, y in points]
        draw.line(scaled, fill=colour(tint), width=round(width * FINENESS))
        half = width * FINENESS / 2
        for x, y in scaled:
            draw.ellipse((x - half, y - half, x + half, y + half), fill=colour(tint))

    def stitches(self, points: Sequence[Point], tint: str, width: float = 1.6, every: int = 2) -> None:
        """A dashed seam along a smooth line."""
        for index in range(0, len(points) - 1, every):
            self.line(points[index : index + 2], tint, width)

    def shine(self, outline: Sequence[Point], strength: float, blur: float = 6) -> None:
        """A soft reflection."""
        mask = self._mask()
        ImageDraw.Draw(mask).polygon(
            [(x * FINENESS, y * FINENESS) for x, y in outline], fill=round(255 * strength)
        )
        self._paint(mask.filter(ImageFilter.GaussianBlur(blur * FINENESS)), (255, 252, 244))

    def shade(
        self, outline: Sequence[Point], strength: float, blur: float = 8, within: Sequence[Point] = ()
    ) -> None:
        """A soft dark place, if wanted only within another outline."""
        mask = self._mask()
        ImageDraw.Draw(mask).polygon(
            [(x * FINENESS, y * FINENESS) for x, y in outline], fill=round(255 * strength)
        )
        mask = mask.filter(ImageFilter.GaussianBlur(blur * FINENESS))
        if within:
            limit = self._mask()
            ImageDraw.Draw(limit).polygon([(x * FINENESS, y * FINENESS) for x, y in within], fill=255)
            mask = ImageChops.multiply(mask, limit)
        self._paint(mask, (24, 14, 22))

    def picture(self) -> bytes:
        """The finished picture as a JPEG."""
        finished = self.image.resize((self.width, self.height), Image.Resampling.LANCZOS)
        file = BytesIO()
        finished.save(file, "JPEG", quality=_JPEG_QUALITY)
        return file.getvalue()

    def _mask(self) -> Image.Image:
        return Image.new("L", self.image.size)

    def _paint(self, mask: Image.Image, tint: Colour) -> None:
        self.image.paste(Image.new("RGB", self.image.size, tint), (0, 0), mask)


def _scaled(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = box
    return left * FINENESS, top * FINENESS, right * FINENESS, bottom * FINENESS


def _interpolated(profile: Profile) -> list[tuple[float, float]]:
    return curve(list(profile), closed=False, steps=10)


def _radius_at(line: Sequence[tuple[float, float]], height: float) -> float:
    for (above, wide), (below, wider) in pairwise(line):
        if above <= height <= below and below > above:
            return wide + (wider - wide) * (height - above) / (below - above)
    return 0.0


def _round_shading(tint: Colour, gloss: float) -> Image.Image:
    """One row of light on a cylinder: a lit side, a highlight, a core shadow, and light from behind."""
    strip = Image.new("RGB", (256, 1))
    for column in range(256):
        x = column / 255
        tone = lighter(tint, 0.10)
        tone = mixed(tone, darker(tint, 0.30), max(0.0, 1 - x / 0.16) * 0.55)
        tone = mixed(tone, darker(tint, 0.62), min(0.62, max(0.0, (x - 0.36) / 0.52) ** 1.5 * 0.58))
        tone = lighter(tone, gloss * max(0.0, 1 - abs(x - 0.27) / 0.15) ** 2)
        tone = lighter(tone, 0.14 * max(0.0, (x - 0.93) / 0.07))
        strip.putpixel((column, 0), tone)
    return strip


def _speckle(layer: Image.Image, mask: Image.Image, many: int) -> None:
    """Iron spots in the glaze; always the same ones."""
    dice = Random(7)  # noqa: S311  spots keep no secret
    draw = ImageDraw.Draw(layer)
    left, top, right, bottom = mask.getbbox() or (0, 0, 1, 1)
    for _ in range(many):
        x, y, size = dice.uniform(left, right), dice.uniform(top, bottom), dice.uniform(0.8, 2.4)
        draw.ellipse((x - size, y - size, x + size, y + size), fill=(92, 70, 58))
