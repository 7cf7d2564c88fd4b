"""Offers valid only through the click: pools of single-use codes, who gets one, and what became of each."""

import re
from collections.abc import Iterable
from enum import StrEnum
from hashlib import blake2b

import msgspec

from adserver.domain.campaign import Creative
from adserver.domain.identity import key_of
from creatives.card import Look, Offer

MINUTE_MS = 60_000
LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # none that is easily taken for another
GENERATED_TRIES = 3
GRACE_MS = 1_000  # a worker may hear a moment late that a pool has run low
CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{3,39}", re.ASCII)
_MOST_RESERVED = 100


class PoolKind(StrEnum):
    UPLOADED = "uploaded"  # the advertiser's own codes, until they are used up
    GENERATED = "generated"  # made at the click; never empty


class OfferPool(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """An advertiser's single-use codes. `prefix` and `length` are of generated ones.

    `low_ms`: since when too few are free to promise any; None while its offers are shown.
    """

    key: int
    advertiser_key: int
    name: str
    kind: PoolKind
    prefix: str = ""
    length: int = 10  # letters behind the prefix
    valid_minutes: int | None = None  # after the click
    ends_at_ms: int | None = None
    low_ms: int | None = None
    version: int = 1
    created_at_ms: int = 0


class Stock(msgspec.Struct, frozen=True):
    """How a pool's codes stand; `handed` holds the redeemed and the expired."""

    free: int = 0
    handed: int = 0
    redeemed: int = 0
    expired: int = 0  # handed, and not redeemed in time


class Handed(msgspec.Struct, frozen=True, array_like=True):
    """A code of a pool as it stands: never handed where `handed_ms` is None.

    `impression_id` is of the ad whose click it was handed to, None once that was forgotten. `same_visitor`:
    whoever asks came by another ad that was shown to the same visitor.
    """

    code_key: int
    pool_key: int
    code: str
    impression_id: int | None
    handed_ms: int | None
    expires_ms: int | None
    redeemed_ms: int | None
    order_key: int | None
    by_server: bool = False
    percent: int | None = None  # what it was handed for
    amount_micros: int | None = None
    same_visitor: bool = False


class AddCodes(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Put codes into a pool; those that the advertiser has already stay where they are.

    `upload_key` tells afterwards which were new.
    """

    pool_key: int
    advertiser_key: int
    upload_key: int
    codes: tuple[str, ...]
    at_ms: int


class HandCode(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A click gets a code of the pool, and the same one again however often it is told.

    `fresh` are codes to choose from where the pool makes its own. `click_id` credits an order that names
    the code alone.
    """

    pool_key: int
    advertiser_key: int
    impression_id: int
    click_id: str
    visitor_key: int
    at_ms: int
    expires_ms: int | None
    percent: int | None
    amount_micros: int | None
    fresh: tuple[str, ...] = ()


class RedeemCode(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """An order was made with a code. `impression_id` is of the click that the order names, 0 for none."""

    advertiser_key: int
    code: str
    order_key: int
    impression_id: int
    by_server: bool
    at_ms: int


class NoCode(StrEnum):
    """Why a click on an ad with an offer led on without a code."""

    EMPTY = "no_code_left"
    OVER = "over"
    SUSPECT = "suspect_click"
    EXPIRED = "expired_before"  # the code that this ad's click got earlier
    GONE = "unknown_pool"


class Redemption(StrEnum):
    """What a code is worth to an order, or may be."""

    VALID = "valid"
    REDEEMED = "redeemed"
    ALREADY_REDEEMED = "already_redeemed"
    SHARED_CODE = "shared_code"
    EXPIRED = "expired"
    NOT_HANDED = "not_handed"
    UNKNOWN_CODE = "unknown_code"
    WRONG_ADVERTISER = "wrong_advertiser"


def code_key(advertiser_key: int, code: str) -> int:
    """The key of an advertiser's code. Shops do not tell upper from lower case, nor do we."""
    return key_of(b"offer code", advertiser_key.to_bytes(8, "big"), code.upper().encode())


def sound_code(text: str) -> str | None:
    text = text.strip()
    return text if CODE.fullmatch(text) else None


def generated_codes(pool: OfferPool, impression_id: int, secret: bytes) -> tuple[str, ...]:
    """Codes for a click, to take the first of that is not taken: the same for the same click, unguessable."""
    return tuple(_generated(pool, impression_id, number, secret) for number in range(GENERATED_TRIES))


def _generated(pool: OfferPool, impression_id: int, number: int, secret: bytes) -> str:
    digest = blake2b(digest_size=32, key=secret, person=b"offer code")
    for part in (pool.key, impression_id, number):
        digest.update(part.to_bytes(8, "big"))
    left, letters = int.from_bytes(digest.digest(), "big"), []
    for _ in range(pool.length):
        left, place = divmod(left, len(LETTERS))
        letters.append(LETTERS[place])
    return pool.prefix + "".join(letters)


def reserve_of(total: int) -> int:
    """How many codes are kept for who saw the offer before it stopped: one of twenty, at most a hundred."""
    return min(total // 20, _MOST_RESERVED)


def is_low(free: int, total: int) -> bool:
    """Whether the offer may not be shown any longer."""
    return free <= reserve_of(total)


def soonest(*ends_ms: int | None) -> int | None:
    return min((one for one in ends_ms if one is not None), default=None)


def is_over(ends_at_ms: int | None, now_ms: int) -> bool:
    return ends_at_ms is not None and ends_at_ms <= now_ms


def expires_ms(pool: OfferPool, offer: Offer, clicked_ms: int) -> int | None:
    """When a code handed now is worth nothing; None where it is good for ever."""
    after = None if pool.valid_minutes is None else clicked_ms + pool.valid_minutes * MINUTE_MS
    return soonest(after, pool.ends_at_ms, offer.ends_at_ms)


def as_shown(creative: Creative, pool: OfferPool | None) -> Creative:
    """The creative with the offer that it may show: none while its pool is low or unknown."""
    offer = creative.offer
    if creative.pool_key is None or offer is None:
        return creative
    if pool is None or pool.low_ms is not None:
        return msgspec.structs.replace(creative, offer=None)
    shown = msgspec.structs.replace(offer, ends_at_ms=soonest(offer.ends_at_ms, pool.ends_at_ms))
    return msgspec.structs.replace(creative, offer=shown)


def still(look: Look, now_ms: int) -> Look:
    """The look without an offer that is over by now."""
    offer = look.offer
    if offer is None or offer.ends_at_ms is None or now_ms < offer.ends_at_ms:
        return look
    return msgspec.structs.replace(look, offer=None)


def why_no_code(
    pool: OfferPool | None, offer: Offer, decided_ms: int, now_ms: int, *, suspect: bool
) -> NoCode | None:
    """Whether this click may have a code: not a suspect one, and of a low pool only who saw the offer."""
    if pool is None:
        return NoCode.GONE
    if suspect:
        return NoCode.SUSPECT
    if is_over(soonest(pool.ends_at_ms, offer.ends_at_ms), now_ms):
        return NoCode.OVER
    if pool.low_ms is not None and decided_ms > pool.low_ms + GRACE_MS:
        return NoCode.EMPTY
    return None


def judge(code: Handed | None, impression_id: int, now_ms: int) -> Redemption:
    """What the code is worth now to whoever came by this click; 0 where nobody says which."""
    if code is None:
        return Redemption.UNKNOWN_CODE
    if code.handed_ms is None:
        return Redemption.NOT_HANDED
    if code.redeemed_ms is not None:
        return Redemption.ALREADY_REDEEMED
    is_others = code.impression_id not in (None, impression_id) and not code.same_visitor
    if impression_id and is_others:
        return Redemption.SHARED_CODE
    return Redemption.EXPIRED if is_over(code.expires_ms, now_ms) else Redemption.VALID


def redeem(code: Handed | None, write: RedeemCode) -> Redemption:
    """What becomes of the code by this order. The same order is answered the same.

    What a browser said of it gives way to the merchant's server, whose word is the order's.
    """
    if code is not None and code.redeemed_ms is not None:
        same = code.order_key == write.order_key
        stronger = write.by_server and not code.by_server
        if same or not stronger:
            return Redemption.REDEEMED if same else Redemption.ALREADY_REDEEMED
        code = msgspec.structs.replace(code, redeemed_ms=None)
    judged = judge(code, write.impression_id, write.at_ms)
    return Redemption.REDEEMED if judged is Redemption.VALID else judged


class Pools:
    """A worker's pools, and the creatives that promise their codes, as their advertisers made them."""

    def __init__(self) -> None:
        self._pools: dict[int, OfferPool] = {}
        self._creatives: dict[int, Creative] = {}

    def pool(self, key: int | None) -> OfferPool | None:
        return None if key is None else self._pools.get(key)

    def as_made(self, creative_key: int) -> Creative | None:
        """A creative that promises codes, whether or not it may show that now."""
        return self._creatives.get(creative_key)

    def put(self, pool: OfferPool) -> Iterable[Creative]:
        """Take its newest state; the creatives that look another way for it."""
        self._pools[pool.key] = pool
        return [one for one in list(self._creatives.values()) if pool.key in _pool_keys(one)]

    def shown(self, creative: Creative) -> Creative:
        """Take a creative's newest state; how it is shown, and with it what was approved of it before."""
        if not _pool_keys(creative):
            self._creatives.pop(creative.key, None)
            return creative
        self._creatives[creative.key] = creative
        if creative.approved is not None:
            approved = as_shown(creative.approved, self.pool(creative.approved.pool_key))
            creative = msgspec.structs.replace(creative, approved=approved)
        return as_shown(creative, self.pool(creative.pool_key))


def _pool_keys(creative: Creative) -> set[int]:
    """Of all its versions."""
    versions = (creative, creative.approved)
    return {one.pool_key for one in versions if one is not None and one.pool_key is not None}
