"""A shop or site where everybody says yes is held, its word counts for nothing, and the operator releases it."""

from urllib.parse import urlencode

import pytest
from msgspec.structs import replace

from adserver.domain.campaign import Advertiser
from adserver.domain.consent_hold import NO, WATCHED_MS, YES, ConsentHold
from adserver.domain.slot import Site
from adserver.domain.validity import ANSWERS_A_DAY
from adserver.flows.hold_consent import HoldConsent
from adserver.writes import AddCounts
from pixel.consent import Region
from pixel.events import Rejection
from pixel.parse import from_query
from tests.contract.stores import save, save_new
from tests.domain.makers import ADVERTISER, DAY_MS, HOUR_MS, NOW_MS, SITE, SLOT, make_advertiser, make_site
from tests.flows.street import READER, SHOPPER, Street
from tests.pixel.consent_strings import VENDOR, make_tc

HOUR = NOW_MS - NOW_MS % HOUR_MS
STRICT_SHOPPER = replace(SHOPPER, region=Region.STRICT)
STRICT_READER = replace(READER, region=Region.STRICT)
SAID = {"consent": "1", "consent_cmp": "didomi", "consent_time": str(NOW_MS // 1_000 - 60)}
ASSERTING = from_query(urlencode({"m": "shop", "e": "page_view"} | SAID).encode())
ASSERTED = {"asserted": True, "asserted_by": "didomi", "asserted_at_seconds": NOW_MS // 1_000 - 60}


@pytest.fixture
def shop(street: Street) -> Street:
    street.open()
    return street


def run(shop: Street) -> int:
    stores = shop.storage
    return HoldConsent(stores.accounts, stores.inventory, stores.stats, stores.writer, shop.clock).run()


def answer(shop: Street, owner_key: int, yes: int, no: int = 0, hour_ms: int = HOUR) -> None:
    shop.storage.writer.commit(AddCounts(((hour_ms, YES, owner_key, yes), (hour_ms, NO, owner_key, no))))


def advertiser(shop: Street) -> Advertiser:
    found = shop.storage.accounts.advertiser(ADVERTISER)
    assert found is not None
    return found


def site(shop: Street) -> Site:
    found = shop.storage.inventory.site(SITE)
    assert found is not None
    return found


def test_a_shop_where_everybody_says_yes_is_held_once_and_since_when_is_kept(shop: Street) -> None:
    answer(shop, ADVERTISER, 3_000)
    assert (run(shop), run(shop)) == (1, 0)
    held = advertiser(shop)
    assert (held.consent_hold, held.consent_held_at_ms) == (ConsentHold.HELD, NOW_MS)
    assert held == make_advertiser(version=2, consent_hold=ConsentHold.HELD, consent_held_at_ms=NOW_MS)
    assert site(shop) == make_site()


@pytest.mark.parametrize(
    ("yes", "no", "hour_ms"), [(2_000, 0, HOUR), (5_000, 60, HOUR), (9_000, 0, HOUR - WATCHED_MS)]
)
def test_who_is_small_or_hears_noes_or_was_so_long_ago_is_not_held(
    shop: Street, yes: int, no: int, hour_ms: int
) -> None:
    answer(shop, ADVERTISER, yes, no, hour_ms)
    answer(shop, SITE, yes, no, hour_ms)
    assert run(shop) == 0


def test_answers_of_a_week_are_counted_together_and_accounts_apart(shop: Street) -> None:
    save_new(shop.storage, make_advertiser(key=9, public_id="other"))
    for day in range(6):
        answer(shop, ADVERTISER, 500, hour_ms=HOUR - day * DAY_MS)
        answer(shop, 9, 300, hour_ms=HOUR - day * DAY_MS)
    assert run(shop) == 1
    assert advertiser(shop).consent_hold is ConsentHold.HELD


def test_what_a_held_shop_asserts_is_unproven_and_what_a_string_says_holds(shop: Street) -> None:
    shop.register(VENDOR)
    assert shop.hit(STRICT_SHOPPER, **SAID).rejection is None
    assert shop.counted()[YES] == 1
    answer(shop, ADVERTISER, 3_000)
    run(shop)
    shop.refresh.poll()
    assert shop.hit(STRICT_SHOPPER, **SAID).rejection is Rejection.NO_CONSENT
    assert shop.counted()["consent_assertion_held"] == 1
    assert shop.hit(STRICT_SHOPPER, gdpr="1", gdpr_consent=make_tc()).rejection is None
    assert (
        shop.hit(SHOPPER, **SAID).rejection is None
    )  # where silence is allowed, nothing rests on the page's word
    assert shop.counted()[YES] == 3_001


def test_a_held_sites_word_chooses_no_ad(shop: Street) -> None:
    assert shop.visit(STRICT_READER, **ASSERTED).filled
    assert not shop.visit(STRICT_READER, asserted=False).filled
    assert (shop.counted(SITE)[YES], shop.counted(SITE)[NO]) == (1, 1)
    answer(shop, SITE, 6_000)
    run(shop)
    shop.refresh.poll()
    assert not shop.visit(STRICT_READER, **ASSERTED).filled
    assert shop.counted(SLOT)["consent_assertion_held"] == 1
    assert shop.visit(READER, **ASSERTED).filled


def test_a_flood_of_forged_answers_from_one_network_holds_nobody(shop: Street) -> None:
    """2,400 yeses with the shop's own origin, each as a new browser; then the same of the news page."""
    shopper = replace(STRICT_SHOPPER, network=45_009_010, visitor_key=0)
    reader = replace(STRICT_READER, network=45_009_010, visitor_key=0)
    for _ in range(2_400):
        shop.collect.take(ASSERTING, shopper)
    for _ in range(200):
        shop.visit(reader, **ASSERTED)
    assert shop.counted()[YES] == shop.counted(SITE)[YES] == ANSWERS_A_DAY
    assert run(shop) == 0
    assert shop.hit(replace(shopper, network=45_009_011), **SAID).rejection is None
    assert shop.counted()[YES] == ANSWERS_A_DAY + 1


def test_noes_that_no_page_said_keep_no_hold_away(shop: Street) -> None:
    nobody = {"origin": None, "visitor_key": 0}
    for _ in range(60):
        shop.hit(replace(STRICT_SHOPPER, **nobody), consent="0")
        shop.visit(replace(STRICT_READER, **nobody), asserted=False)
        shop.visit(STRICT_READER, unheard=True)
    assert NO not in shop.counted() and NO not in shop.counted(SITE)
    shop.hit(STRICT_SHOPPER, consent="0")
    shop.visit(STRICT_READER, asserted=False)
    assert (shop.counted()[NO], shop.counted(SITE)[NO]) == (1, 1)


def test_what_the_operator_has_released_is_not_held_again(shop: Street) -> None:
    save(shop.storage, make_advertiser(version=2, consent_hold=ConsentHold.RELEASED))
    save(shop.storage, make_site(consent_hold=ConsentHold.RELEASED))
    answer(shop, ADVERTISER, 90_000)
    answer(shop, SITE, 90_000)
    assert run(shop) == 0
    shop.refresh.poll()
    assert shop.hit(STRICT_SHOPPER, **SAID).rejection is None
    assert shop.visit(STRICT_READER, **ASSERTED).filled
