"""Where silence is a no, Google's Consent Mode alone carries a visitor's answer from shop and news to what is stored and shown."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext

from tests.browser.chromium import sends_cookies_to_frames
from tests.browser.parties import DESKTOP, SHOP_HOST, TEAPOT, Pages, Parties, Shopper, snippet
from tests.simulation.running_server import RunningServer

pytestmark = pytest.mark.browser

DEFAULT = "{ad_storage: 'denied', ad_user_data: 'denied', ad_personalization: 'denied'}"
GRANTED = DEFAULT.replace("denied", "granted")


def write_pages(parties: Parties, shop: Path, update: str) -> None:
    """A product and a story; both pages ask the visitor by a tool that speaks Consent Mode and nothing else."""
    consent = (
        "<!doctype html><meta charset=utf-8><link rel=icon href=data:,><script>window.dataLayer = [];"
        f"function gtag() {{ dataLayer.push(arguments) }} gtag('consent', 'default', {DEFAULT});</script>"
    )
    answer = f"<script>gtag('consent', 'update', {update});</script>"
    seen = f"<script>gtag('event', 'view_item', {{items: [{{item_id: '{TEAPOT}'}}]}});</script>"
    tag = snippet(parties.public_id, f"{parties.cards}/m/tag.js")
    (shop / "index.html").write_text(consent + tag + seen + answer)
    (parties.news.folder / "index.html").write_text(
        f'{consent}<div data-slot="{parties.slot}"></div><script src="{parties.cards}/slot.js"></script>{answer}'
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    shop = Pages(tmp_path_factory.mktemp("shop"), SHOP_HOST)
    yield shop
    shop.close()


@pytest.fixture(scope="module")
def parties(shop: Pages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parties]:
    folder = tmp_path_factory.mktemp("parties")
    with RunningServer(folder / "server") as server:
        parties = Parties(server, shop.url, folder)
        parties.sell()
        yield parties
        parties.close()


@pytest.fixture
def context(tmp_path: Path) -> Iterator[BrowserContext]:
    with sends_cookies_to_frames(tmp_path / "profile", 10_000, user_agent=DESKTOP) as context:
        yield context


@pytest.mark.parametrize(
    ("update", "profiles", "slot"),
    [
        (GRANTED, 1, "filled"),
        (GRANTED.replace("ad_personalization: 'granted'", "ad_personalization: 'denied'"), 1, "empty"),
        (GRANTED.replace("ad_user_data: 'granted'", "ad_user_data: 'denied'"), 0, "empty"),
        (DEFAULT, 0, "empty"),
    ],
    ids=["all", "not personalised", "no profile", "nothing"],
)
def test_each_of_its_answers_is_held(
    parties: Parties, shop: Pages, context: BrowserContext, update: str, profiles: int, slot: str
) -> None:
    write_pages(parties, shop.folder, update)
    before = len(parties.server.rows("SELECT visitor_key FROM profiles"))
    shopper = Shopper(parties, context)
    shopper.opens("index")
    shopper.opens("index")
    assert shopper.reads_the_news() == slot
    assert len(parties.server.rows("SELECT visitor_key FROM profiles")) == before + profiles
    assert shopper.complaints == []
