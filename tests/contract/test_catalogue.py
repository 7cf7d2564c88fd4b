"""The catalogue port: products replaced by imports and the API, with pictures that outlive an import."""

import pytest
from msgspec.structs import replace

from adserver.domain.catalogue import Product
from adserver.domain.money import Micros
from adserver.domain.price_history import PriceHistory, PriceStep, Strike, StrikeCount
from adserver.storage.catalogue import _ON_SALE as ON_SALE
from adserver.storage.catalogue import REMOVED_AT_ONCE
from adserver.storage.embedded import Storage
from adserver.writes import RemoveProductsNotIn, Result, SaveProducts, SetPicture
from tests.contract.stores import save, save_new
from tests.domain.makers import ADVERTISER, DAY_MS, NOW_MS, make_advertiser, make_product

PICTURE, OTHER = "ab" * 16, "cd" * 16
IMAGE = "https://shop.example/boots.jpg"


def put(storage: Storage, *products: Product, feed_key: int = 0, import_key: int = 0, at_ms: int = 0) -> None:
    write = SaveProducts(ADVERTISER, products, feed_key=feed_key, import_key=import_key, at_ms=at_ms)
    outcome = storage.writer.commit(write)
    assert outcome.result is Result.SAVED


def get(storage: Storage, item_id: str = "boots") -> Product | None:
    key = make_product(item_id).key
    return storage.catalogue.products((key,)).get(key)


def set_picture(storage: Storage, image_link: str = IMAGE, picture: str = PICTURE) -> None:
    storage.writer.commit(SetPicture(ADVERTISER, make_product().key, image_link, picture))


def picture(storage: Storage) -> str | None:
    product = get(storage)
    assert product is not None
    return product.picture


def test_a_product_is_read_back_as_it_was_saved(empty: Storage) -> None:
    product = make_product(
        sale_price_micros=1, sale_from_ms=2, brand="Maker", image_link=IMAGE, language="fr"
    )
    put(empty, product)
    assert get(empty) == product
    assert empty.catalogue.products(()) == {}
    assert empty.catalogue.products((1, 2)) == {}


def test_a_product_saved_again_is_replaced(empty: Storage) -> None:
    put(empty, make_product(), make_product("hat"))
    put(empty, make_product(title="New"))
    product = get(empty)
    assert product is not None and product.title == "New"
    assert empty.catalogue.count(ADVERTISER) == 2


def test_a_picture_stays_while_its_address_is_the_same(empty: Storage) -> None:
    put(empty, make_product(image_link=IMAGE), feed_key=3, import_key=1)
    assert [key for key, _ in empty.picture_book.lacking(ADVERTISER, -1, 9)] == [make_product().key]
    set_picture(empty)
    assert picture(empty) == PICTURE
    assert empty.picture_book.lacking(ADVERTISER, -1, 9) == []
    put(empty, make_product(image_link=IMAGE, title="New"), feed_key=3, import_key=2)
    assert picture(empty) == PICTURE


@pytest.mark.parametrize("link", [IMAGE + "?v=2", None])
def test_a_picture_goes_when_its_address_changes(empty: Storage, link: str | None) -> None:
    put(empty, make_product(image_link=IMAGE))
    set_picture(empty)
    before = get(empty)
    assert before is not None
    # as the API saves it: the whole product, with the picture it was read with
    put(empty, make_product(image_link=link, picture=before.picture))
    assert picture(empty) is None
    assert len(empty.picture_book.lacking(ADVERTISER, -1, 9)) == (link is not None)


def test_a_picture_fetched_from_an_address_left_meanwhile_is_not_kept(empty: Storage) -> None:
    put(empty, make_product(image_link=IMAGE + "?v=2"))
    set_picture(empty, IMAGE)
    assert picture(empty) is None
    set_picture(empty, IMAGE + "?v=2", OTHER)
    assert picture(empty) == OTHER


def test_the_end_of_an_import_takes_out_what_it_did_not_see(empty: Storage) -> None:
    put(empty, make_product("old"), make_product("boots"), feed_key=3, import_key=1)
    put(empty, make_product("byhand"))
    put(empty, make_product("elsewhere"), feed_key=4, import_key=1)
    put(empty, make_product("boots"), make_product("new"), feed_key=3, import_key=2)
    outcome = empty.writer.commit(RemoveProductsNotIn(feed_key=3, import_key=2))
    assert (outcome.result, outcome.figure) == (Result.SAVED, 1)
    left = {product.item_id for product in empty.catalogue.page(ADVERTISER, -1, 9)}
    assert left == {"boots", "new", "byhand", "elsewhere"}


