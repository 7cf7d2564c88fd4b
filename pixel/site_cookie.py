"""The cookie that keeps, within one publisher's site, how often this browser was shown which ad there.

It names nobody: what it says is all there is. Browsers keep one for each site that embeds us; it says which
site that was, since not all of them do.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b
from struct import Struct

import msgspec

from pixel.cookie import CookieFlaw, CookieNames, KeyRing

MOST_SEEN = 192  # a week of as many a day as an operator may allow; about 3 kB, of the 4 that browsers keep
MOST_TIMES = 255  # of one ad in one hour

Seen = tuple[int, int, int]  # an ad's key, an hour since 1970, and how often it was shown in that hour

# Key id (1 byte), site (8), 12 bytes for each hour of an ad, MAC (18): whole groups of base64, so that
# every list has one spelling only, without padding or spare bits.
_HEAD = Struct(">BQ")
_ENTRY = Struct(">QI")
_MAC_BYTES = 18
_EMPTY_LENGTH, _ENTRY_LENGTH = 36, 16


class SiteCookie(msgspec.Struct, frozen=True):
    """What a request's cookie says was shown on its site, oldest first; nothing where there is a flaw."""

    seen: tuple[Seen, ...] = ()
    site_key: int = 0
    flaw: CookieFlaw | None = None


_NOTHING = SiteCookie()


def mint_site(seen: tuple[Seen, ...], site_key: int, keys: KeyRing) -> str:
    """The cookie's value for what was shown on the site, of which it holds the newest."""
    newest = seen[-MOST_SEEN:]
    entries = [_ENTRY.pack(key, hour << 8 | min(times, MOST_TIMES)) for key, hour, times in newest]
    body = _HEAD.pack(keys.current, site_key) + b"".join(entries)
    return urlsafe_b64encode(body + _mac(body, keys.keys[keys.current])).decode("ascii")


def read_site(cookie_header: bytes, keys: KeyRing, names: CookieNames) -> SiteCookie:
    """What a Cookie header says was shown, and on which site, if it is a list of ours."""
    if names.site not in cookie_header:
        return _NOTHING
    pairs = [pair.partition(b"=") for pair in cookie_header.split(b";")]
    values = [value.strip() for name, _, value in pairs if name.strip() == names.site]
    if not values:
        return _NOTHING
    if len(values) > 1:
        return SiteCookie(flaw=CookieFlaw.DOUBLED)
    found = _verified(values[0], keys)
    return SiteCookie(flaw=found) if isinstance(found, CookieFlaw) else found


def _verified(value: bytes, keys: KeyRing) -> SiteCookie | CookieFlaw:
    count, rest = divmod(len(value) - _EMPTY_LENGTH, _ENTRY_LENGTH)
    if rest or not 0 < count <= MOST_SEEN:
        return CookieFlaw.MALFORMED
    try:
        raw = urlsafe_b64decode(value)
    except ValueError:
        return CookieFlaw.MALFORMED
    if urlsafe_b64encode(raw) != value:  # foreign letters are passed over in reading
        return CookieFlaw.MALFORMED
    body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    key = keys.keys.get(raw[0])
    if key is None or not hmac.compare_digest(mac, _mac(body, key)):
        return CookieFlaw.FORGED
    entries = _ENTRY.iter_unpack(body[_HEAD.size :])
    seen = tuple((key, packed >> 8, packed & MOST_TIMES) for key, packed in entries)
    return SiteCookie(seen, _HEAD.unpack_from(body)[1])


def _mac(body: bytes, key: bytes) -> bytes:
    return blake2b(body, digest_size=_MAC_BYTES, key=key, person=b"rt site").digest()


def set_site(value: str, max_age_seconds: int, names: CookieNames) -> bytes:
    """The Set-Cookie value that keeps the list for as long as a cap needs it."""
    return b"%s=%s; Max-Age=%d%s" % (names.site, value.encode(), max_age_seconds, names.site_attributes)


def expire_site(names: CookieNames) -> bytes:
    return set_site("", 0, names)
