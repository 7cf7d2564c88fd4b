"""Text on a picture: what our font can draw, where lines break, and letters that stand evenly."""

import unicodedata
import warnings
from functools import lru_cache
from typing import NamedTuple

from PIL import Image, ImageDraw

from creatives.assets import font
from creatives.price import PriceTag

_FINENESS = 4  # text is drawn this many times larger, then reduced
_ELLIPSIS = "…"
_STRUCK = "#5b6570"  # a price that no longer holds


class ScriptNotCovered(UserWarning):
    """A text has letters that our font cannot draw; they were left out. Serve this product as HTML."""


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


def uncovered(text: str) -> str:
    """The letters of `text` that our font cannot draw, each once."""
    return "".join(sorted({letter for letter in text if not _covered(letter)}))


def scripts_of(letters: str) -> str:
    """The scripts of `letters` by the first words of their Unicode names: a short list for any text."""
    return ", ".join(sorted({unicodedata.name(letter, "unnamed").split()[0] for letter in letters}))


class _Span(NamedTuple):
    left: int
    text: str
    weight: str
    size: int
    colour: str
    struck: bool


class Lines:
    """Lines of text gathered first, so that they can be centred in their box from top to bottom."""

    def __init__(self, canvas: Image.Image, box: Box, centred: bool = False) -> None:
        self.canvas, self.box, self.centred = canvas, box, centred
        self.rows: list[tuple[int, list[_Span]]] = []

    def gap(self, pixels: int) -> None:
        self.rows.append((pixels, []))

    def add(self, text: str, weight: str, size: int, colour: str, most: int) -> None:
        for line in wrapped(drawable(text), weight, size, self.box.width, most):
            self.rows.append((size * 5 // 4, [_Span(0, line, weight, size, colour, False)]))

    def add_price(self, tag: PriceTag, size: int, colour: str) -> None:
        now = drawable(tag.now)
        while size > 10 and text_width(now, "Bold", size) > self.box.width:
            size -= 1
        price = _Span(0, now, "Bold", size, colour, False)
        self.rows.append((size * 6 // 5, [price]))
        if tag.was is None:
            return
        was_size = max(11, size * 3 // 5)
        left = round(text_width(now, "Bold", size)) + 7
        was = _Span(left, drawable(tag.was), "Regular", was_size, _STRUCK, True)
        width = round(text_width(was.text, "Regular", was_size))
        if left + width <= self.box.width:
            self.rows[-1][1].append(was)
        elif sum(height for height, _ in self.rows) + was_size < self.box.height:
            self.rows.append((was_size * 5 // 4, [was._replace(left=0)]))

    def draw(self) -> None:
        top = self.box.top + max(0, self.box.height - sum(height for height, _ in self.rows)) // 2
        for height, spans in self.rows:
            for span in spans:
                self._draw_span(span, top + height * 4 // 5)
            top += height

    def _draw_span(self, span: _Span, floor: int) -> None:
        width = text_width(span.text, span.weight, span.size)
        left = self.box.left + (round((self.box.width - width) / 2) if self.centred else span.left)
        write(self.canvas, left, floor, span.text, span.weight, span.size, span.colour)
        if span.struck:
            middle = floor - round(span.size * 0.27)
            draw = ImageDraw.Draw(self.canvas)
            draw.line((left, middle, left + round(width), middle), span.colour, 1)


def text_width(text: str, weight: str, size: int) -> float:
    return font(weight, size * _FINENESS).getlength(text) / _FINENESS


def write(
    canvas: Image.Image, left: int, baseline: int, text: str, weight: str, size: int, colour: str
) -> None:
    """`text` drawn large and reduced, since letters hinted to whole pixels stand unevenly."""
    letters = font(weight, size * _FINENESS)
    ascent, descent = (part // _FINENESS + 1 for part in letters.getmetrics())
    width = int(letters.getlength(text)) // _FINENESS + 4
    mask = Image.new("L", (width * _FINENESS, (ascent + descent) * _FINENESS), 0)
    ImageDraw.Draw(mask).text((_FINENESS, ascent * _FINENESS), text, 255, letters, anchor="ls")
    canvas.paste(colour, (left - 1, baseline - ascent), mask.reduce(_FINENESS))


def write_centred(canvas: Image.Image, box: Box, text: str, size: int, colour: str) -> None:
    left = box.left + round((box.width - text_width(text, "Bold", size)) / 2)
    write(canvas, left, baseline(box, size), text, "Bold", size, colour)


def baseline(box: Box, size: int) -> int:
    """Where one line of capitals (0.71 of the size) stands when it is centred in `box`."""
    return round((box.top + box.bottom) / 2 + size * 0.355)


def wrapped(text: str, weight: str, size: int, width: int, most: int) -> list[str]:
    """`text` in at most `most` lines of `width` pixels; what does not fit ends in an ellipsis."""
    lines: list[str] = []
    line = ""
    for word in _breakable(text, weight, size, width):
        longer = f"{line} {word}" if line else word
        if text_width(longer, weight, size) <= width:
            line = longer
            continue
        if len(lines) == most - 1:
            return [*lines, cut(f"{longer}{_ELLIPSIS}", weight, size, width)]
        lines.append(line)
        line = word
    return [*lines, line] if line else lines


def _breakable(text: str, weight: str, size: int, width: int) -> list[str]:
    """The words of `text`, the longest ones broken so that each fits a line."""
    words: list[str] = []
    for word in text.split(" "):
        piece = ""
        for letter in word:
            if piece and text_width(piece + letter, weight, size) > width:
                words.append(piece)
                piece = ""
            piece += letter
        words.append(piece)
    return words


def cut(text: str, weight: str, size: int, width: int) -> str:
    """`text`, shortened with an ellipsis until it is no wider than `width`."""
    kept = text.rstrip(_ELLIPSIS)
    shown = text
    while kept and text_width(shown, weight, size) > width:
        kept = kept[:-1].rstrip(" ,;.:-|")
        shown = kept + _ELLIPSIS
    return shown


def drawable(text: str) -> str:
    """`text` without the letters our font lacks; most of a title gone means no title rather than a torso."""
    missing = uncovered(text)
    if not missing:
        return text
    warnings.warn(ScriptNotCovered(f"not drawn: {scripts_of(missing)}"), stacklevel=2)
    kept = " ".join("".join(letter for letter in text if letter not in missing).split(" ")).strip()
    letters = sum(letter.isalnum() for letter in text)
    return kept if sum(letter.isalnum() for letter in kept) * 2 > letters else ""


@lru_cache(maxsize=16_384)
def _covered(letter: str) -> bool:
    """A font draws the same box for every letter it lacks."""
    if letter.isspace():
        return True
    letters = font("Regular", 24)
    return bytes(letters.getmask(letter)) != bytes(letters.getmask("\U0010fffe"))
