"""A merchant's feed becomes the catalogue: read whole first, then written in pieces, then pruned."""

import io
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import msgspec
from babel import Locale, UnknownLocaleError

from adserver.domain.campaign import Advertiser
from adserver.domain.catalogue import Feed, FeedFormat, ImportReport, Product, RejectedRow
from adserver.domain.feed import FeedRules, Note, Rejection, product_of
from adserver.domain.feed_advice import advice_for
from adserver.domain.feed_file import FeedError, FeedLimits, FeedRefusal, Row
from adserver.domain.feed_format import read_rows
from adserver.domain.feed_price import PriceRejection, read_price
from adserver.domain.feed_seen import SeenKeys
from adserver.domain.fetching import (
    NOT_KNOWN,
    Download,
    Fetching,
    Validators,
    after_failure,
    after_success,
)
from adserver.domain.imports import SHRINKS_FROM_PRODUCTS, ImportState, Watch, kept_with_feed, shrinkage
from adserver.domain.inflate import GZIP_MAGIC
from adserver.ports import PLAIN, Catalogue, Clock, Feeds, Fetcher, FetchRefused, Order, Writer
from adserver.writes import RemoveProductsNotIn, Result, SaveEntity, SaveProducts, Together, Write

PIECE_PRODUCTS = 200  # written in one transaction, so that no other write waits long
MOST_REJECTED_KEPT = 10_000  # of an import; all of them are counted
MOST_REJECTED_SHOWN = 100_000  # by a check: each is told, and all together fit in memory
SAMPLE_PRODUCTS = 5
_PROGRESS_ROWS = 1_000
_TELLING_ROWS = 100  # of which none has a link or a currency: then none of the feed has

Progress = Callable[[int, int], None]  # rows and bytes read so far


class FeedCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What a feed would become, told without a server; `advice` says what to do about each name in it."""

    format: FeedFormat | None = None
    products: int = 0
    rejected: list[RejectedRow] = []
    notes: dict[str, int] = {}
    fatal: str | None = None
    rejected_count: int = 0
    reasons: dict[str, int] = {}  # how many rows were left out for each
    advice: dict[str, str] = {}
    sample: list[Product] = []

    @property
    def exit_status(self) -> int:
        """0, or 1 where nothing could be read."""
        return 0 if self.fatal is None else 1


class ReadProducts:
    """The products of a feed one by one, and a tally of what was left out."""

    def __init__(
        self,
        file: IO[bytes],
        rules: FeedRules,
        limits: FeedLimits,
        progress: Progress | None = None,
        most_rejected_kept: int = MOST_REJECTED_KEPT,
    ) -> None:
        self.format: FeedFormat | None = None  # until its first bytes are read
        self.product_count = 0
        self.rejected: list[RejectedRow] = []
        self.reasons: Counter[Rejection] = Counter()
        self.notes: Counter[Note] = Counter()
        self._file = file
        self._limits = limits
        self._rules = rules
        self._progress = progress
        self._most_rejected_kept = most_rejected_kept
        self._seen = SeenKeys()

    @property
    def rejected_count(self) -> int:
        return self.reasons.total()

    def __iter__(self) -> Iterator[Product]:
        self.format, rows = read_rows(self._file, self._limits)
        row = None
        for row in rows:
            product = self._product(row)
            if product is not None:
                yield product
            self._tell_progress(row.bytes_read)
        if row is None:
            raise FeedError(FeedRefusal.EMPTY, "there is no product in it")
        if not self.product_count:
            self._ask(row)
            ((reason, count),) = self.reasons.most_common(1)
            detail = f"all {self.rejected_count} rows were left out, {count} of them as {reason}"
            raise FeedError(FeedRefusal.EMPTY, detail)

    def _product(self, row: Row) -> Product | None:
        found = row.rejection or product_of(row.fields, row.language, self._rules)
        if isinstance(found, Rejection):
            self._reject(row, found)
            return None
        if not self._seen.add(found[0].key):
            self._reject(row, Rejection.DUPLICATE_ID)
            return None
        self.product_count += 1
        self.notes.update(found[1])
        self.notes.update(row.notes)
        return found[0]

    def _reject(self, row: Row, reason: Rejection) -> None:
        self.reasons[reason] += 1
        if len(self.rejected) < self._most_rejected_kept:
            item_id = row.fields.get("id", "")[:100] or None
            self.rejected.append(RejectedRow(row.line, item_id, reason.value))
        if not self.product_count and self.rejected_count == _TELLING_ROWS:
            self._ask(row)

    def _ask(self, row: Row) -> None:
        """Refuse a feed none of whose rows says where its product is sold, or in which currency."""
        price = read_price(
            row.fields.get("price", ""), row.fields.get("currency") or self._rules.feed_currency
        )
        needs_currency = price is PriceRejection.MISSING_CURRENCY
        if Rejection.MISSING_LINK in self.reasons and not row.fields.get("link"):
            detail = "no row has an address: say how they are made"
            also = ", and say its currency too" if needs_currency else ""
            raise FeedError(FeedRefusal.LINK_NEEDED, detail + also)
        if Rejection.MISSING_CURRENCY in self.reasons:
            raise FeedError(FeedRefusal.CURRENCY_NEEDED, "no price names its currency: say which it is")

    def _tell_progress(self, bytes_read: int) -> None:
        row_count = self.product_count + self.rejected_count
        if self._progress is not None and row_count % _PROGRESS_ROWS == 0:
            self._progress(row_count, bytes_read)


class ImportFeed:
    """Imports an advertiser's feed; whatever is wrong with it, what was live before stays live."""

    def __init__(  # noqa: PLR0913  its ports, by name
        self,
        *,
        writer: Writer,
        catalogue: Catalogue,
        feeds: Feeds,
        fetcher: Fetcher,
        clock: Clock,
        mint_key: Callable[[], int],
        dice: Callable[[], float],
        limits: FeedLimits | None = None,
    ) -> None:
        self._writer = writer
        self._catalogue = catalogue
        self._feeds = feeds
        self._fetcher = fetcher
        self._clock = clock
        self._mint_key = mint_key
        self._dice = dice
        self._limits = limits or FeedLimits()

    def import_address(self, advertiser: Advertiser, feed: Feed, order: Order = PLAIN) -> ImportReport:
        """Fetch the feed from its address to disk, and import it from there."""
        began_ms = self._clock()
        order.watch.moved(ImportState.FETCHING)
        with tempfile.TemporaryFile() as file:
            try:
                download = self._download(feed, file, order)
            except FetchRefused as refused:
                error = FeedError(FeedRefusal.NOT_FETCHED, str(refused))
                return self._end(feed, _Ending(self._report(began_ms, None, error, order)), order)
            if download.unchanged:
                return self._end(feed, _Ending(self._unchanged(feed, began_ms, order)), order)
            file.seek(0)
            return self._import(advertiser, feed, file, began_ms, order, download.validators)

    def import_file(
        self, advertiser: Advertiser, feed: Feed, file: IO[bytes], order: Order = PLAIN
    ) -> ImportReport:
        """Replace the catalogue by what `file` says, and keep the report of it with the feed.

        The report's `fatal` says why nothing was changed. A catalogue that would lose more than half
        of its products is taken for a broken export, unless the order allows it.
        """
        began_ms = self._clock() if order.asked_ms is None else order.asked_ms
        return self._import(advertiser, feed, file, began_ms, order, NOT_KNOWN)

    def publish_held(self, feed: Feed, waited: ImportReport, disk: IO[bytes], order: Order) -> ImportReport:
        """Somebody has said yes to what was held back: it becomes the catalogue, as of when it was read."""
        began_ms = waited.started_at_ms
        ended: dict[str, object] = {"waits": False, "fatal": None}
        try:
            ended["products"] = self._publish(feed, disk, began_ms, order.watch)
        except FeedError as error:
            ended["fatal"] = str(error)
        report = msgspec.structs.replace(waited, finished_at_ms=self._clock(), **ended)
        return self._end(feed, _Ending(report), order)

    def _download(self, feed: Feed, file: IO[bytes], order: Order) -> Download:
        known = feed.fetching.worth_asking(self._clock()) if order.scheduled else NOT_KNOWN

        def heard(bytes_read: int, of_bytes: int | None) -> None:
            order.watch.heard(0, bytes_read, of_bytes)

        return self._fetcher.download(feed.url or "", self._limits.most_bytes, file, known, heard)

    def _import(
        self,
        advertiser: Advertiser,
        feed: Feed,
        file: IO[bytes],
        began_ms: int,
        order: Order,
        validators: Validators,
    ) -> ImportReport:
        order.watch.moved(ImportState.READING)
        reading = ReadProducts(
            file, _rules_for(advertiser, feed), self._limits, _progress_of(file, order.watch)
        )
        failed: FeedError | None = None
        with tempfile.TemporaryFile() as disk:
            try:
                _read(reading, disk, order.watch)
                if not order.allow_shrink:
                    self._refuse_to_shrink(feed, reading, disk)
                self._publish(feed, disk, began_ms, order.watch)
            except FeedError as error:
                failed = error
                if _waits(error) and order.hold is not None:
                    disk.seek(0)
                    order.hold(disk)
        report = self._report(began_ms, reading, failed, order)
        return self._end(feed, _Ending(report, validators, reading.format), order)

    def _refuse_to_shrink(self, feed: Feed, reading: ReadProducts, disk: IO[bytes]) -> None:
        live_count = self._catalogue.count_of_feed(feed.key)
        kept_count = 0
        if live_count >= SHRINKS_FROM_PRODUCTS:
            keys = ([product.key for product in piece] for piece in pieces(disk))
            kept_count = sum(self._catalogue.count_of_feed(feed.key, piece) for piece in keys)
        detail = shrinkage(
            reading.product_count,
            kept_count,
            reading.rejected_count,
            live_count,
            feed.fetching.mostly_rejected,
        )
        if detail is not None:
            raise FeedError(FeedRefusal.SHRANK_BY_HALF, detail)

    def _publish(self, feed: Feed, disk: IO[bytes], began_ms: int, watch: Watch) -> int:
        """How many products are live then."""
        watch.moved(ImportState.PUBLISHING)
        import_key, count = self._mint_key(), 0
        for piece in pieces(disk):
            now_ms = self._clock()
            write = SaveProducts(
                feed.advertiser_key, piece, feed.key, import_key, at_ms=now_ms, read_ms=began_ms
            )
            self._commit(write)
            count += len(piece)
            watch.heard(count, 0, None)
        while self._commit(RemoveProductsNotIn(feed.key, import_key)):
            pass  # a piece at a time
        return count

    def _commit(self, write: Write) -> int:
        outcome = self._writer.commit(write)
        if outcome.result is not Result.SAVED:
            # Pieces written before this one are newer products of the same feed; none was removed.
            raise FeedError(FeedRefusal.UNRECORDED, "it could not be written; import it again")
        return outcome.figure

    def _report(
        self, began_ms: int, reading: ReadProducts | None, failed: FeedError | None, order: Order
    ) -> ImportReport:
        return ImportReport(
            started_at_ms=began_ms,
            finished_at_ms=self._clock(),
            products=reading.product_count if reading is not None and failed is None else 0,
            rejected=() if reading is None else tuple(reading.rejected),
            rejected_count=0 if reading is None else reading.rejected_count,
            notes={} if reading is None else _by_name(reading.notes),
            fatal=None if failed is None else str(failed),
            waits=failed is not None and _waits(failed) and order.hold is not None,
            import_key=order.import_key,
        )

    def _unchanged(self, feed: Feed, began_ms: int, order: Order) -> ImportReport:
        live_count = self._catalogue.count_of_feed(feed.key)
        report = self._report(began_ms, None, None, order)
        return msgspec.structs.replace(report, products=live_count, unchanged=True)

    def _end(self, feed: Feed, ending: "_Ending", order: Order) -> ImportReport:
        """Keep what came of it with the feed, and tell it where the order says."""
        report = ending.report
        # Read again: its address or interval may have been changed during a long import.
        current = self._feeds.feed(feed.key) or feed
        now_ms, dice = self._clock(), self._dice()
        known = current.fetching if order.scheduled else msgspec.structs.replace(current.fetching, failures=0)
        if _is_otherwise(current, feed):  # what was sent is no version of the one it is now
            ending = msgspec.structs.replace(ending, validators=NOT_KNOWN)
        fetching = ending.next_of(known, current.interval_minutes, now_ms, dice)
        changed = msgspec.structs.replace(
            current,
            last_import=kept_with_feed(report, current.last_import),
            fetching=fetching,
            format=ending.format or current.format,
        )
        told = order.also(changed, report)
        kept = self._writer.commit(Together((SaveEntity(changed, is_new=False, at_ms=self._clock()), *told)))
        if kept.result is not Result.SAVED and report.fatal is None:
            unkept = f"{FeedRefusal.UNRECORDED}: its report could not be written; import it again"
            return msgspec.structs.replace(report, fatal=unkept)
        return report


