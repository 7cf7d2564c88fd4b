"""What happens to an ad is charged once, at the price it was shown for, or not at all and by name."""

from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from adserver.domain.caller import Caller
from adserver.domain.campaign import Status
from adserver.domain.money import Micros
from adserver.domain.pricing import AdEvent, PricingModel
from adserver.domain.token import LANDED
from adserver.flows.bill import EXPIRED, INVALID
from adserver.writes import Result
from pixel.events import Rejection
from tests.contract.stores import save, save_new
from tests.domain.makers import (
    CAMPAIGN,
    HOUR_MS,
    SLOT,
    TODAY,
    make_campaign,
    make_creative,
    make_message,
    make_slot,
)
from tests.flows.street import HOUSE_URL, PRICE, READER, VISITOR, Street, sale_terms, settled

CPM = {"pricing_model": PricingModel.CPM, "rate_micros": Micros(2_000_000)}
VCPM = {"pricing_model": PricingModel.VCPM, "rate_micros": Micros(2_000_000)}
ROBOT = msgspec.structs.replace(READER, robot=Rejection.ROBOT)
TESTER = msgspec.structs.replace(READER, test=True)
TAKEN, REPEATED, CAP_REACHED = Result.TAKEN, Result.REPEATED, Result.CAP_REACHED


@pytest.fixture
def shown(street: Street) -> Street:
    """A campaign paid by the click, whose ads were shown a moment ago."""
    street.open()
    return street


# ---- clicks ----


def test_a_click_is_billed_once_and_always_leads_to_the_product(shown: Street) -> None:
    text = shown.signed()
    answers = [shown.click(text) for _ in range(3)]
    assert [result for _, result in answers] == [TAKEN, REPEATED, REPEATED]
    assert all(landing.location.startswith("https://shop.example/boots?rtclid=") for landing, _ in answers)
    assert shown.spent() == (PRICE, 0)
    shown.assert_audit_is_clean()


def test_a_click_proves_the_impression_and_view_that_no_beacon_told(shown: Street) -> None:
    shown.click(shown.signed())
    counts = shown.counted(CAMPAIGN)
    assert {name: counts[name] for name in ("impressions", "viewable_impressions", "clicks")} == {
        "impressions": 1,
        "viewable_impressions": 1,
        "clicks": 1,
    }


@pytest.mark.parametrize(("terms", "price"), [(CPM, 2_000), (VCPM, 2_000)])
def test_what_a_click_proves_is_billed_once_under_every_model(
    street: Street, terms: dict[str, object], price: int
) -> None:
    street.open(**terms)
    text = street.signed()
    street.click(text)
    assert street.see(text) is REPEATED
    assert street.see(text, event=AdEvent.VIEWABLE_IMPRESSION) is REPEATED
    assert street.spent() == (price, 0)
    street.assert_audit_is_clean()


@pytest.mark.parametrize("terms", [{}, CPM, VCPM])
def test_a_click_too_soon_proves_nothing_and_costs_nothing(street: Street, terms: dict[str, object]) -> None:
    street.open(**terms)
    text = street.signed(decided_at_ms=street.now_ms - 299)
    landing, result = street.click(text)
    assert result is Result.NOT_BILLABLE
    assert landing.location.startswith("https://shop.example/boots")
    assert street.rows("SELECT not_billed FROM ad_events") == [("too_soon",)]
    assert street.spent() == (0, 0)
    touches = street.storage.profiles.profile(VISITOR).touches  # type: ignore[union-attr]
    assert [touch.suspect for touch in touches] == [True]


def test_a_click_just_late_enough_is_billed(shown: Street) -> None:
    assert shown.click(shown.signed(decided_at_ms=shown.now_ms - 300))[1] is TAKEN


