"""Products' pictures are fetched once and become our own thumbnails."""

from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

import msgspec

from adserver.domain.catalogue import Product
from adserver.ports import Catalogue, Clock, Fetcher, FetchRefused, Media, Pictures, Writer
from adserver.writes import Result, SetPicture
from creatives.pictures import Thumbnail

MOST_PICTURE_BYTES = 8_000_000
PARALLEL_FETCHES = 4  # they are mostly of one merchant's host
RETRY_AFTER_MS = 86_400_000


class PictureRun(msgspec.Struct, frozen=True):
    """How many products got their picture, and why the others did not."""

    fetched: int
    failed: dict[str, int]

    @property
    def failed_count(self) -> int:
        return sum(self.failed.values())


class FetchPictures:
    """Fetches the pictures that are missing; keep one of these, it remembers what failed today."""

    def __init__(
        self,
        *,
        writer: Writer,
        catalogue: Catalogue,
        media: Media,
        fetcher: Fetcher,
        pictures: Pictures,
        clock: Clock,
    ) -> None:
        self._writer = writer
        self._catalogue = catalogue
        self._media = media
        self._fetcher = fetcher
        self._pictures = pictures
        self._clock = clock
        self._failed_at_ms: dict[int, dict[str, int]] = {}  # by advertiser and address

    def fetch_pictures(self, advertiser_key: int, limit: int) -> PictureRun:
        """Try the pictures of up to `limit` products; those that failed are not tried again today."""
        failed_at_ms = self._recent_failures(advertiser_key)
        products_by_link = self._wanted(advertiser_key, limit, failed_at_ms)
        if not products_by_link:
            return PictureRun(0, {})
        fetched = 0
        failed: Counter[str] = Counter()
        with ThreadPoolExecutor(PARALLEL_FETCHES, "pictures") as pool:
            answers = pool.map(self._thumbnail_of, products_by_link)
            for (link, products), answer in zip(products_by_link.items(), answers, strict=True):
                if isinstance(answer, Thumbnail):
                    fetched += self._set_picture(products, link, answer.hash, failed)
                else:
                    failed[answer] += len(products)
                    failed_at_ms[link] = self._clock()
        return PictureRun(fetched, dict(failed))

    def _wanted(self, advertiser_key: int, limit: int, failed: Mapping[str, int]) -> dict[str, list[Product]]:
        """Products without a picture by its address; many may share one."""
        # As many more as have failed, which stand before the others in the catalogue for ever.
        found = self._catalogue.without_picture(advertiser_key, limit + len(failed))
        products_by_link: dict[str, list[Product]] = {}
        for product in found:
            link = product.image_link
            if link is not None and link not in failed:
                products_by_link.setdefault(link, []).append(product)
        return _first(products_by_link, limit)

    def _recent_failures(self, advertiser_key: int) -> dict[str, int]:
        """When an address of the advertiser failed, of the last day; the table is kept and added to."""
        since_ms = self._clock() - RETRY_AFTER_MS
        known = self._failed_at_ms.get(advertiser_key, {})
        recent = {link: at_ms for link, at_ms in known.items() if at_ms > since_ms}
        self._failed_at_ms[advertiser_key] = recent
        return recent

    def _thumbnail_of(self, link: str) -> Thumbnail | str:
        """The thumbnail, already kept, or why there is none."""
        try:
            data = self._fetcher.fetch(link, MOST_PICTURE_BYTES)
        except FetchRefused as refused:
            return str(refused)
        made = self._pictures.thumbnail(data)
        if not isinstance(made, Thumbnail):
            return made.value
        self._media.put(made)
        return made

    def _set_picture(self, products: Iterable[Product], link: str, picture: str, failed: Counter[str]) -> int:
        saved = 0
        for product in products:
            write = SetPicture(product.advertiser_key, product.key, link, picture)
            outcome = self._writer.commit(write)
            if outcome.result is Result.SAVED:
                saved += 1
            else:
                failed[outcome.result.value] += 1
        return saved


def _first(products_by_link: dict[str, list[Product]], limit: int) -> dict[str, list[Product]]:
    kept: dict[str, list[Product]] = {}
    for link, products in products_by_link.items():
        if limit <= 0:
            break
        kept[link] = products[:limit]
        limit -= len(products)
    return kept
