"""Places that ask for ads, and campaigns that address some of them, thrown by the dice of a seed."""

import random

from adserver.domain.page import Answered, Page, categories_from
from adserver.domain.targeting import DIMENSIONS, NO_TARGETING, Condition, Targeting

# Of each dimension, what a page may be and a campaign may ask for; the hours lie around NOW_MS.
VALUES = {
    "countries": ("FR", "BE"),
    "subdivisions": ("FR-IDF", "BE-WAL"),
    "devices": ("mobile", "desktop"),
    "languages": ("fr", "nl"),
    "sites": ("site_1", "site_2"),
    "publishers": ("pub_1", "pub_2"),
    "categories": ("Sport > Football", "Sport", "Travel"),
    "keywords": ("boots", "rain coat"),
    "hours": ("wed 11-12", "wed 12-13", "wed 00-24"),
}


class Placing:
    """One page, and campaigns of which some address such pages; in five worlds of six all address any."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(-1 - seed)
        self._facts = {
            name: tuple(self.random.sample(values, self.random.choice((0, 1, 1, 1))))
            for name, values in VALUES.items()
        }
        self._by_shop: dict[int, Targeting] = {}
        self._is_asked = seed % 6 == 0

    def page(self) -> Page:
        known = {
            name: frozenset(self._facts[name]) for name in DIMENSIONS if name not in ("hours", "categories")
        }
        answers = tuple(
            Answered(self.random.randint(1, 16), self.random.randint(1, 3), 1)
            for _ in range(self.random.choice((0, 0, 0, 1, 2) if self._is_asked else (0,)))
        )
        rivals = frozenset({self.random.randint(1, 3)} if answers and self.random.random() < 0.3 else ())
        categories = categories_from(",".join(self._facts["categories"]), ())
        return Page(**known, categories=categories, answers=answers, rivals=rivals)

    def spared(self, page: Page) -> frozenset[int]:
        shown = {one.campaign_key for one in page.answers}
        return frozenset(shown if self.random.random() < 0.5 else ())

    def targeting(self, shop_key: int) -> Targeting:
        """Mostly none; else what the shop's other campaigns ask too, or something of its own."""
        if shop_key not in self._by_shop:
            self._by_shop[shop_key] = (
                self.any_targeting() if self._is_asked and self.random.random() < 0.2 else NO_TARGETING
            )
        shops = self._by_shop[shop_key]
        return self.any_targeting() if shops != NO_TARGETING and self.random.random() < 0.2 else shops

    def any_targeting(self) -> Targeting:
        named = self.random.sample(DIMENSIONS, self.random.choice((1, 1, 2)))
        return Targeting(**{name: self._condition(name) for name in named})

    def _condition(self, name: str) -> Condition:
        """Most of them are met where the page's fact is known."""
        wanted, *others = self.random.sample(VALUES[name], len(VALUES[name]))
        if self.random.random() < 0.75 and self._facts[name]:
            wanted = self._facts[name][0]
            others = [one for one in VALUES[name] if one not in self._facts[name]]
        kind = self.random.choice(("in", "in", "not_in", "both"))
        if kind == "both":
            return Condition((wanted,), (others[0],))
        return Condition((wanted,)) if kind == "in" else Condition((), (others[0],))
