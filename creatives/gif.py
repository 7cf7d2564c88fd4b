"""A card, or the advertiser's message, is drawn as one frame of an image creative."""

from functools import lru_cache
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageDraw

from creatives.card import Card, Look, Offer
from creatives.colour import INK, badge_colour, mixed, readable_on, safe_colour, text_on
from creatives.fonts import text_width
from creatives.formats import Format
from creatives.frame import encoded_frame, splice
from creatives.labels import direction_of, labels_for
from creatives.lettering import (
    Lines,
    Style,
    Voice,
    baseline,
    drawable,
    fitted,
    height_of,
    seen_line,
    wrapped,
    write,
    write_centred,
)
from creatives.plan import Box, Plan, drawn_as, plan_for, without_picture
from creatives.price import PriceTag, price_tag
from creatives.skin import LIGHT, Skin, skin_for
from creatives.text import plain_text

_LONG_NAME_LETTERS = 16
_TILE_MARGIN = 6
_LEAST_NOTE_SIZE = 10
_LEAST_HEADLINE_SIZE = 12
_MOST_ENLARGED = 2.0  # beyond that a small picture is all squares
_LEAST_BUTTON_SIZE = 11  # smaller letters take two lines instead


class Sheet(NamedTuple):
    """What is drawn on, and how."""

    canvas: Image.Image
    plan: Plan
    look: Look
    skin: Skin
    voice: Voice
    primary: str
    accent: str


def voice_of(language: str) -> Voice:
    return Voice(language, direction_of(language) == "rtl")


def draw_frame(card: Card, look: Look, format_: Format, picture: bytes | None) -> bytes:
    """One encoded frame that shows `card`; `picture` is our own thumbnail."""
    sheet = _sheet(look, format_, plan_for(drawn_as(format_).name, rtl=voice_of(look.language).rtl))
    photo = _paste_picture(sheet, picture)
    tag = price_tag(card, look.offer, look.language)
    _draw_product(sheet, card, tag)
    if tag.badge and not sheet.plan.is_flat:
        _draw_badge(sheet, tag.badge, photo)
    _draw_button(sheet, plain_text(look.button or "") or labels_for(look.language).see_it)
    return _encoded(sheet, photo, format_)


