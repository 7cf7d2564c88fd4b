"""An ad promises a code, its click leads on with one, the page shows it, and the order redeems it."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.browser.chromium import sends_cookies_to_frames
from tests.browser.parties import (
    DESKTOP,
    PRICE_MICROS,
    SHOP_HOST,
    TEAPOT,
    Pages,
    Parties,
    Shopper,
    write_shop,
)
from tests.pixel.test_tag_offer import documented_banner
from tests.shared_data import PROJECT
from tests.simulation.running_server import RunningServer, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

SCREENSHOTS = PROJECT / "build" / "screenshots"
LOOKS = {"user_agent": DESKTOP, "viewport": {"width": 800, "height": 600}, "reduced_motion": "reduce"}


@pytest.fixture
def parties(tmp_path: Path) -> Iterator[Parties]:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with (
        RunningServer(tmp_path / "server") as server,
        closing(Pages(tmp_path / "shop", SHOP_HOST)) as shop,
        closing(Parties(server, shop.url, tmp_path)) as parties,
    ):
        write_shop(shop.folder, parties.public_id, f"{parties.cards}/m/tag.js")
        yield parties


def counts(parties: Parties, pool: str) -> dict[str, Any]:
    with parties.server.api() as api:
        return dict(api.get(f"/offer-pools/{pool}").json()["counts"])


def test_a_code_is_promised_handed_shown_and_redeemed(parties: Parties, tmp_path: Path) -> None:
    pool = parties.make(
        "offer-pools", advertiser_id=parties.advertiser, name="Autumn", kind="generated", valid_minutes=60
    )["id"]
    campaign = parties.sell(offer={"percent": 10, "pool": pool})
    html, script = documented_banner()
    with sends_cookies_to_frames(tmp_path / "sends", 20_000, **LOOKS) as context:
        shopper = Shopper(parties, context)
        shopper.opens(TEAPOT)
        shopper.opens("index")
        assert shopper.reads_the_news() == "filled"
        card = shopper.ad().locator("a.card").first.inner_text()
        shopper.page.screenshot(path=SCREENSHOTS / "offer-card.png")
        shopper.clicks_the_ad()
        page = shopper.page
        page.evaluate(
            "([html, script]) => { document.querySelector('h1').insertAdjacentHTML('afterend', html);"
            " const element = document.createElement('script'); element.textContent = script;"
            " document.body.append(element); }",
            [html, script],
        )
        said = page.locator("#offer").inner_text()
        [(code,)] = parties.server.rows("SELECT code FROM offer_codes")
        assert said == f"10 % off with the code {code}, for 60 minutes"
        assert code not in card and "37" in card  # ten percent off forty-two
        page.screenshot(path=SCREENSHOTS / "offer-landing.png")
        assert counts(parties, pool)["handed"] == 1
        page.evaluate("(code) => rt('set', {coupon: code})", code)
        page.evaluate("rt('event', 'purchase', {transaction_id: 'R-7', value: 37.8, currency: 'EUR'})")
        wait_until(lambda: counts(parties, pool)["redeemed"] == 1, "the code is redeemed")
        wait_until(lambda: parties.spent(campaign) == PRICE_MICROS, "the sale is billed")
        assert shopper.complaints == []
    parties.server.assert_audit_is_clean()
