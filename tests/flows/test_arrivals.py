"""From an ad's click to the landing page and back into the report: counted once, of nobody, or not and by name."""

from datetime import date
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from adserver.domain.arrival import Arrived, Grouping
from adserver.domain.caller import Caller
from adserver.domain.campaign import Advertiser
from adserver.domain.identity import write_id
from adserver.flows import arrivals
from adserver.flows.arrivals import OTHER, UNKNOWN, ArrivalReport, ArrivalReports
from adserver.writes import SaveProducts
from pixel.consent import Region
from tests.contract.stores import save, save_new
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    CREATIVE,
    DAY_MS,
    HOUR_MS,
    SITE,
    SLOT,
    make_advertiser,
    make_campaign,
    make_creative,
    make_message,
    make_product,
    make_site,
    make_slot,
)
from tests.flows.street import READER, SHOPPER, Street

STRANGER = Caller(Region.OPEN, origin="shop.example")
TODAY, TOMORROW = date(2026, 11, 18), date(2026, 11, 19)


@pytest.fixture
def shop(street: Street) -> Street:
    street.open()
    return street


def tell(
    shop: Street, name: str, click_id: str, after_ms: int = 0, caller: Caller = STRANGER, **query: object
) -> None:
    """The landing page's tag, which has no visitor of ours yet."""
    shop.now_ms += after_ms
    shop.hit(caller, e=name, id=None, rtclid=click_id, url="https://shop.example/boots", **query)


def report(shop: Street, by: Grouping = Grouping.CAMPAIGN, **days: date | None) -> ArrivalReport:
    asked: dict[str, date | None] = {"first": None, "last": None} | days
    found = ArrivalReports(shop.storage, shop.clock).report(make_advertiser(), by=by, **asked)  # type: ignore[arg-type]
    assert found is not None
    return found


def whole(shop: Street) -> tuple[int, ...]:
    """Clicks, suspect clicks, landed, engaged."""
    return report(shop).total.figures[:4]


def named(shop: Street) -> dict[str, int]:
    return {name: n for name, n in shop.counted().items() if name.startswith("landing_")}


def test_a_click_lands_stays_and_is_read_with_its_times(shop: Street) -> None:
    click_id = shop.click_id()
    tell(shop, "landed", click_id, 2_200, landing_ms=900)
    tell(shop, "engaged", click_id, 10_000)
    (row,) = report(shop).rows
    assert (row.id, row.name) == (write_id("cmp", CAMPAIGN), "Autumn")
    assert row.arrived.figures[:4] == (1, 0, 1, 1)
    assert (row.arrived.landing_rate, row.arrived.bounce_rate) == (1, 0)
    assert row.arrived.seconds_to_land(0.5) == 2.5  # in the middle between two and three
    assert row.arrived.seconds_to_load(0.5) == 0.75
    assert named(shop) == {}


def test_a_click_that_nobody_tells_of_did_not_land_and_who_leaves_at_once_bounced(shop: Street) -> None:
    first, _ = shop.click_id(), shop.click_id(shop.signed(impression_id=100))
    tell(shop, "landed", first, 1_000)
    arrived = report(shop).total
    assert (arrived.clicks, arrived.landing_rate, arrived.bounce_rate) == (2, 0.5, 1.0)


def test_a_link_that_is_opened_again_or_shared_lands_once(shop: Street) -> None:
    click_id = shop.click_id()
    for event_id, caller in (("a", STRANGER), ("b", STRANGER), ("c", SHOPPER)):
        tell(shop, "landed", click_id, 500, caller, event_id=event_id)
    assert whole(shop) == (1, 0, 1, 0)
    assert named(shop) == {"landing_repeated": 2}


