"""Saved reports: whoever may read a report of an account may keep it under a name."""

from collections.abc import Callable

from msgspec.structs import replace

from adserver.domain.report import Side
from adserver.domain.saved_report import SavedReport, owner_of
from adserver.flows.manage.desk import NOT_FOUND, Desk, Reach, ReceiptOf, Refused, until_settled


class ManageSavedReports:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def saved_report(self, reach: Reach, key: int) -> SavedReport | Refused:
        found = self._desk.saved_reports.saved_report(key)
        if found is None or found.removed or not _reaches(reach, found.side, found.owner_key):
            return NOT_FOUND
        return found

    def saved_reports(
        self, reach: Reach, side: Side, owner_key: int, after: int, limit: int
    ) -> list[SavedReport] | Refused:
        """The account's, or the network's."""
        if not _reaches(reach, side, owner_key):
            return NOT_FOUND
        return self._desk.saved_reports.saved_reports(owner_of(side, owner_key), after, limit)

    def create(
        self, reach: Reach, draft: SavedReport, receipt_of: ReceiptOf[SavedReport] | None = None
    ) -> SavedReport | Refused:
        if not _reaches(reach, draft.side, draft.owner_key):
            return NOT_FOUND
        made = replace(draft, key=self._desk.mint_key(), version=1, created_at_ms=self._desk.clock())
        return self._desk.create(made, receipt_of)

    def change(
        self, reach: Reach, key: int, edit: Callable[[SavedReport], SavedReport]
    ) -> SavedReport | Refused:
        """Its name and its question."""
        return until_settled(lambda: self._change(reach, key, edit))

    def remove(self, reach: Reach, key: int) -> SavedReport | Refused:
        """It is listed no more, nor found."""
        return self.change(reach, key, lambda known: replace(known, removed=True))

    def _change(
        self, reach: Reach, key: int, edit: Callable[[SavedReport], SavedReport]
    ) -> SavedReport | Refused:
        known = self.saved_report(reach, key)
        if isinstance(known, Refused):
            return known
        return self._desk.replace(replace(edit(known), version=known.version + 1))


def _reaches(reach: Reach, side: Side, owner_key: int) -> bool:
    if side is Side.ADVERTISER:
        return reach.advertiser(owner_key)
    if side is Side.PUBLISHER:
        return reach.publisher(owner_key)
    return reach.is_operator
