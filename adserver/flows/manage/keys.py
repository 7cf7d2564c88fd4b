"""API keys, made by the operator and shown once; and the answers kept for Idempotency-Keys."""

from hashlib import sha256

import msgspec
from msgspec.structs import replace

from adserver.domain.visitor import DAY_MS
from adserver.flows.manage.desk import NOT_FOUND, Desk, Reach, ReceiptOf, Refused, Why
from adserver.writes import ApiKey, PurgeReceipts, Receipt, Scope

PREFIX = "rt_live_"
RECEIPT_KEPT_MS = 7 * DAY_MS
PURGED_AT_ONCE = 200


class NewKey(msgspec.Struct, frozen=True):
    """A key that was just made, with the only sight of its text."""

    key: ApiKey
    text: str


def digest_of(text: str) -> str:
    """How a key is kept: its text is random, so a plain digest cannot be guessed back."""
    return sha256(text.encode()).hexdigest()


class ManageKeys:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def identify(self, text: str) -> ApiKey | None:
        """The key behind a bearer's text, unless it was revoked."""
        if not text.startswith(PREFIX):
            return None
        found = self._desk.keys.find(digest_of(text))
        return found if found is not None and found.revoked_at_ms is None else None

    def keys(self, reach: Reach, after: int, limit: int) -> list[ApiKey] | Refused:
        return self._desk.keys.keys(after, limit) if reach.is_operator else Refused(Why.FORBIDDEN)

    def key(self, reach: Reach, key: int) -> ApiKey | Refused:
        if not reach.is_operator:
            return Refused(Why.FORBIDDEN)
        found = self._desk.keys.keys(key - 1, 1)
        return found[0] if found and found[0].key == key else NOT_FOUND

    def create(
        self, reach: Reach, draft: ApiKey, receipt_of: ReceiptOf[NewKey] | None = None
    ) -> NewKey | Refused:
        """Make a key for the operator or one account; its text is in the answer and nowhere else."""
        if not reach.is_operator:
            return Refused(Why.FORBIDDEN)
        if not self._owner_exists(draft):
            return Refused(Why.UNKNOWN_OWNER)
        text = PREFIX + self._desk.mint_secret()
        made = replace(
            draft,
            key=self._desk.mint_key(),
            digest=digest_of(text),
            created_at_ms=self._desk.clock(),
            revoked_at_ms=None,
        )
        new = NewKey(made, text)
        saved = self._desk.create(made, None if receipt_of is None else lambda _: receipt_of(new))
        return saved if isinstance(saved, Refused) else new

    def revoke(self, reach: Reach, key: int) -> ApiKey | Refused:
        known = self.key(reach, key)
        if isinstance(known, Refused) or known.revoked_at_ms is not None:
            return known
        return self._desk.replace(replace(known, revoked_at_ms=self._desk.clock()))

    def receipt(self, owner: str, idempotency_key: str) -> Receipt | None:
        """What was answered to this Idempotency-Key of this API key before."""
        return self._desk.keys.receipt(owner, idempotency_key)

    def purge_receipts(self) -> int:
        """A job: forget answers that were kept for as long as is promised, which frees their keys."""
        before_ms = self._desk.clock() - RECEIPT_KEPT_MS
        done = 0
        while purged := self._desk.writer.commit(PurgeReceipts(before_ms, PURGED_AT_ONCE)).figure:
            done += purged
        return done

    def _owner_exists(self, draft: ApiKey) -> bool:
        if draft.scope is Scope.OPERATOR:
            return draft.owner_key is None
        if draft.owner_key is None:
            return False
        if draft.scope is Scope.ADVERTISER:
            return self._desk.accounts.advertiser(draft.owner_key) is not None
        return self._desk.accounts.publisher(draft.owner_key) is not None
