"""Proof of a balance: its chain as anyone may replay it, and the signed heads of its days."""

from collections.abc import Iterator

import msgspec

from adserver.domain.proof import DailyHead, Standing
from adserver.ports import Proofs, Signer

MOST_HEADS = 100
PAGE = 500
LAST_DAY = 99_991_231


class Proof(msgspec.Struct, frozen=True):
    """How an owner's chain stands, and signed heads, oldest first."""

    standing: Standing
    heads: list[DailyHead]


class Export(msgspec.Struct, frozen=True):
    """A whole chain up to where it stood when it was asked for, a piece at a time."""

    standing: Standing
    pieces: Iterator[list[bytes]]


class Prove:
    """What is chained never changes, so pages and pieces fit together however long they take."""

    def __init__(self, proofs: Proofs, signer: Signer) -> None:
        self._proofs = proofs
        self._signer = signer

    @property
    def public_key(self) -> bytes:
        return self._signer.public_key

    def standing(self, owner_key: int) -> Standing:
        """How the owner's balance and chain are now."""
        return self._proofs.standing(owner_key)

    def proof(self, owner_key: int, since: int | None) -> Proof:
        """The newest signed heads, or those from a day (yyyymmdd) on."""
        if since is None:
            heads = self._proofs.newest_heads(owner_key, MOST_HEADS)
        else:
            heads = self._proofs.heads_between(owner_key, since, LAST_DAY, MOST_HEADS)
        return Proof(self._proofs.standing(owner_key), heads)

    def entries(self, owner_key: int, after: int, limit: int) -> tuple[list[bytes], int | None]:
        """A page of the chain, and the entry that the next page comes after."""
        last = self._proofs.standing(owner_key).entries
        until = min(after + limit, last)
        return self._proofs.entries(owner_key, after, until), until if until < last else None

    def export(self, owner_key: int) -> Export:
        standing = self._proofs.standing(owner_key)
        return Export(standing, self._pieces(owner_key, standing.entries))

    def _pieces(self, owner_key: int, last: int) -> Iterator[list[bytes]]:
        for after in range(0, last, PAGE):
            yield self._proofs.entries(owner_key, after, min(after + PAGE, last))
