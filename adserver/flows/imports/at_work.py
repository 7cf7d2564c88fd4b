"""One import while it runs: what is told of it keeps up with it."""

from collections.abc import Callable
from typing import IO

import msgspec

from adserver.domain.catalogue import Feed, ImportReport
from adserver.domain.imports import NOBODY, AskedBy, Import, ImportState, Watch
from adserver.flows.imports.records import ImportRecords, Told
from adserver.ports import Order, Part

TELL_MS = 1_000  # between two reports of progress


class AtWork(Watch):
    """Hears from the steps of an import and keeps it; `fetched` lets go of the host, `also` hears too."""

    def __init__(
        self,
        import_: Import,
        records: ImportRecords,
        fetched: Callable[[], object],
        also: Watch = NOBODY,
    ) -> None:
        self.import_ = import_
        self._records = records
        self._fetched = fetched
        self._also = also
        self._told_ms = 0

    def order(self) -> Order:
        return Order(
            import_key=self.import_.key,
            asked_ms=self.import_.asked_ms,
            allow_shrink=self.import_.allow_shrink,
            scheduled=self.import_.asked_by is AskedBy.SCHEDULE,
            watch=self,
            hold=self._hold,
            also=self._ended,
        )

    def moved(self, state: ImportState) -> None:
        if state is not ImportState.FETCHING:
            self._fetched()
        now_ms = self._records.clock()
        begun = {} if self.import_.began_ms else {"began_ms": now_ms}
        known_rows = {"rows": 0, "of_rows": self.import_.rows} if state is ImportState.PUBLISHING else {}
        self._keep(self.import_.moved(state, now_ms, **begun, **known_rows))
        self._also.moved(state)

    def heard(self, rows: int, bytes_read: int, of_bytes: int | None) -> None:
        told = msgspec.structs.replace(self.import_, rows=rows)
        if bytes_read:
            told = msgspec.structs.replace(told, bytes_read=bytes_read, of_bytes=of_bytes)
        self.import_ = told
        self._also.heard(rows, bytes_read, of_bytes)
        if abs(self._records.clock() - self._told_ms) >= TELL_MS:
            self._keep(told)

    def fault(self, fault: Exception) -> str:
        """It ended as none should: the log has why, and the import says so."""
        now_ms = self._records.clock()
        why = f"fault: {type(fault).__name__}: the server's log says more; tell the operator"
        report = self.import_.report or ImportReport(
            started_at_ms=self.import_.began_ms, finished_at_ms=now_ms, products=0
        )
        report = msgspec.structs.replace(report, fatal=why, waits=False, import_key=self.import_.key)
        self._keep(self.import_.moved(ImportState.FAILED, now_ms, report=report))
        self._records.count(self.import_)
        return why

    def _keep(self, import_: Import) -> None:
        self.import_ = import_
        self._told_ms = self._records.clock()
        self._records.save(import_)

    def _hold(self, products: IO[bytes]) -> None:
        self._records.files.keep(self.import_, Part.PRODUCTS, products)

    def _ended(self, feed: Feed, report: ImportReport) -> Told:
        if self.import_.of_rows is not None:  # what is live was counted since
            self.import_ = msgspec.structs.replace(self.import_, rows=self.import_.of_rows)
        return self._records.ending(self.import_, feed, report)