def test_another_page_of_the_same_visit_engages_and_that_of_another_visit_does_not(shop: Street) -> None:
    first, second = shop.click_id(), shop.click_id(shop.signed(impression_id=100))
    tell(shop, "landed", first, 1_000)
    tell(shop, "landed", second)
    tell(shop, "page_view", first, 9_999)
    assert whole(shop)[3] == 0
    tell(shop, "page_view", first, 1)
    assert whole(shop)[3] == 1
    tell(shop, "page_view", second, HOUR_MS)
    assert whole(shop)[3] == 1


@pytest.mark.parametrize(
    ("name", "reason"), [("forged", "not_ours"), ("served", "not_ours"), ("expired", "expired")]
)
def test_a_click_id_that_proves_no_click_counts_by_name_alone(shop: Street, name: str, reason: str) -> None:
    click_id = shop.click_id()
    forged = {"forged": click_id[:-2] + "AA", "served": shop.signed(), "expired": click_id}[name]
    tell(shop, "landed", forged, 30 * DAY_MS + 1 if name == "expired" else 1_000)
    assert shop.storage.arrivals.total(ADVERTISER, 0, shop.now_ms).landed == 0
    assert named(shop) == {f"landing_{reason}": 1}


def test_one_merchants_click_lands_on_no_other_merchants_page(shop: Street) -> None:
    save_new(shop.storage, make_advertiser(key=8_008, public_id="other", domains=("other.example",)))
    shop.refresh.poll()
    elsewhere = Caller(Region.OPEN, origin="other.example")
    tell(shop, "landed", shop.click_id(), 1_000, elsewhere, m="other")
    assert whole(shop) == (1, 0, 0, 0)
    assert shop.counted(8_008)["landing_other_advertiser"] == 1


def test_suspect_clicks_are_kept_apart_and_their_landings_counted_by_name(shop: Street) -> None:
    tester = msgspec.structs.replace(READER, test=True)
    landing, _ = shop.click(shop.signed(), tester)
    click_id = parse_qs(urlsplit(landing.location).query)["rtclid"][0]
    tell(shop, "landed", click_id, 1_000)
    assert whole(shop) == (0, 1, 0, 0)
    assert named(shop) == {"landing_suspect": 1}


def test_where_measuring_is_not_allowed_a_landing_is_not_counted(shop: Street) -> None:
    click_id = shop.click_id()
    tell(shop, "landed", click_id, 1_000, Caller(Region.STRICT, origin="shop.example"))
    tell(shop, "landed", click_id, 0, Caller(Region.OPEN, origin="shop.example", global_privacy_control=True))
    assert (whole(shop), named(shop)) == ((1, 0, 0, 0), {})
    tell(shop, "landed", click_id)
    assert whole(shop) == (1, 0, 1, 0)


# ---- how it is read ----


def test_pages_are_those_that_we_lead_to_and_never_what_a_page_says_it_is(shop: Street) -> None:
    variants = tuple(make_product(one, link=f"https://shop.example/hat?size={one}#top") for one in ("s", "m"))
    shop.storage.writer.commit(SaveProducts(ADVERTISER, variants))
    message = make_message(key=CREATIVE + 1)
    save_new(shop.storage, message)
    for place, variant in enumerate(variants):
        shop.click_id(shop.signed(impression_id=200 + place, product_key=variant.key))
    shop.click_id(shop.signed(impression_id=300, product_key=0, creative_key=message.key))
    tell(shop, "landed", shop.click_id(), 1_000)
    pages = {
        row.name: (row.id, row.arrived.clicks, row.arrived.landed) for row in report(shop, Grouping.PAGE).rows
    }
    assert pages == {
        "https://shop.example/hat": (None, 2, 0),
        "https://shop.example/boots": (None, 1, 1),
        "https://shop.example/form": (None, 1, 0),
    }


def test_a_product_that_has_gone_leads_to_the_fallback_or_nobody_knows_where(shop: Street) -> None:
    shop.click(shop.signed(product_key=4_711))
    assert [row.name for row in report(shop, Grouping.PAGE).rows] == [UNKNOWN]
    shop.change(fallback_url="https://shop.example/all?from=ad")
    assert [row.name for row in report(shop, Grouping.PAGE).rows] == ["https://shop.example/all"]


