"""A visitor asks and asks: twelve ads in a day, five of any shop, then the house; the next day again."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import adserver.main.server
from adserver.domain.visitor import DAY_MS
from tests.domain.makers import NOW_MS
from tests.web.visiting import NEWS, Browser, Visiting

COUNTED = ("taken", "not_billable")  # the shop's first campaign pays for clicks alone
TOKEN = re.compile(r"/i\?t=([\w-]+)")
MESSAGE = {"headline": "Hello", "body": "Have a look.", "button": "Go"}


class Clock:
    """The server's time, which a test moves."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


class Town(Visiting):
    """Three shops, each with a campaign for its visitors and one for the page."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.clock = clock
        super().__init__(folder)
        self.shops = {self.merchant: self.advertiser} | dict(self._shop(n) for n in range(2))
        for advertiser in self.shops.values():
            self._campaign(advertiser, "Page", {"template": "message", "message": MESSAGE}, contextual=True)

    def _shop(self, number: int) -> tuple[str, str]:
        shop = self.change(
            "POST", "/advertisers", name=f"Shop {number}", domains=[f"shop{number}.example"], currency="EUR",
            timezone="Europe/Paris", country="FR",
        )  # fmt: skip
        self.change(
            "PUT", f"/advertisers/{shop['id']}/products/boots", title="Boots", currency="EUR",
            link=f"https://shop{number}.example/boots", price_micros=9_000_000,
        )  # fmt: skip
        self._campaign(shop["id"], "Cards", {"template": "cards"})
        return shop["public_id"], shop["id"]

    def _campaign(self, advertiser: str, name: str, creative: dict[str, object], **fields: object) -> None:
        campaign = self.change(
            "POST", "/campaigns", advertiser_id=advertiser, name=name, pricing_model="cpm",
            rate_micros=2_000_000, status="active", **fields,
        )["id"]  # fmt: skip
        link = None
        if "message" in creative:
            (domain,) = self.change("GET", f"/advertisers/{advertiser}")["domains"]
            link = f"https://{domain}/form"
        self.change(
            "POST", "/creatives", campaign_id=campaign, brand={"name": name}, link=link, **creative
        )  # fmt: skip


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adserver.main.server, "system_clock", lambda offset_seconds: clock)
        town = Town(tmp_path_factory.mktemp("town"), clock)
    yield town
    town.close()


def shown_of(browser: Browser, times: int) -> int:
    """How many of so many requests are answered with an ad, each of which is seen."""
    filled = 0
    for _ in range(times):
        answer = browser.slot()
        if answer.headers["x-slot"] == "filled":
            filled += 1
            token = TOKEN.search(answer.text)
            assert token and browser.ask("POST", f"/i?t={token[1]}&debug=1").headers["x-charge"] in COUNTED
    return filled


def visit_all(town: Town, browser: Browser) -> None:
    for merchant in town.shops:
        for _ in range(2):  # the first gives the cookie
            assert browser.view("boots", m=merchant) == "accepted"


def test_a_visitor_sees_twelve_ads_then_the_house_and_the_next_day_again(town: Town) -> None:
    browser = town.browser()
    visit_all(town, browser)
    assert shown_of(browser, 30) == 12
    held = browser.ask("GET", "/privacy/export").json()["held"]["profiles"]["rows"][0]["body"]
    of_shops = [(one["advertiser"], len(one["at"])) for one in held["shown"]]
    assert {shop for shop, _ in of_shops} == set(town.shops.values())
    for shop in town.shops.values():
        assert sum(times for one, times in of_shops if one == shop) <= 5
    town.clock.now_ms += DAY_MS
    assert shown_of(browser, 30) == 12


def test_a_browser_that_refuses_our_cookie_sees_no_more_than_that(town: Town) -> None:
    stranger = town.browser()
    assert shown_of(stranger, 30) == 12
    assert list(stranger.cookies) == ["__Host-rt-site"]
    town.clock.now_ms += DAY_MS
    assert shown_of(stranger, 1) == 0  # an hour counts until its last minute is a day old
    town.clock.now_ms += 3_600_000
    assert shown_of(stranger, 30) == 12


def test_why_this_ad_says_how_often_and_how_often_at_most(town: Town) -> None:
    browser = town.browser()
    visit_all(town, browser)
    (shop, *_) = town.shops.values()
    town.change("PATCH", f"/advertisers/{shop}", frequency_cap={"impressions": 1, "per": "hour"})
    assert shown_of(browser, 3) == 3
    answer = browser.slot()
    token = TOKEN.search(answer.text)
    assert token
    page = " ".join(browser.ask("GET", f"/why?t={token[1]}").text.split())
    assert re.search(
        r"All ads of this shop</dt><dd>shown ((once|\d times) in the last 24 hours, at most 5"
        r"|0 times in the last hour, at most 1)<",
        page,
    )
    assert "All ads of all shops</dt><dd>shown 3 times in the last 24 hours, at most 12<" in page
    changed = town.change("PATCH", f"/advertisers/{shop}", frequency_cap=None)
    assert changed["frequency_cap"] is None


def test_a_test_visitor_sees_everything(town: Town) -> None:
    browser = town.browser()
    visit_all(town, browser)
    browser.post("/test-visitor", test="on")
    assert all(browser.is_shown_an_ad() for _ in range(3)) and browser.cookies["rt-test"] == "1"
    for _ in range(15):
        answer = browser.ask("GET", f"/slot/{town.slot}", headers=NEWS)
        token = TOKEN.search(answer.text)
        assert token and browser.ask("POST", f"/i?t={token[1]}&debug=1").headers["x-charge"] == "not_billable"
    assert browser.is_shown_an_ad()


def test_an_order_ends_a_shops_ads_until_something_else_is_looked_at(town: Town) -> None:
    browser = town.browser()
    for _ in range(2):
        assert browser.view("boots") == "accepted"
    town.change("PATCH", f"/advertisers/{town.advertiser}", burn={"scope": "group", "days": 60})
    campaigns = town.listed("/campaigns")
    for one in campaigns:
        town.change("PATCH", f"/campaigns/{one['id']}", contextual=False)
    try:
        assert browser.is_shown_an_ad()
        ordered = browser.view("boots", "purchase", transaction_id="R-1", value="59", currency="EUR")
        assert ordered == "accepted" and not browser.is_shown_an_ad()
        assert browser.view("boots") == "accepted" and not browser.is_shown_an_ad()
        assert browser.view("boots", "refund", transaction_id="R-1") == "accepted"
        assert not browser.is_shown_an_ad()
        town.clock.now_ms += 1_000
        assert browser.view("scarf") == "accepted"
        document = browser.slot()
        assert "Wool scarf" in document.text and "Waxed boots" not in document.text
    finally:
        for one in campaigns:
            town.change("PATCH", f"/campaigns/{one['id']}", contextual=one["contextual"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("advertisers", {"burn": {"scope": "product", "days": 181}}),
        ("advertisers", {"burn": {"scope": "planet", "days": 1}}),
        ("advertisers", {"annoyance_budget": 25}),
        ("advertisers", {"annoyance_budget": 0}),
        ("advertisers", {"rest_after_purchase_days": -1}),
        ("advertisers", {"rest_after_purchase_days": None}),
        ("advertisers", {"frequency_cap": {"impressions": 51, "per": "day"}}),
        ("campaigns", {"burn": {"scope": "shop"}}),
        ("campaigns", {"addresses_buyers": "yes"}),
        ("creatives", {"frequency_cap": {"impressions": 1, "per": "year"}}),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(town: Town, path: str, body: dict[str, object]) -> None:
    of_path = {
        "advertisers": f"/advertisers/{town.advertiser}",
        "campaigns": f"/campaigns/{town.campaign}",
        "creatives": f"/creatives/{town.listed(f'/creatives?campaign_id={town.campaign}')[0]['id']}",
    }
    answer = town.operator.ask("PATCH", f"/api/v1{of_path[path]}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_a_creatives_cap_needs_no_second_approval(town: Town) -> None:
    (creative,) = town.listed(f"/creatives?campaign_id={town.campaign}")
    cap = {"impressions": 2, "per": "week"}
    capped = town.change("PATCH", f"/creatives/{creative['id']}", frequency_cap=cap)
    assert (capped["frequency_cap"], capped["content_hash"]) == (cap, creative["content_hash"])
    assert town.change("PATCH", f"/creatives/{creative['id']}", frequency_cap=None)["frequency_cap"] is None
