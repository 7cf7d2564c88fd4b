"""Suppression lists: advertisers name visitors of theirs to whom their ads are never shown."""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from itertools import islice

import msgspec
from msgspec.structs import replace

from adserver.domain.suppression import (
    MOST_LISTED,
    MOST_LISTS,
    ListVisitors,
    SuppressionList,
    UnlistOthers,
)
from adserver.flows.manage.accounts import ManageAccounts
from adserver.flows.manage.desk import NOT_FOUND, Desk, Reach, ReceiptOf, Refused, Why, until_settled
from adserver.writes import Result
from pixel.events import Rejection

WRITTEN_AT_ONCE = 500  # visitors: some milliseconds, in which nothing else is written
MOST_FLAWS = 1_000  # told line by line

VisitorOf = Callable[[int, str], int | Rejection]
"""Whom an advertiser knows by this id; a Rejection where that is nobody, or who was forgotten."""


class BadLine(StrEnum):
    """Why a line of an upload was left out."""

    UNKNOWN = "unknown_visitor"
    FULL = "list_full"


class Listed(msgspec.Struct):
    """What became of an upload: how many it named, whom it took off, and which lines were left out."""

    named: int = 0
    removed: int = 0
    left_out: dict[BadLine, int] = {}
    lines: list[tuple[int, BadLine]] = []  # the first of them

    def leave_out(self, line: int, why: BadLine) -> None:
        self.left_out[why] = self.left_out.get(why, 0) + 1
        if len(self.lines) < MOST_FLAWS:
            self.lines.append((line, why))


class ManageSuppressions:
    def __init__(self, desk: Desk, accounts: ManageAccounts) -> None:
        self._desk = desk
        self._accounts = accounts

    def suppression_list(self, reach: Reach, advertiser_key: int, key: int) -> SuppressionList | Refused:
        found = self._desk.suppressions.suppression_list(key) if reach.advertiser(advertiser_key) else None
        return found if found is not None and found.advertiser_key == advertiser_key else NOT_FOUND

    def suppression_lists(
        self, reach: Reach, advertiser_key: int, after: int, limit: int
    ) -> list[SuppressionList] | Refused:
        owner = self._accounts.advertiser(reach, advertiser_key)
        if isinstance(owner, Refused):
            return owner
        return self._desk.suppressions.suppression_lists(advertiser_key, after, limit)

    def sizes(self, lists: Sequence[SuppressionList]) -> list[int]:
        """How many are on each of the lists, in their order."""
        sizes = self._desk.suppressions.sizes([one.key for one in lists])
        return [sizes.get(one.key, 0) for one in lists]

    def create(
        self, reach: Reach, draft: SuppressionList, receipt_of: ReceiptOf[SuppressionList] | None = None
    ) -> SuppressionList | Refused:
        """A new list, with nobody on it."""
        refused = self._refused(reach, draft)
        if refused is not None:
            return refused
        known = self._desk.suppressions.suppression_lists(draft.advertiser_key, -1, MOST_LISTS)
        if len(known) == MOST_LISTS:
            return Refused(Why.TOO_MANY_LISTS)
        key, now_ms = self._desk.mint_key(), self._desk.clock()
        return self._desk.create(replace(draft, key=key, version=1, created_at_ms=now_ms), receipt_of)

    def change(
        self, reach: Reach, advertiser_key: int, key: int, edit: Callable[[SuppressionList], SuppressionList]
    ) -> SuppressionList | Refused:
        """Change for what it holds, from the next request on."""
        return until_settled(lambda: self._change(reach, advertiser_key, key, edit))

    def _change(
        self, reach: Reach, advertiser_key: int, key: int, edit: Callable[[SuppressionList], SuppressionList]
    ) -> SuppressionList | Refused:
        known = self.suppression_list(reach, advertiser_key, key)
        if isinstance(known, Refused):
            return known
        changed = replace(edit(known), version=known.version + 1)
        return self._refused(reach, changed) or self._desk.replace(changed)

    def _refused(self, reach: Reach, wished: SuppressionList) -> Refused | None:
        owner = self._accounts.advertiser(reach, wished.advertiser_key)
        if isinstance(owner, Refused):
            return owner
        named = map(self._desk.campaigns.campaign, wished.campaign_keys)
        own = all(one is not None and one.advertiser_key == owner.key for one in named)
        return None if own else Refused(Why.UNKNOWN_CAMPAIGN)

    def upload(
        self, of: SuppressionList, names: Iterable[tuple[int, str]], visitor_of: VisitorOf, *, replaces: bool
    ) -> Listed | Refused:
        """Put visitors on a list, piece by piece; with `replaces`, only those stay whom the upload names.

        Names have their lines. Those who are on it already stay; the same upload once more changes nothing.
        """
        listed, upload_key = Listed(), self._desk.mint_key()
        room = MOST_LISTED - (0 if replaces else self.sizes([of])[0])
        waiting = iter(names)
        while piece := list(islice(waiting, WRITTEN_AT_ONCE)):
            keys = self._known(of, piece, visitor_of, listed, room - listed.named)
            write = ListVisitors(of.key, of.advertiser_key, upload_key, keys, self._desk.clock())
            if keys and self._desk.writer.commit(write).result is not Result.SAVED:
                return Refused(Result.UNRECORDED)
            listed.named += len(keys)
        if not listed.named:
            return Refused(Why.NOBODY_NAMED)
        return self._without_others(of, upload_key, listed) if replaces else listed

    def empty(self, of: SuppressionList) -> Listed | Refused:
        """Take everybody off a list."""
        return self._without_others(of, 0, Listed())

    def _known(
        self,
        of: SuppressionList,
        piece: Sequence[tuple[int, str]],
        visitor_of: VisitorOf,
        listed: Listed,
        room: int,
    ) -> tuple[int, ...]:
        keys: dict[int, None] = {}
        for line, name in piece:
            key = visitor_of(of.advertiser_key, name)
            if isinstance(key, Rejection) or not key:
                listed.leave_out(line, BadLine.UNKNOWN)
            elif len(keys) >= room:
                listed.leave_out(line, BadLine.FULL)
            else:
                keys[key] = None
        return tuple(keys)

    def _without_others(self, of: SuppressionList, upload_key: int, listed: Listed) -> Listed | Refused:
        while True:
            outcome = self._desk.writer.commit(UnlistOthers(of.key, upload_key, WRITTEN_AT_ONCE))
            if outcome.result is not Result.SAVED:
                return Refused(Result.UNRECORDED)
            listed.removed += outcome.figure
            if not outcome.figure:
                return listed
