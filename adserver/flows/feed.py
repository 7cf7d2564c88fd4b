"""A merchant's feed becomes the catalogue: read whole first, then written in pieces, then pruned."""

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
from adserver.domain.feed_xml import FeedError, FeedLimits, FeedRefusal, read_rows
from adserver.ports import Catalogue, Clock, Feeds, Fetcher, FetchRefused, Writer
from adserver.writes import RemoveProductsNotIn, Result, SaveEntity, SaveProducts, Write

PIECE_PRODUCTS = 200  # written in one transaction, so that no other write waits long
MOST_REJECTED_KEPT = 500  # in a report; all of them are counted
SHRINKS_FROM_PRODUCTS = 20  # smaller catalogues may change as they like
_PROGRESS_ROWS = 1_000

Progress = Callable[[int, int], None]  # rows and bytes read so far


class FeedCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What a feed would become, told without a server."""

    format: FeedFormat = FeedFormat.GOOGLE_XML
    products: int = 0
    rejected: list[RejectedRow] = []
    notes: dict[str, int] = {}
    fatal: str | None = None

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
        self.product_count = 0
        self.rejected: list[RejectedRow] = []
        self.rejected_count = 0
        self.notes: Counter[Note] = Counter()
        self._rows = read_rows(file, limits)
        self._rules = rules
        self._progress = progress
        self._most_rejected_kept = most_rejected_kept
        self._seen: set[int] = set()

    def __iter__(self) -> Iterator[Product]:
        for row in self._rows:
            found = product_of(row.fields, row.language, self._rules)
            if isinstance(found, Rejection):
                self._reject(row.line, row.fields, found)
            elif found[0].key in self._seen:
                self._reject(row.line, row.fields, Rejection.DUPLICATE_ID)
            else:
                self._seen.add(found[0].key)
                self.product_count += 1
                self.notes.update(found[1])
                yield found[0]
            self._tell_progress(row.bytes_read)
        if not self.product_count:
            raise FeedError(FeedRefusal.EMPTY, f"all {self.rejected_count} rows were left out")

    def _reject(self, line: int, fields: dict[str, str], reason: Rejection) -> None:
        self.rejected_count += 1
        if len(self.rejected) < self._most_rejected_kept:
            item_id = fields.get("id", "")[:100] or None
            self.rejected.append(RejectedRow(line, item_id, reason.value))

    def _tell_progress(self, bytes_read: int) -> None:
        row_count = self.product_count + self.rejected_count
        if self._progress is not None and row_count % _PROGRESS_ROWS == 0:
            self._progress(row_count, bytes_read)


class ImportFeed:
    """Imports an advertiser's feed; whatever is wrong with it, what was live before stays live."""

    def __init__(
        self,
        *,
        writer: Writer,
        catalogue: Catalogue,
        feeds: Feeds,
        fetcher: Fetcher,
        clock: Clock,
        mint_key: Callable[[], int],
        limits: FeedLimits | None = None,
    ) -> None:
        self._writer = writer
        self._catalogue = catalogue
        self._feeds = feeds
        self._fetcher = fetcher
        self._clock = clock
        self._mint_key = mint_key
        self._limits = limits or FeedLimits()

    def import_address(
        self,
        advertiser: Advertiser,
        feed: Feed,
        *,
        allow_shrink: bool = False,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Fetch the feed from its address to disk, and import it from there."""
        started_at_ms = self._clock()
        with tempfile.TemporaryFile() as file:
            try:
                self._fetcher.download(feed.url or "", self._limits.most_bytes, file)
            except FetchRefused as refused:
                error = FeedError(FeedRefusal.NOT_FETCHED, str(refused))
                return self._keep_report(feed, self._report(started_at_ms, None, error))
            file.seek(0)
            return self.import_file(advertiser, feed, file, allow_shrink=allow_shrink, progress=progress)

    def import_file(
        self,
        advertiser: Advertiser,
        feed: Feed,
        file: IO[bytes],
        *,
        allow_shrink: bool = False,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Replace the catalogue by what `file` says, and keep the report of it with the feed.

        The report's `fatal` says why nothing was changed. A catalogue that would lose more than half
        of its products is taken for a broken export, unless `allow_shrink`.
        """
        started_at_ms = self._clock()
        reading = ReadProducts(file, _rules_for(advertiser), self._limits, progress)
        failed: FeedError | None = None
        with tempfile.TemporaryFile() as disk:
            try:
                spool(reading, disk)
                if not allow_shrink:
                    self._refuse_to_shrink(feed.key, reading.product_count)
                self._publish(feed, disk)
            except FeedError as error:
                failed = error
        return self._keep_report(feed, self._report(started_at_ms, reading, failed))

    def _refuse_to_shrink(self, feed_key: int, product_count: int) -> None:
        live_count = self._catalogue.count_of_feed(feed_key)
        if live_count >= SHRINKS_FROM_PRODUCTS and product_count * 2 < live_count:
            detail = f"{product_count} products where {live_count} are live"
            raise FeedError(FeedRefusal.SHRANK_BY_HALF, detail)

    def _publish(self, feed: Feed, disk: IO[bytes]) -> None:
        import_key = self._mint_key()
        for piece in pieces(disk):
            self._commit(SaveProducts(feed.advertiser_key, piece, feed.key, import_key))
        while self._commit(RemoveProductsNotIn(feed.key, import_key)):
            pass  # a piece at a time

    def _commit(self, write: Write) -> int:
        outcome = self._writer.commit(write)
        if outcome.result is not Result.SAVED:
            # Pieces written before this one are newer products of the same feed; none was removed.
            raise FeedError(FeedRefusal.UNRECORDED, "it could not be written; import it again")
        return outcome.figure

    def _report(
        self, started_at_ms: int, reading: ReadProducts | None, failed: FeedError | None
    ) -> ImportReport:
        return ImportReport(
            started_at_ms=started_at_ms,
            finished_at_ms=self._clock(),
            products=reading.product_count if reading is not None and failed is None else 0,
            rejected=() if reading is None else tuple(reading.rejected),
            rejected_count=0 if reading is None else reading.rejected_count,
            notes={} if reading is None else _by_name(reading.notes),
            fatal=None if failed is None else str(failed),
        )

    def _keep_report(self, feed: Feed, report: ImportReport) -> ImportReport:
        # Read again: its address or interval may have been changed during a long import.
        current = self._feeds.feed(feed.key) or feed
        changed = msgspec.structs.replace(current, last_import=report)
        self._writer.commit(SaveEntity(changed, is_new=False))
        return report


def check_feed(path: Path, limits: FeedLimits | None = None) -> FeedCheck:
    """What the feed in a file would become, for an advertiser of any domains and currency."""
    limits = limits or FeedLimits()
    with path.open("rb") as file:
        reading = ReadProducts(file, FeedRules(), limits, most_rejected_kept=limits.rows)
        fatal = None
        try:
            for _ in reading:
                pass
        except FeedError as error:
            fatal = str(error)
    return FeedCheck(
        products=reading.product_count if fatal is None else 0,
        rejected=reading.rejected,
        notes=_by_name(reading.notes),
        fatal=fatal,
    )


def _rules_for(advertiser: Advertiser) -> FeedRules:
    return FeedRules(
        advertiser_key=advertiser.key,
        domains=advertiser.domains,
        currency=advertiser.currency,
        language=language_of(advertiser.country),
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
