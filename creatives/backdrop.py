"""What is around a product in its picture: plain borders come off, and what is see-through gets a ground."""

from typing import cast

from PIL import Image, ImageChops, ImageFilter, ImageStat

WHITE = (255, 255, 255)
GREY = (143, 148, 155)  # 3:1 against white and 6:1 against black, the least that WCAG asks of a shape
NEAR_WHITE_FROM = 235  # what is lighter in every channel is lost on white
BLANK_FROM = 244
OPAQUE_FROM = 128
OUTLINE_PIXELS = 5  # the width of the brush that finds a shape's outline

CELLS_A_SIDE = 450  # borders are looked for in averaged cells, which JPEG's noise hardly reaches
PLAIN_WITHIN = 10  # levels that the cells of a border may lie apart
DIFFERS_BY = 6  # levels from a border's colour from which a cell is content
STRONGLY_BY = 40  # and from which it is not merely the colour that JPEG smears over an edge
SMEARED_CELLS = 8  # how far it does
FADING_CELLS = 3  # within which an edge is past
MARGIN_SHARE = 0.02  # of the longer side, left around a product that stands in a plain border
FRAME_CELLS = 8  # that a frame is thick at most
LEAST_SIDE_PIXELS = 32  # a speck is not looked at through a microscope

Box = tuple[int, int, int, int]
Colour = tuple[int, int, int]


def on_a_ground(image: Image.Image) -> Image.Image:
    """`image` without transparency: on white, or on a grey where its outline would be lost on white."""
    # A fresh one, so that no comment, place or profile of the original goes along.
    canvas = Image.new("RGB", image.size, WHITE)
    if "A" not in image.getbands() and image.mode not in ("La", "RGBa"):
        canvas.paste(image.convert("RGB"))
        return canvas
    drawn = image.convert("RGBA")
    if _is_lost_on_white(drawn):
        canvas.paste(GREY, (0, 0, *image.size))
    canvas.paste(drawn, mask=drawn.getchannel("A"))
    return canvas


def _is_lost_on_white(image: Image.Image) -> bool:
    """Whether most of the outline of what is opaque is nearly white, as a white logo's is."""
    alpha = image.getchannel("A")
    if cast(tuple[int, int], alpha.getextrema())[0] >= OPAQUE_FROM:
        return False
    opaque = alpha.point([255 if level >= OPAQUE_FROM else 0 for level in range(256)])
    # A ring of nothing around it, so that what touches the picture's edge has an outline there too.
    framed = Image.new("L", (image.width + 2, image.height + 2), 0)
    framed.paste(opaque, (1, 1))
    inner = framed.filter(ImageFilter.MinFilter(OUTLINE_PIXELS)).crop(
        (1, 1, image.width + 1, image.height + 1)
    )
    outline = ImageChops.subtract(opaque, inner)
    light = _darkest_channel(image.convert("RGB")).point(
        [255 if level >= NEAR_WHITE_FROM else 0 for level in range(256)]
    )
    whole = outline.histogram()[255]
    return whole > 0 and ImageChops.darker(outline, light).histogram()[255] * 2 > whole


