"""The names that feeds give to a product's fields, and which of Google's each of them means."""

import re
from collections.abc import Iterable, Mapping

from adserver.domain.feed import LABELS, LINK_PLACEHOLDERS
from adserver.domain.feed_price import PriceRejection, read_price

FIELDS = frozenset(
    """
    id title link description image_link additional_image_link availability price sale_price
    sale_price_effective_date brand product_type google_product_category item_group_id mpn gtin condition
    currency
    """.split()
).union(LABELS)

# Where a feed has several names for one field, the earlier counts; Google's own is before all of them.
_ALIASES = {
    "id": "offer_id item_id product_id vehicle_id sku",
    "title": "name product_name product_title",
    "link": "url product_url product_link",
    "image_link": "image image_url picture main_image",
    "additional_image_link": "additional_image_links additional_images additional_image_urls",
    "availability": "in_stock stock quantity inventory",
    "brand": "vendor manufacturer make",
    "product_type": "product_types category categories",
    "gtin": "ean upc barcode isbn",
    "condition": "state_of_vehicle",
    "currency": "currency_code",
}
_OTHER_LETTERS = re.compile(r"[^a-z0-9]+")
_NO_CURRENCY = "XXX"  # ISO 4217's own code for none: two prices of one row are compared, whatever theirs is


def spelling(name: str) -> str:
    """A name without its case, `g:`, spaces and dashes: `g:Image Link` and `imageLink` are one."""
    return _OTHER_LETTERS.sub("", name.strip().lower().removeprefix("g:"))


_MEANINGS = {
    spelling(alias): (field, place)
    for field, aliases in _ALIASES.items()
    for place, alias in enumerate(aliases.split(), start=1)
} | {spelling(field): (field, 0) for field in FIELDS}


def field_named(name: str) -> str | None:
    """The field that a column or element of this name means."""
    meaning = _MEANINGS.get(spelling(name))
    return None if meaning is None else meaning[0]


def best_first(names: Iterable[str]) -> list[tuple[int, str]]:
    """Where the known names stand, and the field that each means; of one field's names the best first."""
    known = [(_MEANINGS[text], index) for index, text in enumerate(map(spelling, names)) if text in _MEANINGS]
    known.sort(key=lambda found: (found[0][1], found[1]))
    return [(index, field) for (field, _), index in known]


def google_fields(named: Mapping[str, list[str]]) -> dict[str, str]:
    """Google's fields out of texts by any name; of what is repeated the first, of pictures all."""
    fields: dict[str, str] = {}
    names = list(named)
    for index, field in best_first(names):
        texts = [text for text in named[names[index]] if text.strip()]
        if texts:
            fields.setdefault(field, texts[0])
            more = texts if field == "additional_image_link" else texts[1:] if field == "image_link" else []
            if more:
                add_pictures(fields, more)
    for name in LINK_PLACEHOLDERS:
        if name not in fields and named.get(name):
            fields[name] = named[name][0]
    return fields


def add_pictures(fields: dict[str, str], links: Iterable[str]) -> None:
    """Further pictures of a product, each once and none that is the first one already."""
    known = [one for one in fields.get("additional_image_link", "").split("\n") if one]
    found = dict.fromkeys([*known, *(one.strip() for one in links)])
    found.pop(fields.get("image_link", "").strip(), None)
    found.pop("", None)
    if found:
        fields["additional_image_link"] = "\n".join(found)


def prices(asked: str, before: str) -> dict[str, str]:
    """Google's two prices out of what is asked now and what was asked before, which may not be more."""
    sale, full = (read_price(price, _NO_CURRENCY) for price in (asked, before))
    if isinstance(sale, PriceRejection) or isinstance(full, PriceRejection) or full[0] <= sale[0]:
        return {"price": asked}
    return {"price": before, "sale_price": asked}
