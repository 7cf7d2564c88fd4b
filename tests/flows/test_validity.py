"""Suspect traffic is recorded by name and costs nothing; a flood of events is counted and not kept."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from adserver.domain.caller import Caller
from adserver.domain.pricing import AdEvent
from adserver.domain.validity import HOUR_MS, Limits
from adserver.writes import Result
from pixel.consent import Region
from pixel.events import Rejection
from tests.domain.makers import ADVERTISER, CAMPAIGN, SLOT
from tests.flows.street import PRICE, READER, SHOPPER, VISITOR, Street, sale_terms

NETWORK = 131_072
TAKEN, NOT_BILLABLE = Result.TAKEN, Result.NOT_BILLABLE
ABROAD = msgspec.structs.replace(READER, network=NETWORK)
LIMITS = Limits()


@pytest.fixture
def shown(street: Street) -> Street:
    """A campaign paid by the click, whose ads were shown a moment ago."""
    street.open()
    return street


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[Street]:
    """A server that allows little."""
    street = Street(tmp_path, Limits(network_strangers=3, network_events=10))
    yield street
    street.close()


def clicks(street: Street, times: int, caller: Caller = ABROAD, first: int = 100) -> list[Result | str]:
    """Clicks on as many different ads."""
    return [street.click(street.signed(impression_id=first + n), caller)[1] for n in range(times)]


def test_a_click_flood_is_billed_up_to_the_limit_and_counted_whole(shown: Street) -> None:
    results = clicks(shown, 40)
    most = LIMITS.visitor_clicks
    assert results == [TAKEN] * most + [NOT_BILLABLE] * (40 - most)
    assert shown.spent() == (most * PRICE, 0)
    counts = shown.counted(CAMPAIGN)
    assert (counts["clicks"], counts["clicks_visitor_clicks"]) == (most, 40 - most)
    assert shown.counted(SLOT)["clicks_visitor_clicks"] == 40 - most
    shown.assert_audit_is_clean()


def test_a_suspect_click_still_leads_to_the_product_and_credits_nobody(street: Street) -> None:
    street.open(**sale_terms())
    landings = [
        street.click(street.signed(impression_id=100 + n), ABROAD)[0].location
        for n in range(LIMITS.visitor_clicks + 1)
    ]
    assert all(location.startswith("https://shop.example/boots?rtclid=") for location in landings)
    paid, suspect = (location.partition("rtclid=")[2] for location in landings[-2:])
    assert street.order("R-1", click_id=suspect).outcome.result is Result.UNATTRIBUTED
    assert street.order("R-2", click_id=paid).outcome.result is TAKEN


def test_an_hour_later_the_same_visitor_is_paid_for_again(shown: Street) -> None:
    clicks(shown, LIMITS.visitor_clicks + 1)
    shown.now_ms += 2 * HOUR_MS
    assert clicks(shown, 1, first=500) == [TAKEN]


def test_a_suspect_click_that_is_made_again_in_its_time_counts_once(shown: Street) -> None:
    """What was suspect is redeemed by a valid click on the same ad, and billed once."""
    clicks(shown, LIMITS.visitor_clicks)
    text = shown.signed(impression_id=999)
    assert shown.click(text, ABROAD)[1] is NOT_BILLABLE
    shown.now_ms += 2 * HOUR_MS
    assert [shown.click(text, ABROAD)[1] for _ in range(2)] == [TAKEN, Result.REPEATED]
    assert shown.spent() == ((LIMITS.visitor_clicks + 1) * PRICE, 0)
    shown.assert_audit_is_clean()


def test_an_ad_of_one_browser_clicked_by_another_costs_nothing(shown: Street) -> None:
    other = msgspec.structs.replace(READER, visitor_key=VISITOR + 1)
    landing, result = shown.click(shown.signed(), other)
    assert result is NOT_BILLABLE
    assert landing.location.startswith("https://shop.example/boots")
    assert shown.rows("SELECT charge_id & 3, not_billed FROM ad_events") == [(AdEvent.CLICK, "other_visitor")]
    assert shown.click(shown.signed(), READER)[1] is TAKEN


def test_an_ad_whose_visitor_shows_no_cookie_is_billed(shown: Street) -> None:
    without = msgspec.structs.replace(READER, visitor_key=0)
    assert shown.click(shown.signed(), without)[1] is TAKEN


def test_a_network_of_very_many_strangers_is_paid_up_to_the_limit(narrow: Street) -> None:
    narrow.open()
    results = []
    for visitor_key in range(1, 6):
        caller = msgspec.structs.replace(ABROAD, visitor_key=visitor_key)
        text = narrow.signed(impression_id=visitor_key, visitor_key=visitor_key)
        results.append(narrow.click(text, caller)[1])
    assert results == [TAKEN] * 3 + [NOT_BILLABLE] * 2
    assert narrow.counted(CAMPAIGN)["clicks_strangers"] == 2


def test_on_this_machine_a_demo_clicks_as_often_as_it_likes(shown: Street) -> None:
    assert clicks(shown, 20, READER) == [TAKEN] * 20


# ---- a shop's events ----


def test_a_flood_of_a_networks_events_is_counted_and_not_kept(narrow: Street) -> None:
    narrow.open_shop()
    rejections = []
    for visitor_key in range(1, 101):
        caller = msgspec.structs.replace(SHOPPER, network=NETWORK, visitor_key=visitor_key)
        rejections.append(narrow.hit(caller).rejection)
    assert rejections == [None] * 10 + [Rejection.TOO_MANY] * 90
    assert narrow.rows("SELECT COUNT(*) FROM events") == [(10,)]
    assert narrow.counted(ADVERTISER)["rejected_too_many"] == 90
    neighbour = msgspec.structs.replace(SHOPPER, network=NETWORK + 1)
    assert narrow.hit(neighbour).rejection is None


def test_while_a_network_floods_the_pixel_ads_are_still_served_there(narrow: Street) -> None:
    narrow.open()
    flooding = Caller(Region.OPEN, origin="shop.example", network=NETWORK)
    assert [narrow.hit(flooding).rejection for _ in range(12)][10:] == [Rejection.TOO_MANY] * 2
    assert narrow.token(ABROAD)
