"""Missing pictures are fetched once, kept as our own, and failures are counted and not repeated."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adserver.flows.picture import RETRY_AFTER_MS, FetchPictures, PictureRun
from adserver.storage.media import MediaFolder
from creatives.pictures import PictureRejection, Thumbnail
from tests.flows.feeds import NOW_MS, Shop, make_feed, make_item

GOOD, OTHER, BROKEN, GONE = (f"https://cdn.test/{name}.jpg" for name in ("good", "other", "broken", "gone"))


class Decoder:
    """Pictures that are good when they say so."""

    def thumbnail(self, data: bytes) -> Thumbnail | PictureRejection:
        if data.startswith(b"good"):
            name = data.hex().ljust(32, "0")
            return Thumbnail(data, width=1, height=1, hash=name, webp=b"w", half=b"h", half_webp=b"hw")
        return PictureRejection.DAMAGED


class Clock:
    now_ms = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


class Studio:
    """A shop and what fetches its pictures."""

    def __init__(self, folder: Path) -> None:
        self.shop = Shop(folder)
        self.clock = Clock()
        self.media = MediaFolder(folder / "media")
        self.shop.web.pages = {GOOD: b"good 1", OTHER: b"good 2", BROKEN: b"broken"}
        self.flow = FetchPictures(
            writer=self.shop.writer,
            catalogue=self.shop.catalogue,
            media=self.media,
            fetcher=self.shop.web,  # type: ignore[arg-type]  # BytesIO is enough here
            pictures=Decoder(),  # type: ignore[arg-type]  # it draws no frames
            clock=self.clock,
        )

    def list_products(self, *images: str | None) -> None:
        items = [make_item(str(number), image=image) for number, image in enumerate(images)]
        self.shop.import_feed(make_feed(*items))

    def fetch(self, limit: int = 100) -> PictureRun:
        return self.flow.fetch_pictures(self.shop.advertiser.key, limit)

    def pictures(self) -> dict[str, str | None]:
        return {item_id: product.picture for item_id, product in self.shop.live().items()}


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    studio = Studio(tmp_path)
    yield studio
    studio.shop.close()


def test_pictures_become_our_own_and_failures_are_named(studio: Studio) -> None:
    studio.list_products(GOOD, OTHER, BROKEN, GONE, None)
    assert studio.fetch() == PictureRun(2, {"picture_damaged": 1, "unreachable": 1})
    pictures = studio.pictures()
    assert pictures["2"] is pictures["3"] is pictures["4"] is None
    assert studio.media.get(f"{pictures['0']}.jpg") == b"good 1"
    assert studio.media.get(f"{pictures['1']}.jpg") == b"good 2"


def test_a_picture_that_many_products_share_is_fetched_once(studio: Studio) -> None:
    studio.list_products(GOOD, GOOD, GOOD, GONE, GONE)
    assert studio.fetch() == PictureRun(3, {"unreachable": 2})
    assert sorted(studio.shop.web.asked) == [GONE, GOOD]


def test_what_failed_is_tried_again_only_the_next_day(studio: Studio) -> None:
    studio.list_products(BROKEN, GONE)
    assert studio.fetch().failed_count == 2
    assert studio.fetch() == PictureRun(0, {})
    studio.shop.web.pages[GONE] = b"good at last"
    studio.clock.now_ms += RETRY_AFTER_MS
    assert studio.fetch() == PictureRun(1, {"picture_damaged": 1})


def test_failures_do_not_keep_others_from_their_turn(studio: Studio) -> None:
    studio.list_products(*[f"{GONE}?{n}" for n in range(10)], GOOD)
    runs = [studio.fetch(limit=3) for _ in range(4)]
    assert sum(run.fetched for run in runs) == 1
    assert sum(run.failed_count for run in runs) == 10


def test_no_more_products_are_tried_than_asked_for(studio: Studio) -> None:
    studio.list_products(GOOD, GOOD, GOOD, OTHER)
    assert studio.fetch(limit=2).fetched == 2
    assert sum(picture is not None for picture in studio.pictures().values()) == 2


def test_failures_of_one_advertiser_are_not_anothers(studio: Studio) -> None:
    studio.list_products(BROKEN)
    studio.fetch()
    asked: list[int] = []
    found = studio.shop.catalogue.without_picture
    studio.shop.catalogue.without_picture = lambda key, limit: asked.append(limit) or found(key, limit)  # type: ignore
    studio.flow.fetch_pictures(8, 10)
    studio.fetch(10)
    assert asked == [10, 11]
