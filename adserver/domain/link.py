"""An untrusted link becomes one that every browser reads as we do, on a host that we know."""

import re
from enum import StrEnum
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

MOST_LINK_CHARACTERS = 2_048

# A browser drops tabs and newlines, takes `\` for `/` and these dots for `.`: the host would not be what we
# read. Lone surrogates cannot be encoded at all.
_CONFUSING = re.compile(r"[\s\\\x00-\x20\x7f-\x9f\u3002\uff0e\uff61\ud800-\udfff]")
_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.?")
_LEFT_ALONE = "!#$%&'()*+,/:;=?@[]~"  # what may stand in a path, query or fragment as it is


class LinkRejection(StrEnum):
    """Why a link is not taken."""

    BAD_LINK = "bad_link"
    FOREIGN_LINK = "foreign_link"


def read_link(text: str, domains: tuple[str, ...] | None) -> str | LinkRejection:
    """`text` in plain ASCII, if it is an http or https address on one of `domains` (any, where None)."""
    parts = _split(text.replace("&amp;", "&"))  # escaped once too often, which feeds often are
    host = None if parts is None else _ascii_host(parts.hostname)
    if parts is None or host is None:
        return LinkRejection.BAD_LINK
    if domains is not None and not is_under(host, domains):
        return LinkRejection.FOREIGN_LINK
    port = "" if parts.port is None else f":{parts.port}"
    rest = (quote(part, safe=_LEFT_ALONE) for part in (parts.path, parts.query, parts.fragment))
    return urlunsplit((parts.scheme, host + port, *rest))


def is_under(host: str, domains: tuple[str, ...]) -> bool:
    """Whether `host` is one of `domains` or a sub-domain of one."""
    host = host.rstrip(".")
    known = (_ascii_host(domain.strip().lower()) for domain in domains)
    return any(domain and (host == domain or host.endswith("." + domain)) for domain in known)


def domain_from(text: str) -> str | None:
    """A merchant's or publisher's domain in its one spelling; a bare suffix such as `com` is none."""
    domain = _ascii_host(text.strip().lower().rstrip("."))
    return domain if domain is not None and ("." in domain or domain == "localhost") else None


def _split(text: str) -> SplitResult | None:
    if len(text) > MOST_LINK_CHARACTERS or _CONFUSING.search(text):
        return None
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:
        return None
    return parts if sound and parts.hostname and "@" not in parts.netloc else None


def _ascii_host(host: str | None) -> str | None:
    """A host as it is asked of the DNS, None where there could be no such host."""
    ascii_host = host or ""
    if not ascii_host.isascii():
        try:
            ascii_host = ascii_host.encode("idna").decode().lower()
        except UnicodeError:
            return None
    return ascii_host if _HOST.fullmatch(ascii_host) else None
