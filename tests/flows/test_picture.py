"""Pictures are fetched once, kept as our own and looked at again; what fails is named, and not asked too often."""

import threading
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import IO

import pytest
from msgspec.structs import replace

from adserver.domain.catalogue import Product
from adserver.domain.fetching import NOT_KNOWN, Download, Validators
from adserver.domain.picture import DAY_MS, LOOK_AGAIN_MS, MINUTE_MS, REST_MS, Shown
from adserver.flows import picture
from adserver.flows.picture import CONNECTIONS_PER_HOST, FetchPictures, PictureReports
from adserver.ports import FetchRefused
from adserver.storage.media import MediaFolder
from adserver.storage.pictures import SqlitePictureBook
from adserver.writes import RemoveProductsNotIn, SaveProducts
from creatives.pictures import PictureRejection, Thumbnail
from tests.domain.makers import ADVERTISER, NOW_MS, make_product
from tests.flows.feeds import Shop

GOOD, OTHER, BROKEN, GONE = (f"https://cdn.test/{name}.jpg" for name in ("good", "other", "broken", "gone"))


def hash_of(data: bytes) -> str:
    return sha256(data).hexdigest()[:32]


class Decoder:
    """Pictures that are good when they say so."""

    def thumbnail(self, data: bytes) -> Thumbnail | PictureRejection:
        if data.startswith(b"good"):
            return Thumbnail(data, 1, 1, hash_of(data), webp=b"w", half=b"h", half_webp=b"hw")
        return PictureRejection.DAMAGED


