"""What a page's slots were answered, sealed: the page carries it between requests, and cannot read it.

A page may not know what its visitor is shown, nor hand one visitor's answers to another: whoever opens a
sheet says for whom.
"""

from base64 import urlsafe_b64encode
from binascii import Error, a2b_base64
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from adserver.domain.page import Answered
from adserver.domain.situation import Situation
from adserver.domain.suggestion import Because
from adserver.domain.token import TokenKeys

NEW = "new"  # said by a page that has no sheet yet
MOST_ANSWERS = 24  # of one page; the oldest are forgotten
MOST_OTHERS = 11  # slots that are answered along with the one that asks
LONGEST = 6_000  # letters
PROMISE_VALID_MS = 30_000  # for so long what was chosen for a slot waits for its document
SHEET_VALID_MS = 3_600_000
_BLOCK_BYTES = 256  # its length says nothing of what is in it
_LENGTH_BYTES = 2


class Promised(msgspec.Struct, frozen=True, array_like=True):
    """What a slot of the page is to show, or already does; a campaign's key of 0: no ad.

    `visitor_key` is whose answer it is, 0 where it was chosen for nobody in particular.
    """

    slot_key: int
    at_ms: int
    visitor_key: int = 0
    impression_id: int = 0
    campaign_key: int = 0
    campaign_version: int = 0
    advertiser_key: int = 0
    creative_key: int = 0
    product_keys: tuple[int, ...] = ()
    audience_key: int = 0
    situation: Situation | None = None
    test: bool = False
    because: tuple[Because, ...] = ()  # of each product; of none where all are reminders


Sheet = tuple[Promised, ...]
_DECODER = msgspec.msgpack.Decoder(Sheet)


def seal(sheet: Sequence[Promised], keys: TokenKeys) -> str:
    """The newest answers as URL-safe text that only `unsealed` reads."""
    body = msgspec.msgpack.encode(sheet[-MOST_ANSWERS:])
    framed = len(body).to_bytes(_LENGTH_BYTES, "big") + body
    padded = framed.ljust(-(-len(framed) // _BLOCK_BYTES) * _BLOCK_BYTES, b"\0")
    head = bytes((keys.current,))
    sealed = _cipher(keys.keys[keys.current]).encrypt(padded, [head])
    return urlsafe_b64encode(head + sealed).rstrip(b"=").decode()


def unsealed(text: str, keys: TokenKeys, visitor_key: int, now_ms: int) -> Sheet:
    """What the page was answered; a blank sheet where it is not ours, is old, or is another visitor's."""
    raw = _raw(text)
    if not raw or raw[0] not in keys.keys:
        return ()
    try:
        padded = _cipher(keys.keys[raw[0]]).decrypt(raw[1:], [raw[:1]])
    except (InvalidTag, ValueError):
        return ()
    length = int.from_bytes(padded[:_LENGTH_BYTES], "big")
    try:
        sheet = _DECODER.decode(padded[_LENGTH_BYTES : _LENGTH_BYTES + length])
    except msgspec.DecodeError:  # of a former version
        return ()
    is_theirs = all(one.visitor_key in (0, visitor_key) for one in sheet)
    is_fresh = all(0 <= now_ms - one.at_ms < SHEET_VALID_MS for one in sheet)
    return sheet if is_theirs and is_fresh else ()


def answers_on(sheet: Sheet) -> tuple[Answered, ...]:
    """What the page shows already, as a decision is told of it."""
    return tuple(
        Answered(one.campaign_key, one.advertiser_key, one.creative_key, one.product_keys, one.impression_id)
        for one in sheet
        if one.campaign_key
    )


def promised_to(sheet: Sheet, place: int, slot_key: int, now_ms: int) -> Promised | None:
    """What waits for a slot's document, counted from the sheet's end; None where the slot must be decided."""
    if not 0 < place <= len(sheet):
        return None
    found = sheet[-place]
    is_due = found.slot_key == slot_key and now_ms - found.at_ms < PROMISE_VALID_MS
    return found if is_due else None


def _raw(text: str) -> bytes:
    if len(text) > LONGEST:
        return b""
    spelled = text.replace("-", "+").replace("_", "/")
    try:
        return a2b_base64(spelled + "=" * (-len(spelled) % 4), strict_mode=True)
    except (Error, ValueError):
        return b""


@lru_cache(maxsize=16)  # keys are few
def _cipher(key: bytes) -> AESSIV:
    return AESSIV(blake2b(key, digest_size=64, person=b"page sheet").digest())