def test_the_end_of_an_older_import_keeps_what_a_newer_one_wrote(empty: Storage) -> None:
    put(empty, make_product("boots"), feed_key=3, import_key=2)
    put(empty, make_product("new"), feed_key=3, import_key=2)
    put(empty, make_product("boots"), feed_key=3, import_key=1)  # the older one is still writing
    for import_key in (1, 2):
        assert empty.writer.commit(RemoveProductsNotIn(feed_key=3, import_key=import_key)).figure == 0
    assert empty.catalogue.count(ADVERTISER) == 2


def test_products_are_taken_out_a_piece_at_a_time(empty: Storage) -> None:
    put(empty, *(make_product(f"item {n}") for n in range(REMOVED_AT_ONCE + 1)), feed_key=3, import_key=1)
    write = RemoveProductsNotIn(feed_key=3, import_key=2)
    assert [empty.writer.commit(write).figure for _ in range(3)] == [REMOVED_AT_ONCE, 1, 0]


def test_a_feeds_product_that_the_api_changed_still_leaves_with_its_feed(empty: Storage) -> None:
    put(empty, make_product(), feed_key=3, import_key=1)
    put(empty, make_product(title="By hand"))
    assert empty.writer.commit(RemoveProductsNotIn(feed_key=3, import_key=2)).figure == 1
    assert get(empty) is None


def test_pages_are_in_order_and_end(empty: Storage) -> None:
    put(empty, *(make_product(f"item {n}") for n in range(7)))
    seen: list[int] = []
    while page := empty.catalogue.page(ADVERTISER, seen[-1] if seen else -1, 3):
        seen += [product.key for product in page]
    assert seen == sorted(seen) and len(set(seen)) == 7


def test_what_the_api_put_after_an_import_began_outlives_it_and_stays_with_the_feed(empty: Storage) -> None:
    put(empty, make_product(image_link=IMAGE), feed_key=3, import_key=1, at_ms=100)
    set_picture(empty)
    put(empty, make_product(title="By hand", image_link=IMAGE, picture=PICTURE), at_ms=250)
    put(empty, make_product(title="Old row"), feed_key=3, import_key=2, at_ms=200)
    product = get(empty)
    assert product is not None
    assert (product.title, product.image_link, product.picture) == ("By hand", IMAGE, PICTURE)
    assert empty.writer.commit(RemoveProductsNotIn(feed_key=3, import_key=2)).figure == 0
    assert empty.catalogue.count_of_feed(3) == 1
    assert empty.catalogue.count_of_feed(3, [product.key, product.key + 1]) == 1
    assert empty.catalogue.count_of_feed(3, []) == empty.catalogue.count_of_feed(4, [product.key]) == 0


@pytest.mark.parametrize("began_ms", [250, 251])
def test_an_import_that_began_after_the_apis_word_has_the_last_one(empty: Storage, began_ms: int) -> None:
    put(empty, make_product(title="By hand"), at_ms=250)
    put(empty, make_product(title="New row"), feed_key=3, import_key=2, at_ms=began_ms)
    product = get(empty)
    assert product is not None and product.title == "New row"


def test_imports_do_not_hold_each_other_up_where_the_clock_goes_back(empty: Storage) -> None:
    put(empty, make_product(title="Before"), feed_key=3, import_key=1, at_ms=900)
    put(empty, make_product(title="After"), feed_key=3, import_key=2, at_ms=200)
    product = get(empty)
    assert product is not None and product.title == "After"


def test_what_was_made_of_an_older_state_is_not_saved(empty: Storage) -> None:
    boots, hat = make_product(), make_product("hat")
    put(empty, boots, hat)
    cheaper, sold_out = make_product(title="Cheaper"), make_product(title="Sold out")
    assert empty.writer.commit(SaveProducts(ADVERTISER, (cheaper,), was=(boots,))).result is Result.SAVED
    late = SaveProducts(ADVERTISER, (make_product("hat", title="New"), sold_out), was=(hat, boots))
    assert empty.writer.commit(late).result is Result.CONFLICT
    titles = {product.item_id: product.title for product in empty.catalogue.page(ADVERTISER, -1, 9)}
    assert titles == {"boots": "Cheaper", "hat": hat.title}
    again = SaveProducts(ADVERTISER, (cheaper,), was=(boots,))  # a batch that was sent twice is harmless
    assert empty.writer.commit(again).result is Result.SAVED
    gone = make_product("gone")
    assert empty.writer.commit(SaveProducts(ADVERTISER, (gone,), was=(gone,))).result is Result.CONFLICT


# ---- what was asked for a product ----


def sell(storage: Storage, *products: Product, at_ms: int = NOW_MS, feed_key: int = 0) -> None:
    write = SaveProducts(ADVERTISER, products, feed_key=feed_key, import_key=1, at_ms=at_ms)
    assert storage.writer.commit(write).result is Result.SAVED


def reference(storage: Storage) -> int | None:
    product = get(storage)
    assert product is not None
    return product.reference_price_micros


FULL_PRICE = make_product(price_micros=Micros(100_000_000))
SALE = make_product(price_micros=Micros(120_000_000), sale_price_micros=Micros(80_000_000))


