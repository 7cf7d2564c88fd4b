"""The life of imports: asked for, queued, run one at a time for a feed and a host, told, approved or not."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import IO, Protocol
from urllib.parse import urlsplit

import msgspec

from adserver.domain.campaign import Advertiser
from adserver.domain.catalogue import Feed, ImportReport, RejectedRow
from adserver.domain.fetching import after_failure
from adserver.domain.imports import (
    MOST_WAIT_MS,
    NOBODY,
    UNDER_WAY,
    AskedBy,
    Import,
    ImportState,
    Watch,
    is_due,
)
from adserver.domain.tally import Tally
from adserver.flows.imports.at_work import AtWork
from adserver.flows.imports.records import ImportRecords
from adserver.ports import Accounts, Clock, Feeds, ImportFiles, Imports, Order, Part, Writer
from adserver.writes import Result

log = logging.getLogger("adserver.imports")

PAGE = 200
MOST_SEEN = 500  # queued imports among which a job looks for one that it can run


class Steps(Protocol):
    """How a feed is fetched, read and published; see flows/feed.py."""

    def import_address(self, advertiser: Advertiser, feed: Feed, order: Order) -> ImportReport: ...
    def import_file(
        self, advertiser: Advertiser, feed: Feed, file: IO[bytes], order: Order
    ) -> ImportReport: ...
    def publish_held(
        self, feed: Feed, waited: ImportReport, disk: IO[bytes], order: Order
    ) -> ImportReport: ...


class RunImports:
    """Runs imports at once or beside the request.

    Whoever runs one has claimed its feed, and while it is fetched its host.
    """

    def __init__(  # noqa: PLR0913  its ports, by name
        self,
        *,
        steps: Steps,
        writer: Writer,
        accounts: Accounts,
        feeds: Feeds,
        imports: Imports,
        files: ImportFiles,
        clock: Clock,
        mint_key: Callable[[], int],
        tally: Tally,
    ) -> None:
        self._steps = steps
        self._accounts = accounts
        self._feeds = feeds
        self._imports = imports
        self._files = files
        self._clock = clock
        self._records = ImportRecords(writer, imports, files, clock, mint_key, tally)

    # ---- what is told ----

    def recent(self, feed: Feed) -> list[Import]:
        """The feed's newest imports, newest first."""
        return self._imports.of_feed(feed.key)

    def one(self, feed: Feed, key: int) -> Import | None:
        found = self._imports.import_(key)
        return found if found is not None and found.feed_key == feed.key else None

    def left_out(self, import_: Import) -> list[RejectedRow]:
        return self._records.left_out(import_)

    # ---- what is asked for ----

    def run(
        self,
        advertiser: Advertiser,
        feed: Feed,
        file: IO[bytes] | None = None,
        *,
        allow_shrink: bool = False,
        by: AskedBy = AskedBy.API,
        watch: Watch = NOBODY,
    ) -> ImportReport:
        """Import now, once nobody else is at it: `file`, or what lies at the feed's address."""
        import_ = self._records.made(feed, by, uploaded=file is not None, allow_shrink=allow_shrink)
        with ExitStack() as claims, ExitStack() as fetch:
            self._claim(claims, _feed_claim(feed.key), patient=True)
            self._claim_host(fetch, import_, feed, patient=True)
            self._records.add(import_)
            return self._do(AtWork(import_, self._records, fetch.close, watch), advertiser, feed, file)

    def queue(
        self, feed: Feed, file: IO[bytes] | None, *, allow_shrink: bool = False, by: AskedBy = AskedBy.API
    ) -> Import | None:
        """Import as soon as a job can; None where nothing can be kept. The newest wish counts."""
        before = [one for one in self.recent(feed) if one.state is ImportState.QUEUED and not one.approved]
        import_ = self._records.made(feed, by, uploaded=file is not None, allow_shrink=allow_shrink)
        if file is not None:
            self._files.keep(import_, Part.UPLOAD, file)
        if self._records.add(import_) is not Result.SAVED:
            self._files.drop(import_, Part.UPLOAD)
            return None
        for one in before:
            self._records.move(one, ImportState.SUPERSEDED)
        self._records.tidy(feed.key)
        return import_

    def approve(self, feed: Feed, import_: Import, *, wait: bool) -> Import | None:
        """Publish what was held back, now or by a job; None where it does not wait for that."""
        with ExitStack() as claims:
            self._claim(claims, _feed_claim(feed.key), patient=True)
            waiting = self._records.current(import_, ImportState.WAITING_FOR_A_YES)
            if waiting is None:
                return None
            approved = msgspec.structs.replace(waiting, approved=True)
            queued = self._records.move(approved, ImportState.QUEUED)
            if wait:
                self._run_queued(queued, ExitStack())
        return self._imports.import_(import_.key)

    def reject(self, feed: Feed, import_: Import) -> Import | None:
        """Drop what was held back; None where it does not wait for a word."""
        with ExitStack() as claims:
            self._claim(claims, _feed_claim(feed.key), patient=True)
            waiting = self._records.current(import_, ImportState.WAITING_FOR_A_YES)
            if waiting is None:
                return None
            rejected = self._records.move(waiting, ImportState.REJECTED)
            self._records.tidy(feed.key)
        return rejected

    def remove(self, feed: Feed) -> bool:
        """Its products leave, then the feed and what is told of its imports; False: an import is under way.

        Asked for again where it was interrupted, it goes on.
        """
        with ExitStack() as claims:
            if not self._claim(claims, _feed_claim(feed.key), patient=False):
                return False
            return self._records.remove(feed.key)

    # ---- jobs ----

    def queue_due(self) -> int:
        """Queue each feed whose time has come and that has no import to come or under way; how many."""
        return sum(self._queue_if_due(feed) for feed in self._all_feeds())

    def _queue_if_due(self, feed: Feed) -> bool:
        if not is_due(feed, self._clock()):
            return False
        busy = UNDER_WAY | {ImportState.QUEUED}
        if any(one.state in busy for one in self.recent(feed)):
            return False
        return self.queue(feed, None, by=AskedBy.SCHEDULE) is not None

    def run_next(self, *, fetching: bool = True) -> int:
        """Run the oldest queued import whose feed and host are free; how many, 0 or 1.

        Without `fetching` only those that need no other server: uploads, and what somebody said yes to.
        """
        for import_ in self._imports.in_state(ImportState.QUEUED, MOST_SEEN):
            if import_.is_fetched and not fetching:
                continue
            with ExitStack() as claims, ExitStack() as fetch:
                if self._claim_queued(claims, fetch, import_):
                    self._run_queued(import_, fetch)
                    return 1
        return 0

    def _claim_queued(self, claims: ExitStack, fetch: ExitStack, import_: Import) -> bool:
        """Whether it is ours to run: nobody else is at its feed or host, or has taken it before us."""
        feed = self._feeds.feed(import_.feed_key)
        return (
            self._claim(claims, _feed_claim(import_.feed_key), patient=False)
            and (feed is None or self._claim_host(fetch, import_, feed, patient=False))
            and self._records.current(import_, ImportState.QUEUED) is not None
        )

    def tend(self) -> int:
        """Tell what was begun by a process that is gone, and let go of what nobody has said yes to."""
        seen = [one for state in sorted(UNDER_WAY) for one in self._imports.in_state(state, MOST_SEEN)]
        waiting = self._imports.in_state(ImportState.WAITING_FOR_A_YES, MOST_SEEN)
        expired = [one for one in waiting if self._clock() >= one.state_ms + MOST_WAIT_MS]
        return sum(map(self._end_interrupted, seen)) + sum(map(self._end_expired, expired))

    def _end_interrupted(self, import_: Import) -> bool:
        """Whoever is at it holds its feed: where nobody does, the process has ended."""
        with ExitStack() as claims:
            if not self._claim(claims, _feed_claim(import_.feed_key), patient=False):
                return False
            current = self._records.current(import_, *UNDER_WAY)
            if current is None:
                return False
            log.warning("import %s of feed %s was interrupted", import_.key, import_.feed_key)
            if self._can_resume(current):
                self._records.move(msgspec.structs.replace(current, resumed=True), ImportState.QUEUED)
                return True
            interrupted = self._records.move(current, ImportState.INTERRUPTED)
            self._count_failure(interrupted, "interrupted", again=True)
            self._records.tidy(import_.feed_key)
        return True

    def _can_resume(self, import_: Import) -> bool:
        """Whether what was sent, or approved, lies with us still and nothing newer has come; only once."""
        of_feed = self._imports.of_feed(import_.feed_key)
        newer = [one for one in of_feed if one.key > import_.key]
        if import_.is_fetched or import_.resumed:
            return False
        if any(one.is_open or one.state is ImportState.DONE for one in newer):
            return False
        file = self._files.open(import_, Part.PRODUCTS if import_.approved else Part.UPLOAD)
        if file is not None:
            file.close()
        return file is not None

    def _count_failure(self, import_: Import, why: str, *, again: bool = False) -> None:
        """Of a scheduled import that has not come to its end; `again` at once, where it is the first."""
        feed = self._feeds.feed(import_.feed_key)
        if feed is None or import_.asked_by is not AskedBy.SCHEDULE:
            return
        fetching = after_failure(feed.fetching, feed.interval_minutes, self._clock(), 0.0, why)
        changed = msgspec.structs.replace(feed, fetching=fetching)
        self._records.save_feed(changed, self._records.failure_told(import_, changed))
        if again and fetching.failures == 1:  # a feed that ends its process each time waits its time
            self.queue(changed, None, by=AskedBy.SCHEDULE)

    def _end_expired(self, import_: Import) -> bool:
        with ExitStack() as claims:
            if not self._claim(claims, _feed_claim(import_.feed_key), patient=False):
                return False
            waiting = self._records.current(import_, ImportState.WAITING_FOR_A_YES)
            if waiting is None:
                return False
            self._records.move(waiting, ImportState.EXPIRED)
            self._records.tidy(import_.feed_key)
        return True

    def _all_feeds(self) -> Iterator[Feed]:
        after = -1
        while page := self._feeds.feeds(None, after, PAGE):
            yield from page
            after = page[-1].key

    # ---- one import ----

    def _claim(self, claims: ExitStack, name: str, *, patient: bool) -> bool:
        claim = self._files.claim(name, patient=patient)
        if claim is not None:
            claims.enter_context(claim)
        return claim is not None

    def _claim_host(self, fetch: ExitStack, import_: Import, feed: Feed, *, patient: bool) -> bool:
        """A host is asked for one feed at a time; whatever is not fetched needs none."""
        return not import_.is_fetched or self._claim(fetch, f"host {host_of(feed.url)}", patient=patient)

    def _run_queued(self, import_: Import, fetch: ExitStack) -> None:
        """What was asked for earlier, with the feed claimed, and its host in `fetch`."""
        feed = self._feeds.feed(import_.feed_key)
        advertiser = self._accounts.advertiser(import_.advertiser_key)
        at_work = AtWork(import_, self._records, fetch.close)
        if feed is None or advertiser is None:
            at_work.fault(LookupError("whose feed it is, is gone"))
            return
        with ExitStack() as opened:
            file = self._files.open(import_, Part.UPLOAD) if import_.uploaded else None
            if file is not None:
                opened.enter_context(file)
            self._do(at_work, advertiser, feed, file)

    def _do(
        self, at_work: AtWork, advertiser: Advertiser, feed: Feed, file: IO[bytes] | None
    ) -> ImportReport:
        """Run it to its end, whatever that is."""
        try:
            if at_work.import_.approved:
                return self._publish_held(at_work, feed)
            if not at_work.import_.uploaded:
                return self._steps.import_address(advertiser, feed, at_work.order())
            if file is None:
                raise FileNotFoundError("the file that was sent is gone")
            return self._steps.import_file(advertiser, feed, file, at_work.order())
        except Exception as fault:
            self._count_failure(at_work.import_, at_work.fault(fault))
            raise
        finally:
            self._records.tidy(feed.key)

    def _publish_held(self, at_work: AtWork, feed: Feed) -> ImportReport:
        import_ = at_work.import_
        disk = self._files.open(import_, Part.PRODUCTS)
        if disk is None or import_.report is None:
            raise FileNotFoundError("what was held back is gone")
        with disk:
            rows = tuple(self._records.left_out(import_))
            waited = msgspec.structs.replace(import_.report, rejected=rows)
            return self._steps.publish_held(feed, waited, disk, at_work.order())


def host_of(url: str | None) -> str:
    """The host of an address, in small letters; what cannot be read is a host of its own."""
    try:
        return (urlsplit(url or "").hostname or "").rstrip(".")
    except ValueError:
        return url or ""


def _feed_claim(feed_key: int) -> str:
    return f"feed {feed_key}"
