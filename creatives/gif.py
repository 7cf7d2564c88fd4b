"""Cards become an animated GIF within a byte budget: each frame drawn once, then spliced by joining bytes.

A frame carries its own colour table, so frames that were drawn apart, for different visitors, can be joined
without being encoded again.
"""

from collections.abc import Sequence
from functools import lru_cache
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageDraw

from creatives.card import Card, Look
from creatives.colour import (
    INK,
    WHITE,
    badge_colour,
    mixed,
    readable_on_white,
    rgb,
    safe_colour,
    text_on,
)
from creatives.formats import Format
from creatives.labels import labels_for
from creatives.lettering import (
    Box,
    Lines,
    baseline,
    cut,
    drawable,
    text_width,
    write,
    write_centred,
)
from creatives.price import PriceTag, price_tag
from creatives.text import plain_text

MAX_GIF_BYTES = 150_000  # IAB initial load for 300x250 and 728x90
MAX_FRAMES = 4
MAX_FRAME_BYTES = (MAX_GIF_BYTES - 64) // MAX_FRAMES
ANIMATION_SECONDS = 15  # then it rests
FRAME_CENTISECONDS = 240  # long enough to read a title and a price
# Colours, and whether to dither, tried until a frame fits: dithering smooths photographs but costs a third.
_QUALITIES = ((256, True), *((colours, False) for colours in (256, 128, 64, 32, 16, 8, 4)))

_PIN_DISTANCE = 6  # of 255, per channel
_GREY = "#5b6570"
_LINE = "#d3d8de"


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


PLANS = {
    "300x250": Plan(
        Box(0, 0, 300, 36), Box(13, 0, 230, 36), 17, Box(236, 0, 290, 36),
        Box(13, 49, 143, 237), Box(157, 46, 288, 188), 16, 4, 23, Box(157, 196, 287, 236), 16, 3,
    ),
    "728x90": Plan(
        Box(0, 0, 128, 90), Box(13, 8, 118, 70), 17, Box(13, 68, 118, 86),
        Box(142, 8, 222, 82), Box(238, 5, 570, 85), 18, 2, 22, Box(586, 24, 714, 66), 16, 2,
    ),
    "160x600": Plan(
        Box(0, 0, 160, 52), Box(10, 0, 150, 52), 18, Box(10, 576, 150, 596),
        Box(13, 66, 147, 290), Box(13, 300, 147, 508), 18, 5, 23, Box(13, 520, 147, 564), 17, 7,
    ),
    "300x600": Plan(
        Box(0, 0, 300, 56), Box(18, 0, 282, 56), 22, Box(18, 574, 282, 596),
        Box(20, 72, 280, 366), Box(20, 376, 280, 502), 21, 3, 32, Box(20, 514, 280, 564), 20, 4,
    ),
    "320x50": Plan(
        Box(0, 0, 4, 50), Box(60, 3, 170, 15), 10, Box(174, 3, 226, 15),
        Box(8, 3, 52, 47), Box(60, 14, 226, 47), 12, 1, 15, Box(230, 9, 313, 41), 13, 1,
    ),
}  # fmt: skip


def draw_frame(card: Card, look: Look, format_: Format, picture: bytes | None) -> bytes:
    """One encoded frame that shows `card`; `picture` is our own thumbnail."""
    plan = PLANS[format_.name]
    canvas = _canvas(look, format_, plan)
    photo = _paste_picture(canvas, plan.picture, picture)
    tag = price_tag(card, look.offer, look.language)
    _draw_product(canvas, plan, plain_text(card.title), tag, look)
    if tag.badge and format_.name != "320x50":
        _draw_badge(canvas, plan, tag.badge, safe_colour(look.brand.accent))
    _draw_button(canvas, plan, labels_for(look.language).see_it, look)
    return _encoded_frame(canvas, photo, look.brand.primary)