@pytest.mark.parametrize(("caller", "name"), [(ROBOT, "robot"), (TESTER, "test")])
@pytest.mark.parametrize("terms", [{}, CPM])
def test_robots_and_test_visitors_cost_nothing(
    street: Street, caller: Caller, name: str, terms: dict[str, object]
) -> None:
    street.open(**terms)
    text = street.signed()
    assert street.see(text, caller) is Result.NOT_BILLABLE
    assert street.click(text, caller)[1] is Result.NOT_BILLABLE
    assert {row[0] for row in street.rows("SELECT not_billed FROM ad_events")} == {name}
    assert street.spent() == (0, 0)


def test_an_ad_served_to_a_test_visitor_costs_nothing_whoever_clicks(shown: Street) -> None:
    assert shown.click(shown.signed(test=True))[1] is Result.NOT_BILLABLE


def test_who_opted_out_since_is_billed_without_being_remembered(shown: Street) -> None:
    gone = msgspec.structs.replace(READER, opted_out=True)
    assert shown.click(shown.signed(), gone)[1] is TAKEN
    assert shown.rows("SELECT DISTINCT visitor_key FROM ad_events") == [(0,)]


# ---- tokens ----


@pytest.mark.parametrize("text", ["", "A", "made-up", "A" * 99, "é"])
def test_a_click_that_belongs_to_no_ad_leads_to_our_own_page(shown: Street, text: str) -> None:
    landing, result = shown.click(text)
    assert (landing.location, result) == (HOUSE_URL, INVALID)
    assert shown.see(text) == INVALID
    assert shown.counted(0)["token_invalid"] == 2
    assert shown.rows("SELECT * FROM ad_events") == []


def test_a_forged_token_bills_and_redirects_nothing(shown: Street) -> None:
    text = shown.signed()
    for place in range(0, len(text), 7):
        forged = text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]
        assert shown.click(forged)[0].location == HOUSE_URL
    assert shown.spent() == (0, 0)


def test_a_click_id_is_no_ad_and_an_ad_is_no_click_id(shown: Street) -> None:
    assert shown.see(shown.click_id()) == INVALID


@pytest.mark.parametrize(
    ("age_ms", "beacon", "click"),
    [
        (HOUR_MS, Result.NOT_BILLABLE, TAKEN),
        (HOUR_MS + 1, EXPIRED, TAKEN),
        (24 * HOUR_MS, EXPIRED, TAKEN),
        (24 * HOUR_MS + 1, EXPIRED, EXPIRED),
    ],
)
def test_beacons_are_good_for_an_hour_and_clicks_for_a_day(
    shown: Street, age_ms: int, beacon: object, click: object
) -> None:
    text = shown.signed(decided_at_ms=shown.now_ms - age_ms)
    assert shown.see(text) == beacon
    landing, result = shown.click(text)
    assert result == click
    assert landing.location.startswith("https://shop.example/boots")


def test_an_old_click_still_redirects_but_credits_nobody(street: Street) -> None:
    street.open(**sale_terms())
    click_id = street.click_id(street.signed(decided_at_ms=street.now_ms - 25 * HOUR_MS))
    assert street.order(click_id=click_id).outcome.result is Result.UNATTRIBUTED


# ---- where a click leads ----


def test_the_landing_page_is_told_site_campaign_and_click(street: Street) -> None:
    street.open(landing_params="utm_source={site}&utm_campaign={campaign}", name="Autumn & more")
    landing, _ = street.click(street.signed())
    query = dict(parse_qsl(urlsplit(landing.location).query))
    assert (query["utm_source"], query["utm_campaign"]) == ("news.example", "Autumn & more")
    token = street.read(query["rtclid"], LANDED)
    assert (token.impression_id, token.decided_at_ms, token.test) == (99, street.now_ms, False)


def test_a_message_leads_to_its_own_link(shown: Street) -> None:
    save(shown.storage, make_message(version=2))
    shown.refresh.poll()
    landing, _ = shown.click(shown.signed(product_key=0))
    assert landing.location.startswith("https://shop.example/form?rtclid=")


@pytest.mark.parametrize("fallback", [None, "https://shop.example/all"])
def test_a_product_that_left_leads_to_the_campaigns_fallback(street: Street, fallback: str | None) -> None:
    street.open(fallback_url=fallback)
    landing, result = street.click(street.signed(product_key=4711))
    assert landing.location.startswith(fallback or HOUSE_URL)
    assert result is TAKEN


