"""The life of an import: how far it has come, what became of it, and when somebody must say yes."""

from enum import StrEnum

import msgspec

from adserver.domain.catalogue import Feed, ImportReport
from adserver.domain.fetching import MINUTE_MS

KEPT = 20  # of a feed, newest first
MOST_WAIT_MS = 3 * 86_400_000  # for a yes
SHRINKS_FROM_PRODUCTS = 20  # smaller catalogues may change as they like
REPORTED_ROWS = 500  # that were left out: in the report with the feed; the import's own list is longer


class ImportState(StrEnum):
    QUEUED = "queued"
    FETCHING = "fetching"
    READING = "reading"
    PUBLISHING = "publishing"
    WAITING_FOR_A_YES = "waiting_for_a_yes"
    DONE = "done"
    UNCHANGED = "unchanged"  # the address has said so; the catalogue is fresh
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # by the end of the process that was at it
    REJECTED = "rejected"  # somebody said no
    SUPERSEDED = "superseded"  # by a newer import, while it waited
    EXPIRED = "expired"  # nobody has said yes or no


UNDER_WAY = frozenset({ImportState.FETCHING, ImportState.READING, ImportState.PUBLISHING})
OPEN = UNDER_WAY | {ImportState.QUEUED, ImportState.WAITING_FOR_A_YES}

MEANINGS = {
    ImportState.QUEUED: "It begins as soon as imports of this feed and fetches from its host are done.",
    ImportState.FETCHING: "The feed is being fetched; what is live stays live.",
    ImportState.READING: "The feed is being read; what is live stays live until all of it is read.",
    ImportState.PUBLISHING: "The feed is read, and its products go live.",
    ImportState.WAITING_FOR_A_YES: (
        "Much of the catalogue would be gone, so nothing was changed. If that is right, approve it; if the"
        " feed is broken, reject it and mend the feed. It waits for three days."
    ),
    ImportState.DONE: "The catalogue is what the feed says.",
    ImportState.UNCHANGED: "The feed has not changed since it was last read, nor has the catalogue.",
    ImportState.FAILED: "Nothing was taken away; `fatal` says why. Mend the feed, then import it again.",
    ImportState.INTERRUPTED: (
        "The server ended while it was at it. What is scheduled, or lies with us, is done again, once;"
        " anything else, import again."
    ),
    ImportState.REJECTED: "Somebody said no: what was live before is live still.",
    ImportState.SUPERSEDED: "A newer import has taken its place.",
    ImportState.EXPIRED: "Nobody said yes within three days: what was live before is live still.",
}


class AskedBy(StrEnum):
    SCHEDULE = "schedule"
    API = "api"
    COMMAND = "command"


class Import(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One import of a feed; `began_ms` is of when its rows are: newer words of the API outlive them.

    `uploaded`: its file lies with us. `approved`: somebody has said yes to what was read.
    """

    key: int
    feed_key: int
    advertiser_key: int
    asked_by: AskedBy
    state: ImportState
    asked_ms: int
    state_ms: int
    began_ms: int = 0
    finished_ms: int | None = None
    uploaded: bool = False
    allow_shrink: bool = False
    approved: bool = False
    resumed: bool = False  # after the end of a process that was at it
    rows: int = 0
    of_rows: int | None = None
    bytes_read: int = 0
    of_bytes: int | None = None
    report: ImportReport | None = None  # without its rows, which are kept beside it

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def is_fetched(self) -> bool:
        """Whether its feed's address is asked; what was sent, or read earlier, is with us."""
        return not self.uploaded and not self.approved

    def moved(self, state: ImportState, now_ms: int, **more: object) -> "Import":
        """The same in its next state; the last ones have an end."""
        finished = {} if state in OPEN else {"finished_ms": now_ms}
        return msgspec.structs.replace(self, state=state, state_ms=now_ms, **finished, **more)


class Watch:
    """Is told how far an import has come; this one does nothing about it."""

    def moved(self, state: ImportState) -> None:
        """It has begun with its next step."""

    def heard(self, rows: int, bytes_read: int, of_bytes: int | None) -> None:
        """So much of the step is done."""


NOBODY = Watch()


def state_of(report: ImportReport) -> ImportState:
    """What has become of an import that reports this."""
    if report.unchanged:
        return ImportState.UNCHANGED
    if report.waits:
        return ImportState.WAITING_FOR_A_YES
    return ImportState.DONE if report.fatal is None else ImportState.FAILED


def shrinkage(products: int, kept: int, left_out: int, live: int, was_mostly_rejected: bool) -> str | None:
    """Why a feed is taken for a broken export, None where it is not; `kept` of its products are live now.

    A feed of which more rows are left out than taken is one, unless what is live came of such a feed.
    """
    if live < SHRINKS_FROM_PRODUCTS:
        return None
    if products * 2 < live:
        return f"{products} products where {live} are live"
    if kept * 2 < live:
        return f"{kept} of the {live} products that are live are among its {products}: it has other ids"
    if left_out > products and not was_mostly_rejected:
        return f"{products} products where {live} are live, and {left_out} rows left out"
    return None


def shortened(report: ImportReport) -> ImportReport:
    """A report with no more of its rows than are kept with the feed."""
    return msgspec.structs.replace(report, rejected=report.rejected[:REPORTED_ROWS])


def kept_with_feed(report: ImportReport, before: ImportReport | None) -> ImportReport:
    """A report as its feed has it: where nothing was read, what was left out of the catalogue is so still."""
    if report.unchanged and before is not None and before.fatal is None:
        told = ("rejected", "rejected_count", "notes")
        report = msgspec.structs.replace(report, **{name: getattr(before, name) for name in told})
    return shortened(report)


def next_fetch_ms(feed: Feed) -> int | None:
    """When a feed is fetched next by its schedule; None where it has none."""
    if feed.url is None or feed.interval_minutes is None:
        return None
    if feed.fetching.next_ms is not None:
        return feed.fetching.next_ms
    if feed.last_import is None:
        return feed.created_at_ms
    return feed.last_import.started_at_ms + feed.interval_minutes * MINUTE_MS


def is_due(feed: Feed, now_ms: int) -> bool:
    next_ms = next_fetch_ms(feed)
    return next_ms is not None and now_ms >= next_ms
