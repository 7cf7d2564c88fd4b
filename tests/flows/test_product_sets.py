"""A campaign shows products of its set and no others, as the set and the products are by then."""

import msgspec
import pytest

from adserver.domain.catalogue import Availability, Product
from adserver.domain.choice import INTERESTS_LOOKED_AT
from adserver.domain.decision import Decision, NoAd
from adserver.domain.eligibility import Refusal
from adserver.domain.memory import new_memory
from adserver.domain.money import Micros
from adserver.domain.product_set import SetRule
from adserver.domain.snapshot import Snapshot
from adserver.flows.refresh import Refresh
from adserver.flows.serve import ServedImage, SlotRequest
from adserver.writes import SaveProducts
from tests.contract.stores import save, save_new
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    DAY_MS,
    NOW_MS,
    PRODUCT_SET,
    SLOT,
    make_campaign,
    make_creative,
    make_message,
    make_product,
    make_product_set,
)
from tests.flows.street import READER, Street

ACME = SetRule(brands=("Acme",))
HAT = make_product("hat", brand="Acme")
SCARF = make_product("scarf", brand="Bolt")


@pytest.fixture
def shop(street: Street) -> Street:
    """The visitor saw a hat of Acme's, then a scarf of another's."""
    street.open_shop()
    save_new(street.storage, make_product_set(ACME))
    save_new(street.storage, make_campaign(product_set_key=PRODUCT_SET), make_creative())
    stock(street, HAT, SCARF)
    street.look("hat")
    street.look("scarf")
    return street


def stock(street: Street, *products: Product) -> None:
    street.storage.writer.commit(SaveProducts(ADVERTISER, products, at_ms=street.now_ms))


def shown(street: Street) -> list[str] | dict[int, Refusal]:
    """The items of the ad that the visitor would get, or why there is none."""
    answer = street.serve.explain(SlotRequest(SLOT), READER)
    assert isinstance(answer, Decision | NoAd)
    if isinstance(answer, NoAd):
        return answer.refusals
    return [product.item_id for product in answer.products]


def change_set(street: Street, *inclusions: SetRule, version: int = 2) -> None:
    save(street.storage, make_product_set(*inclusions, version=version))


def test_products_outside_of_the_set_are_not_shown(shop: Street) -> None:
    assert shown(shop) == ["hat"]
    body = shop.visit().body
    assert b"The hat" in body and b"The scarf" not in body
    image = shop.serve.image(SlotRequest(SLOT), READER)
    assert isinstance(image, ServedImage) and [card.title for card in image.cards] == ["The hat"]


def test_a_visitor_who_saw_nothing_of_the_set_is_refused_by_name_and_counted(shop: Street) -> None:
    change_set(shop, SetRule(brands=("Cord",)))
    assert shown(shop) == {CAMPAIGN: Refusal.NOT_IN_PRODUCT_SET}
    assert not shop.visit().filled
    assert shop.counted(CAMPAIGN)["refused_not_in_product_set"] == 1


def test_what_nobody_could_be_shown_is_refused_as_without_a_set(shop: Street) -> None:
    gone = [msgspec.structs.replace(one, availability=Availability.OUT_OF_STOCK) for one in (HAT, SCARF)]
    stock(shop, *gone)
    assert shown(shop) == {CAMPAIGN: Refusal.NO_PRODUCT}


def test_a_change_of_the_set_or_of_a_product_counts_at_the_next_request(shop: Street) -> None:
    assert shown(shop) == ["hat"]
    change_set(shop, SetRule(brands=("Bolt",)))
    assert shown(shop) == ["scarf"]
    stock(shop, msgspec.structs.replace(SCARF, brand="Acme"))
    assert shown(shop) == {CAMPAIGN: Refusal.NOT_IN_PRODUCT_SET}
    stock(shop, msgspec.structs.replace(HAT, brand="Bolt"))
    assert shown(shop) == ["hat"]
    shop.change(product_set_key=None)
    assert sorted(shown(shop)) == ["hat", "scarf"]


def test_a_price_that_leaves_the_range_takes_its_product_out_at_once(shop: Street) -> None:
    change_set(shop, SetRule(price_max_micros=Micros(89_900_000)))
    assert sorted(shown(shop)) == ["hat", "scarf"]
    stock(shop, msgspec.structs.replace(SCARF, price_micros=Micros(90_000_000)))
    assert shown(shop) == ["hat"]


def test_a_sale_that_ends_takes_its_product_out_by_itself(shop: Street) -> None:
    change_set(shop, SetRule(on_sale=True))
    sale = {"sale_price_micros": Micros(1_000_000), "sale_until_ms": NOW_MS + DAY_MS}
    stock(shop, msgspec.structs.replace(HAT, **sale))
    assert shown(shop) == ["hat"]
    shop.now_ms = NOW_MS + DAY_MS
    assert shown(shop) == {CAMPAIGN: Refusal.NOT_IN_PRODUCT_SET}


def test_another_worker_hears_of_a_set_before_it_decides_again(shop: Street) -> None:
    """As each worker does: it looks for news where the writer's answers tell of any."""
    stores = shop.storage
    snapshot: Snapshot = new_memory().snapshot
    refresh = Refresh(snapshot, stores.changes, stores.stats, stores.writer)
    refresh.load(shop.now_ms)
    assert snapshot.members.holds(PRODUCT_SET, NOW_MS, HAT)
    change_set(shop, SetRule(brands=("Bolt",)))
    refresh.if_stale()
    assert not snapshot.members.holds(PRODUCT_SET, NOW_MS, HAT)
    assert snapshot.members.holds(PRODUCT_SET, NOW_MS, SCARF)


def test_campaigns_of_one_shop_show_each_their_own_part(shop: Street) -> None:
    save_new(shop.storage, make_product_set(SetRule(brands=("Bolt",)), key=PRODUCT_SET + 1))
    other = make_campaign(key=CAMPAIGN + 1, product_set_key=PRODUCT_SET + 1, rate_micros=Micros(900_000))
    save_new(shop.storage, other, make_creative(key=701, campaign_key=CAMPAIGN + 1))
    assert shown(shop) == ["scarf"]
    shop.change(product_set_key=PRODUCT_SET, rate_micros=Micros(2_000_000))
    assert shown(shop) == ["hat"]


def test_what_the_set_holds_of_all_that_was_looked_at_is_found(shop: Street) -> None:
    """Behind more newer products than one ad shows."""
    others = [make_product(f"other-{number}", brand="Bolt") for number in range(INTERESTS_LOOKED_AT - 2)]
    stock(shop, *others)
    for product in others:
        shop.look(product.item_id)
    assert shown(shop) == ["hat"]


def test_a_set_leaves_messages_alone(street: Street) -> None:
    street.open_shop()
    save_new(street.storage, make_product_set(ACME))
    save_new(street.storage, make_campaign(product_set_key=PRODUCT_SET), make_message())
    street.hit(e="form_start", id=None)
    assert b"Still here?" in street.visit().body