def test_days_stand_in_their_order_and_sites_by_their_name(shop: Street) -> None:
    save_new(shop.storage, make_slot(key=SLOT + 1), make_site(key=SITE + 1, name="Blog"))
    save_new(shop.storage, make_slot(key=SLOT + 2, site_key=SITE + 1))
    shop.refresh.poll()
    shop.click_id()
    shop.now_ms += DAY_MS
    for place, slot_key in enumerate((SLOT, SLOT + 1, SLOT + 2)):
        shop.click_id(shop.signed(impression_id=200 + place, slot_key=slot_key))
    days = report(shop, Grouping.DAY).rows
    assert [(row.name, row.arrived.clicks) for row in days] == [("2026-11-18", 1), ("2026-11-19", 3)]
    sites = report(shop, Grouping.SITE).rows
    assert [(row.id, row.name, row.arrived.clicks) for row in sites] == [
        (write_id("site", SITE), "News", 3), (write_id("site", SITE + 1), "Blog", 1),
    ]  # fmt: skip


def test_a_period_is_of_whole_days_and_by_default_the_last_thirty(shop: Street) -> None:
    shop.click_id()
    shop.now_ms += DAY_MS
    told = report(shop)
    assert (told.first, told.last, told.total.clicks) == (date(2026, 10, 21), TOMORROW, 1)
    assert report(shop, first=TODAY, last=TODAY).total.clicks == 1
    assert report(shop, first=TOMORROW, last=TOMORROW).total == Arrived()
    reports = ArrivalReports(shop.storage, shop.clock)
    for first, last in ((TOMORROW, TODAY), (date(2025, 10, 14), TODAY)):
        assert reports.report(make_advertiser(), first, last, Grouping.DAY) is None
    assert reports.report(make_advertiser(), date(2025, 10, 15), TODAY, Grouping.DAY) is not None


@pytest.mark.parametrize("limit", ["MOST_ROWS", "MOST_SUMS"])
def test_what_is_beyond_the_largest_rows_is_one_row_and_nothing_is_lost(
    shop: Street, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(arrivals, limit, 2)
    products = tuple(make_product(f"p{n}") for n in range(4))
    shop.storage.writer.commit(SaveProducts(ADVERTISER, products))
    for n, product in enumerate(products):
        for again in range(n + 1):
            shop.click_id(shop.signed(impression_id=1_000 + 10 * n + again, product_key=product.key))
    told = report(shop, Grouping.PAGE)
    assert [(row.name, row.arrived.clicks) for row in told.rows] == [
        ("https://shop.example/p3", 4), ("https://shop.example/p2", 3), (OTHER, 3),
    ]  # fmt: skip
    assert told.total.clicks == 10


def test_the_doctor_reads_the_weeks_pages(shop: Street) -> None:
    shop.click_id()
    pages_of = ArrivalReports(shop.storage, shop.clock).pages
    advertiser: Advertiser = make_advertiser()
    assert [(page, arrived.clicks) for page, arrived in pages_of(advertiser)] == [
        ("https://shop.example/boots", 1)
    ]
    shop.now_ms += 8 * DAY_MS
    assert pages_of(advertiser) == []


def test_a_campaign_that_was_renamed_keeps_one_row(shop: Street) -> None:
    shop.click_id()
    save(shop.storage, make_campaign(version=2, name="Winter"))
    save_new(shop.storage, make_creative(key=CREATIVE + 5))
    shop.refresh.poll()
    shop.click_id(shop.signed(impression_id=100, campaign_version=2, creative_key=CREATIVE + 5))
    (row,) = report(shop).rows
    assert (row.name, row.arrived.clicks) == ("Winter", 2)
