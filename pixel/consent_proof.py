"""What the yes to a profile stands on, so that it can be proven later without keeping what was said."""

from hashlib import sha256

import msgspec

_FIRST_BITS = 63  # of the digest: as many as a database's number holds


class ConsentProof(msgspec.Struct, frozen=True, array_like=True):
    """One statement of a visitor's yes: the same for as long as it says the same.

    `digest` begins the SHA-256 of the statement. `cmp` is the consent tool's number on the IAB's list, or its
    name; `given_ms` when it says the yes was given, None where it does not. `site` is the host of the page
    that told it, empty where the shop's server did.
    """

    kind: str
    digest: int
    cmp: str
    given_ms: int | None
    site: str


def digest_of(statement: str) -> int:
    """The first 63 bits of the statement's SHA-256: whoever has the statement can compute it again."""
    return int.from_bytes(sha256(statement.encode()).digest()[:8], "big") >> 64 - _FIRST_BITS