class _Ending(msgspec.Struct, frozen=True):
    """What came of an import, and the version of the feed that it read."""

    report: ImportReport
    validators: Validators = NOT_KNOWN
    format: FeedFormat | None = None  # found; None where nothing was read

    def next_of(self, known: Fetching, interval_minutes: int | None, now_ms: int, dice: float) -> Fetching:
        """How the fetching goes on; a version is remembered only once it is the catalogue."""
        report = self.report
        if report.waits:
            waiting = after_success(known, interval_minutes, now_ms, dice)
            return msgspec.structs.replace(waiting, fresh_ms=known.fresh_ms, why=report.fatal)
        if report.fatal is not None:
            return after_failure(known, interval_minutes, now_ms, dice, report.fatal)
        fresh = after_success(known, interval_minutes, now_ms, dice)
        if report.unchanged:
            return fresh
        return msgspec.structs.replace(
            fresh,
            validators=self.validators,
            read_ms=report.started_at_ms,
            mostly_rejected=report.rejected_count > report.products,
        )


def _is_otherwise(one: Feed, other: Feed) -> bool:
    """Whether they lie elsewhere, or are read otherwise."""
    as_read = [(feed.url, feed.currency, feed.link_template) for feed in (one, other)]
    return as_read[0] != as_read[1]


