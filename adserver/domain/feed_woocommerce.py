"""WooCommerce's product export, whose columns are named in the language of the shop's administrators."""

from collections.abc import Iterator

from adserver.domain.feed import Rejection, split_links
from adserver.domain.feed_columns import add_pictures
from adserver.domain.feed_file import Row
from adserver.domain.feed_table import Table, cell_of, shifted_row

# English, French, German, Spanish, Italian.
_COLUMNS = {
    "post_id": ("id",),
    "kind": ("type", "typ", "tipo"),
    "sku": ("sku", "ugs", "artikelnummer", "cod"),
    "gtin": (
        "gtin, upc, ean, or isbn", "gtin, upc, ean ou isbn", "gtin, upc, ean oder isbn",
        "gtin, upc, ean o isbn",
    ),
    "title": ("name", "nom", "nombre", "nome"),
    "published": ("published", "publié", "veröffentlicht", "publicado", "pubblicato"),
    "visibility": (
        "visibility in catalog", "visibilité dans le catalogue", "sichtbarkeit im katalog",
        "visibilidad en el catálogo", "visibilità nel catalogo",
    ),
    "description": ("description", "beschreibung", "descripción", "descrizione"),
    "short_description": (
        "short description", "description courte", "kurzbeschreibung", "descripción corta",
        "breve descrizione",
    ),
    "sale_begins": (
        "date sale price starts", "date de début de promo", "datum, an dem angebotspreis beginnt",
        "día en que empieza el precio rebajado", "data di inizio del prezzo in offerta",
    ),
    "sale_ends": (
        "date sale price ends", "date de fin de promo", "datum, an dem angebotspreis endet",
        "día en que termina el precio rebajado", "data di fine del prezzo in offerta",
    ),
    "in_stock": ("in stock?", "en stock ?", "vorrätig?", "¿existencias?", "¿en inventario?"),
    "backorders": ("backorders allowed?",),
    "sale_price": ("sale price", "tarif promo", "angebotspreis", "precio rebajado", "prezzo in offerta"),
    "price": ("regular price", "tarif régulier", "regulärer preis", "precio normal", "prezzo di listino"),
    "categories": ("categories", "catégories", "kategorien", "categorías", "categorie"),
    "pictures": ("images", "bilder", "imágenes", "immagini"),
    "parent": ("parent", "übergeordnetes produkt", "superior", "principal", "genitore"),
    "brand": ("brands", "marques", "marken", "marcas", "marchi"),
}  # fmt: skip
WOOCOMMERCE_COLUMNS = frozenset(name for names in _COLUMNS.values() for name in names)
_LEAST_COLUMNS = 4
_VARIABLE = ("variable", "variabel")
_GROUPED = ("grouped", "gruppiert")

Cells = dict[str, str]


def is_woocommerce(columns: set[str]) -> bool:
    """Whether a table is WooCommerce's, which calls the price the regular one."""
    return not columns.isdisjoint(_COLUMNS["price"]) and len(columns & WOOCOMMERCE_COLUMNS) >= _LEAST_COLUMNS


class _Parents:
    """The variable products above: their variations name them by SKU or as `id:12`."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, str, str]] = {}

    def add(self, cells: Cells) -> None:
        post_id, sku = cells.get("post_id", ""), cells.get("sku", "")
        about = (sku or post_id, post_id, cells.get("categories", ""))
        self._known |= {name: about for name in (sku, f"id:{post_id}") if name}

    def of(self, name: str) -> tuple[str, str, str]:
        """Its item id, the number of its page, and its categories."""
        return self._known.get(name, (name.removeprefix("id:"), "", ""))


def woocommerce_rows(table: Table) -> Iterator[Row]:
    """Each product and each variation; those that the shop itself does not sell are named as such."""
    places = {name: table.places(*names) for name, names in _COLUMNS.items()}
    parents = _Parents()
    for record in table.records:
        shifted = shifted_row(table, record, "sku", "id")
        if shifted is not None:
            yield shifted
            continue
        cells = {name: text for name, at in places.items() if (text := cell_of(record.cells, at))}
        if "price" not in cells and "parent" not in cells:
            parents.add(cells)
        yield Row(record.line, _fields(cells, parents), None, record.bytes_read, _rejection(cells))


def _rejection(cells: Cells) -> Rejection | None:
    kind = cells.get("kind", "simple").lower()
    if cells.get("published", "1") not in ("1", "true", "yes") or cells.get("visibility") == "hidden":
        return Rejection.NOT_PUBLISHED
    if "price" in cells:
        return None
    if any(word in kind for word in _VARIABLE):
        return Rejection.VARIABLE_PRODUCT
    return Rejection.GROUPED_PRODUCT if any(word in kind for word in _GROUPED) else None


def _fields(cells: Cells, parents: _Parents) -> dict[str, str]:
    fields = {
        "id": cells.get("sku") or cells.get("post_id", ""),
        "post_id": cells.get("post_id", ""),
        "title": cells.get("title", ""),
        "description": cells.get("description") or cells.get("short_description", ""),
        "price": cells.get("price", ""),
        "sale_price": cells.get("sale_price", ""),
        "sale_price_effective_date": _dates(cells),
        "availability": _availability(cells),
        "brand": cells.get("brand", ""),
        "gtin": cells.get("gtin", ""),
    }
    categories = cells.get("categories", "")
    if "parent" in cells:
        # A variation has no page of its own: its product's is the one that can be opened.
        fields["item_group_id"], fields["post_id"], of_parent = parents.of(cells["parent"])
        categories = categories or of_parent
    fields["product_type"] = categories.partition(",")[0].strip()
    pictures = split_links(cells.get("pictures", ""))
    if pictures:
        fields["image_link"] = pictures[0]
        add_pictures(fields, pictures[1:])
    return fields


def _dates(cells: Cells) -> str:
    begin, end = cells.get("sale_begins", ""), cells.get("sale_ends", "")
    return f"{begin}/{end}" if begin or end else ""


def _availability(cells: Cells) -> str:
    stock = cells.get("in_stock", "1").lower()
    if stock == "backorder":
        return "backorder"
    if stock in ("1", "true", "yes", "instock"):
        return "in_stock"
    return "backorder" if cells.get("backorders", "0") in ("1", "notify") else "out_of_stock"