class Web:
    """A Fetcher over a table of answers: a body, or why there is none."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes | str] = {GOOD: b"good 1", OTHER: b"good 2", BROKEN: b"broken"}
        self.tags: dict[str, str] = {}
        self.asked: list[str] = []
        self.at_once: Counter[str] = Counter()
        self.most_at_once = 0
        self.meeting: threading.Barrier | None = None
        self._lock = threading.Lock()

    def download(
        self, url: str, most_bytes: int, into: IO[bytes], known: Validators = NOT_KNOWN, heard: object = None
    ) -> Download:
        host = url.split("/")[2]
        with self._lock:
            self.asked.append(url)
            self.at_once[host] += 1
            self.most_at_once = max(self.most_at_once, self.at_once[host])
        try:
            if self.meeting is not None:
                self.meeting.wait(10)
            return self._answer(url, into, known)
        finally:
            with self._lock:
                self.at_once[host] -= 1

    def _answer(self, url: str, into: IO[bytes], known: Validators) -> Download:
        page = self.pages.get(url, "status_404")
        if isinstance(page, str):
            raise FetchRefused(page)
        tag = self.tags.get(url)
        if tag is not None and known.etag == tag:
            return Download(0, unchanged=True)
        return Download(into.write(page), Validators(etag=tag))


class Studio:
    """A shop and what fetches its pictures; `restart` is what a new process knows."""

    def __init__(self, folder: Path) -> None:
        self.shop = Shop(folder)
        self.now_ms = NOW_MS
        self.dice = 0.0
        self.media = MediaFolder(folder / "media")
        self.web = Web()
        self.book = SqlitePictureBook(self.shop.reader)
        self.reports = PictureReports(self.shop.writer, self.shop.catalogue, self.book, lambda: self.now_ms)
        self.restart()

    def restart(self) -> None:
        self.flow = FetchPictures(
            writer=self.shop.writer,
            catalogue=self.shop.catalogue,
            book=self.book,
            media=self.media,
            fetcher=self.web,  # type: ignore[arg-type]  # it only downloads
            pictures=Decoder(),  # type: ignore[arg-type]  # it draws no frames
            clock=lambda: self.now_ms,
            dice=lambda: self.dice,
        )

    def put(self, *products: Product) -> None:
        self.shop.writer.commit(SaveProducts(ADVERTISER, products, 3, 1))

    def list_products(self, *images: str | None, more: tuple[str, ...] = ()) -> None:
        self.put(
            *(
                make_product(str(number), image_link=image, additional_image_links=more)
                for number, image in enumerate(images)
            )
        )

    def run(self) -> list[str]:
        """The job once; which addresses it asked."""
        self.web.asked.clear()
        self.flow.run()
        return sorted(self.web.asked)

    def pass_by(self, milliseconds: int) -> None:
        self.now_ms += milliseconds

    def pictures(self) -> dict[str, str | None]:
        products = self.shop.catalogue.page(ADVERTISER, 0, 5_000)
        return {product.item_id: product.picture for product in products}

    def reasons(self) -> dict[str, int]:
        return self.reports.counts(ADVERTISER).reasons


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    studio = Studio(tmp_path)
    yield studio
    studio.shop.close()


def test_pictures_become_our_own_and_failures_are_named(studio: Studio) -> None:
    studio.list_products(GOOD, OTHER, BROKEN, GONE, None)
    studio.run()
    assert studio.pictures() == {
        "0": hash_of(b"good 1"), "1": hash_of(b"good 2"), "2": None, "3": None, "4": None,
    }  # fmt: skip
    assert studio.media.get(f"{hash_of(b'good 1')}.jpg") == b"good 1"
    assert studio.reasons() == {"picture_damaged": 1, "status_404": 1}
    counts = studio.reports.counts(ADVERTISER)
    assert (counts.products, counts.shown, counts.waiting, counts.without_address) == (5, 2, 0, 1)


def test_a_picture_that_many_products_share_is_fetched_once(studio: Studio) -> None:
    studio.list_products(GOOD, GOOD, GOOD, GONE, GONE)
    assert studio.run() == [GONE, GOOD]
    assert studio.reasons() == {"status_404": 2}


def test_where_nothing_has_changed_nothing_is_asked_of_hosts_or_catalogues(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.list_products(GOOD, GONE)
    assert studio.run() and not studio.run()
    looked_at: list[object] = []
    for name in ("products", "page"):
        read = getattr(studio.shop.catalogue, name)
        monkeypatch.setattr(
            studio.shop.catalogue, name, lambda *of, read=read: looked_at.extend(*of) or read(*of)
        )
    monkeypatch.setattr(studio.book, "lacking", lambda *of: looked_at.append(of) or [])
    assert studio.run() == []
    assert looked_at == []


def test_what_a_merchant_must_repair_is_tried_again_the_next_day_even_after_a_restart(studio: Studio) -> None:
    studio.list_products(BROKEN, GONE)
    assert studio.run() == [BROKEN, GONE]
    studio.restart()
    assert studio.run() == []
    studio.web.pages[GONE] = b"good at last"
    studio.pass_by(DAY_MS)
    assert studio.run() == [BROKEN, GONE]
    assert studio.pictures() == {"0": None, "1": hash_of(b"good at last")}
    studio.pass_by(DAY_MS)
    assert studio.run() == [], "what stays broken is asked less and less"


def test_what_may_pass_is_tried_again_within_minutes(studio: Studio) -> None:
    studio.web.pages[GONE] = "timed_out"
    studio.list_products(GONE)
    studio.run()
    studio.web.pages[GONE] = b"good again"
    studio.pass_by(10 * MINUTE_MS)
    studio.run()
    assert studio.pictures() == {"0": hash_of(b"good again")}


def test_another_picture_of_the_product_stands_in_for_one_that_fails(studio: Studio) -> None:
    studio.list_products(BROKEN, more=(GONE, OTHER, GOOD))
    assert studio.run() == sorted([BROKEN, GONE, OTHER]), "in turn, and no further than needed"
    assert studio.pictures() == {"0": hash_of(b"good 2")}
    trouble = studio.reports.troubles(ADVERTISER, None, -1, 9)[0]
    assert (trouble.state.reason, trouble.state.shown(trouble.product)) == ("picture_damaged", Shown.ANOTHER)
    assert studio.reports.counts(ADVERTISER).substituted == {"picture_damaged": 1}
    assert studio.reasons() == {}
    studio.web.pages[BROKEN] = b"good after all"
    studio.pass_by(8 * DAY_MS)
    studio.run()
    assert studio.pictures() == {"0": hash_of(b"good after all")}
    assert studio.reports.troubles(ADVERTISER, None, -1, 9) == []


def test_another_address_is_tried_at_once(studio: Studio) -> None:
    studio.list_products(GONE)
    studio.run()
    studio.list_products(GOOD)
    assert studio.run() == [GOOD]
    studio.list_products(GONE)
    studio.run()
    studio.list_products(GONE, more=(OTHER,))
    assert studio.run() == [GONE, OTHER]
    assert studio.pictures() == {"0": hash_of(b"good 2")}


def test_a_changed_picture_behind_the_same_address_is_noticed(studio: Studio) -> None:
    studio.web.tags[GOOD] = '"1"'
    studio.list_products(GOOD)
    studio.run()
    assert studio.run() == []
    studio.pass_by(LOOK_AGAIN_MS)
    assert studio.run() == [GOOD]
    assert studio.pictures() == {"0": hash_of(b"good 1")}
    studio.web.pages[GOOD], studio.web.tags[GOOD] = b"good for winter", '"2"'
    studio.pass_by(LOOK_AGAIN_MS)
    studio.run()
    assert studio.pictures() == {"0": hash_of(b"good for winter")}


def test_an_unchanged_picture_is_neither_sent_nor_decoded_again(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.web.tags[GOOD] = '"1"'
    studio.list_products(GOOD)
    studio.run()
    before, _ = studio.book.changed_since(0)
    monkeypatch.setattr(Decoder, "thumbnail", lambda *_: PictureRejection.BLANK)
    studio.pass_by(LOOK_AGAIN_MS)
    assert studio.run() == [GOOD]
    assert studio.reports.counts(ADVERTISER).shown == 1 and studio.reasons() == {}
    assert studio.book.changed_since(0)[0] == before, "and nobody is told that a product has changed"


def test_a_picture_that_an_older_version_fetched_is_looked_at_again_within_the_week(studio: Studio) -> None:
    studio.put(make_product("0", image_link=GOOD, picture="ab" * 16), make_product("1", image_link=OTHER))
    studio.dice = 0.5
    assert studio.run() == [OTHER]
    studio.pass_by(3 * DAY_MS)
    assert studio.run() == []
    studio.pass_by(DAY_MS)
    assert studio.run() == [GOOD]
    assert studio.pictures()["0"] == hash_of(b"good 1")


def test_a_picture_that_is_gone_afterwards_is_shown_as_it_was(studio: Studio) -> None:
    studio.list_products(GOOD)
    studio.run()
    studio.web.pages[GOOD] = "status_404"
    studio.pass_by(30 * DAY_MS)
    studio.run()
    assert studio.pictures() == {"0": hash_of(b"good 1")}
    trouble = studio.reports.troubles(ADVERTISER, "status_404", -1, 9)[0]
    assert trouble.state.shown(trouble.product) is Shown.OLDER


def test_a_product_that_left_is_forgotten(studio: Studio) -> None:
    studio.list_products(GOOD, GONE)
    studio.run()
    studio.shop.writer.commit(RemoveProductsNotIn(3, 2))
    assert studio.reports.counts(ADVERTISER).reasons == {}
    studio.pass_by(30 * DAY_MS)
    assert studio.run() == []
    assert studio.book.due(studio.now_ms, 9) == []


def test_a_product_that_lost_its_address_is_forgotten(studio: Studio) -> None:
    studio.list_products(GONE)
    studio.run()
    studio.list_products(None)
    studio.pass_by(30 * DAY_MS)
    assert studio.run() == [] and studio.reasons() == {}
    assert studio.book.due(studio.now_ms, 9) == []


def test_a_large_catalogue_is_worked_through_and_read_once(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture, "PRODUCTS_AT_ONCE", 7)
    lacking, read = studio.book.lacking, []
    monkeypatch.setattr(
        studio.book, "lacking", lambda key, after, most: read.append(after) or lacking(key, after, most)
    )
    studio.list_products(*[f"{GONE}?{number}" for number in range(50)], GOOD)
    studio.run()
    assert len(studio.web.asked) == 51
    assert studio.reasons() == {"status_404": 50}
    assert len(read) == len(set(read)) == 8, "each page once, and no failure twice"


def test_a_catalogue_that_changes_while_it_is_worked_through_is_read_again(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture, "PRODUCTS_AT_ONCE", 2)
    monkeypatch.setattr(picture, "TURN_MS", -1)
    studio.list_products(*[f"{GONE}?{number}" for number in range(6)])
    studio.run()
    first = min(product.key for product in studio.shop.catalogue.page(ADVERTISER, -1, 9))
    assert studio.shop.catalogue.products([first])
    studio.put(replace(studio.shop.catalogue.products([first])[first], image_link=GOOD))
    asked = [address for _ in range(8) for address in studio.run()]
    assert GOOD in asked


def test_the_smaller_shop_does_not_wait_for_the_larger(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture, "PRODUCTS_AT_ONCE", 3)
    monkeypatch.setattr(picture, "TURN_MS", -1)
    studio.list_products(*[f"{GONE}?{number}" for number in range(30)])
    small = make_product("small", image_link=OTHER)
    studio.shop.writer.commit(SaveProducts(99, (replace(small, advertiser_key=99, key=small.key + 1),), 4, 1))
    asked = [address for _ in range(3) for address in studio.run()]
    assert OTHER in asked and len(asked) <= 9


def test_a_host_that_fails_is_left_alone_for_a_while(studio: Studio) -> None:
    addresses = [f"https://slow.test/{number}.jpg" for number in range(40)]
    studio.web.pages |= dict.fromkeys(addresses, "timed_out")
    studio.list_products(*addresses, GOOD)
    asked = studio.run()
    assert GOOD in asked and len(asked) <= 1 + 3 + CONNECTIONS_PER_HOST
    assert studio.reasons()["host_resting"] >= 40 - 3 - CONNECTIONS_PER_HOST
    assert studio.pictures()["40"] is not None, "the others are none the worse"
    studio.web.pages |= dict.fromkeys(addresses, b"good again")
    studio.pass_by(REST_MS - 1)
    assert studio.run() == []
    studio.pass_by(20 * MINUTE_MS)
    studio.run()
    assert all(studio.pictures().values())


def test_a_host_has_but_a_few_connections_at_once(studio: Studio) -> None:
    addresses = [f"https://one.test/{number}.jpg" for number in range(4 * CONNECTIONS_PER_HOST)]
    studio.web.pages |= dict.fromkeys(addresses, b"good")
    studio.web.meeting = threading.Barrier(CONNECTIONS_PER_HOST)  # passes only where so many come together
    studio.list_products(*addresses)
    studio.run()
    assert studio.web.most_at_once == CONNECTIONS_PER_HOST
    assert len(studio.web.asked) == len(addresses)


def test_who_has_repaired_something_need_not_wait(studio: Studio) -> None:
    studio.list_products(BROKEN, GONE, GOOD)
    studio.run()
    studio.web.pages |= {BROKEN: b"good", GONE: b"good too"}
    assert studio.reports.retry(ADVERTISER) == 2
    assert studio.run() == [BROKEN, GONE]
    assert studio.reports.retry(ADVERTISER) == 0


def test_troubles_are_told_page_by_page_and_by_reason(studio: Studio) -> None:
    studio.list_products(BROKEN, GONE, f"{GONE}?1", f"{GONE}?2", GOOD)
    studio.run()
    told, after = [], -1
    while page := studio.reports.troubles(ADVERTISER, "status_404", after, 2):
        told += page
        after = page[-1].key
    assert sorted(trouble.product.item_id for trouble in told) == ["1", "2", "3"]
    assert studio.reports.troubles(99, None, -1, 9) == []


def test_nothing_is_fetched_while_nothing_can_be_noted(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.list_products(GOOD)
    monkeypatch.setattr(type(studio.shop.writer), "records", property(lambda _: False))
    assert studio.run() == []
    monkeypatch.undo()
    assert studio.run() == [GOOD]


def test_a_fault_holds_up_nobody_else_and_is_made_up_for(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio.list_products(GOOD)
    monkeypatch.setattr(studio.media, "put", lambda _: (_ for _ in ()).throw(OSError("no room")))
    with pytest.raises(OSError, match="no room"):
        studio.run()
    other = make_product("small", image_link=BROKEN)
    studio.shop.writer.commit(SaveProducts(99, (replace(other, advertiser_key=99, key=other.key + 1),), 4, 1))
    for _ in range(2):
        with pytest.raises(OSError, match="no room"):
            studio.run()
    assert studio.book.counts(99).reasons == {"picture_damaged": 1}
    monkeypatch.undo()
    studio.run()
    assert studio.pictures() == {"0": hash_of(b"good 1")}
