"""AdToken: signed, unreadable proof that an ad was served, carried by its beacons and links."""

from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from hmac import compare_digest
from struct import Struct

import msgspec

from adserver.domain.suggestion import Because

_LAYOUT = Struct(">QQIQQQQQQB")
_MAC_SIZE = 12
_SIZE = 1 + _MAC_SIZE + _LAYOUT.size
_PADDING = b"=" * (-_SIZE % 3)
_LETTERS = -(-_SIZE * 4 // 3)
_TO_URLSAFE = bytes.maketrans(b"+/", b"-_")
_FROM_URLSAFE = bytes.maketrans(b"-_+/", b"+/!!")  # the other alphabet's two characters become invalid
_TEST = 1
_BECAUSE_SHIFT = 1  # above that bit: why the product is shown
_BECAUSES = tuple(Because)
_BLOCK_SIZE = 64  # the longest digest
_MOST_KEYED = 64  # a server has a few keys, and two purposes

HOUR_MS = 3_600_000
BEACON_VALID_MS = HOUR_MS
CLICK_VALID_MS = 24 * HOUR_MS
LANDING_VALID_MS = 30 * 24 * HOUR_MS

SERVED = b"ad served"  # purposes: a token of one is worthless for another
LANDED = b"click id"


class TokenKeys(msgspec.Struct, frozen=True):
    """The server's signing keys by their number; `current` signs, all of them verify."""

    current: int
    keys: dict[int, bytes]


class Secrets(msgspec.Struct, frozen=True):
    """What the server knows and nobody else: keys of tokens, and the key under which order ids are kept."""

    tokens: TokenKeys
    orders: bytes


class AdToken(msgspec.Struct, frozen=True, array_like=True):
    """What was served to whom. Keys are 0 where there is none: no visitor, no product, no audience.

    `decided_at_ms` is when the ad was chosen, or for a landing token when it was clicked.
    `audience_key` is whose rate it was served at: what comes of the ad is charged at that rate.
    `test` marks an ad for a test visitor: it shows everything and bills nothing. `because` says why the
    product is shown.
    """

    impression_id: int
    campaign_key: int
    campaign_version: int
    slot_key: int
    creative_key: int
    product_key: int
    visitor_key: int
    decided_at_ms: int
    audience_key: int = 0
    test: bool = False
    because: Because = Because.REMINDER


def sign(token: AdToken, keys: TokenKeys, purpose: bytes = SERVED) -> str:
    """The token as URL-safe text of about a hundred and ten letters.

    The body is masked by a keystream drawn from its own MAC, so that nobody reads rates or joins visitors.
    """
    return sign_each(token, ((token.product_key, token.because),), keys, purpose)[0]


def sign_each(
    token: AdToken, products: Iterable[tuple[int, Because]], keys: TokenKeys, purpose: bytes = SERVED
) -> list[str]:
    """The same for each of the ad's products, by its key and why it is shown."""
    flags, key = _TEST if token.test else 0, keys.keys[keys.current]
    bodies = [
        _LAYOUT.pack(
            token.impression_id,
            token.campaign_key,
            token.campaign_version,
            token.slot_key,
            token.creative_key,
            product_key,
            token.visitor_key,
            token.decided_at_ms,
            token.audience_key,
            flags | because << _BECAUSE_SHIFT,
        )
        for product_key, because in products
    ]
    return [_spelled(body, keys.current, key, purpose) for body in bodies]


def _spelled(body: bytes, number: int, key: bytes, purpose: bytes) -> str:
    mac = _mac(body, key, purpose)
    spelled = b2a_base64(bytes((number,)) + mac + _masked(body, mac, key), newline=False)
    return spelled.translate(_TO_URLSAFE)[:_LETTERS].decode("ascii")


def verify(text: str, keys: TokenKeys, purpose: bytes = SERVED) -> AdToken | None:
    """The token behind `text`, or None where it is not ours, was altered, or serves another purpose."""
    if len(text) != _LETTERS:
        return None
    try:
        spelled = text.encode("ascii").translate(_FROM_URLSAFE) + _PADDING
        raw = a2b_base64(spelled)
    except ValueError:
        return None
    if len(raw) != _SIZE or raw[0] not in keys.keys:
        return None
    key = keys.keys[raw[0]]
    mac = raw[1 : 1 + _MAC_SIZE]
    body = _masked(raw[1 + _MAC_SIZE :], mac, key)
    # Base64 ignores foreign letters and spare bits; a token has one spelling only.
    if not compare_digest(_mac(body, key, purpose), mac) or b2a_base64(raw, newline=False) != spelled:
        return None
    *fields, flags = _LAYOUT.unpack(body)
    fields += [bool(flags & _TEST), _BECAUSES[flags >> _BECAUSE_SHIFT & 3]]
    return AdToken(*fields)


def _mac(body: bytes, key: bytes, purpose: bytes) -> bytes:
    mac = _keyed(key, purpose).copy()
    mac.update(body)
    return mac.digest()


def _masked(body: bytes, mac: bytes, key: bytes) -> bytes:
    stream = b""
    for keyed in _stream(key):
        block = keyed.copy()
        block.update(mac)
        stream += block.digest()
    masked = int.from_bytes(body, "big") ^ int.from_bytes(stream[: _LAYOUT.size], "big")
    return masked.to_bytes(_LAYOUT.size, "big")


@lru_cache(maxsize=_MOST_KEYED)
def _keyed(key: bytes, purpose: bytes) -> blake2b:
    """To be copied: that the key is taken in already saves a third of each digest."""
    return blake2b(digest_size=_MAC_SIZE, key=key, person=purpose)


@lru_cache(maxsize=_MOST_KEYED)
def _stream(key: bytes) -> tuple[blake2b, ...]:
    """As many blocks as a body is masked by."""
    numbers = range(-(-_LAYOUT.size // _BLOCK_SIZE))
    return tuple(
        blake2b(digest_size=_BLOCK_SIZE, key=key, person=b"token mask", salt=bytes((number,)))
        for number in numbers
    )
