"""What stands struck through on a served card is what the advertiser's country allows, and costs no ad a thing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adserver.domain.catalogue import Product
from adserver.domain.money import Micros
from adserver.domain.price_history import PriceStep
from adserver.flows.serve import ServedImage, SlotRequest
from adserver.writes import SaveProducts
from tests.contract.stores import save
from tests.domain.makers import ADVERTISER, DAY_MS, NOW_MS, SLOT, make_advertiser, make_product
from tests.flows.feeds import NOW_MS as IMPORTED_MS
from tests.flows.feeds import Shop, make_feed, make_item
from tests.flows.street import READER, Street

FULL, RAISED, SALE = Micros(89_900_000), Micros(99_900_000), Micros(49_900_000)


@pytest.fixture
def shop(street: Street) -> Street:
    """A French shop whose boots cost the same for forty days."""
    street.open()
    save_product(street, make_product(price_micros=FULL), NOW_MS - 40 * DAY_MS)
    return street


def save_product(street: Street, product: Product, at_ms: int | None = None) -> None:
    write = SaveProducts(ADVERTISER, (product,), at_ms=street.now_ms if at_ms is None else at_ms)
    street.storage.writer.commit(write)


def drawn(street: Street) -> tuple[int, int | None]:
    """The card's price and what is struck through, as the picture and the document show it."""
    image = street.serve.image(SlotRequest(SLOT), READER)
    assert isinstance(image, ServedImage)
    [card] = image.cards
    body = street.visit().body.decode()
    struck = card.reference_price_micros
    assert ("€89.90" in body) is (FULL in (card.price_micros, struck))
    return card.price_micros, struck


def test_a_price_raised_for_the_sale_is_not_the_one_that_is_struck_through(shop: Street) -> None:
    assert drawn(shop) == (FULL, None)
    save_product(shop, make_product(price_micros=RAISED))
    shop.now_ms += DAY_MS
    save_product(shop, make_product(price_micros=RAISED, sale_price_micros=SALE))
    assert drawn(shop) == (SALE, FULL)


def test_a_sale_begins_and_ends_on_the_card_by_its_dates_alone(shop: Street) -> None:
    sale = make_product(
        price_micros=RAISED,
        sale_price_micros=SALE,
        sale_from_ms=NOW_MS + DAY_MS,
        sale_until_ms=NOW_MS + 2 * DAY_MS,
    )
    save_product(shop, sale)
    assert drawn(shop) == (RAISED, None)
    shop.now_ms = NOW_MS + DAY_MS
    assert drawn(shop) == (SALE, FULL)
    shop.now_ms = NOW_MS + 2 * DAY_MS
    assert drawn(shop) == (RAISED, None)


def test_trust_or_another_country_counts_at_the_next_ad(shop: Street) -> None:
    save_product(shop, make_product(price_micros=RAISED, sale_price_micros=SALE))
    assert drawn(shop) == (SALE, FULL)
    save(shop.storage, make_advertiser(trust_reference_price=True, version=2))
    assert drawn(shop) == (SALE, RAISED)
    save(shop.storage, make_advertiser(version=3))
    assert drawn(shop) == (SALE, FULL)
    save(shop.storage, make_advertiser(country="GB", version=4))
    assert drawn(shop) == (SALE, RAISED)


@pytest.fixture
def feed_shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.close()


def test_an_import_notes_what_is_asked(feed_shop: Shop) -> None:
    feed_shop.import_feed(make_feed(make_item("a", "10.00 EUR")))
    history = feed_shop.catalogue.price_history(feed_shop.live()["a"].key)
    assert history is not None
    assert history.steps == (PriceStep(IMPORTED_MS, Micros(10_000_000)),)
