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
from adserver.domain.feed_advice import advice_for
from adserver.domain.feed_file import FeedError, FeedLimits, FeedRefusal, Row
from adserver.domain.feed_format import read_rows
from adserver.domain.feed_price import PriceRejection, read_price
from adserver.domain.feed_seen import SeenKeys
from adserver.ports import Catalogue, Clock, Feeds, Fetcher, FetchRefused, Writer
from adserver.writes import RemoveProductsNotIn, Result, SaveEntity, SaveProducts, Write

PIECE_PRODUCTS = 200  # written in one transaction, so that no other write waits long
MOST_REJECTED_KEPT = 500  # in a report; all of them are counted
SHRINKS_FROM_PRODUCTS = 20  # smaller catalogues may change as they like
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
        if row is not None and not self.product_count:
            self._ask(row)
            raise FeedError(FeedRefusal.EMPTY, f"all {self.rejected_count} rows were left out")

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
        reading = ReadProducts(file, _rules_for(advertiser, feed), self._limits, progress)
        failed: FeedError | None = None
        with tempfile.TemporaryFile() as disk:
            try:
                spool(reading, disk)
                if not allow_shrink:
                    self._refuse_to_shrink(feed.key, reading.product_count)
                self._publish(feed, disk)
            except FeedError as error:
                failed = error
        return self._keep_report(feed, self._report(started_at_ms, reading, failed), reading.format)

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

    def _keep_report(self, feed: Feed, report: ImportReport, found: FeedFormat | None = None) -> ImportReport:
        # Read again: its address or interval may have been changed during a long import.
        current = self._feeds.feed(feed.key) or feed
        changed = msgspec.structs.replace(current, last_import=report, format=found or current.format)
        self._writer.commit(SaveEntity(changed, is_new=False))
        return report


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
