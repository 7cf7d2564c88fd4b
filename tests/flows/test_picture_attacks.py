"""A shop whose pictures are attacks: fetched over real HTTP and decoded in real children, each is named."""

import resource
import threading
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from adserver.flows.picture import FetchPictures, PictureReports
from adserver.outside.fetcher import HttpFetcher
from adserver.outside.pictures import PictureDecoder
from adserver.storage.media import MediaFolder
from adserver.storage.pictures import SqlitePictureBook
from adserver.writes import SaveProducts
from creatives.pictures import PictureRejection
from tests.creatives.test_picture_attacks import ATTACKS, PATIENT_SECONDS, attack
from tests.creatives.test_pictures import photo
from tests.domain.makers import ADVERTISER, NOW_MS, make_product
from tests.flows.feeds import Shop

WAYS_IN = {
    "http://169.254.169.254/latest/meta-data/picture.jpg": "address_not_allowed",
    "http://127.1/picture.jpg": "address_not_allowed",
    "http://[::ffff:10.0.0.1]/picture.jpg": "address_not_allowed",
    "http://0x7f000001/picture.jpg": "address_not_allowed",
    "http://localhost/picture.jpg": "address_not_allowed",
    "http://127.0.0.1:6379/picture.jpg": "port_not_allowed",
    "file:///etc/passwd": "scheme_not_allowed",
    "gopher://127.0.0.1/picture.jpg": "scheme_not_allowed",
    "http://": "bad_address",
}


@cache
def files() -> dict[str, bytes]:
    """What the host has, by its path."""
    attacks = {f"/attack-{number}.jpg": attack(name) for number, name in enumerate(ATTACKS)}
    return attacks | {"/good.jpg": photo(format_="JPEG"), "/again.jpg": photo(500, 300, format_="WEBP")}


class Host(BaseHTTPRequestHandler):
    """A merchant's host of pictures, which says of everything that it is a JPEG."""

    def do_GET(self) -> None:
        if self.path == "/inwards.jpg":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
            return
        body = files().get(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Type", "image/jpeg")
        self.end_headers()
        self.wfile.write(body or b"<h1>not here</h1>")

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    host = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    thread = threading.Thread(target=host.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{host.server_address[1]}"
    host.shutdown()
    thread.join()
    host.server_close()


class Studio:
    def __init__(self, folder: Path, *, allow_private: bool) -> None:
        self.shop = Shop(folder)
        self.media = folder / "media"
        self.decoder = PictureDecoder(sealed=True, timeout_seconds=PATIENT_SECONDS)
        book = SqlitePictureBook(self.shop.reader)
        self.reports = PictureReports(self.shop.writer, self.shop.catalogue, book, lambda: NOW_MS)
        self.flow = FetchPictures(
            writer=self.shop.writer,
            catalogue=self.shop.catalogue,
            book=book,
            media=MediaFolder(self.media),
            fetcher=HttpFetcher(allow_private=allow_private, download_seconds=20),
            pictures=self.decoder,
            clock=lambda: NOW_MS,
            dice=lambda: 0.0,
        )

    def reasons(self, *images: str) -> dict[str, str | None]:
        """Put a product for each address; why each shows nothing, None where it shows its picture."""
        products = tuple(make_product(image, image_link=image) for image in images)
        self.shop.writer.commit(SaveProducts(ADVERTISER, products, 3, 1))
        self.flow.run()
        troubles = self.reports.troubles(ADVERTISER, None, -1, 100)
        told = {trouble.product.item_id: trouble.state.reason for trouble in troubles}
        return {image: told.get(image) for image in images}

    def close(self) -> None:
        self.decoder.close()
        self.shop.close()


@pytest.fixture
def studio(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Studio]:
    studio = Studio(tmp_path, allow_private=getattr(request, "param", True))
    yield studio
    studio.close()


def test_every_attack_is_named_and_the_good_pictures_among_them_are_shown(
    studio: Studio, address: str
) -> None:
    images = [f"{address}{path}" for path in (*files(), "/missing.jpg", "/inwards.jpg")]
    before_kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = studio.reasons(*images)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kilobytes < 100_000
    expected: dict[str, str | None] = {
        f"{address}/attack-{number}.jpg": rejection.value
        for number, (_, rejection) in enumerate(ATTACKS.values())
    }
    for image, reason in expected.items():  # what our fetcher finds too long is not decoded at all
        if reason == PictureRejection.TOO_MANY_BYTES or len(files()[image.removeprefix(address)]) > 8_000_000:
            expected[image] = "too_large"
    expected |= {
        f"{address}/good.jpg": None,
        f"{address}/again.jpg": None,
        f"{address}/missing.jpg": "status_404",
        f"{address}/inwards.jpg": "scheme_not_allowed",
    }
    assert told == expected


def test_nothing_but_our_own_renditions_reaches_the_disk(studio: Studio, address: str) -> None:
    studio.reasons(*[f"{address}{path}" for path in files()])
    kept = [path for path in studio.media.rglob("*") if path.is_file()]
    assert len(kept) == 4 * 2
    assert all(path.read_bytes()[:4] in (b"\xff\xd8\xff\xe0", b"RIFF") for path in kept)
    assert all(path.read_bytes() not in files().values() for path in kept)


@pytest.mark.parametrize("studio", [False], indirect=True)
def test_a_picture_is_no_way_into_the_operators_network(studio: Studio) -> None:
    assert studio.reasons(*WAYS_IN) == WAYS_IN
