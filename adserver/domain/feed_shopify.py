"""Shopify's product export: several rows of one handle are a product, its variants and its pictures."""

import re
from collections.abc import Iterator
from itertools import groupby
from zlib import crc32

from adserver.domain.feed import LABELS, MOST_ID_CHARACTERS, Note, Rejection
from adserver.domain.feed_columns import add_pictures, prices
from adserver.domain.feed_file import FeedError, FeedRefusal, Row
from adserver.domain.feed_table import Record, Table, cell_of, shifted_row

_MOST_RECORDS = 5_000  # of one product: Shopify itself allows 2,048 variants and 250 pictures
_MOST_CHARACTERS = 8 << 20

# Each field's columns, in the exports since 2025 and before.
_COLUMNS = {
    "handle": ("handle", "url handle"),
    "title": ("title",),
    "description": ("body (html)", "description"),
    "brand": ("vendor",),
    "product_type": ("type",),
    "google_product_category": ("google shopping / google product category", "product category"),
    "published": ("published", "published on online store"),
    "status": ("status",),
    "sku": ("variant sku", "sku"),
    "gtin": ("variant barcode", "barcode"),
    "mpn": ("google shopping / mpn",),
    "condition": ("google shopping / condition",),
    "price": ("variant price", "price"),
    "before": ("variant compare at price", "compare-at price"),
    "picture": ("image src", "product image url"),
    "variant_picture": ("variant image", "variant image url"),
    "tracker": ("variant inventory tracker", "inventory tracker"),
    "quantity": ("variant inventory qty", "inventory quantity"),
    "policy": ("variant inventory policy", "continue selling when out of stock"),
    **{f"option_{n}": (f"option{n} value",) for n in (1, 2, 3)},
    **{f"option_name_{n}": (f"option{n} name",) for n in (1, 2, 3)},
    **{label: (f"google shopping / custom label {label[-1]}",) for label in LABELS},
}
SHOPIFY_COLUMNS = frozenset(name for names in _COLUMNS.values() for name in names)
_OF_PRODUCT = (
    "title", "description", "brand", "product_type", "google_product_category", "mpn", "condition", *LABELS,
)  # fmt: skip
_OTHER_LETTERS = re.compile(r"[\W_]+")

Cells = dict[str, str]


def is_shopify(columns: set[str]) -> bool:
    """Whether a table is Shopify's: others may have a handle too, but not its variants' columns."""
    of_variants = any(name.startswith(("variant ", "option1 ")) for name in columns)
    return "title" in columns and ("url handle" in columns or ("handle" in columns and of_variants))


def has_price(columns: set[str]) -> bool:
    """Its export for the customs has none."""
    return not columns.isdisjoint(_COLUMNS["price"])


def shopify_rows(table: Table) -> Iterator[Row]:
    """One row for each variant; what the export says once for the product goes to all of them."""
    places = {name: table.places(*names) for name, names in _COLUMNS.items()}
    for _, group in groupby(table.records, lambda record: cell_of(record.cells, places["handle"])):
        records: list[tuple[Record, Cells]] = []
        characters = 0
        for record in group:
            shifted = shifted_row(table, record, "variant sku", "sku", "handle", "url handle")
            if shifted is not None:
                yield shifted
                continue
            characters += sum(map(len, record.cells))
            if len(records) >= _MOST_RECORDS or characters > _MOST_CHARACTERS:
                raise FeedError(FeedRefusal.TOO_LARGE, "too many rows of one handle", record.line)
            cells = {name: text for name, at in places.items() if (text := cell_of(record.cells, at))}
            records.append((record, cells))
        yield from _variants(records)


def _variants(records: list[tuple[Record, Cells]]) -> Iterator[Row]:
    if not records:
        return
    product = records[0][1]
    pictures = [cells["picture"] for _, cells in records if "picture" in cells]
    variants = [(record, cells) for record, cells in records if _is_variant(cells)]
    for record, cells in variants:
        fields = _fields(product, cells, several=len(variants) > 1)
        if "variant_picture" in cells or pictures:
            fields["image_link"] = cells.get("variant_picture") or pictures[0]
        add_pictures(fields, pictures)
        notes = () if "sku" in cells else (Note.ID_FROM_HANDLE,)
        rejection = None if _is_published(product) else Rejection.NOT_PUBLISHED
        yield Row(record.line, fields, None, record.bytes_read, rejection, notes)


def _is_variant(cells: Cells) -> bool:
    """Rows with nothing but a picture belong to the product above."""
    return any(name in cells for name in ("title", "price", "sku", "option_1"))


def _is_published(product: Cells) -> bool:
    shown = product.get("published", "true").lower() not in ("false", "0", "no")
    return shown and product.get("status", "active").lower() == "active"


def _fields(product: Cells, cells: Cells, several: bool) -> dict[str, str]:
    handle = cells.get("handle", "")
    options = _options(product, cells)
    fields = {name: product[name] for name in _OF_PRODUCT if name in product}
    fields |= {"handle": handle, "gtin": cells.get("gtin", ""), "availability": _availability(cells)}
    fields |= prices(cells.get("price", ""), cells.get("before", ""))
    # Spreadsheets are kept from reading a number by an apostrophe before it.
    fields["id"] = cells.get("sku", "").lstrip("'") or _id_from_handle(handle, options if several else [])
    if several:
        fields["item_group_id"] = handle
        if options and "title" in fields:
            fields["title"] = f"{fields['title']} - {' / '.join(options)}"
    return fields


def _options(product: Cells, cells: Cells) -> list[str]:
    """What tells a variant from the others; an option named Title is Shopify's for "there is none"."""
    return [
        cells[f"option_{n}"]
        for n in (1, 2, 3)
        if f"option_{n}" in cells and product.get(f"option_name_{n}", "").lower() != "title"
    ]


def _id_from_handle(handle: str, options: list[str]) -> str:
    endings = [_OTHER_LETTERS.sub("-", option.lower()).strip("-") for option in options]
    item_id = "-".join([handle, *filter(None, endings)])
    if len(item_id) <= MOST_ID_CHARACTERS:
        return item_id
    ending = f"-{crc32(item_id.encode()):08x}"
    return item_id[: MOST_ID_CHARACTERS - len(ending)] + ending


def _availability(cells: Cells) -> str:
    """Out of stock only where Shopify counts, the count is none, and it sells no more than it has."""
    quantity = cells.get("quantity", "")
    counted_out = bool(re.fullmatch(r"-?[0-9]+", quantity)) and int(quantity) <= 0
    sells_on = cells.get("policy", "deny").lower() in ("continue", "true")
    return "out_of_stock" if "tracker" in cells and counted_out and not sells_on else "in_stock"
