"""Categories of which nobody is reminded by an ad: what they would tell is nobody else's business."""

import re
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from adserver.domain.catalogue import Product
from adserver.domain.category import path_of, plain

MOST_REMEMBERED = 10_000  # categories: feeds may name any
# Google's categories by name and number, then words in whatever a shop calls its own.
HOUSE_LIST = (
    "Mature >", "772", "773", "780",
    "Health & Beauty > Health Care >", "491",
    "Religious & Ceremonial >", "97",
    "erotic", "erotica", "erotik", "érotique", "sex toys", "sexshop", "lingerie sexy",
    "medicine", "medicines", "prescription", "incontinence", "pregnancy test", "pregnancy tests", "hiv",
    "cannabis", "cbd", "weapons", "firearms", "ammunition", "religious", "addiction", "debt",
)  # fmt: skip
_NO_WORD = re.compile(r"[^\w]+")


class Sensitive:
    """Knows them by a list: `Mature >` is a category with all below it, a number is Google's; else words."""

    def __init__(self, entries: Iterable[str] = HOUSE_LIST) -> None:
        named = [entry.strip() for entry in entries if entry.strip()]
        self._paths = [path_of(entry) for entry in named if entry.endswith(">")]
        self._numbers = frozenset(entry for entry in named if entry.isdecimal())
        others = (entry for entry in named if not entry.endswith(">") and not entry.isdecimal())
        self._words = [f" {_words_of(entry)} " for entry in others]
        self._judged: dict[str, bool] = {}

    def marked(self, products: Mapping[int, Product]) -> dict[int, Product]:
        """The products, each of which says whether it is sensitive."""
        return {
            key: replace(product, sensitive=True) if self.holds(product) else product
            for key, product in products.items()
        }

    def holds(self, product: Product) -> bool:
        categories = (product.google_product_category, product.product_type)
        return any(self._is_sensitive(category) for category in categories if category)

    def _is_sensitive(self, category: str) -> bool:
        judged = self._judged.get(category)
        if judged is None:
            if len(self._judged) >= MOST_REMEMBERED:
                self._judged.clear()
            judged = self._judged[category] = self._judge(category)
        return judged

    def _judge(self, category: str) -> bool:
        path, text = path_of(category), f" {_words_of(category)} "
        return (
            plain(category) in self._numbers
            or any(path[: len(above)] == above for above in self._paths)
            or any(word in text for word in self._words)
        )


def _words_of(text: str) -> str:
    return _NO_WORD.sub(" ", plain(text)).strip()