def test_an_ad_of_a_slot_made_a_moment_ago_is_billed(shown: Street) -> None:
    save_new(shown.storage, make_slot(key=801))  # another worker knows it; this one has not looked yet
    save_new(shown.storage, make_campaign(key=72), make_message(key=702, campaign_key=72))
    fields = {"slot_key": 801, "campaign_key": 72, "creative_key": 702, "product_key": 0}
    landing, result = shown.click(shown.signed(**fields))
    assert landing.location.startswith("https://shop.example/form")
    assert result is TAKEN


# ---- impressions ----


def test_an_impression_is_counted_and_billed_once(street: Street) -> None:
    street.open(**CPM)
    text = street.signed()
    assert [street.see(text) for _ in range(3)] == [TAKEN, REPEATED, REPEATED]
    assert street.spent() == (2_000, 0)
    assert street.counted(SLOT)["impressions"] == 1


def test_a_view_is_what_a_viewable_campaign_pays_for(street: Street) -> None:
    street.open(**VCPM)
    text = street.signed()
    assert street.see(text) is Result.NOT_BILLABLE
    assert street.see(text, event=AdEvent.VIEWABLE_IMPRESSION) is TAKEN
    assert street.spent() == (2_000, 0)


def test_a_pictures_bytes_are_its_impression(street: Street) -> None:
    street.open(**CPM)
    token = street.read(street.signed())
    assert settled(street.bill.image_shown(token, READER)) is TAKEN


def test_each_charge_is_shared_with_the_publisher(shown: Street) -> None:
    shown.click(shown.signed())
    posted = dict(shown.rows("SELECT account, amount_micros FROM postings"))  # type: ignore[arg-type]
    assert posted == {"advertiser:7": -PRICE, "publisher:8": 175_000, "network": 75_000}


# ---- campaigns that change ----


def test_an_ad_costs_what_its_version_promised(shown: Street) -> None:
    text = shown.signed()
    assert shown.change(rate_micros=Micros(9)).result is Result.SAVED
    shown.refresh.poll()
    assert shown.click(text)[1] is TAKEN
    newer = shown.signed(impression_id=100, campaign_version=2)
    assert shown.click(newer)[1] is TAKEN
    assert shown.spent() == (PRICE + 9, 0)
    shown.assert_audit_is_clean()


def test_a_version_that_never_was_is_not_billed(shown: Street) -> None:
    assert shown.click(shown.signed(campaign_version=9))[1] == INVALID


@pytest.mark.parametrize("status", [Status.PAUSED, Status.ENDED])
def test_what_was_delivered_before_a_pause_is_still_billed(shown: Street, status: Status) -> None:
    text = shown.signed()
    shown.change(status=status)
    shown.refresh.poll()
    assert shown.click(text)[1] is TAKEN


def test_a_cap_raised_later_lets_the_first_seen_day_pay(street: Street) -> None:
    street.open(daily_budget_micros=Micros(PRICE - 1))
    text = street.signed()
    landing, result = street.click(text)
    assert result is CAP_REACHED
    assert landing.location.startswith("https://shop.example/boots")
    street.change(daily_budget_micros=PRICE)
    street.now_ms += 13 * HOUR_MS  # it is tomorrow in Paris, and the token still lives
    assert street.click(text)[1] is TAKEN
    assert street.spent_today() == (PRICE, 0)
    assert street.spent(day=TODAY + 1) == (0, 0)
    assert street.storage.ledger.unbilled_at_cap(CAMPAIGN) == 0
    street.assert_audit_is_clean()


def test_the_day_is_the_advertisers_own(street: Street) -> None:
    street.open_shop(timezone="Pacific/Auckland")
    save_new(street.storage, make_campaign(), make_creative())
    street.look()
    assert street.click(street.signed())[1] is TAKEN
    assert street.rows("SELECT day FROM charges") == [(20261119,)]
