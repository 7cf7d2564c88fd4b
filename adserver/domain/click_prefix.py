"""A publisher's click macro, if the site has named it: never an open redirect."""

import re
from urllib.parse import unquote, urlsplit, urlunsplit

_CONFUSING = re.compile(r"[\s\\\x00-\x20\x7f-\x9f]")  # what browsers drop from an address, or read as `/`


def allowed_prefix(given: str | None, named: tuple[str, ...]) -> str | None:
    """The prefix, if it begins with one of the site's."""
    if not given or _CONFUSING.search(given):
        return None
    place_and_rest = _place_and_rest(given)
    if place_and_rest is None or "/.." in unquote(place_and_rest[1]):
        return None
    for known in map(_place_and_rest, named):
        if known and place_and_rest[0] == known[0] and place_and_rest[1].startswith(known[1]):
            return given
    return None


def _place_and_rest(address: str) -> tuple[tuple[str, str], str] | None:
    """Scheme and host with port, compared whole; and path with query, compared by their beginning."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    rest = urlunsplit(("", "", parts.path or "/", parts.query, parts.fragment))
    return (parts.scheme, parts.netloc.lower()), rest
