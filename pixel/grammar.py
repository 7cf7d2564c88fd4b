"""The grammars a field must pass to be kept, and the shape of an e-mail address, which is kept nowhere."""

import re
import unicodedata
from html import unescape
from urllib.parse import unquote

MAX_ID_LENGTH = 100
MAX_URL_LENGTH = 300
MAX_COUPONS = 5

_LONGEST_TEXT_NORMALISED = 400  # NFKC sorts combining marks in quadratic time
_MERCHANT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CLICK_ID = re.compile(r"[A-Za-z0-9_.~-]{1,256}")
_FIELD_NAME = re.compile(r"[\w.:\[\]-]{1,40}", re.ASCII)
_COUPON = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{3,39}")
_BETWEEN_COUPONS = re.compile(r"[\s,;|]+")
_CONSENT_TOOL = re.compile(r"[\w .:-]{1,40}")
_URL = re.compile(
    r"(https?)://(?:[^/?#\s@]*@)?(\[[0-9a-f:.]+\]|[\w.-]+)(:[0-9]{1,5})?(/[^?#\s]*)?(?:[?#].*)?",
    re.IGNORECASE | re.DOTALL,
)
# A path segment may begin with @ (medium.com/@jane.doe); a version may follow one (lodash@4.17.21).
_EMAIL = re.compile(r"[^\s/@]@(?:\[[0-9a-fA-F.:]+\]|(?:[^\s/@.]+\.)+[^\s/@.0-9][^\s/@.])")
_NESTED_PERCENT = re.compile(r"%(?:25)+")
_LOOKALIKES = str.maketrans(
    dict.fromkeys("\uff20\ufe6b", "@")
    | dict.fromkeys("\uff0e\uff61\u3002\ufe52\u2024", ".")
    | dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff")  # invisible: a reader would not see them either
)
_PERCENT_ROUNDS = 3  # each removes any depth of %2525..., so only deliberate mixtures need more than one


def merchant_from(given: object) -> str | None:
    return given if isinstance(given, str) and _MERCHANT.fullmatch(given) else None


def click_id_from(given: object) -> str | None:
    return given if isinstance(given, str) and _CLICK_ID.fullmatch(given) else None


def consent_tool_from(given: object) -> str | None:
    return given if isinstance(given, str) and _CONSENT_TOOL.fullmatch(given) else None


def item_id_from(given: object) -> str | None:
    """A product's id, trimmed but not normalised: it must equal the feed's, byte for byte."""
    text = str(given) if type(given) is int else given
    if not isinstance(text, str):
        return None
    text = text.strip()
    return text if _is_plain(text) else None


def record_id_from(given: object) -> str | None:
    """The canonical form of an order, lead or event id: NFKC and trimmed, nothing else."""
    text = str(given) if type(given) is int else given
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT_NORMALISED:
        return None
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text = text.strip()
    return text if _is_plain(text) else None


def _is_plain(text: str) -> bool:
    # U+FFFD stands for bytes that were no UTF-8: an id holding it would match nothing, or the wrong thing.
    return 0 < len(text) <= MAX_ID_LENGTH and text.isprintable() and "\ufffd" not in text


def coupons_from(given: object) -> tuple[str, ...]:
    """The codes of an order: a text, in which several are parted by commas or spaces, or a list of such.

    What no offer of ours could have given is left out; it is the shop's own.
    """
    texts = given[:MAX_COUPONS] if isinstance(given, list) else [given]
    told = [one for text in texts if isinstance(text, str) for one in _BETWEEN_COUPONS.split(text[:500])]
    return tuple(dict.fromkeys(filter(_COUPON.fullmatch, told)))[:MAX_COUPONS]


def field_name_from(given: object) -> str | None:
    """The name of a form or of one of its fields: a word as programs write them, never a text."""
    return given if isinstance(given, str) and _FIELD_NAME.fullmatch(given) else None


def page_from(given: object) -> str | None:
    """scheme://host/path of a page's address; queries and fragments say too much about people."""
    found = _URL.fullmatch(given) if isinstance(given, str) else None
    if not found:
        return None
    scheme, host, port, path = found.groups()
    page = f"{scheme.lower()}://{host.lower()}{port or ''}{path or '/'}"
    return page if len(page) <= MAX_URL_LENGTH and page.isprintable() and "\ufffd" not in page else None


def holds_email(text: str) -> bool:
    """Whether `text` holds the shape of an e-mail address, plainly or encoded for addresses or for HTML."""
    if "@" not in text and "%" not in text and "&" not in text and text.isascii():
        return False
    for _ in range(_PERCENT_ROUNDS):
        text = _as_read(text)
        if _EMAIL.search(text):
            return True
        if "%" not in text and "&" not in text:
            return False
        text = unquote(_NESTED_PERCENT.sub("%", text), errors="replace")
    return _EMAIL.search(_as_read(text)) is not None


def _as_read(text: str) -> str:
    """As people would read it on a page."""
    if "&" in text:
        text = unescape(text)
    return text if text.isascii() else text.translate(_LOOKALIKES)


def holds_email_anywhere(document: object) -> bool:
    """The same for every text of a decoded JSON document, names of fields included."""
    pending = [document]
    while pending:
        part = pending.pop()
        if isinstance(part, str):
            if holds_email(part):
                return True
        elif isinstance(part, dict):
            pending.extend(part)
            pending.extend(part.values())
        elif isinstance(part, list | tuple):
            pending.extend(part)
    return False


def may_hold_email(raw: bytes) -> bool:
    """A quick look at undecoded JSON: without one of these bytes no text in it can be of e-mail shape."""
    return b"@" in raw or b"%" in raw or b"&" in raw or b"\\u" in raw or b"\xef" in raw