def without_borders(image: Image.Image) -> Image.Image | None:
    """`image` without the lines at its sides that are of one plain colour; None where it is blank white.

    A line goes only while it is plain from end to end, so that nothing of a product is cut.
    """
    cell = max(1, -(-max(image.size) // CELLS_A_SIDE))
    cells = image.reduce(cell) if cell > 1 else image.filter(ImageFilter.BoxBlur(1))
    box = _content_box(cells)
    if _is_blank(cells.crop(box)):
        return None
    return image.crop(_at_least(_scaled(box, cell, image.size), image.size))


def _content_box(cells: Image.Image) -> Box:
    """The cells without a thin frame, and then without a plain border."""
    return _within_border(cells, _within_frame(cells, (0, 0, *cells.size)))


def _within_frame(cells: Image.Image, whole: Box) -> Box:
    """The white paper within a line around it, as shops like to draw one; the whole where there is none."""
    frame = _around(cells, whole)
    for inset in range(2, min(FRAME_CELLS, min(cells.size) // 4) + 1, 2):
        paper = _around(cells, whole, inset)
        if paper is None or min(map(min, paper)) < NEAR_WHITE_FROM or _apart(paper[0], *paper) > DIFFERS_BY:
            continue
        if frame is not None and min(_apart(paper[0], line) for line in frame) > DIFFERS_BY:
            return (inset, inset, cells.width - inset, cells.height - inset)
    return whole


def _around(cells: Image.Image, box: Box, inwards: int = 0) -> list[Colour] | None:
    """The colours of four lines around, where each has only one."""
    colours = [_plain_colour(_middle(cells, box, side, inwards)) for side in range(4)]
    plain = [colour for colour in colours if colour is not None]
    return plain if len(plain) == len(colours) else None


def _apart(colour: Colour, *others: Colour) -> int:
    """Levels between a colour and the one of `others` that is farthest from it."""
    return max(abs(one - other) for far in others for one, other in zip(colour, far, strict=True))


def _within_border(cells: Image.Image, box: Box) -> Box:
    for side in range(4):
        colour = _plain_colour(cells.crop(_line(box, side)))
        if colour is not None:
            box = _cut(cells, box, side, colour)
    return box


def _line(box: Box, side: int, inwards: int = 0) -> Box:
    """The outermost cells of a side, or those so many further in: left, top, right, bottom."""
    left, top, right, bottom = box
    lines = (
        (left + inwards, top, left + inwards + 1, bottom),
        (left, top + inwards, right, top + inwards + 1),
        (right - inwards - 1, top, right - inwards, bottom),
        (left, bottom - inwards - 1, right, bottom - inwards),
    )
    return lines[side]


def _middle(cells: Image.Image, box: Box, side: int, inwards: int = 0) -> Image.Image:
    """Such a line without its ends, which at a corner are the other sides'."""
    left, top, right, bottom = _line(box, side, inwards)
    length = max(right - left, bottom - top)
    ends = min(inwards + 2, (length - 1) // 2)
    return cells.crop(
        (left, top + ends, right, bottom - ends)
        if side % 2 == 0
        else (left + ends, top, right - ends, bottom)
    )


def _plain_colour(line: Image.Image) -> Colour | None:
    """The colour of a line that has only one."""
    extrema = cast(tuple[tuple[int, int], ...], line.getextrema())
    if any(high - low > PLAIN_WITHIN for low, high in extrema):
        return None
    red, green, blue = ((low + high) // 2 for low, high in extrema)
    return red, green, blue


def _cut(cells: Image.Image, box: Box, side: int, colour: Colour) -> Box:
    """`box` without a side's border; with a margin of it where the content only stands in it."""
    bounds = _differing(cells.crop(box), colour, DIFFERS_BY).getbbox()
    if bounds is None:  # one plain colour from side to side: that is what the picture shows
        return box
    content = (box[0] + bounds[0], box[1] + bounds[1], box[0] + bounds[2], box[1] + bounds[3])
    depth = _depth(cells, content, side, colour)
    edges = list(box)
    if side < 2:
        edges[side] = max(box[side], content[side] + depth)
    else:
        edges[side] = min(box[side], content[side] - depth)
    return edges[0], edges[1], edges[2], edges[3]


def _depth(cells: Image.Image, content: Box, side: int, colour: Colour) -> int:
    """How many cells into the content its side is cut; fewer than none leave a margin.

    A scene fills the line where it begins, but for a smear before it; a product touches it here
    and there.
    """
    sides = (content[2] - content[0], content[3] - content[1])
    for inwards in range(min(SMEARED_CELLS, sides[side % 2] // 3)):
        line = _differing(cells.crop(_line(content, side, inwards)), colour, STRONGLY_BY)
        if _is_mostly(line):
            return inwards - _is_of_both(cells, content, side, inwards, colour)
        if line.getbbox() is not None:
            break
    if _is_mostly(_differing(cells.crop(_line(content, side)), colour, DIFFERS_BY)):
        return 0 if _is_sudden(cells, content, side, colour) else -max(cells.size)
    return -round(MARGIN_SHARE * max(sides))


def _is_sudden(cells: Image.Image, content: Box, side: int, colour: Colour) -> bool:
    """Whether the border ends in an edge; a backdrop that fades has no border."""
    inwards = min(FADING_CELLS, content[2 + side % 2] - content[side % 2] - 1)
    line = _levels(cells.crop(_line(content, side, inwards)), colour)
    return bool(ImageStat.Stat(line).mean[0] > 2 * DIFFERS_BY)


def _is_of_both(cells: Image.Image, content: Box, side: int, inwards: int, colour: Colour) -> bool:
    """Whether the line before the first that is filled holds some of the content, and not its smear alone."""
    if inwards == 0:
        return False
    before, filled = (
        ImageStat.Stat(_levels(cells.crop(_line(content, side, place)), colour)).mean[0]
        for place in (inwards - 1, inwards)
    )
    return before * 4 > filled


def _is_mostly(line: Image.Image) -> bool:
    return line.histogram()[255] * 2 > line.width * line.height


def _differing(cells: Image.Image, colour: Colour, levels: int) -> Image.Image:
    """255 where a cell is more than so many levels from `colour`, else 0."""
    return _levels(cells, colour).point([255 if level > levels else 0 for level in range(256)])


def _levels(cells: Image.Image, colour: Colour) -> Image.Image:
    """How far each cell is from `colour`, in the channel where it is farthest."""
    difference = ImageChops.difference(cells, Image.new("RGB", cells.size, colour))
    red, green, blue = difference.split()
    return ImageChops.lighter(ImageChops.lighter(red, green), blue)


def _is_blank(cells: Image.Image) -> bool:
    colour = _plain_colour(cells)
    return colour is not None and min(colour) >= BLANK_FROM


def _darkest_channel(image: Image.Image) -> Image.Image:
    red, green, blue = image.split()
    return ImageChops.darker(ImageChops.darker(red, green), blue)


def _scaled(box: Box, cell: int, size: tuple[int, int]) -> Box:
    left, top, right, bottom = (edge * cell for edge in box)
    return left, top, min(right, size[0]), min(bottom, size[1])


def _at_least(box: Box, size: tuple[int, int]) -> Box:
    """`box`, or more of the picture around it where it has hardly a pixel."""
    left, right = _widened(box[0], box[2], size[0])
    top, bottom = _widened(box[1], box[3], size[1])
    return left, top, right, bottom


def _widened(start: int, end: int, most: int) -> tuple[int, int]:
    missing = max(0, LEAST_SIDE_PIXELS - (end - start))
    start = max(0, min(start - missing // 2, most - max(LEAST_SIDE_PIXELS, end - start)))
    return start, min(most, max(end, start + LEAST_SIDE_PIXELS))
