"""API keys, made by the operator and shown once; and the answers kept for Idempotency-Keys."""

from collections.abc import Sequence
from hashlib import sha256

import msgspec
from msgspec.structs import replace

from adserver.domain.visitor import DAY_MS
from adserver.flows.manage.desk import NOT_FOUND, Desk, Reach, ReceiptOf, Refused, Why
from adserver.writes import Access, ApiKey, PurgeReceipts, Receipt, Scope

PREFIX = "rt_live_"
RECEIPT_KEPT_MS = 7 * DAY_MS
PURGED_AT_ONCE = 200
AT_ONCE = 500
HINT_LETTERS = 6  # of 43: what is left cannot be guessed


class NewKey(msgspec.Struct, frozen=True):
    """A key that was just made, with the only sight of its text."""

    key: ApiKey
    text: str


def digest_of(text: str) -> str:
    """How a key is kept: its text is random, so a plain digest cannot be guessed back."""
    return sha256(text.encode()).hexdigest()


class ManageKeys:
    """Keys are made by an operator, or by people at the console for their own account: never by an
    account's key, since a key that has leaked could make others that outlive it.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def identify(self, text: str) -> ApiKey | None:
        """The key behind a bearer's text, unless it was revoked or is over."""
        if not text.startswith(PREFIX):
            return None
        found = self._desk.keys.find(digest_of(text))
        if found is None or not found.is_open(self._desk.clock()):
            return None
        self._desk.key_calls.count(found.key)
        return found

    def keys(self, reach: Reach, after: int, limit: int) -> list[ApiKey] | Refused:
        return self._desk.keys.keys(after, limit) if reach.is_operator else Refused(Why.FORBIDDEN)

    def of_owner(self, reach: Reach, owner_key: int | None) -> list[ApiKey] | Refused:
        """An account's keys, newest first; None for those of the operators."""
        if not _may(reach, owner_key):
            return Refused(Why.FORBIDDEN)
        found: list[ApiKey] = []
        after = -1
        while page := self._desk.keys.keys(after, AT_ONCE):
            found += (one for one in page if one.owner_key == owner_key)
            after = page[-1].key
        return sorted(found, key=lambda one: one.created_at_ms, reverse=True)

    def last_used(self, keys: Sequence[ApiKey]) -> dict[int, int]:
        """The hour in which each was used last, of those that were of late."""
        return self._desk.key_calls.last_hours([one.key for one in keys], self._desk.clock())

    def key(self, reach: Reach, key: int) -> ApiKey | Refused:
        found = self._desk.keys.keys(key - 1, 1)
        known = found[0] if found and found[0].key == key else None
        if known is None or not _may(reach, known.owner_key):
            return NOT_FOUND if reach.is_operator or reach.api_key == 0 else Refused(Why.FORBIDDEN)
        return known

    def create(
        self, reach: Reach, draft: ApiKey, receipt_of: ReceiptOf[NewKey] | None = None
    ) -> NewKey | Refused:
        """Make a key for the operator or one account; its text is in the answer and nowhere else."""
        if not _may(reach, draft.owner_key):
            return Refused(Why.FORBIDDEN)
        no = self._flaw(draft)
        if no is not None:
            return Refused(no)
        text = PREFIX + self._desk.mint_secret()
        made = replace(
            draft,
            key=self._desk.mint_key(),
            digest=digest_of(text),
            created_at_ms=self._desk.clock(),
            revoked_at_ms=None,
            hint=text[: len(PREFIX) + HINT_LETTERS],
        )
        new = NewKey(made, text)
        saved = self._desk.create(made, None if receipt_of is None else lambda _: receipt_of(new))
        return saved if isinstance(saved, Refused) else new

    def rotate(self, reach: Reach, key: int, receipt_of: ReceiptOf[NewKey] | None = None) -> NewKey | Refused:
        """Another key that may do the same; the old one ends a day later, so that nothing stands still."""
        known = self.key(reach, key)
        if isinstance(known, Refused):
            return known
        now_ms = self._desk.clock()
        if not known.is_open(now_ms):
            return Refused(Why.KEY_OVER)
        made = self.create(reach, known, receipt_of)
        if isinstance(made, Refused):
            return made
        ends_ms = min(now_ms + DAY_MS, known.expires_at_ms or now_ms + DAY_MS)
        ended = self._desk.replace(replace(known, expires_at_ms=ends_ms))
        return ended if isinstance(ended, Refused) else made

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

    def _flaw(self, draft: ApiKey) -> Why | None:
        if not self._owner_exists(draft):
            return Why.UNKNOWN_OWNER
        if draft.access is Access.EVENTS and draft.scope is not Scope.ADVERTISER:
            return Why.EVENTS_OF_WHOM
        if draft.expires_at_ms is not None and draft.expires_at_ms <= self._desk.clock():
            return Why.ALREADY_PAST
        return None

    def _owner_exists(self, draft: ApiKey) -> bool:
        if draft.scope is Scope.OPERATOR:
            return draft.owner_key is None
        if draft.owner_key is None:
            return False
        if draft.scope is Scope.ADVERTISER:
            return self._desk.accounts.advertiser(draft.owner_key) is not None
        return self._desk.accounts.publisher(draft.owner_key) is not None


def _may(reach: Reach, owner_key: int | None) -> bool:
    return reach.is_operator or (
        reach.api_key == 0 and owner_key is not None and owner_key == reach.owner_key
    )
