"""A catalogue on real storage, and feeds made by hand, for the tests of imports."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import IO

from adserver.domain.campaign import Advertiser
from adserver.domain.catalogue import Feed, ImportReport, Product
from adserver.domain.feed_file import FeedLimits
from adserver.domain.fetching import NOT_KNOWN, Download, Validators
from adserver.domain.imports import ImportState, Watch
from adserver.flows.feed import ImportFeed
from adserver.ports import FetchRefused, Order
from adserver.storage.catalogue import SqliteCatalogue
from adserver.storage.entities import SqliteFeeds
from adserver.storage.sqlite import Reader
from adserver.storage.writer import LocalWriter
from adserver.writes import SaveEntity

NOW_MS = 1_800_000_000_000


def make_advertiser(domains: tuple[str, ...] = ("shop.example",), currency: str = "EUR") -> Advertiser:
    return Advertiser(
        key=7,
        public_id="shop",
        name="Shop",
        domains=domains,
        currency=currency,
        timezone="Europe/Paris",
        country="FR",
    )


def make_item(item_id: str, price: str = "10.00 EUR", image: str | None = None) -> str:
    picture = "" if image is None else f"<g:image_link>{image}</g:image_link>"
    return (
        f"<item><g:id>{item_id}</g:id><title>Thing {item_id}</title>"
        f"<link>https://shop.example/{item_id}</link><g:price>{price}</g:price>{picture}</item>\n"
    )


def make_feed(*items: str) -> bytes:
    opening = '<rss xmlns:g="http://base.google.com/ns/1.0"><channel>\n'
    return (opening + "".join(items) + "</channel></rss>").encode()


class Web:
    """A Fetcher over a table of answers; what is not in it is unreachable."""

    def __init__(self, **pages: bytes) -> None:
        self.pages = pages
        self.asked: list[str] = []

    def fetch(self, url: str, most_bytes: int) -> bytes:
        self.asked.append(url)
        if url not in self.pages:
            raise FetchRefused("unreachable")
        return self.pages[url][:most_bytes]

    def download(
        self, url: str, most_bytes: int, into: IO[bytes], known: Validators = NOT_KNOWN, heard: object = None
    ) -> Download:
        return Download(into.write(self.fetch(url, most_bytes)))


class Told(Watch):
    """Hands on how many rows and bytes were read."""

    def __init__(self, progress: Callable[[int, int], None] | None) -> None:
        self._progress = progress
        self._reading = False

    def moved(self, state: ImportState) -> None:
        self._reading = state is ImportState.READING

    def heard(self, rows: int, bytes_read: int, of_bytes: int | None) -> None:
        if self._reading and bytes_read and self._progress is not None:
            self._progress(rows, bytes_read)


class Shop:
    """One advertiser with a feed, on an embedded database."""

    def __init__(self, folder: Path, advertiser: Advertiser | None = None) -> None:
        path = folder / "shop.db"
        self.writer = LocalWriter(path)
        self.reader = Reader(path)
        self.catalogue = SqliteCatalogue(self.reader)
        self.feeds = SqliteFeeds(self.reader)
        self.web = Web()
        self.advertiser = advertiser or make_advertiser()
        self.feed = Feed(key=3, advertiser_key=self.advertiser.key, url="https://shop.example/feed.xml")
        self.writer.commit(SaveEntity(self.feed, is_new=True))
        self._last_key = 0

    def close(self) -> None:
        self.reader.close()
        self.writer.close()

    def imports(self, limits: FeedLimits | None = None) -> ImportFeed:
        return ImportFeed(
            writer=self.writer,
            catalogue=self.catalogue,
            feeds=self.feeds,
            fetcher=self.web,
            clock=lambda: NOW_MS,
            mint_key=self._mint_key,
            dice=lambda: 0.0,
            limits=limits,
        )

    def import_feed(
        self,
        data: bytes,
        allow_shrink: bool = False,
        limits: FeedLimits | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> ImportReport:
        order = Order(allow_shrink=allow_shrink, watch=Told(progress))
        return self.imports(limits).import_file(self.advertiser, self.feed, io.BytesIO(data), order)

    def live(self) -> dict[str, Product]:
        return {product.item_id: product for product in self.catalogue.page(self.advertiser.key, 0, 5_000)}

    def _mint_key(self) -> int:
        self._last_key += 1
        return self._last_key
