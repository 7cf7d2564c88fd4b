"""Imports over real storage with a clock that a test moves, and a web that it writes."""

import io
from pathlib import Path
from typing import IO

from msgspec.structs import replace

from adserver.domain.catalogue import Feed, ImportReport, Product
from adserver.domain.feed_file import FeedLimits
from adserver.domain.fetching import NOT_KNOWN, Download, Validators
from adserver.domain.imports import Import, ImportState
from adserver.domain.tally import Tally
from adserver.flows.feed import ImportFeed
from adserver.flows.imports import RunImports
from adserver.ports import FetchRefused, Heard
from adserver.writes import Result, SaveEntity, SaveProducts
from tests.contract.stores import open_copy
from tests.flows.feeds import NOW_MS, make_advertiser, make_feed, make_item

ADDRESS = "https://shop.example/feed.xml"


class Site:
    """What lies at addresses, each with the version that it is told by; what is not there is unreachable."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.etags: dict[str, str] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.meanwhile: list[object] = []  # called, once each, while a feed is fetched

    def put(self, data: bytes, etag: str | None = None, url: str = ADDRESS) -> None:
        self.pages[url] = data
        self.etags[url] = etag or ""

    def download(
        self,
        url: str,
        most_bytes: int,
        into: IO[bytes],
        known: Validators = NOT_KNOWN,
        heard: Heard | None = None,
    ) -> Download:
        self.asked.append((url, known.etag))
        while self.meanwhile:
            self.meanwhile.pop()()  # type: ignore[operator]
        if url not in self.pages:
            raise FetchRefused("unreachable")
        if known.etag and known.etag == self.etags[url]:
            return Download(0, unchanged=True)
        if heard is not None:
            heard(len(self.pages[url]), None)
        return Download(into.write(self.pages[url]), Validators(self.etags[url] or None))


class Office:
    """An advertiser with a feed that is fetched hourly."""

    def __init__(self, folder: Path) -> None:
        self.now_ms = NOW_MS
        self.storage = open_copy("sqlite", folder)
        self.site = Site()
        self.tally = Tally()
        self.advertiser = make_advertiser()
        self._last_key = 0
        self.save(self.advertiser, is_new=True)
        self.feed_key = self.add_feed(3).key
        self.steps = self.make_steps()
        self.imports = self.make_imports()

    def add_feed(self, key: int, url: str | None = ADDRESS, interval_minutes: int | None = 60) -> Feed:
        feed = Feed(key=key, advertiser_key=self.advertiser.key, url=url, interval_minutes=interval_minutes)
        self.save(feed, is_new=True)
        return feed

    def make_steps(self, limits: FeedLimits | None = None) -> ImportFeed:
        return ImportFeed(
            writer=self.storage.writer,
            catalogue=self.storage.catalogue,
            feeds=self.storage.feeds,
            fetcher=self.site,  # type: ignore[arg-type]  # feeds are downloaded only
            clock=self.clock,
            mint_key=self.mint_key,
            dice=lambda: 0.0,
            limits=limits,
        )

    def make_imports(self, steps: object = None) -> RunImports:
        return RunImports(
            steps=steps or self.steps,  # type: ignore[arg-type]
            writer=self.storage.writer,
            accounts=self.storage.accounts,
            feeds=self.storage.feeds,
            imports=self.storage.imports,
            files=self.storage.import_files,
            clock=self.clock,
            mint_key=self.mint_key,
            tally=self.tally,
        )

    def close(self) -> None:
        self.storage.close()

    def clock(self) -> int:
        return self.now_ms

    def mint_key(self) -> int:
        self._last_key += 1
        return self._last_key

    def save(self, entity: object, *, is_new: bool = False) -> None:
        outcome = self.storage.writer.commit(SaveEntity(entity, is_new))  # type: ignore[arg-type]
        assert outcome.result is Result.SAVED

    # ---- what is done ----

    @property
    def feed(self) -> Feed:
        feed = self.storage.feeds.feed(self.feed_key)
        assert feed is not None
        return feed

    def run(self, data: bytes | None = None, **more: bool) -> ImportReport:
        """Import at once: what is given, or what lies at the address."""
        file = None if data is None else io.BytesIO(data)
        return self.imports.run(self.advertiser, self.feed, file, **more)  # type: ignore[arg-type]

    def fetch_due(self) -> int:
        """What the jobs do."""
        self.imports.queue_due()
        done = 0
        while self.imports.run_next():
            done += 1
        return done

    def put(self, item_id: str, **fields: object) -> None:
        """A word of the API on a product."""
        product = replace(self.live()[item_id], **fields)  # type: ignore[arg-type]
        self.storage.writer.commit(SaveProducts(self.advertiser.key, (product,), at_ms=self.now_ms))

    # ---- what came of it ----

    def live(self) -> dict[str, Product]:
        page = self.storage.catalogue.page(self.advertiser.key, 0, 5_000)
        return {product.item_id: product for product in page}

    def newest(self) -> Import:
        return self.imports.recent(self.feed)[0]

    def states(self) -> list[ImportState]:
        """Of the feed's imports, newest first."""
        return [one.state for one in self.imports.recent(self.feed)]

    def counted(self) -> dict[str, int]:
        """What became of imports so far, by state."""
        rows = self.tally.take(0)
        return {name.removeprefix("import_"): n for _, name, _, n in rows}

    def notices(self) -> list[str]:
        return [notice.kind for notice in self.storage.notices.recent(self.advertiser.key, 50)]

    def files(self) -> set[str]:
        """What lies on disk for imports, by its part."""
        folder = self.storage.path.parent / "imports"
        return {path.suffix[1:] for path in folder.glob("[0-9]*/*")}


def items(count: int, first: int = 0, price: str = "10.00 EUR") -> bytes:
    return make_feed(*(make_item(str(n), price) for n in range(first, first + count)))
