"""Visitor and opt-out cookies: made from random bytes handed in, signed, and read back from a request."""

import hmac
from base64 import urlsafe_b64encode
from binascii import Error as NotBase64
from binascii import a2b_base64
from enum import StrEnum
from hashlib import blake2b

import msgspec

MAX_AGE_SECONDS = 33_696_000  # 390 days: within the 13 months the CNIL allows, and never prolonged on return
RANDOM_BYTES = 16

# key id (1 byte), random bytes (16), MAC (16): 33 bytes are exactly 44 characters of base64, so that every
# visitor has one spelling only, without padding or spare bits.
_MAC_BYTES = 16
_VALUE_LENGTH = 44
_URLSAFE = bytes.maketrans(b"-_+/", b"+/!!")  # the other alphabet's two characters become invalid


class KeyRing(msgspec.Struct, frozen=True):
    """The signing keys by id (0-255); `current` signs, all of them verify, so that a key can be rotated."""

    current: int
    keys: dict[int, bytes]


class CookieNames(msgspec.Struct, frozen=True):
    """The names of one deployment and the attributes they need."""

    visitor: bytes
    opt_out: bytes
    test: bytes
    site: bytes
    attributes: bytes
    site_attributes: bytes


# __Host- binds a cookie to this very host: a sister domain cannot plant one.
SECURE_NAMES = CookieNames(
    b"__Host-rt",
    b"__Host-rt-optout",
    b"rt-test",
    b"__Host-rt-site",
    b"; Path=/; Secure; HttpOnly; SameSite=None",
    b"; Path=/; Secure; HttpOnly; SameSite=None; Partitioned",
)
# Browsers refuse Secure cookies over plain http (Safari on loopback too): for development only.
DEVELOPMENT_NAMES = CookieNames(
    b"rt", b"rt-optout", b"rt-test", b"rt-site", *[b"; Path=/; HttpOnly; SameSite=Lax"] * 2
)


def names_for(secure: bool) -> CookieNames:
    """The names to use where visitors reach us over HTTPS, or over plain http in development."""
    return SECURE_NAMES if secure else DEVELOPMENT_NAMES


class CookieFlaw(StrEnum):
    """Why a visitor cookie that was sent names nobody; the browser is then a new visitor, and counted."""

    FORGED = "forged"  # well formed, but not signed by a key of ours
    DOUBLED = "doubled"
    MALFORMED = "malformed"


class VisitorCookie(msgspec.Struct, frozen=True):
    """What a request's cookies say; `visitor` is our raw id and must not leave: see `party_id`."""

    visitor: int | None = None
    opted_out: bool = False
    flaw: CookieFlaw | None = None


_NOBODY = VisitorCookie()


def mint(random_bytes: bytes, keys: KeyRing) -> str:
    """A new visitor's cookie value; `random_bytes` are 16 from the system's generator."""
    if len(random_bytes) != RANDOM_BYTES:
        raise ValueError(f"a visitor needs {RANDOM_BYTES} random bytes")
    body = bytes([keys.current]) + random_bytes
    return urlsafe_b64encode(body + _mac(body, keys.keys[keys.current])).decode("ascii")


def visitor_of(random_bytes: bytes) -> int:
    """The id inside a cookie minted from `random_bytes`: 63 bits, to fit a signed database column."""
    return int.from_bytes(random_bytes[:8], "big") >> 1


def read_visitor(cookie_header: bytes, keys: KeyRing, names: CookieNames) -> VisitorCookie:
    """The visitor a Cookie header names, if it is one of ours, and whether they opted out."""
    if names.visitor not in cookie_header:  # also the beginning of our other cookies' names
        return _NOBODY
    values = []
    opted_out = False
    for pair in cookie_header.split(b";"):
        name, _, value = pair.partition(b"=")
        name = name.strip()
        if name == names.visitor:
            values.append(value.strip())
        elif name == names.opt_out:
            opted_out = opted_out or bool(value.strip())
    if not values:
        return VisitorCookie(opted_out=opted_out)
    if len(values) > 1:
        return VisitorCookie(opted_out=opted_out, flaw=CookieFlaw.DOUBLED)
    found = _verified(values[0], keys)
    if isinstance(found, CookieFlaw):
        return VisitorCookie(opted_out=opted_out, flaw=found)
    return VisitorCookie(found, opted_out)


