"""Text on a picture: where lines break, what is left out, and letters that stand evenly."""

import re
import warnings
from functools import lru_cache
from typing import NamedTuple

from PIL import Image, ImageDraw

from creatives.fonts import FINENESS, font_of, runs, scripts_of, seen, text_width, uncovered
from creatives.plan import Box
from creatives.price import PriceTag
from creatives.script import direction_of, in_order, joined, pieces_of

_ELLIPSIS = "…"
_SHORTER = re.compile(r"[ ,;.:\-|(]*(?:\d[\d.,]*\S|\d+|.)\Z", re.DOTALL)
_THICKENING = 44  # a letter without a bold gets strokes wider by this part of its size


class ScriptNotCovered(UserWarning):
    """A text has letters that no font can draw; they were left out."""


class Style(NamedTuple):
    """How letters look."""

    weight: str  # "Regular" or "Bold"
    size: int
    colour: str


class Voice(NamedTuple):
    """Whose letters they are: the language chooses among Chinese and Japanese shapes, and the side."""

    language: str
    rtl: bool


class _Span(NamedTuple):
    shift: int  # from the side where the line begins
    text: str  # as it is seen
    style: Style
    struck: bool


class Lines:
    """Lines of text gathered first, so that they can be centred in their box from top to bottom."""

    def __init__(self, canvas: Image.Image, box: Box, voice: Voice, *, centred: bool = False) -> None:
        self.canvas, self.box, self.voice, self.centred = canvas, box, voice, centred
        self.rows: list[tuple[int, list[_Span]]] = []

    @property
    def room(self) -> int:
        """The height that is left."""
        return self.box.height - self.used

    @property
    def used(self) -> int:
        return sum(height for height, _ in self.rows)

    def gap(self, pixels: int) -> None:
        self.rows.append((pixels, []))

    def add(self, text: str, style: Style, most: int) -> None:
        shown = drawable(text)
        direction = direction_of(shown, rtl=self.voice.rtl)
        for line in wrapped(shown, style, self.box.width, most):
            span = _Span(0, in_order(line, direction), style, False)
            self.rows.append((height_of(style), [span]))

    def add_price(self, tag: PriceTag, style: Style, was_colour: str) -> None:
        """The price, and what it was: behind it where there is room, else on a line of its own."""
        now, was = (seen_line(text, self.voice) for text in (tag.now, tag.was or ""))
        style = fitted(now, style, self.box.width, 10)
        self.rows.append((style.size * 6 // 5, [_Span(0, now, style, False)]))
        if not was:
            return
        old = Style("Regular", max(11, style.size * 3 // 5), was_colour)
        shift = round(text_width(now, style.weight, style.size)) + 7
        if shift + round(text_width(was, old.weight, old.size)) <= self.box.width:
            self.rows[-1][1].append(_Span(shift, was, old, True))
        elif self.room >= old.size * 5 // 4:
            self.rows.append((old.size * 5 // 4, [_Span(0, was, old, True)]))

    def draw(self) -> None:
        top = self.box.top + max(0, self.room) // 2
        for height, spans in self.rows:
            for span in spans:
                self._draw_span(span, top + height * 4 // 5)
            top += height

    def _draw_span(self, span: _Span, floor: int) -> None:
        width = text_width(span.text, span.style.weight, span.style.size)
        left = self.box.left + span.shift
        if self.centred:
            left = self.box.left + round((self.box.width - width) / 2)
        elif self.voice.rtl:
            left = self.box.right - round(width) - span.shift
        write(self.canvas, left, floor, span.text, span.style, self.voice.language)
        if span.struck:
            middle = floor - round(span.style.size * 0.27)
            draw = ImageDraw.Draw(self.canvas)
            draw.line((left, middle, left + round(width), middle), span.style.colour, 1)


def seen_line(text: str, voice: Voice) -> str:
    """A text that stands on one line, as it is seen from left to right."""
    shown = drawable(text)
    return seen(in_order(shown, direction_of(shown, rtl=voice.rtl)))


def height_of(style: Style) -> int:
    """Of one line."""
    return style.size * 5 // 4


def fitted(text: str, style: Style, width: int, least: int) -> Style:
    """`style`, made smaller until `text` stands on a line of `width`, though not below `least`."""
    while style.size > least and text_width(text, style.weight, style.size) > width:
        style = style._replace(size=style.size - 1)
    return style


def write(canvas: Image.Image, left: int, floor: int, text: str, style: Style, language: str) -> None:
    """Letters as they are seen, drawn large and reduced: hinted to whole pixels they stand unevenly."""
    mask, ascent = _mask(seen(text), style.weight, style.size, language)
    canvas.paste(style.colour, (left - 1, floor - ascent), mask)


@lru_cache(maxsize=256)  # brands, labels and buttons return in each frame
def _mask(text: str, weight: str, size: int, language: str) -> tuple[Image.Image, int]:
    pieces = runs(text, weight, language)
    metrics = [font_of(run.face, size).getmetrics() for run in pieces] or [(0, 0)]
    ascent, descent = (max(parts) // FINENESS + 2 for parts in zip(*metrics, strict=True))
    width = int(text_width(text, weight, size)) + 5
    mask = Image.new("L", (width * FINENESS, (ascent + descent) * FINENESS), 0)
    draw, pen = ImageDraw.Draw(mask), float(FINENESS)
    for run in pieces:
        font = font_of(run.face, size)
        stroke = size * FINENESS / _THICKENING if run.face.thickened else 0
        draw.text((pen, ascent * FINENESS), run.text, 255, font, anchor="ls", stroke_width=stroke)
        pen += text_width(run.text, weight, size) * FINENESS
    return mask.reduce(FINENESS), ascent


def write_centred(canvas: Image.Image, box: Box, text: str, style: Style, voice: Voice) -> None:
    """One line in the middle of `box`, shortened where it is too long."""
    shown = cut(drawable(text), style, box.width)
    line = in_order(shown, direction_of(shown, rtl=voice.rtl))
    left = box.left + round((box.width - text_width(line, style.weight, style.size)) / 2)
    write(canvas, left, baseline(box, style.size), line, style, voice.language)


def baseline(box: Box, size: int) -> int:
    """Where one line of capitals (0.71 of the size) stands when it is centred in `box`."""
    return round((box.top + box.bottom) / 2 + size * 0.355)


def wrapped(text: str, style: Style, width: int, most: int) -> list[str]:
    """`text` in at most `most` lines of `width` pixels; what does not fit ends in an ellipsis."""
    lines: list[str] = []
    line = ""
    for before, piece in _breakable(text, style, width):
        longer = f"{line}{before}{piece}" if line else piece
        if text_width(longer, style.weight, style.size) <= width:
            line = longer
            continue
        if len(lines) == most - 1:
            return [*lines, cut(f"{longer}{_ELLIPSIS}", style, width)]
        lines.append(line)
        line = piece
    return [*lines, line] if line else lines


def _breakable(text: str, style: Style, width: int) -> list[tuple[str, str]]:
    """The pieces of `text`, the longest ones broken so that each fits a line."""
    pieces: list[tuple[str, str]] = []
    for space, word in pieces_of(text):
        before, piece = space, ""
        for letter in word if text_width(word, style.weight, style.size) > width else [word]:
            if piece and text_width(piece + letter, style.weight, style.size) > width:
                pieces.append((before, piece))
                before, piece = "", ""
            piece += letter
        pieces.append((before, piece))
    return pieces


def cut(text: str, style: Style, width: int) -> str:
    """`text`, shortened with an ellipsis until it is no wider than `width`; a number goes whole."""
    kept = text.rstrip(_ELLIPSIS)
    shown = text
    while kept and text_width(shown, style.weight, style.size) > width:
        kept = _SHORTER.sub("", kept)
        shown = kept + _ELLIPSIS
    return shown


def drawable(text: str) -> str:
    """`text` in joined letters, without those that no font has; none rather than a torso."""
    shown = joined(text)
    missing = uncovered(shown)
    if not missing:
        return shown
    scripts = scripts_of(missing)
    if scripts:
        _warn(scripts)
    kept = " ".join("".join(letter for letter in shown if letter not in missing).split(" ")).strip()
    letters = sum(letter.isalnum() for letter in shown)
    return kept if sum(letter.isalnum() for letter in kept) * 2 > letters else ""


def _warn(scripts: str) -> None:
    """Told once per script, whoever asks."""
    message = (
        f"not drawn: {scripts}: no font has these letters; put one in the folder that ADSERVER_FONTS names"
        " (docs/images.md)"
    )
    warnings.warn(ScriptNotCovered(message), stacklevel=1)
