"""Shop, news and ad server on three hosts with consent asked for on each, where frames have cookies and where not."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import refuses_cookies_to_frames, sends_cookies_to_frames
from tests.browser.parties import (
    DESKTOP,
    PRICE_MICROS,
    SHOP_HOST,
    TEAPOT,
    TITLE,
    Pages,
    Parties,
    Shopper,
    draw_teapot,
    write_shop,
)
from tests.shared_data import PROJECT
from tests.simulation.running_server import RunningServer, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

SCREENSHOTS = PROJECT / "build" / "screenshots"
LOOKS = {"user_agent": DESKTOP, "viewport": {"width": 800, "height": 600}, "reduced_motion": "reduce"}


@pytest.fixture
def parties(tmp_path: Path) -> Iterator[Parties]:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with (
        RunningServer(tmp_path / "server", fetch_private="1") as server,
        closing(Pages(tmp_path / "shop", SHOP_HOST)) as shop,
        closing(Parties(server, shop.url, tmp_path)) as parties,
    ):
        write_shop(shop.folder, parties.public_id, f"{parties.cards}/m/tag.js")
        parties.picture = f"http://127.0.0.1:{shop.port}/{draw_teapot(shop.folder)}"
        yield parties


def test_with_cookies_the_product_is_seen_again_clicked_bought_and_billed(
    parties: Parties, tmp_path: Path
) -> None:
    campaign = parties.sell(parties.picture)
    with sends_cookies_to_frames(tmp_path / "sends", 20_000, **LOOKS) as context:
        shopper = Shopper(parties, context)
        assert shopper.reads_the_news() == "empty"
        shopper.opens(TEAPOT)
        shopper.opens("index")
        assert shopper.reads_the_news() == "filled"
        expect(shopper.page.frame_locator("iframe").locator("a.card")).to_contain_text(TITLE)
        shopper.page.screenshot(path=SCREENSHOTS / "three-parties-card.png")
        shopper.clicks_the_ad()
        assert shopper.page.url.startswith(f"{parties.shop}/{TEAPOT}.html?")
        shopper.buys()
        wait_until(lambda: parties.spent(campaign) == PRICE_MICROS, "the sale is billed")
        assert shopper.reads_the_news() == "empty"
        assert set(shopper.cookies(parties.shop)) == {"_rtclid"}
        assert "__Host-rt" in shopper.cookies(parties.cards)
        assert shopper.complaints == []
    parties.server.assert_audit_is_clean()


def test_without_cookies_nobody_is_followed_and_the_click_id_credits_the_sale(
    parties: Parties, tmp_path: Path
) -> None:
    retargeting = parties.sell()
    with refuses_cookies_to_frames(tmp_path / "refuses", 20_000, **LOOKS) as context:
        shopper = Shopper(parties, context)
        shopper.opens(TEAPOT)
        shopper.opens("index")
        assert shopper.reads_the_news() == "empty"
        shopper.page.screenshot(path=SCREENSHOTS / "three-parties-house.png")
        assert shopper.cookies(parties.cards) == {}
        assert parties.server.rows("SELECT visitor_key FROM profiles") == []

        contextual = parties.advertise()
        assert shopper.reads_the_news() == "filled"
        shopper.page.screenshot(path=SCREENSHOTS / "three-parties-message.png")
        shopper.clicks_the_ad()
        shopper.buys()
        wait_until(lambda: parties.spent(contextual) == PRICE_MICROS, "the sale is billed")
        assert parties.spent(retargeting) == 0
        assert set(shopper.cookies(parties.shop)) == {"_rtclid"}
        assert "__Host-rt" not in shopper.cookies(parties.cards)
        assert parties.server.rows("SELECT visitor_key FROM profiles") == []
        assert shopper.complaints == []
    parties.server.assert_audit_is_clean()
