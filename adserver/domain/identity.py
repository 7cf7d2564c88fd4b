"""Keys and the opaque ids people see: a 63-bit key, written as a prefix and thirteen letters."""

from functools import lru_cache
from hashlib import blake2b

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]  # ten bits at a time
_VALUE = {letter: value for value, letter in enumerate(_ALPHABET)}
_LENGTH = 13
LARGEST_KEY = 2**63 - 1
KEY_TIME_SHIFT = 20  # minted keys are milliseconds shifted so far, then who minted them and a count
KEY_EPOCH_MS = 1_735_689_600_000  # 2025-01-01 UTC: 41 bits of milliseconds last until 2094


def write_id(prefix: str, key: int) -> str:
    """The id of `key`, such as `cmp_0q3v...`; `read_id` is its inverse."""
    return (
        f"{prefix}_{_ALPHABET[key >> 60 & 31]}{_PAIRS[key >> 50 & 1023]}{_PAIRS[key >> 40 & 1023]}"
        f"{_PAIRS[key >> 30 & 1023]}{_PAIRS[key >> 20 & 1023]}{_PAIRS[key >> 10 & 1023]}{_PAIRS[key & 1023]}"
    )


def read_id(prefix: str, text: str) -> int | None:
    """The key behind an id, or None where `text` is not an id of this kind."""
    head, _, letters = text.partition("_")
    if head != prefix or len(letters) != _LENGTH:
        return None
    key = 0
    for letter in letters:
        if letter not in _VALUE:
            return None
        key = key << 5 | _VALUE[letter]
    return key if key <= LARGEST_KEY else None


def first_key_at(at_ms: int) -> int:
    """No minted key of before is as large, and none of that moment or after is smaller."""
    return max(0, at_ms - KEY_EPOCH_MS) << KEY_TIME_SHIFT


def minted_ms(key: int) -> int:
    """When a key was minted."""
    return (key >> KEY_TIME_SHIFT) + KEY_EPOCH_MS


def key_of(purpose: bytes, *parts: bytes) -> int:
    """A 63-bit key that anyone can compute again from the same parts.

    Products, orders and leads are found by it without a look-up table. Parts are length-prefixed, so
    that ("ab", "c") and ("a", "bc") differ.
    """
    digest = _begun(purpose).copy()
    digest.update(b"".join([len(part).to_bytes(4, "big") + part for part in parts]))
    return int.from_bytes(digest.digest(), "big") >> 1


@lru_cache(maxsize=64)  # purposes are few, and to begin anew takes as long as all the rest
def _begun(purpose: bytes) -> "blake2b":
    return blake2b(digest_size=8, person=purpose)


def product_key(advertiser_key: int, item_id: str) -> int:
    """The key of an advertiser's item, whether or not it is in the catalogue yet."""
    return key_of(b"product", advertiser_key.to_bytes(8, "big"), item_id.encode())
