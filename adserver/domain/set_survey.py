"""What a product set would hold of a catalogue: how many, some of them, and which of its words are odd."""

from collections.abc import Iterator
from difflib import get_close_matches
from enum import StrEnum

import msgspec

from adserver.domain.catalogue import Product
from adserver.domain.category import path_of, plain
from adserver.domain.money import Micros
from adserver.domain.product_set import Judge, ProductSet, SetRule

EXAMPLES = 5
MOST_WORDS = 20_000  # of a kind, that are remembered to propose one
MOST_ODDITIES = 20


class Oddity(StrEnum):
    """What of a set is probably not meant."""

    UNKNOWN_CATEGORY = "unknown_category"
    UNKNOWN_BRAND = "unknown_brand"
    UNKNOWN_LABEL = "unknown_label"
    UNKNOWN_ITEM = "unknown_item"
    NO_PRICE_IN_RANGE = "no_price_in_range"
    NOTHING_ON_SALE = "nothing_on_sale"
    HOLDS_NOTHING = "holds_nothing"
    HOLDS_EVERYTHING = "holds_everything"


class Odd(msgspec.Struct, frozen=True):
    """An oddity, of which word, and the nearest one that products have."""

    oddity: Oddity
    word: str | None = None
    meant: str | None = None


class Survey:
    """Looks at every product of an advertiser once, in any order, and remembers little of each."""

    def __init__(self, product_set: ProductSet, now_ms: int) -> None:
        self.size = 0
        self.catalogue_size = 0
        self.examples: list[Product] = []
        self._rules = (*product_set.inclusions, *product_set.exclusions)
        self._judge = Judge(product_set)
        self._now_ms = now_ms
        self._brands: dict[str, str] = {}  # as compared -> as a product writes it
        self._labels: dict[str, str] = {}
        self._categories: dict[tuple[str, ...], str] = {}
        self._unseen_ranges = [rule for rule in self._rules if _has_range(rule)]
        self._on_sale = False
        self._item_ids = {item_id for rule in self._rules for item_id in rule.item_ids}

    def look(self, product: Product) -> None:
        self.catalogue_size += 1
        if self._judge.holds(product, self._now_ms):
            self.size += 1
            if len(self.examples) < EXAMPLES:
                self.examples.append(product)
        asked = product.asked_micros(self._now_ms)
        self._on_sale = self._on_sale or product.is_on_sale(self._now_ms)
        self._item_ids.discard(product.item_id)
        for rule in self._unseen_ranges:
            if _is_in_range(rule, asked):
                self._unseen_ranges = [one for one in self._unseen_ranges if one is not rule]
        self._remember(product)

    def _remember(self, product: Product) -> None:
        if product.brand and len(self._brands) < MOST_WORDS:
            self._brands.setdefault(plain(product.brand), product.brand)
        if len(self._labels) < MOST_WORDS:
            for label in filter(None, product.custom_labels):
                self._labels.setdefault(plain(label), label)
        if len(self._categories) < MOST_WORDS:
            for category in filter(None, (product.product_type, product.google_product_category)):
                if path_of(category) not in self._categories:
                    self._remember_path([step.strip() for step in category.split(">") if step.strip()])

    def _remember_path(self, steps: list[str]) -> None:
        for length in range(1, len(steps) + 1):
            category = " > ".join(steps[:length])
            self._categories.setdefault(path_of(category), category)

    def odd(self) -> list[Odd]:
        """What the one who made the set should look at, the gravest last."""
        found = list(self._odd_words())
        if not self._on_sale and any(rule.on_sale for rule in self._rules):
            found.append(Odd(Oddity.NOTHING_ON_SALE))
        found += [Odd(Oddity.NO_PRICE_IN_RANGE) for _ in self._unseen_ranges]
        del found[MOST_ODDITIES:]
        if not self.size:
            found.append(Odd(Oddity.HOLDS_NOTHING))
        elif self.size == self.catalogue_size:
            found.append(Odd(Oddity.HOLDS_EVERYTHING))
        return found

    def _odd_words(self) -> Iterator[Odd]:
        for rule in self._rules:
            for category in rule.categories:
                if path_of(category) not in self._categories:
                    known = {" > ".join(path): name for path, name in self._categories.items()}
                    yield Odd(Oddity.UNKNOWN_CATEGORY, category, _nearest(plain(category), known))
            for brand in rule.brands:
                if plain(brand) not in self._brands:
                    yield Odd(Oddity.UNKNOWN_BRAND, brand, _nearest(plain(brand), self._brands))
            for label in rule.labels:
                if plain(label) not in self._labels:
                    yield Odd(Oddity.UNKNOWN_LABEL, label, _nearest(plain(label), self._labels))
        yield from (Odd(Oddity.UNKNOWN_ITEM, item_id) for item_id in sorted(self._item_ids))


def _nearest(word: str, known: dict[str, str]) -> str | None:
    near = get_close_matches(word, known, n=1)
    return known[near[0]] if near else None


def _has_range(rule: SetRule) -> bool:
    return rule.price_min_micros is not None or rule.price_max_micros is not None


def _is_in_range(rule: SetRule, asked: Micros) -> bool:
    least, most = rule.price_min_micros, rule.price_max_micros
    return (least is None or asked >= least) and (most is None or asked <= most)
