"""What a profile stood on and for how long: the proof that outlives it."""

from enum import StrEnum

import msgspec

from adserver.domain.identity import key_of


class Ended(StrEnum):
    """What ended a consent."""

    WITHDRAWN = "withdrawn"  # on a page of the shop's
    OPTED_OUT = "opted_out"
    FORGOTTEN = "forgotten"
    EXPIRED = "expired"  # with what it allowed to keep


class ConsentRecord(msgspec.Struct, frozen=True):
    """One visitor's yes to one advertiser; `proof` is the digest of what was said, never what was said."""

    advertiser_key: int
    kind: str
    proof: int
    cmp: str
    given_ms: int | None
    site: str
    first_seen_ms: int
    ended_ms: int | None
    ended_by: str | None


def write_proof(proof: int) -> str:
    """The digest as people compare it with one of their own."""
    return f"{proof:016x}"


def digest_of_visitor(visitor_key: int) -> int:
    """Finds a visitor's consents for whoever has their id; the id cannot be found by it."""
    return key_of(b"consent", visitor_key.to_bytes(8, "big"))