def _read(reading: ReadProducts, disk: IO[bytes], watch: Watch) -> None:
    """To the last row that can be read, and tell how many there were."""
    try:
        spool(reading, disk)
    finally:
        watch.heard(reading.product_count + reading.rejected_count, 0, None)


def _waits(error: FeedError) -> bool:
    return error.refusal is FeedRefusal.SHRANK_BY_HALF


def _progress_of(file: IO[bytes], watch: Watch) -> Progress:
    """Tells of rows, and of how many bytes where the file is not compressed."""
    head = file.read(len(GZIP_MAGIC))
    size_bytes = file.seek(0, io.SEEK_END)
    file.seek(0)
    of_bytes = None if head == GZIP_MAGIC else size_bytes
    return lambda rows, bytes_read: watch.heard(rows, bytes_read, of_bytes)


def check_feed(
    path: Path,
    limits: FeedLimits | None = None,
    rules: FeedRules | None = None,
    progress: Progress | None = None,
) -> FeedCheck:
    """What the feed in a file would become, for an advertiser of any domains and currency."""
    sample: list[Product] = []
    fatal: FeedError | None = None
    with path.open("rb") as file:
        reading = ReadProducts(
            file,
            rules or FeedRules(),
            limits or FeedLimits(),
            progress,
            most_rejected_kept=MOST_REJECTED_SHOWN,
        )
        try:
            for product in reading:
                if len(sample) < SAMPLE_PRODUCTS:
                    sample.append(product)
        except FeedError as error:
            fatal = error
    return _check_of(reading, sample, fatal)


def _check_of(reading: ReadProducts, sample: list[Product], fatal: FeedError | None) -> FeedCheck:
    names = [*reading.reasons, *reading.notes, *(() if fatal is None else (fatal.refusal,))]
    return FeedCheck(
        format=reading.format,
        products=reading.product_count if fatal is None else 0,
        rejected=reading.rejected,
        notes=_by_name(reading.notes),
        fatal=None if fatal is None else str(fatal),
        rejected_count=reading.rejected_count,
        reasons={reason.value: count for reason, count in reading.reasons.most_common()},
        advice={name.value: advice_for(name) for name in names},
        sample=sample if fatal is None else [],
    )


def _rules_for(advertiser: Advertiser, feed: Feed) -> FeedRules:
    return FeedRules(
        advertiser_key=advertiser.key,
        domains=advertiser.domains,
        currency=advertiser.currency,
        language=language_of(advertiser.country),
        feed_currency=feed.currency,
        link_template=feed.link_template,
    )


def language_of(country: str) -> str:
    """The language most spoken in a country, for feeds that do not name theirs."""
    try:
        return Locale.parse(f"und_{country}").language
    except (UnknownLocaleError, ValueError):
        return "en"


def _by_name(notes: Counter[Note]) -> dict[str, int]:
    return {note.value: count for note, count in sorted(notes.items())}


# ---- the spool: a feed's products on disk, until its last line is known to be well-formed --------

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Product).decode
_LENGTH_BYTES = 4


def spool(products: ReadProducts, disk: IO[bytes]) -> None:
    """Write every product of a reading to `disk`."""
    for product in products:
        record = _encode(product)
        disk.write(len(record).to_bytes(_LENGTH_BYTES, "big") + record)


def pieces(disk: IO[bytes]) -> Iterator[tuple[Product, ...]]:
    """What was spooled, from the beginning, in pieces that fit one transaction."""
    disk.seek(0)
    piece: list[Product] = []
    while length := disk.read(_LENGTH_BYTES):
        piece.append(_decode(disk.read(int.from_bytes(length, "big"))))
        if len(piece) == PIECE_PRODUCTS:
            yield tuple(piece)
            piece = []
    if piece:
        yield tuple(piece)