def message_frame(look: Look, format_: Format, picture: bytes | None) -> bytes:
    """One encoded frame with the advertiser's own words."""
    message = look.message
    if message is None:
        raise ValueError("a look without a message has no message frame")
    plan = plan_for(drawn_as(format_).name, rtl=voice_of(look.language).rtl)
    sheet = _sheet(look, format_, plan if picture else without_picture(plan))
    photo = _paste_picture(sheet, picture) if picture else None
    plan = sheet.plan
    lines = Lines(sheet.canvas, plan.words, sheet.voice)
    words, headline = plain_text(message.headline), Style("Bold", plan.title_size + 1, sheet.skin.ink)
    lines.add(words, _unbroken(words, headline, plan.words.width), plan.title_lines)
    lines.gap(plan.title_size // 4)
    body = Style("Regular", max(11, plan.title_size * 3 // 4), sheet.skin.words)
    room = lines.room // height_of(body)
    if room > 0:
        lines.add(plain_text(message.body), body, min(plan.body_lines, room))
    lines.draw()
    _draw_button(sheet, plain_text(message.button) or labels_for(look.language).see_it)
    return _encoded(sheet, photo, format_)


@lru_cache(maxsize=128)
def house_gif(format_: Format, language: str) -> bytes:
    """A calm still of our own for an empty slot."""
    drawn = drawn_as(format_)
    canvas = Image.new("RGB", (drawn.width, drawn.height), "#eef2f7")
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, 0, drawn.width - 1, drawn.height - 1), outline=LIGHT.edge)
    flat = drawn.height <= 100
    bar = 8 if flat else 16
    left = 16 if flat else drawn.width // 2 - bar * 2
    floor = drawn.height // 2 + (16 if flat else -20)
    for index, (height, colour) in enumerate(((2, "#9db2cc"), (4, "#5f7fa8"), (3, "#7f9bbf"))):
        start = left + index * (bar * 3 // 2)
        _rounded(canvas, Box(start, floor - height * bar, start + bar, floor), 2, colour)
    words = (
        Box(left + bar * 5, 0, drawn.width - 10, drawn.height)
        if flat
        else Box(14, floor + 10, drawn.width - 14, floor + 150)
    )
    labels, small = labels_for(language), drawn.height <= 50
    lines = Lines(canvas, words, voice_of(language), centred=not flat)
    headline = Style("Bold", 14 if small else 20, "#2b3542")
    lines.add(labels.house_headline, headline, 1 if drawn.height <= 90 else 3)
    lines.add(labels.house_body, Style("Regular", 11 if small else 14, "#55616f"), 1 if small else 3)
    lines.draw()
    return splice([encoded_frame(canvas, None, format_)], format_)


def _encoded(sheet: Sheet, photo: Box | None, format_: Format) -> bytes:
    return encoded_frame(sheet.canvas, photo, format_, (sheet.primary, sheet.skin.ground))


# --- the parts ---------------------------------------------------------------------------------------------


def _sheet(look: Look, format_: Format, plan: Plan) -> Sheet:
    """The ground, the brand's band and name, the advertising label."""
    drawn, skin = drawn_as(format_), skin_for(look.brand.theme)
    primary, accent = safe_colour(look.brand.primary), safe_colour(look.brand.accent)
    canvas = Image.new("RGB", (drawn.width, drawn.height), skin.ground)
    sheet = Sheet(canvas, plan, look, skin, voice_of(look.language), primary, accent)
    draw = ImageDraw.Draw(canvas)
    if plan.label.top > plan.brand.bottom and not _is_on_band(plan, plan.label):
        draw.rectangle((0, plan.label.top - 3, drawn.width, drawn.height), fill=skin.foot)
    draw.rectangle((0, 0, drawn.width - 1, drawn.height - 1), outline=skin.edge)
    draw.rectangle((plan.band.left, plan.band.top, plan.band.right - 1, plan.band.bottom - 1), fill=primary)
    _draw_brand(sheet)
    _draw_label(sheet)
    return sheet


def _draw_brand(sheet: Sheet) -> None:
    plan, name = sheet.plan, drawable(plain_text(sheet.look.brand.name))
    size = plan.brand_size
    if len(name) > _LONG_NAME_LETTERS and size >= 14:
        size = size * 4 // 5
    colour = text_on(sheet.primary) if _is_on_band(plan, plan.brand) else sheet.skin.grey
    lines = Lines(sheet.canvas, plan.brand, sheet.voice, centred=plan.band.width == 160)
    lines.add(name, Style("Bold", size, colour), max(1, min(4, plan.brand.height // (size * 5 // 4))))
    lines.draw()


def _draw_label(sheet: Sheet) -> None:
    """At the far end beside the brand, where words begin under it, in the middle of a foot line."""
    plan, label = sheet.plan, seen_line(labels_for(sheet.look.language).ad, sheet.voice)
    on_band = _is_on_band(plan, plan.label)
    style = Style(
        "Regular",
        10 if plan.label.height < 16 else 12,
        text_on(sheet.primary) if on_band else sheet.skin.grey,
    )
    room = plan.label.width - text_width(label, style.weight, style.size)
    beside = plan.label.top == plan.brand.top
    begins_left = on_band and not beside
    if begins_left or beside:
        at_right = beside != sheet.voice.rtl
        left = plan.label.left + (room if at_right else 0)
    else:
        left = plan.label.left + room / 2
    write(sheet.canvas, round(left), baseline(plan.label, style.size), label, style, sheet.voice.language)


def _is_on_band(plan: Plan, box: Box) -> bool:
    band = plan.band
    return box.left < band.right and band.left < box.right and box.top < band.bottom


def _paste_picture(sheet: Sheet, picture: bytes | None) -> Box | None:
    """The thumbnail, as large as its box allows; where it came to stand."""
    if picture is None:
        _draw_bag(sheet)
        return None
    box = sheet.plan.picture
    if sheet.skin.tile:
        _rounded(sheet.canvas, box, _TILE_MARGIN, sheet.skin.tile)
        margin = _TILE_MARGIN if box.height > 60 else 2
        box = Box(box.left + margin, box.top + margin, box.right - margin, box.bottom - margin)
    with Image.open(BytesIO(picture), formats=("JPEG", "PNG")) as opened:
        opened.draft("RGB", (box.width, box.height))
        photo = opened.convert("RGB")
    scale = min(box.width / photo.width, box.height / photo.height, _MOST_ENLARGED)
    size = (max(1, round(photo.width * scale)), max(1, round(photo.height * scale)))
    photo = photo.resize(size, Image.Resampling.BICUBIC)
    left = box.left + (box.width - size[0]) // 2
    top = box.top + (box.height - size[1]) // 2
    sheet.canvas.paste(photo, (left, top))
    return Box(left, top, left + size[0], top + size[1])


def _draw_bag(sheet: Sheet) -> None:
    """A shopping bag where a product has no picture."""
    box, ground = sheet.plan.picture, sheet.skin.ground
    tinted = readable_on(sheet.primary, ground)
    _rounded(sheet.canvas, box, _TILE_MARGIN, mixed(tinted, ground, 8))
    side = min(box.width, box.height, 240) * 11 // 20
    left = (box.left + box.right - side) // 2
    top = (box.top + box.bottom - side) // 2
    bag = mixed(tinted, ground, 26)
    _rounded(sheet.canvas, Box(left, top + side // 4, left + side, top + side), side // 10, bag)
    handle = (left + side // 3, top, left + side - side // 3, top + side // 2)
    ImageDraw.Draw(sheet.canvas).arc(handle, 180, 360, fill=bag, width=max(2, side // 16))


def _draw_product(sheet: Sheet, card: Card, tag: PriceTag) -> None:
    """The advertiser's headline, the title in what room is left, the price, and how to come by the code."""
    plan, skin = sheet.plan, sheet.skin
    title = Style("Regular", plan.title_size, skin.words)
    lines = Lines(sheet.canvas, plan.words, Voice(card.language, sheet.voice.rtl))
    below = _price_lines(sheet, tag, height_of(title))
    headline = "" if plan.is_flat else plain_text(sheet.look.headline or "")
    room = lines.room - below.used
    if headline and room >= 2 * height_of(title):
        _add_headline(
            lines, headline, Style("Bold", title.size, readable_on(sheet.primary, skin.ground)), room
        )
    most = min(plan.title_lines, (lines.room - below.used) // height_of(title))
    lines.add(plain_text(card.title), title, max(1, most))
    lines.rows += below.rows
    lines.draw()


def _add_headline(lines: Lines, words: str, style: Style, room: int) -> None:
    """Whole in two lines, in smaller letters if need be, in three of the smallest; the title keeps a line."""
    gap = style.size // 4
    room -= height_of(style) + gap
    style = _unbroken(words, style, lines.box.width)
    shown, most = drawable(words), max(1, min(2, room // height_of(style)))
    while style.size > _LEAST_HEADLINE_SIZE and len(wrapped(shown, style, lines.box.width, most + 1)) > most:
        style = style._replace(size=style.size - 1)
        most = max(1, min(2, room // height_of(style)))
    if style.size == _LEAST_HEADLINE_SIZE:
        most = max(1, min(3, room // height_of(style)))
    lines.add(words, style, most)
    lines.gap(gap)


def _unbroken(words: str, style: Style, width: int) -> Style:
    """In letters so small that the longest word stands on a line, where that can be read."""
    longest = max(
        drawable(words).split(), key=lambda word: text_width(word, style.weight, style.size), default=""
    )
    return fitted(longest, style, width, _LEAST_HEADLINE_SIZE)


def _price_lines(sheet: Sheet, tag: PriceTag, title_height: int) -> Lines:
    """What stands under the title, of which one line is to have room."""
    plan, skin = sheet.plan, sheet.skin
    left = plan.words._replace(bottom=plan.words.bottom - title_height)
    lines = Lines(sheet.canvas, left, sheet.voice)
    lines.gap(max(1, plan.price_size // 4))
    colour = readable_on(sheet.accent, skin.ground) if tag.was else skin.ink
    lines.add_price(tag, Style("Bold", plan.price_size, colour), skin.grey)
    if not plan.is_flat:
        _add_code(lines, sheet.look, Style("Bold", max(11, plan.title_size * 3 // 4), skin.grey))
    return lines


def _add_code(lines: Lines, look: Look, style: Style) -> None:
    """A code that everybody has is shown whole or not at all; one of the clicker's own is only promised."""
    offer: Offer | None = look.offer
    if offer is None or (offer.code is None and not offer.pool):
        return
    labels, code = labels_for(look.language), plain_text(offer.code or "")
    for words in (labels.pool,) if offer.pool else (f"{labels.code} {code}", code):
        note = fitted(drawable(words), style, lines.box.width, _LEAST_NOTE_SIZE)
        is_whole = text_width(drawable(words), note.weight, note.size) <= lines.box.width
        most = 1 if is_whole else 2
        if (is_whole or offer.pool) and lines.room >= most * height_of(note):
            if lines.voice.rtl:  # the dinar's letters reach far down
                lines.gap(min(6, lines.room - most * height_of(note)))
            lines.add(words, note, most)
            return


def _draw_badge(sheet: Sheet, badge: str, photo: Box | None) -> None:
    """On the picture's corner; beside it where it is small and there is room."""
    plan, colour = sheet.plan, badge_colour(sheet.accent)
    style = Style("Bold", max(12, plan.price_size * 3 // 5), text_on(colour))
    height = style.size + 9
    width = round(text_width(drawable(badge), style.weight, style.size)) + style.size
    over = photo if photo and plan.picture.height >= 150 else plan.picture
    left = over.right + 2 - width if sheet.voice.rtl else over.left - 2
    top = max(over.top - 2, plan.picture.top - 2, 4)
    box = Box(left, top, left + width, top + height)
    edge = Box(box.left - 2, box.top - 2, box.right + 2, box.bottom + 2)
    _rounded(sheet.canvas, edge, height // 2 + 2, sheet.skin.ground)
    _rounded(sheet.canvas, box, height // 2, colour)
    # A number without letters reads from the left everywhere, its sign before it.
    write_centred(sheet.canvas, box, badge, style, Voice(sheet.voice.language, rtl=False))


def _draw_button(sheet: Sheet, words: str) -> None:
    box = sheet.plan.button
    edge = mixed(readable_on(sheet.primary, sheet.skin.ground), INK, 84)
    _rounded(sheet.canvas, box, 6, edge)
    _rounded(sheet.canvas, Box(box.left + 1, box.top + 1, box.right - 1, box.bottom - 1), 5, sheet.primary)
    inner = Box(box.left + 4, box.top, box.right - 4, box.bottom)
    style = Style("Bold", sheet.plan.button_size, text_on(sheet.primary))
    style = fitted(drawable(words), style, inner.width, _LEAST_BUTTON_SIZE)
    if text_width(drawable(words), style.weight, style.size) <= inner.width:
        write_centred(sheet.canvas, inner, words, style, sheet.voice)
        return
    lines = Lines(sheet.canvas, inner, sheet.voice, centred=True)
    lines.add(words, style, 2)
    lines.draw()


def _rounded(canvas: Image.Image, box: Box, radius: int, colour: str) -> None:
    canvas.paste(colour, (box.left, box.top), _corners(box.width, box.height, radius))


@lru_cache(maxsize=256)
def _corners(width: int, height: int, radius: int) -> Image.Image:
    """A rounded rectangle with smooth corners, which Pillow draws only when reduced from a larger one."""
    mask = Image.new("L", (width * 4, height * 4), 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, width * 4 - 1, height * 4 - 1), radius * 4, fill=255)
    return mask.resize((width, height), Image.Resampling.BOX)
