"""What a profile stood on and for how long: the proof that outlives it."""

from enum import StrEnum
from hashlib import blake2b

import msgspec

MOST_PROOFS = 20  # of one visitor at one shop; beyond them the oldest leaves, first one that has ended


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


def digest_of_visitor(visitor_key: int, advertiser_key: int, key: bytes) -> int:
    """Finds a visitor's consents to one shop, for whoever has their id and the server's key.

    Another at each shop: where the id is erased, what is kept no longer says that two were one visitor.
    """
    said = visitor_key.to_bytes(8, "big") + advertiser_key.to_bytes(8, "big")
    return int.from_bytes(blake2b(said, digest_size=8, key=key, person=b"consent").digest(), "big") >> 1
