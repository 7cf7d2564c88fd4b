"""The tag through the shop's own nginx or Caddy, in Chromium: who is known there, where, and until when."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.browser.chromium import refuses_cookies_to_frames, sends_cookies_to_frames
from tests.browser.parties import DESKTOP, PRICE_MICROS, TEAPOT, Parties, Shopper, write_shop
from tests.simulation.running_server import RunningServer, wait_until
from tests.simulation.shop_front import KINDS, CardsHost, ShopFront

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]


@contextmanager
def behind(kind: str, folder: Path) -> Iterator[Parties]:
    """The shop's pages behind a server of that kind, whose path `/rt/` leads to the ad server."""
    with (
        RunningServer(folder / "server", base_url="https://cards.localhost") as server,
        closing(CardsHost(folder, server.port)) as cards,
        ShopFront(kind, folder / "front", cards.name, cards.certificate) as front,
        closing(Parties(server, front.url, folder)) as parties,
    ):
        write_shop(front.pages, parties.public_id, "/rt/tag.js")
        yield parties


def profiles(parties: Parties) -> int:
    return len(parties.server.rows("SELECT visitor_key FROM profiles"))


def recognised(parties: Parties) -> int:
    """Requests that came by the shop's own path with our cookie, as the browser itself says."""
    rows = parties.server.rows("SELECT SUM(n) FROM counts WHERE name LIKE 'identity_pixel_first_party_%'")
    return rows[0][0] or 0


@pytest.mark.parametrize("kind", KINDS)
def test_where_cookies_are_refused_the_shop_knows_its_visitor_and_an_ads_click_is_credited(
    tmp_path: Path, kind: str
) -> None:
    with (
        behind(kind, tmp_path) as parties,
        refuses_cookies_to_frames(tmp_path / "browser", 20_000, user_agent=DESKTOP) as context,
    ):
        shopper = Shopper(parties, context)
        assert shopper.opens(TEAPOT).url == f"{parties.shop}/rt/e"
        known = shopper.cookies(parties.shop)["__Host-rt"]
        assert (known["domain"], known["httpOnly"]) == ("shop.localhost", True)
        shopper.opens("index")
        assert shopper.cookies(parties.shop)["__Host-rt"] == known
        assert profiles(parties) == 1
        wait_until(lambda: recognised(parties) > 0, "it is counted how the browser was known")

        contextual = parties.advertise()
        assert shopper.reads_the_news() == "filled"
        shopper.clicks_the_ad()
        shopper.buys()
        wait_until(lambda: parties.spent(contextual) == PRICE_MICROS, "the sale is billed")
        assert set(shopper.cookies(parties.shop)) == {"__Host-rt", "_rtclid"}
        assert shopper.complaints == []
        parties.server.assert_audit_is_clean()


def test_who_is_known_through_the_shops_path_is_nobody_on_another_site(tmp_path: Path) -> None:
    with (
        behind("nginx", tmp_path) as parties,
        sends_cookies_to_frames(tmp_path / "browser", 20_000, user_agent=DESKTOP) as context,
    ):
        parties.sell()
        shopper = Shopper(parties, context)
        shopper.opens(TEAPOT)
        shopper.opens("index")
        assert profiles(parties) == 1
        assert shopper.reads_the_news() == "empty"
        assert "__Host-rt" not in shopper.cookies(parties.cards)


def test_a_no_on_the_shops_page_takes_back_what_its_path_knew(tmp_path: Path) -> None:
    with (
        behind("caddy", tmp_path) as parties,
        sends_cookies_to_frames(tmp_path / "browser", 20_000, user_agent=DESKTOP) as context,
    ):
        shopper = Shopper(parties, context)
        shopper.opens(TEAPOT)
        shopper.opens("index")
        assert profiles(parties) == 1
        shopper.opens("no")
        assert shopper.cookies(parties.shop) == {}
        wait_until(lambda: profiles(parties) == 0, "the profile is erased")
        assert parties.server.rows("SELECT event_key FROM events WHERE visitor_key <> 0") == []
