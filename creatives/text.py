"""Untrusted titles become one line of printable text: nothing invisible may reorder or hide words."""

import re
import unicodedata

# Bidirectional embeddings, overrides and isolates: a title may not turn the letters of its neighbours round.
# The plain marks U+200E and U+200F stay, as do the joiners that Persian and Indic words need.
_REORDERING = "\u202a-\u202e\u2066-\u2069"
_CONTROLS = "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"
_INVISIBLE = "\u00ad\u180e\u200b\u2060-\u2064\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
_DROPPED = re.compile(f"[{_REORDERING}{_CONTROLS}{_INVISIBLE}\ud800-\udfff]")
# Line and paragraph separators (U+2028, U+2029) count as white space in Python's `\s`.
_SPACES = re.compile(r"\s+")

MAX_TITLE_CHARACTERS = 240  # more never fits a slot, and would only be sent to be cut off


def plain_text(raw: str) -> str:
    """`raw` on one line, without control, reordering and invisible characters, cut to a sane length."""
    # Composed letters (NFC), since a letter and its accent apart would be drawn apart in a GIF.
    dropped = _DROPPED.sub("", unicodedata.normalize("NFC", raw[: MAX_TITLE_CHARACTERS * 8]))
    return _SPACES.sub(" ", dropped).strip()[:MAX_TITLE_CHARACTERS].rstrip()
