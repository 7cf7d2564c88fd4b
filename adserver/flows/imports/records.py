"""What is kept of imports: how far each has come, its files, and the notices that it is worth."""

import io
from collections.abc import Callable

import msgspec

from adserver.domain.catalogue import Feed, ImportReport, RejectedRow
from adserver.domain.fetching import TOLD_AT_FAILURES
from adserver.domain.imports import AskedBy, Import, ImportState, state_of
from adserver.domain.notice import NoticeKind, import_notice
from adserver.domain.tally import Tally
from adserver.ports import Clock, ImportFiles, Imports, Part, Writer
from adserver.writes import DropFeed, Result, SaveEntity, TellAdvertiser

Told = tuple[SaveEntity | TellAdvertiser, ...]

_encode_rows = msgspec.msgpack.Encoder().encode
_decode_rows = msgspec.msgpack.Decoder(list[RejectedRow]).decode


class ImportRecords:
    """The imports of all feeds, in the database and beside it."""

    def __init__(
        self,
        writer: Writer,
        imports: Imports,
        files: ImportFiles,
        clock: Clock,
        mint_key: Callable[[], int],
        tally: Tally,
    ) -> None:
        self.imports = imports
        self.files = files
        self.clock = clock
        self._writer = writer
        self._mint_key = mint_key
        self._tally = tally

    def made(self, feed: Feed, by: AskedBy, *, uploaded: bool, allow_shrink: bool) -> Import:
        """A new one, kept nowhere yet."""
        now_ms = self.clock()
        return Import(
            key=self._mint_key(),
            feed_key=feed.key,
            advertiser_key=feed.advertiser_key,
            asked_by=by,
            state=ImportState.QUEUED,
            asked_ms=now_ms,
            state_ms=now_ms,
            uploaded=uploaded,
            allow_shrink=allow_shrink,
        )

    def add(self, import_: Import) -> Result:
        return self._writer.commit(SaveEntity(import_, is_new=True)).result

    def save(self, import_: Import) -> Result:
        return self._writer.commit(SaveEntity(import_, is_new=False)).result

    def save_feed(self, feed: Feed, told: Told) -> Result:
        result = Result.SAVED
        for write in (SaveEntity(feed, is_new=False), *told):
            result = self._writer.commit(write).result
        return result

    def move(self, import_: Import, state: ImportState) -> Import:
        moved = import_.moved(state, self.clock())
        self.save(moved)
        self.count(moved)
        return moved

    def count(self, import_: Import) -> None:
        """What became of it, where it has come to its end or waits for a word."""
        if not import_.is_open or import_.state is ImportState.WAITING_FOR_A_YES:
            self._tally.add(import_.advertiser_key, f"import_{import_.state}")

    def current(self, import_: Import, *states: ImportState) -> Import | None:
        """The import as it is now, where it is in one of these states."""
        found = self.imports.import_(import_.key)
        return found if found is not None and found.state in states else None

    def left_out(self, import_: Import) -> list[RejectedRow]:
        """The rows that it left out, the first ten thousand."""
        file = self.files.open(import_, Part.LEFT_OUT)
        if file is None:
            return []
        with file:
            return _decode_rows(file.read())

    def ending(self, import_: Import, feed: Feed, report: ImportReport) -> Told:
        """What is written with a report: the end of its import, of those it supersedes, and notices."""
        self.files.keep(import_, Part.LEFT_OUT, io.BytesIO(_encode_rows(report.rejected)))
        now_ms = self.clock()
        told = msgspec.structs.replace(report, rejected=())
        ended = import_.moved(state_of(report), now_ms, report=told)
        self.count(ended)
        if report.fatal is not None and not report.waits:
            return (SaveEntity(ended, is_new=False), *self.failure_told(ended, feed))
        waited = [
            one
            for one in self.imports.of_feed(feed.key)
            if one.key != import_.key
            and (one.state is ImportState.WAITING_FOR_A_YES or one.approved)
            and one.is_open
        ]
        superseded = [one.moved(ImportState.SUPERSEDED, now_ms) for one in waited]
        saved = tuple(SaveEntity(one, is_new=False) for one in (ended, *superseded))
        if not report.waits or waited:  # the advertiser knows already
            return saved
        return (*saved, self._notice(NoticeKind.IMPORT_WAITS, ended, report.fatal or ""))

    def failure_told(self, import_: Import, feed: Feed) -> Told:
        """A notice where a feed has failed so often in a row; not again before it has succeeded."""
        if feed.fetching.failures != TOLD_AT_FAILURES:
            return ()
        return (self._notice(NoticeKind.IMPORT_FAILED, import_, feed.fetching.why or ""),)

    def tidy(self, feed_key: int) -> None:
        """Keep what is told of the newest, the file of what is queued, and the products of what waits."""
        kept = self.imports.of_feed(feed_key)
        for import_ in kept:
            if not import_.is_open:
                self.files.drop(import_, Part.UPLOAD)
                self.files.drop(import_, Part.PRODUCTS)
        self.files.keep_only(feed_key, {import_.key for import_ in kept})

    def remove(self, feed_key: int) -> bool:
        """Take out a feed, its products some at a time, and its files; whether it is gone."""
        while (outcome := self._writer.commit(DropFeed(feed_key))).figure:
            continue
        self.files.keep_only(feed_key, ())
        return outcome.result is Result.SAVED

    def _notice(self, kind: NoticeKind, import_: Import, reason: str) -> TellAdvertiser:
        owner, now_ms = import_.advertiser_key, self.clock()
        key, body = import_notice(kind, import_.feed_key, import_.key, owner, now_ms, reason)
        return TellAdvertiser(key, owner, kind.value, body, now_ms)
