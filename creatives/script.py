"""Letters as they are written: joined where their script joins them, and in the order that is seen."""

import re
import unicodedata
from functools import cache

from arabic_reshaper import ArabicReshaper
from bidi.algorithm import get_display

_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\u200f\ufb1d-\ufdff\ufe70-\ufefc]")
_JOINED = re.compile("[\u0600-\u06ff\u0750-\u077f]")
# Chinese and Japanese have no spaces: a line may end behind each letter, except beside punctuation.
_EAST = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003ffff"
)
_CLOSING = (
    "\u3001\u3002\u3009\u300b\u300d\u300f\u3011\u3015\u30fb\u30fc\u3041\u3043\u3045\u3047\u3049\u3063\u3083"
    "\u3085\u3087\u30a1\u30a3\u30a5\u30a7\u30a9\u30c3\u30e3\u30e5\u30e7\uff01\uff09\uff0c\uff0e\uff1a\uff1b"
    "\uff1f\uff3d\uff5d!),.:;?"
)
_OPENING_QUOTES = "\u3008\u300a\u300c\u300e\u3010\u3014\uff08\uff3b\uff5b"
_PIECES = re.compile(
    f"[{_OPENING_QUOTES}]*[{_EAST}][{re.escape(_CLOSING)}]*|[^{_EAST}{_OPENING_QUOTES}]+|[{_OPENING_QUOTES}]+"
)
_OPENING, _CLOSED_BY = "([{", ")]}"
_LEFT_MARK, _RIGHT_MARK = "\u200e", "\u200f"  # invisible letters of a script that runs that way


def direction_of(text: str, *, rtl: bool) -> str:
    """Of a whole text by its first letter that has one, "L" or "R"; `rtl` says it where none has."""
    for letter in text:
        said = unicodedata.bidirectional(letter)
        if said in ("L", "R", "AL"):
            return "L" if said == "L" else "R"
    return "R" if rtl else "L"


def joined(text: str) -> str:
    """Arabic letters in the shapes that they take beside each other; still in the order of reading."""
    return str(_reshaper().reshape(text)) if _JOINED.search(text) else text


def in_order(line: str, direction: str) -> str:
    """One line's letters from left to right, as they are seen."""
    if direction == "L" and not _RIGHT_TO_LEFT.search(line):
        return line
    return str(get_display(_bracketed(line) if direction == "R" else line, base_dir=direction))


def _bracketed(line: str) -> str:
    """A pair of brackets runs as what stands before it (rule N0, which our library leaves out)."""
    shown, pairs, last = [], [], "R"
    for letter in line:
        said = unicodedata.bidirectional(letter)
        last = said if said in ("L", "R", "AL") else last
        mark = ""
        if letter in _OPENING:
            mark = _LEFT_MARK if last == "L" else _RIGHT_MARK
            pairs.append(mark)
        elif letter in _CLOSED_BY and pairs:
            mark = pairs.pop()
        shown.append(f"{mark}{letter}{mark}")
    return "".join(shown)


def pieces_of(text: str) -> list[tuple[str, str]]:
    """Where a line may end: each piece with what stands before it, a space or nothing."""
    pieces = []
    for word in text.split(" "):
        parts = _PIECES.findall(word) or [""]
        pieces.append((" ", parts[0]))
        pieces += [("", part) for part in parts[1:]]
    return pieces


@cache
def _reshaper() -> ArabicReshaper:
    return ArabicReshaper({"delete_harakat": True, "support_ligatures": True})