def _verified(value: bytes, keys: KeyRing) -> int | CookieFlaw:
    if len(value) != _VALUE_LENGTH:
        return CookieFlaw.MALFORMED
    try:
        raw = a2b_base64(value.translate(_URLSAFE), strict_mode=True)
    except NotBase64:
        return CookieFlaw.MALFORMED
    body, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    key = keys.keys.get(raw[0]) if raw else None
    if key is None or not hmac.compare_digest(mac, _mac(body, key)):
        return CookieFlaw.FORGED
    return visitor_of(raw[1:])


def _mac(body: bytes, key: bytes) -> bytes:
    return blake2b(body, digest_size=_MAC_BYTES, key=key, person=b"rt visitor").digest()


def set_visitor(value: str, names: CookieNames) -> bytes:
    """The Set-Cookie value that gives a new visitor their cookie."""
    return _set(names.visitor, value.encode("ascii"), MAX_AGE_SECONDS, names)


def expire_visitor(names: CookieNames) -> bytes:
    return _set(names.visitor, b"", 0, names)


def set_opt_out(names: CookieNames) -> bytes:
    """The same constant for everybody, so that a refusal identifies nobody."""
    return _set(names.opt_out, b"1", MAX_AGE_SECONDS, names)


def expire_opt_out(names: CookieNames) -> bytes:
    return _set(names.opt_out, b"", 0, names)


def set_test(names: CookieNames) -> bytes:
    """A constant too: this browser's owner wants it to see everything and to cost nobody anything."""
    return _set(names.test, b"1", MAX_AGE_SECONDS, names)


def expire_test(names: CookieNames) -> bytes:
    return _set(names.test, b"", 0, names)


def _set(name: bytes, value: bytes, max_age_seconds: int, names: CookieNames) -> bytes:
    return b"%s=%s; Max-Age=%d%s" % (name, value, max_age_seconds, names.attributes)


# MAC (16 bytes), then the masked id (8): 24 bytes are 32 letters of base64, without padding or spare bits.
_PARTY_LENGTH = 32


def party_id(visitor: int, party: int, key: bytes) -> str:
    """What a merchant, publisher, address or log may see of a visitor: two parties cannot join theirs.

    We alone turn it back, without keeping which stands for whom: the id is masked by its own MAC.
    """
    mac = _party_mac(visitor, party, key)
    return urlsafe_b64encode(mac + _party_masked(visitor, mac, key).to_bytes(8, "big")).decode("ascii")


def visitor_behind(text: str, party: int, key: bytes) -> int | None:
    """The visitor whom this party knows as `text`; None where it is no id of ours, or another party's."""
    try:
        raw = a2b_base64(text.encode().translate(_URLSAFE), strict_mode=True)
    except (NotBase64, UnicodeEncodeError):
        return None
    if len(text) != _PARTY_LENGTH or len(raw) != _MAC_BYTES + 8:
        return None
    mac = raw[:_MAC_BYTES]
    visitor = _party_masked(int.from_bytes(raw[_MAC_BYTES:], "big"), mac, key)
    return visitor if hmac.compare_digest(_party_mac(visitor, party, key), mac) else None


def _party_mac(visitor: int, party: int, key: bytes) -> bytes:
    said = party.to_bytes(8, "big") + visitor.to_bytes(8, "big")
    return blake2b(said, digest_size=_MAC_BYTES, key=key, person=b"rt party").digest()


def _party_masked(visitor: int, mac: bytes, key: bytes) -> int:
    """The id under a mask that its MAC draws, or the other way round."""
    mask = blake2b(mac, digest_size=8, key=key, person=b"rt party mask").digest()
    return visitor ^ int.from_bytes(mask, "big")
