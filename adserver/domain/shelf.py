"""What slots asked lately of shops' products, so that it is not read and decoded for each ad."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from threading import Lock
from typing import Generic, TypeVar

import msgspec

from adserver.domain.catalogue import Product

Kind = TypeVar("Kind")

MOST_PRODUCTS = 20_000  # of about a kilobyte each


class Shelf(Generic[Kind]):
    """Of a worker the newest by shop, be it products or what is learnt of them.

    All of a shop's is forgotten when any of its catalogue has changed.
    Any thread may tell of a change: what was being read meanwhile may be older, and is not kept.
    """

    def __init__(self, most: int = MOST_PRODUCTS) -> None:
        self._most = most
        self._shops: dict[int, dict[int, Kind | None]] = {}  # None: not in the catalogue
        self._count = 0
        self._changes = 0
        self._changing = Lock()

    def forget(self, advertiser_key: int) -> None:
        with self._changing:
            self._changes += 1
            self._drop(advertiser_key)

    def products(
        self,
        wanted: Mapping[int, Sequence[int]],
        read: Callable[[Iterable[int]], Mapping[int, Kind]],
    ) -> dict[int, Kind]:
        """Those of the products wanted of each shop that exist, by key; `read` those that are not here."""
        changes, missing = self._changes, list[tuple[int, int]]()
        found: dict[int, Kind] = {}
        for advertiser_key, keys in wanted.items():
            shop = self._shops.get(advertiser_key, {})
            for key in keys:
                product = shop.get(key)
                if product is not None:
                    found[key] = product
                elif key not in shop:
                    missing.append((advertiser_key, key))
        if missing:
            known = read([key for _, key in missing])
            found.update(known)
            with self._changing:
                if changes == self._changes:
                    for advertiser_key, key in missing:
                        self._keep(advertiser_key, key, known.get(key))
        return found

    def _keep(self, advertiser_key: int, key: int, product: Kind | None) -> None:
        """A product without its description: no ad shows it, and it may be long."""
        kept = product
        if isinstance(product, Product):
            kept = msgspec.structs.replace(product, description=None)
        shop = self._shops.setdefault(advertiser_key, {})
        self._count += key not in shop
        shop[key] = kept
        while self._count > self._most:
            self._drop(next(iter(self._shops)))

    def _drop(self, advertiser_key: int) -> None:
        self._count -= len(self._shops.pop(advertiser_key, ()))
