"""Product sets: which of an advertiser's products a campaign shows, by rules over the catalogue."""

from enum import StrEnum
from functools import lru_cache

import msgspec

from adserver.domain.catalogue import Product
from adserver.domain.category import MOST_REMEMBERED, path_of, plain
from adserver.domain.money import Micros

MOST_JUDGED = 100_000  # products of all sets, of about a hundred bytes each


class SetRule(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is said of a product. All that is said must hold; of a list, for one of its words.

    Letters' case and spaces do not matter. `categories` are beginnings of `product_type` or
    `google_product_category`, step by step: `Shoes > Running` holds `Shoes > Running > Trail`.
    """

    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()  # any of the five custom labels
    item_ids: tuple[str, ...] = ()
    price_min_micros: Micros | None = None  # of what is asked now, both ends included
    price_max_micros: Micros | None = None
    on_sale: bool | None = None


class ProductSet(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """Products to which any of `inclusions` applies (all, where there are none) and none of `exclusions`."""

    key: int
    advertiser_key: int
    name: str
    inclusions: tuple[SetRule, ...] = ()
    exclusions: tuple[SetRule, ...] = ()
    version: int = 1
    created_at_ms: int = 0


class SetRefusal(StrEnum):
    """Why a set is not saved."""

    SAYS_NOTHING = "set_says_nothing"
    RULE_SAYS_NOTHING = "rule_says_nothing"
    PRICES_REVERSED = "prices_reversed"


def check(product_set: ProductSet) -> SetRefusal | None:
    rules = (*product_set.inclusions, *product_set.exclusions)
    if not rules:
        return SetRefusal.SAYS_NOTHING
    if any(rule == SetRule() for rule in rules):
        return SetRefusal.RULE_SAYS_NOTHING
    reversed_ = (
        rule.price_min_micros is not None
        and rule.price_max_micros is not None
        and rule.price_min_micros > rule.price_max_micros
        for rule in rules
    )
    return SetRefusal.PRICES_REVERSED if any(reversed_) else None


@lru_cache(maxsize=MOST_REMEMBERED)
def _paths_of(category: str) -> tuple[tuple[str, ...], ...]:
    """The category with all those above it."""
    path = path_of(category)
    return tuple(path[: length + 1] for length in range(len(path)))


class _Rule:
    """A rule with its words as they are compared."""

    def __init__(self, rule: SetRule) -> None:
        self._rule = rule
        self._categories = frozenset(map(path_of, rule.categories))
        self._brands = frozenset(map(plain, rule.brands))
        self._labels = frozenset(map(plain, rule.labels))
        self._item_ids = frozenset(rule.item_ids)

    def holds(self, product: Product, asked: Micros, on_sale: bool) -> bool:
        """Of the product as it is at a moment, cheap questions first."""
        rule = self._rule
        return (
            (rule.on_sale is None or rule.on_sale is on_sale)
            and (rule.price_min_micros is None or asked >= rule.price_min_micros)
            and (rule.price_max_micros is None or asked <= rule.price_max_micros)
            and (not self._item_ids or product.item_id in self._item_ids)
            and (not self._brands or plain(product.brand or "") in self._brands)
            and (not self._labels or not self._labels.isdisjoint(map(plain, product.custom_labels)))
            and (not self._categories or self._is_within(product))
        )

    def _is_within(self, product: Product) -> bool:
        categories = filter(None, (product.product_type, product.google_product_category))
        return not all(map(self._categories.isdisjoint, map(_paths_of, categories)))


class Judge:
    """Says which products belong to a set."""

    def __init__(self, product_set: ProductSet) -> None:
        self._inclusions = [_Rule(rule) for rule in product_set.inclusions]
        self._exclusions = [_Rule(rule) for rule in product_set.exclusions]

    def holds(self, product: Product, now_ms: int) -> bool:
        return self._holds(product, product.asked_micros(now_ms), product.is_on_sale(now_ms))

    def in_and_out_of_sale(self, product: Product) -> tuple[bool, bool]:
        """Whether it belongs to the set while its sale is on, and otherwise; time changes nothing else."""
        full = self._holds(product, product.price_micros, False)
        sale = product.sale_price_micros
        if sale is None or sale >= product.price_micros:
            return full, full
        return self._holds(product, sale, True), full

    def _holds(self, product: Product, asked: Micros, on_sale: bool) -> bool:
        for rule in self._exclusions:
            if rule.holds(product, asked, on_sale):
                return False
        return not self._inclusions or any(rule.holds(product, asked, on_sale) for rule in self._inclusions)


class _Kept:
    """A set, and what was found out of the products that ads might show."""

    def __init__(self, product_set: ProductSet) -> None:
        self.judge = Judge(product_set)
        self.found: dict[int, tuple[Product, bool, bool]] = {}  # in sale, and otherwise


class Members:
    """A worker's sets; a product is judged when it is first asked of, and again when it or the set changed.

    Whoever reads the catalogue anew hands in another object: so a changed product is never taken for the old.
    """

    def __init__(self, most: int = MOST_JUDGED) -> None:
        self._most = most
        self._sets: dict[int, _Kept] = {}
        self._count = 0

    def put(self, product_set: ProductSet) -> None:
        """Any thread may; who is judging by the set's former state ends with that."""
        before = self._sets.get(product_set.key)
        self._sets[product_set.key] = _Kept(product_set)
        self._count -= 0 if before is None else len(before.found)

    def holds(self, set_key: int, now_ms: int, product: Product) -> bool:
        """Whether the product belongs to the set now; none does where the set is not known yet."""
        kept = self._sets.get(set_key)
        if kept is None:
            return False
        found = kept.found.get(product.key)
        if found is None or found[0] is not product:
            found = self._judge(kept, product)
        _, in_sale, otherwise = found
        return in_sale if in_sale is otherwise or product.is_on_sale(now_ms) else otherwise

    def _judge(self, kept: _Kept, product: Product) -> tuple[Product, bool, bool]:
        if self._count >= self._most:
            for each in list(self._sets.values()):
                each.found = {}
            self._count = 0
        self._count += product.key not in kept.found
        found = kept.found[product.key] = (product, *kept.judge.in_and_out_of_sale(product))
        return found


NO_SETS = Members()
