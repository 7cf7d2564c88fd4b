"""Whether a hit that nobody has read yet may hold what its page tells but once: an order, a lead, a no."""

import re

from pixel.aliases import EVENT_NAMES
from pixel.events import EventName

_LAST_OF_A_VISIT = {EventName.PURCHASE, EventName.GENERATE_LEAD, EventName.SIGN_UP, EventName.FORM_SUBMIT}
_NAMES = [name.encode() for name, event in EVENT_NAMES.items() if event in _LAST_OF_A_VISIT]
_ORDER = re.compile(rb"[=\"](?:" + b"|".join(_NAMES) + rb")\b")
_NO = re.compile(rb'"events"\s*:\s*\[\s*\]')  # so the tag tells it, once on a page


def is_urgent(said: bytes, *, is_known: bool) -> bool:
    """`said` is a query or a body; whoever sends no cookie has nothing to take back."""
    return _ORDER.search(said) is not None or (is_known and _NO.search(said) is not None)
