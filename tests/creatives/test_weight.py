"""What a creative weighs over real photos: what the trade allows its size to load at first, pictures included."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from creatives.card import Offer
from creatives.formats import FORMATS, Format
from tests.browser.chromium import chromium
from tests.creatives.gallery import creative, gallery, photo, real_photos
from tests.creatives.samples import make_look, make_message_look

pytestmark = pytest.mark.browser

# IAB New Ad Portfolio, initial load in kilobytes; the sizes it does not name weigh as their like.
ALLOWED_KILOBYTES = {
    "970x250": 250,
    "728x90": 150,
    "300x250": 150,
    "336x280": 150,
    "160x600": 150,
    "300x600": 200,
    "320x50": 50,
    "320x100": 50,
    "responsive": 200,
}
MOST_REQUESTS = 10
TITLES = ("Wool beanie", "Summer dress", "Mug", "Jeans", "Cap", "Book")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.mark.usefixtures("shared_data")
@pytest.mark.parametrize("format_", FORMATS.values(), ids=lambda format_: format_.name)
def test_every_template_weighs_less_than_the_trade_allows(browser: Browser, format_: Format) -> None:
    offer = Offer(percent=10, code="SAVE10", ends_at_ms=1)
    size = (format_.width or 1200, format_.height or 600)
    looks = [
        make_look("de", offer, theme="auto", template=name) for name in ("cards", "hero", "carousel", "text")
    ]
    with gallery(browser, real_photos(), keeps=False) as shown:
        for look in (*looks, make_message_look(picture=f"/media/{photo(1)}.jpg")):
            one = creative(look, format_, TITLES[: format_.cards], size)
            shown.hang([one])
            media = {path for path in shown.asked if path in shown.media}
            weight = len(one.body) + sum(len(shown.media[path]) for path in media)
            assert len(media) <= MOST_REQUESTS
            assert weight <= ALLOWED_KILOBYTES[format_.name] * 1_000, (one.name, weight)


def test_a_dense_screen_loads_the_full_rendition_and_any_other_the_half_one(browser: Browser) -> None:
    asked = {}
    for density in (1, 2):
        with gallery(browser, density=density, keeps=False) as shown:
            shown.hang([creative(make_look(), FORMATS["300x250"], ("Mug",))])
            asked[density] = [path for path in shown.asked if path.startswith("/media/")]
    assert asked == {1: [f"/media/{photo(0)}-half.webp"], 2: [f"/media/{photo(0)}.webp"]}


def test_a_carousel_does_not_load_what_nobody_sees_yet(browser: Browser) -> None:
    with gallery(browser, keeps=False) as shown:
        shown.hang([creative(make_look(template="carousel"), FORMATS["300x600"], TITLES[:4])])
        asked = {path for path in shown.asked if path.startswith("/media/")}
        assert asked >= {f"/media/{photo(0)}-half.webp", f"/media/{photo(1)}-half.webp"}
        lazy = shown.page.frames[1].evaluate("[...document.images].map((image) => image.loading)")
        assert lazy == ["auto", "auto", "lazy", "lazy"]
