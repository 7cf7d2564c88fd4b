"""What is kept of the catalogue is what the catalogue holds, as soon as a change of it was told."""

from collections.abc import Iterable
from random import Random
from threading import Thread

import msgspec

from adserver.domain.catalogue import Availability, Product
from adserver.domain.shelf import Shelf
from tests.domain.makers import make_product

SHOPS, ITEMS = (1, 2, 3), range(8)


def key_of(shop: int, item: int) -> int:
    return shop * 100 + item


def product(shop: int, item: int, **fields: object) -> Product:
    return make_product(f"{item}", key=key_of(shop, item), advertiser_key=shop, **fields)


class Catalogue:
    """A plain one, which counts what is read of it."""

    def __init__(self) -> None:
        self.products: dict[int, Product] = {}
        self.read_keys: list[int] = []

    def read(self, keys: Iterable[int]) -> dict[int, Product]:
        asked = list(keys)
        self.read_keys += asked
        return {key: self.products[key] for key in asked if key in self.products}


def test_what_is_kept_is_what_the_catalogue_holds() -> None:
    dice, catalogue, shelf = Random(3), Catalogue(), Shelf(most=12)
    for _ in range(5_000):
        shop, item = dice.choice(SHOPS), dice.choice(ITEMS)
        if dice.random() < 0.2:
            catalogue.products.pop(key_of(shop, item), None)
            if dice.random() < 0.7:
                word = dice.choice(list(Availability))
                catalogue.products[key_of(shop, item)] = product(shop, item, availability=word)
            shelf.forget(shop)
        wanted = {one: [key_of(one, item) for item in dice.sample(ITEMS, 3)] for one in dice.sample(SHOPS, 2)}
        keys = [key for some in wanted.values() for key in some]
        assert shelf.products(wanted, catalogue.read) == {
            key: catalogue.products[key] for key in keys if key in catalogue.products
        }


def test_a_product_is_read_once_and_so_is_one_that_does_not_exist() -> None:
    catalogue, shelf = Catalogue(), Shelf()
    catalogue.products[101] = product(1, 1)
    for _ in range(3):
        assert list(shelf.products({1: [101, 102]}, catalogue.read)) == [101]
    assert catalogue.read_keys == [101, 102]
    shelf.forget(2)
    shelf.products({1: [101]}, catalogue.read)
    assert catalogue.read_keys == [101, 102]


def test_no_more_are_kept_than_there_is_room_for() -> None:
    catalogue, shelf = Catalogue(), Shelf(most=4)
    for shop in SHOPS:
        shelf.products({shop: [key_of(shop, item) for item in range(2)]}, catalogue.read)
    catalogue.read_keys = []
    shelf.products({2: [200, 201], 3: [300, 301], 1: [100]}, catalogue.read)
    assert catalogue.read_keys == [100]


def test_what_was_read_while_the_catalogue_changed_is_not_kept() -> None:
    catalogue, shelf = Catalogue(), Shelf()
    catalogue.products[101] = old = product(1, 1)
    new = msgspec.structs.replace(old, availability=Availability.OUT_OF_STOCK)

    def read_slowly(keys: Iterable[int]) -> dict[int, Product]:
        read = catalogue.read(keys)
        catalogue.products[101] = new
        shelf.forget(1)
        return read

    assert shelf.products({1: [101]}, read_slowly) == {101: old}
    assert shelf.products({1: [101]}, catalogue.read) == {101: new}


def test_a_change_that_is_told_while_a_product_is_put_down_is_not_missed() -> None:
    catalogue, shelf = Catalogue(), Shelf()
    catalogue.products[101] = old = product(1, 1)
    new = msgspec.structs.replace(old, availability=Availability.OUT_OF_STOCK)
    telling: list[Thread] = []

    class Read(dict[int, Product]):
        """Looked into by whoever puts its products down, it lets another thread tell of a change."""

        def get(self, key: int, otherwise: object = None) -> Product:  # type: ignore[override]
            catalogue.products[101] = new
            telling.append(Thread(target=shelf.forget, args=(1,)))
            telling[-1].start()
            telling[-1].join(0.2)
            return self[key]

    assert shelf.products({1: [101]}, lambda keys: Read(catalogue.read(keys))) == {101: old}
    telling[0].join()
    assert shelf.products({1: [101]}, catalogue.read) == {101: new}


def test_descriptions_are_not_kept() -> None:
    catalogue, shelf = Catalogue(), Shelf()
    catalogue.products[101] = product(1, 1, description="long" * 1_000)
    shelf.products({1: [101]}, catalogue.read)
    assert shelf.products({1: [101]}, catalogue.read)[101].description is None
