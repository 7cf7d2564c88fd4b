"""A campaign may pay only for what it advertised, or for its kin; what was ordered is forgotten once settled."""

import msgspec
import pytest

from adserver.domain.attribution import NoCredit
from adserver.domain.pricing import ProductMatch
from adserver.writes import Result, SaveProducts
from tests.domain.makers import ADVERTISER, make_product
from tests.flows.street import BOOTS, Street, sale_terms

ANY, ITEM, GROUP = ProductMatch.ANY, ProductMatch.SAME_ITEM, ProductMatch.SAME_GROUP
OTHER = NoCredit.OTHER_PRODUCT
RED = make_product("boots-red", item_group_id="boots")
SOCKS = make_product("socks", item_group_id="socks")


@pytest.fixture(params=[ANY, ITEM, GROUP])
def match(request: pytest.FixtureRequest) -> ProductMatch:
    chosen: ProductMatch = request.param
    return chosen


@pytest.fixture
def shop(street: Street, match: ProductMatch) -> Street:
    """Boots of a group, of which the ad showed one pair; the visitor clicked it."""
    street.open(**sale_terms(product_match=match))
    grouped = msgspec.structs.replace(BOOTS, item_group_id="boots")
    street.storage.writer.commit(SaveProducts(ADVERTISER, (grouped, RED, SOCKS)))
    street.click(street.signed())
    street.now_ms += 60_000
    return street


BOUGHT = pytest.mark.parametrize(
    ("items", "paid_by"),
    [
        (("boots",), {ANY, ITEM, GROUP}),
        (("socks", "boots"), {ANY, ITEM, GROUP}),
        (("boots-red",), {ANY, GROUP}),
        (("socks",), {ANY}),
        (("never-in-the-catalogue",), {ANY}),
        ((), {ANY}),
    ],
)


@BOUGHT
def test_the_shops_server_says_what_was_ordered(
    shop: Street, match: ProductMatch, items: tuple[str, ...], paid_by: set[ProductMatch]
) -> None:
    credited = shop.order(click_id=shop.click_id(), item_ids=items)
    expected = (Result.TAKEN, "") if match in paid_by else (Result.UNATTRIBUTED, OTHER)
    assert (credited.outcome.result, credited.reason) == expected
    shop.assert_audit_is_clean()


@BOUGHT
def test_the_shops_pages_say_what_was_ordered(
    shop: Street, match: ProductMatch, items: tuple[str, ...], paid_by: set[ProductMatch]
) -> None:
    asked = [("id", item) for item in items]
    assert shop.hit(e="purchase", transaction_id="R-1", id=None, more=asked).rejection is None
    assert shop.convert.credit_new() == 1
    expected = (0, "pending", "") if match in paid_by else (0, "unattributed", OTHER)
    assert shop.orders() == [expected]


def test_what_was_ordered_is_kept_until_the_order_is_settled(shop: Street) -> None:
    shop.hit(e="purchase", transaction_id="R-1", id="socks")
    (waiting,) = shop.storage.conversions.new(9)
    assert waiting.product_keys == (SOCKS.key,)
    shop.convert.credit_new()
    shop.order("R-2", item_ids=("socks",))
    assert shop.rows("SELECT product_keys FROM conversions") == [(None,), (None,)]


@pytest.mark.parametrize("match", [ITEM, GROUP])
def test_an_ad_of_no_product_is_credited_with_nothing_in_particular(
    street: Street, match: ProductMatch
) -> None:
    street.open(**sale_terms(product_match=match), fallback_url="https://shop.example/")
    click_id = street.click_id(street.signed(product_key=0))
    assert street.order(click_id=click_id, item_ids=("boots",)).reason == OTHER


def test_a_groupless_product_is_kin_to_itself_only(street: Street) -> None:
    street.open(**sale_terms(product_match=GROUP))
    click_id = street.click_id()
    lone = make_product("lone")
    street.storage.writer.commit(SaveProducts(ADVERTISER, (lone,)))
    assert street.order(click_id=click_id, item_ids=("lone",)).reason == OTHER
    assert street.order("R-2", click_id=click_id, item_ids=("boots",)).outcome.result is Result.TAKEN
