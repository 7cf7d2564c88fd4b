"""Which font draws which letters of a text, and how wide they are."""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from PIL import ImageFont

from creatives.assets import Face, Family, open_font, other_families, own_families

FINENESS = 4  # text is drawn this many times larger, then reduced
_TRIED_AT = 24  # pixels
_NO_LETTER = "\U0010fffe"
# Scripts whose letters change and move with their neighbours in ways that our layout does not know.
_ENTWINED = ((0x0900, 0x0DFF), (0x0F00, 0x109F), (0x1780, 0x17FF), (0x1A20, 0x1AAF), (0xA8E0, 0xA8FF))
SAMPLES = {
    "Latin": "ß",
    "Greek": "Ω",
    "Cyrillic": "Ж",
    "Arabic": "ﻉ",
    "Chinese": "帽",
    "Japanese": "の",
    "Korean": "한",
    "Hebrew": "ש",
    "Armenian": "Ժ",
    "Georgian": "კ",
    "Thai": "ก",
}

_others: list[Family] = []


class Run(NamedTuple):
    """Neighbouring letters that one font draws."""

    face: Face
    text: str


def use_fonts(paths: Iterable[str]) -> None:
    """Draw what our own fonts lack with these; once, before anything is drawn."""
    _others[:] = other_families(paths)
    _family_of.cache_clear()
    runs.cache_clear()


def missing_scripts() -> list[str]:
    """The scripts that no font draws."""
    return [script for script, letter in SAMPLES.items() if _family_of(letter) is None]


def uncovered(text: str) -> str:
    """The letters of `text` that no font draws, each once."""
    missing = {letter for letter in text if not _is_blank(letter) and _family_of(letter) is None}
    return "".join(sorted(missing))


def scripts_of(letters: str) -> str:
    """The scripts of `letters` by the first words of their Unicode names: a short list for any text.

    Emoji and other pictures are of no script, and nothing is lost without them.
    """
    spoken = [letter for letter in letters if unicodedata.category(letter)[0] in "LMN"]
    names = [unicodedata.name(letter, "unnamed") for letter in spoken]
    return ", ".join(sorted({name.split()[0] for name in names if not name.startswith("VARIATION")}))


@lru_cache(maxsize=4_096)
def runs(text: str, weight: str, language: str) -> tuple[Run, ...]:
    """`text` in pieces of one font each; what is blank belongs to its neighbour on the left."""
    faces: list[Face] = []
    for letter in text:
        family = None if _is_blank(letter) else _family_of(letter)
        if family is None and faces:
            faces.append(faces[-1])
        else:
            faces.append(_face(family or own_families()[0], weight, language))
    pieces = groupby(zip(faces, text, strict=True), key=lambda pair: pair[0])
    return tuple(Run(face, "".join(letter for _, letter in pairs)) for face, pairs in pieces)


def text_width(text: str, weight: str, size: int) -> float:
    """The sum of its letters' widths, as they are drawn: the basic layout knows no pairs."""
    pieces = runs(seen(text), weight, "")
    return sum(_advance(run.face, size, letter) for run in pieces for letter in run.text)


def seen(text: str) -> str:
    """`text` without the marks that only say how its letters run or join."""
    if text.isascii():
        return text
    return "".join(letter for letter in text if unicodedata.category(letter) != "Cf")


def font_of(face: Face, size: int) -> ImageFont.FreeTypeFont:
    """The font that draws letters of `size`, enlarged."""
    return _large_font(face, size) if face.is_large else _small_font(face, size)


@lru_cache(maxsize=96)
def _small_font(face: Face, size: int) -> ImageFont.FreeTypeFont:
    return open_font(face, size * FINENESS)


@lru_cache(maxsize=12)  # each takes its file's size of a child's address space
def _large_font(face: Face, size: int) -> ImageFont.FreeTypeFont:
    return open_font(face, size * FINENESS)


@lru_cache(maxsize=65_536)
def _advance(face: Face, size: int, letter: str) -> float:
    return font_of(face, size).getlength(letter) / FINENESS


def _face(family: Family, weight: str, language: str) -> Face:
    face = family.bold if weight == "Bold" else family.regular
    tag = language.lower().replace("_", "-")
    for spoken, place in family.by_language:
        if tag == spoken or tag.startswith(f"{spoken}-"):
            return face._replace(place=place)
    return face


def _is_blank(letter: str) -> bool:
    """Spaces, and marks that are never seen, such as those of direction."""
    return letter.isspace() or unicodedata.category(letter) == "Cf"


@lru_cache(maxsize=32_768)
def _family_of(letter: str) -> Family | None:
    if any(first <= ord(letter) <= last for first, last in _ENTWINED):
        return None
    return next((family for family in (*own_families(), *_others) if _has(family.regular, letter)), None)


def _has(face: Face, letter: str) -> bool:
    """A font draws the same box for every letter it lacks."""
    return bytes(_tried(face).getmask(letter)) != _box(face)


@lru_cache(maxsize=128)
def _tried(face: Face) -> ImageFont.FreeTypeFont:
    return open_font(face, _TRIED_AT)


@lru_cache(maxsize=128)
def _box(face: Face) -> bytes:
    return bytes(_tried(face).getmask(_NO_LETTER))