def test_a_change_of_price_is_noted_with_the_product_and_another_save_is_not(empty: Storage) -> None:
    sell(empty, FULL_PRICE, at_ms=NOW_MS)
    sell(empty, replace(FULL_PRICE, title="New"), at_ms=NOW_MS + 1)
    sell(empty, replace(FULL_PRICE, price_micros=Micros(90_000_000)), at_ms=NOW_MS + 2)
    history = empty.catalogue.price_history(FULL_PRICE.key)
    steps = (PriceStep(NOW_MS, Micros(100_000_000)), PriceStep(NOW_MS + 2, Micros(90_000_000)))
    assert history == PriceHistory("EUR", NOW_MS, steps)
    assert empty.catalogue.price_history(1) is None


def test_a_product_twice_in_one_write_is_noted_as_it_is_in_the_end(empty: Storage) -> None:
    sell(empty, FULL_PRICE, replace(FULL_PRICE, price_micros=Micros(90_000_000)))
    history = empty.catalogue.price_history(FULL_PRICE.key)
    assert history is not None and history.steps == (PriceStep(NOW_MS, Micros(90_000_000)),)


def test_a_product_is_read_with_the_lowest_price_of_the_30_days_before_its_sale(empty: Storage) -> None:
    save_new(empty, make_advertiser(country="FR"))
    sell(empty, FULL_PRICE, at_ms=NOW_MS - 40 * DAY_MS)
    assert reference(empty) is None
    sell(empty, SALE, at_ms=NOW_MS)
    assert reference(empty) == 100_000_000
    [listed] = empty.catalogue.page(ADVERTISER, -1, 9)
    assert listed.reference_price_micros == 100_000_000


@pytest.mark.parametrize("account", [{"country": "GB"}, {"country": "FR", "trust_reference_price": True}])
def test_where_the_lowest_is_not_asked_for_a_product_is_read_with_its_own_price(
    empty: Storage, account: dict[str, object]
) -> None:
    save_new(empty, make_advertiser(**account))
    sell(empty, SALE)
    assert reference(empty) == 120_000_000


def test_another_country_or_trust_counts_at_once(empty: Storage) -> None:
    save_new(empty, make_advertiser())
    sell(empty, SALE)
    assert reference(empty) is None
    assert save(empty, make_advertiser(trust_reference_price=True, version=2)).result is Result.SAVED
    assert reference(empty) == 120_000_000


def test_a_product_that_left_the_catalogue_begins_anew(empty: Storage) -> None:
    sell(empty, FULL_PRICE, at_ms=NOW_MS - 40 * DAY_MS, feed_key=3)
    empty.writer.commit(RemoveProductsNotIn(feed_key=3, import_key=2))
    assert empty.catalogue.price_history(FULL_PRICE.key) is None
    sell(empty, SALE, feed_key=3)
    assert reference(empty) is None


def test_what_is_saved_without_a_time_is_not_known(empty: Storage) -> None:
    sell(empty, FULL_PRICE, at_ms=NOW_MS - 40 * DAY_MS)
    put(empty, FULL_PRICE)
    assert empty.catalogue.price_history(FULL_PRICE.key) is None


def test_sales_are_counted_by_what_may_be_struck_through_while_they_last(empty: Storage) -> None:
    month_ago = NOW_MS - 40 * DAY_MS
    sell(empty, FULL_PRICE, make_product("plain"), at_ms=month_ago)
    sell(empty, SALE, make_product("new", sale_price_micros=Micros(1)), at_ms=NOW_MS)
    later = make_product("later", sale_price_micros=Micros(1), sale_from_ms=NOW_MS + DAY_MS)
    sell(empty, later, at_ms=NOW_MS - 1)
    over = make_product("over", sale_price_micros=Micros(1), sale_until_ms=NOW_MS)
    sell(empty, over, at_ms=NOW_MS - 2)
    assert sorted(empty.catalogue.on_sale(ADVERTISER, NOW_MS), key=lambda one: one.strike) == [
        StrikeCount(Strike.KNOWN_TOO_SHORT, 1, NOW_MS, NOW_MS),
        StrikeCount(Strike.LOWEST, 1, month_ago, month_ago),
    ]
    counted = {one.strike: one.products for one in empty.catalogue.on_sale(ADVERTISER, NOW_MS + DAY_MS)}
    assert counted == {Strike.KNOWN_TOO_SHORT: 2, Strike.LOWEST: 1}
    assert empty.catalogue.on_sale(9, NOW_MS) == []


def test_sales_are_counted_without_reading_the_products(empty: Storage) -> None:
    plan = empty.reader.rows(f"EXPLAIN QUERY PLAN {ON_SALE}", {"advertiser_key": 1, "now_ms": 1})
    assert "COVERING INDEX products_on_sale" in plan[0][3]