def message_frame(look: Look, format_: Format, picture: bytes | None) -> bytes:
    """One encoded frame with the advertiser's own words."""
    if look.message is None:
        raise ValueError("a look without a message has no message frame")
    plan = PLANS[format_.name] if picture else _without_picture(PLANS[format_.name])
    canvas = _canvas(look, format_, plan)
    photo = _paste_picture(canvas, plan.picture, picture) if picture else None
    message = look.message
    lines = Lines(canvas, plan.words)
    lines.add(plain_text(message.headline), "Bold", plan.title_size + 1, INK, plan.title_lines)
    lines.gap(plan.title_size // 4)
    body_size = max(11, plan.title_size * 3 // 4)
    lines.add(plain_text(message.body), "Regular", body_size, "#464f59", plan.body_lines)
    lines.draw()
    _draw_button(canvas, plan, plain_text(message.button) or labels_for(look.language).see_it, look)
    return _encoded_frame(canvas, photo, look.brand.primary)


def _without_picture(plan: Plan) -> Plan:
    """Words take the picture's place, and larger letters where there is height for them."""
    words = Box(
        min(plan.words.left, plan.picture.left), min(plan.words.top, plan.picture.top), *plan.words[2:]
    )
    if plan.picture.height < 100:
        brand = plan.brand if plan.brand.left < plan.band.right else plan.brand._replace(left=words.left)
        return plan._replace(words=words._replace(top=plan.words.top), brand=brand)
    wide = plan.button._replace(left=words.left)
    size, lines = plan.title_size * 3 // 2, plan.body_lines + 3
    return plan._replace(words=words, button=wide, title_size=size, body_lines=lines)


@lru_cache(maxsize=128)
def house_gif(format_: Format, language: str) -> bytes:
    """A calm still of our own for an empty slot."""
    canvas = Image.new("RGB", (format_.width, format_.height), "#eef2f7")
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, 0, format_.width - 1, format_.height - 1), outline=_LINE)
    flat = format_.height < 100
    bar = 8 if flat else 16
    left = 16 if flat else format_.width // 2 - bar * 2
    floor = format_.height // 2 + (16 if flat else -20)
    for index, (height, colour) in enumerate(((2, "#9db2cc"), (4, "#5f7fa8"), (3, "#7f9bbf"))):
        start = left + index * (bar * 3 // 2)
        _rounded(canvas, Box(start, floor - height * bar, start + bar, floor), 2, colour)
    words = (
        Box(left + bar * 5, 0, format_.width - 10, format_.height)
        if flat
        else Box(14, floor + 10, format_.width - 14, floor + 150)
    )
    labels = labels_for(language)
    lines = Lines(canvas, words, centred=not flat)
    small = format_.height < 60
    lines.add(labels.house_headline, "Bold", 14 if small else 20, "#2b3542", 1 if flat else 3)
    lines.add(labels.house_body, "Regular", 11 if small else 14, "#55616f", 1 if flat else 3)
    lines.draw()
    return splice([_encoded_frame(canvas, None)], format_)


def splice(frames: Sequence[bytes], format_: Format) -> bytes:
    """Frames joined to a GIF that moves for at most fifteen seconds and then rests on its last frame."""
    size = format_.width.to_bytes(2, "little") + format_.height.to_bytes(2, "little")
    header = b"GIF89a" + size + b"\x70\x00\x00"  # no global colour table
    plays = ANIMATION_SECONDS * 100 // (FRAME_CENTISECONDS * len(frames)) if len(frames) > 1 else 1
    # The block counts repetitions after the first pass; a count of 0 would mean for ever.
    loop = b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + (plays - 1).to_bytes(2, "little") + b"\x00"
    return b"".join((header, loop if plays > 1 else b"", *frames, b"\x3b"))


# --- drawing ---------------------------------------------------------------------------------------------


def _canvas(look: Look, format_: Format, plan: Plan) -> Image.Image:
    """White, the brand's band and name, the advertising label."""
    primary = safe_colour(look.brand.primary)
    canvas = Image.new("RGB", (format_.width, format_.height), WHITE)
    draw = ImageDraw.Draw(canvas)
    if plan.label.top > plan.band.bottom:
        draw.rectangle((0, plan.label.top - 3, format_.width, format_.height), fill="#f4f6f8")
    draw.rectangle((0, 0, format_.width - 1, format_.height - 1), outline=_LINE)
    draw.rectangle((plan.band.left, plan.band.top, plan.band.right - 1, plan.band.bottom - 1), fill=primary)
    name = drawable(plain_text(look.brand.name))
    lines = Lines(canvas, plan.brand, centred=format_.name == "160x600")
    size = plan.brand_size if len(name) <= 16 or plan.brand_size < 12 else plan.brand_size * 4 // 5
    brand_colour = text_on(primary) if plan.brand.left < plan.band.right else _GREY
    lines.add(name, "Bold", size, brand_colour, 2 if plan.brand.height > 44 else 1)
    lines.draw()
    _draw_label(canvas, plan, labels_for(look.language).ad, text_on(primary))
    return canvas


def _draw_label(canvas: Image.Image, plan: Plan, label: str, on_band: str) -> None:
    """At the right of its box beside the brand, at the left under it, in the middle of a foot line."""
    size = 10 if plan.label.height < 16 else 12
    colour = on_band if plan.label.left < plan.band.right and plan.label.top < plan.band.bottom else _GREY
    room = plan.label.width - text_width(label, "Regular", size)
    if plan.label.top == plan.brand.top:
        left = plan.label.left + room
    elif plan.label.top < plan.band.bottom:
        left = float(plan.label.left)
    else:
        left = plan.label.left + room / 2
    write(canvas, round(left), baseline(plan.label, size), label, "Regular", size, colour)


def _paste_picture(canvas: Image.Image, box: Box, picture: bytes | None) -> Box | None:
    """The thumbnail, as large as `box` allows; where it came to stand."""
    if picture is None:
        _draw_bag(canvas, box)
        return None
    with Image.open(BytesIO(picture), formats=("JPEG", "PNG")) as opened:
        opened.draft("RGB", (box.width, box.height))
        photo = opened.convert("RGB")
    scale = min(box.width / photo.width, box.height / photo.height)
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    photo = photo.resize(size, Image.Resampling.LANCZOS)
    left = box.left + (box.width - size[0]) // 2
    top = box.top + (box.height - size[1]) // 2
    canvas.paste(photo, (left, top))
    return Box(left, top, left + size[0], top + size[1])


def _draw_bag(canvas: Image.Image, box: Box) -> None:
    """A shopping bag where a product has no picture."""
    side = min(box.width, box.height, 110) * 3 // 4
    left = (box.left + box.right - side) // 2
    top = (box.top + box.bottom - side) // 2
    _rounded(canvas, Box(left, top + side // 4, left + side, top + side), side // 10, "#dfe4ea")
    handle = (left + side // 3, top, left + side - side // 3, top + side // 2)
    ImageDraw.Draw(canvas).arc(handle, 180, 360, fill="#c3cad2", width=max(2, side // 16))


def _draw_product(canvas: Image.Image, plan: Plan, title: str, tag: PriceTag, look: Look) -> None:
    lines = Lines(canvas, plan.words)
    lines.add(title, "Regular", plan.title_size, "#2b323a", plan.title_lines)
    lines.gap(max(1, plan.price_size // 4))
    colour = readable_on_white(safe_colour(look.brand.accent)) if tag.was else INK
    lines.add_price(tag, plan.price_size, colour)
    lines.draw()


def _draw_badge(canvas: Image.Image, plan: Plan, badge: str, accent: str) -> None:
    size = max(12, plan.price_size * 3 // 5)
    text = drawable(badge)
    height = size + 9
    width = round(text_width(text, "Bold", size)) + size
    left, top = plan.picture.left - 4, plan.picture.top - 4
    _rounded(canvas, Box(left - 2, top - 2, left + width + 2, top + height + 2), height // 2 + 2, WHITE)
    _rounded(canvas, Box(left, top, left + width, top + height), height // 2, badge_colour(accent))
    write_centred(
        canvas, Box(left, top, left + width, top + height), text, size, text_on(badge_colour(accent))
    )


def _draw_button(canvas: Image.Image, plan: Plan, words: str, look: Look) -> None:
    primary = safe_colour(look.brand.primary)
    box = plan.button
    _rounded(canvas, box, 6, mixed(primary, INK, 84))
    _rounded(canvas, Box(box.left + 1, box.top + 1, box.right - 1, box.bottom - 1), 5, primary)
    text = cut(drawable(words), "Bold", plan.button_size, box.width - 8)
    write_centred(canvas, box, text, plan.button_size, text_on(primary))


def _rounded(canvas: Image.Image, box: Box, radius: int, colour: str) -> None:
    """A rounded rectangle with smooth corners, which Pillow draws only when reduced from a larger one."""
    mask = Image.new("L", (box.width * 4, box.height * 4), 0)
    edge = (0, 0, box.width * 4 - 1, box.height * 4 - 1)
    ImageDraw.Draw(mask).rounded_rectangle(edge, radius * 4, fill=255)
    canvas.paste(colour, (box.left, box.top), mask.resize((box.width, box.height), Image.Resampling.BOX))


# --- encoding --------------------------------------------------------------------------------------------


def _encoded_frame(canvas: Image.Image, photo: Box | None, primary: str = WHITE) -> bytes:
    """The best quality whose bytes fit the budget."""
    frame = b""
    for colours, dithered in _QUALITIES:
        frame = _frame_bytes(_indexed(canvas, photo, primary, colours, dithered))
        if len(frame) <= MAX_FRAME_BYTES:
            break
    return frame


def _indexed(
    canvas: Image.Image, photo: Box | None, primary: str, colours: int, dithered: bool
) -> Image.Image:
    """`canvas` with a palette of its own; only the photograph is dithered, so that letters stay crisp."""
    flat = canvas.quantize(colours, method=Image.Quantize.FASTOCTREE)
    _pin(flat, rgb(primary))
    _pin(flat, rgb(WHITE))
    if photo is None or not dithered:
        return flat
    smooth = canvas.crop(photo).quantize(palette=flat, dither=Image.Dither.FLOYDSTEINBERG)
    flat.paste(smooth, (photo.left, photo.top))
    return flat


def _pin(indexed: Image.Image, exact: tuple[int, int, int]) -> None:
    """A palette averages neighbours: the brand's colour and white are put right where they are near."""
    palette = indexed.getpalette() or []
    entries = [palette[start : start + 3] for start in range(0, len(palette), 3)]
    off = [max(abs(one - two) for one, two in zip(entry, exact, strict=True)) for entry in entries]
    nearest = off.index(min(off))
    if off[nearest] <= _PIN_DISTANCE:
        palette[nearest * 3 : nearest * 3 + 3] = exact
        indexed.putpalette(palette)


def _frame_bytes(indexed: Image.Image) -> bytes:
    """Pillow's encoding of one picture, its global colour table made the frame's own."""
    buffer = BytesIO()
    indexed.save(buffer, "GIF", optimize=False, interlace=False)
    gif = buffer.getvalue()
    bits = gif[10] & 0b111
    table_end = 13 + 3 * (2 << bits)
    start = _image_start(gif, table_end)
    control = b"\x21\xf9\x04\x04" + FRAME_CENTISECONDS.to_bytes(2, "little") + b"\x00\x00"  # leave in place
    descriptor = gif[start : start + 9] + bytes([0b1000_0000 | bits])
    return control + descriptor + gif[13:table_end] + gif[start + 10 : -1]


def _image_start(gif: bytes, position: int) -> int:
    """Where the image descriptor stands, behind any extension blocks."""
    while gif[position] == 0x21:
        position += 2
        while gif[position]:
            position += gif[position] + 1
        position += 1
    return position
