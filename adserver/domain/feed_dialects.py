"""The XML feeds that shops write, each of whose rows becomes Google's fields."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from adserver.domain.catalogue import FeedFormat
from adserver.domain.feed import Note, Rejection
from adserver.domain.feed_columns import FIELDS, add_pictures, google_fields, prices
from adserver.domain.feed_element import Dialect, Parsed, children_of, local_name, text_of, texts_by_name
from adserver.domain.feed_file import FeedError, FeedRefusal
from adserver.domain.feed_wordpress import WordPress

# As lxml writes them before a name, without the closing brace.
_GOOGLE_NAMESPACES = frozenset(
    f"{{{scheme}://base.google.com/ns/1.0{end}" for scheme in ("http", "https") for end in ("", "/")
)
_PLAIN_NAMESPACES = frozenset(("", "{http://www.w3.org/2005/Atom"))
_ATOM_NAMES = {"summary": "description", "content": "description"}
_MOST_CATEGORIES_DEEP = 10


def dialect_of(root: Any) -> Dialect:
    """The kind of feed that begins with this element."""
    name = local_name(root)
    if name == "rss" and any("wordpress.org/export/" in address for address in root.nsmap.values()):
        return WordPress()
    if name in ("rss", "feed"):
        return Google()
    if name == "SHOP":
        return Heureka()
    if name == "yml_catalog":
        return Yandex()
    if name in Plain.ROOTS:
        return Plain(name)
    detail = f"its first element is <{name[:60]}>, not <rss>, <feed>, <products>, <SHOP> or <yml_catalog>"
    raise FeedError(FeedRefusal.NOT_A_PRODUCT_FEED, detail, root.sourceline)


class Google:
    """Google Merchant's RSS 2.0 and Atom."""

    format = FeedFormat.GOOGLE_XML
    row_parents: Mapping[str, tuple[str, ...]] = {"item": ("channel", "rss"), "entry": ("feed",)}
    begins_at_once = True

    def begin(self, first_row: Any) -> None:
        """Nothing there is of use."""

    def row(self, element: Any) -> Parsed:
        """Its own fields, Google's before the plain ones of RSS and Atom; of repeated ones the first."""
        google: dict[str, str] = {}
        plain: dict[str, str] = {}
        pictures: list[str] = []
        for child in children_of(element):
            namespace, _, name = child.tag.rpartition("}")
            if namespace in _PLAIN_NAMESPACES:
                found, name = plain, _ATOM_NAMES.get(name, name)
            elif namespace in _GOOGLE_NAMESPACES:
                found = google
            else:
                continue
            if name == "additional_image_link":
                pictures.append(text_of(child))
            elif name in FIELDS and name not in found and (text := _google_text(child, name)):
                found[name] = text
        fields = plain | google
        if pictures:
            add_pictures(fields, pictures)
        return Parsed(fields)


def _google_text(child: Any, name: str) -> str:
    text = text_of(child)
    if name == "link" and not text and child.get("rel", "alternate") == "alternate":
        return str(child.get("href", "")).strip()  # Atom's way
    return text


class Plain:
    """`<products><product>` and its like with the names of Google's fields, and Meta's `<listings>`."""

    ROOTS: Mapping[str, str] = {
        "products": "product",
        "catalog": "product",
        "catalogue": "product",
        "items": "item",
        "offers": "offer",
        "listings": "listing",
    }
    begins_at_once = True

    def __init__(self, root_name: str) -> None:
        is_meta = root_name == "listings"
        self.format = FeedFormat.META_LISTINGS if is_meta else FeedFormat.PLAIN_XML
        self.row_parents: Mapping[str, tuple[str, ...]] = {self.ROOTS[root_name]: (root_name,)}

    def begin(self, first_row: Any) -> None:
        """Nothing there is of use."""

    def row(self, element: Any) -> Parsed:
        """Its fields by any name that is known; a picture may lie in an `<image><url>`."""
        named: dict[str, list[str]] = {}
        for child in children_of(element):
            address = child.find("{*}url") if len(child) else None
            text = text_of(child if address is None else address)
            if text and (address is not None or not len(child)):
                named.setdefault(local_name(child), []).append(text)
        return Parsed(google_fields(named))


class Heureka:
    """Heureka's `<SHOP><SHOPITEM>`, which Zboží, Jyxo and other price comparisons took over."""

    format = FeedFormat.HEUREKA_XML
    row_parents: Mapping[str, tuple[str, ...]] = {"SHOPITEM": ("SHOP",), "ITEM": ("SHOP",)}
    begins_at_once = True

    _NAMES = (
        ("id", ("ITEM_ID", "CODE")),
        ("title", ("PRODUCTNAME", "PRODUCT")),
        ("description", ("DESCRIPTION",)),
        ("link", ("URL",)),
        ("image_link", ("IMGURL",)),
        ("price", ("PRICE_VAT",)),
        ("currency", ("CURRENCY",)),
        ("brand", ("MANUFACTURER",)),
        ("gtin", ("EAN",)),
        ("mpn", ("PRODUCTNO",)),
        ("item_group_id", ("ITEMGROUP_ID",)),
        ("product_type", ("CATEGORYTEXT",)),
    )
    _CONDITIONS: Mapping[str, str] = {
        "new": "new",
        "bazaar": "used",
        "bazar": "used",
        "used": "used",
        "refurbished": "refurbished",
    }
    _SITE = re.compile(r"^\s*heureka\.[a-z]{2}\s*\|\s*", re.IGNORECASE)

    def begin(self, first_row: Any) -> None:
        """Nothing there is of use."""

    def row(self, element: Any) -> Parsed:
        """Its fields; a price that is told without tax gets the tax that is told beside it."""
        named = texts_by_name(element)
        fields = {
            field: next(named[name][0] for name in names if name in named)
            for field, names in self._NAMES
            if any(name in named for name in names)
        }
        if "product_type" in fields:
            category = self._SITE.sub("", fields["product_type"])
            fields["product_type"] = re.sub(r"\s*\|\s*", " > ", category).strip(" >")
        elif (category := element.findtext("{*}CATEGORIES/{*}CATEGORY")) is not None:
            fields["product_type"] = category.strip()
        condition = self._CONDITIONS.get(named.get("ITEM_TYPE", [""])[0].lower())
        if condition is not None:
            fields["condition"] = condition
        add_pictures(fields, [*named.get("IMGURL", []), *named.get("IMGURL_ALTERNATIVE", [])])
        return self._with_price(fields, named)

    def _with_price(self, fields: dict[str, str], named: dict[str, list[str]]) -> Parsed:
        if "price" in fields or "PRICE" not in named:
            return Parsed(fields)
        price = _with_tax(named["PRICE"][0], named.get("VAT", [""])[0])
        if price is None:
            return Parsed(fields, Rejection.PRICE_WITHOUT_TAX)
        fields["price"] = price
        return Parsed(fields, notes=(Note.TAX_ADDED,))


def _with_tax(net: str, rate: str) -> str | None:
    """A price with its tax, to the cent; the rate is written `20`, `21%`, `0.2` or `0,20`."""
    try:
        amount = Decimal(re.sub(r"[\s\u00a0]", "", net).replace(",", "."))
        share = Decimal(rate.strip(" %").replace(",", "."))
    except InvalidOperation:
        return None
    share = share / 100 if share > 1 else share
    if not (amount.is_finite() and share.is_finite()) or not 0 <= share < 1:
        return None
    return str(round(amount * (1 + share), 2))


class Yandex:
    """Yandex Market's YML: categories first, then `<offer id= available= group_id=>`."""

    format = FeedFormat.YANDEX_YML
    row_parents: Mapping[str, tuple[str, ...]] = {"offer": ("offers",)}
    begins_at_once = False

    _NAMES = (
        ("link", "url"),
        ("price", "price"),
        ("description", "description"),
        ("brand", "vendor"),
        ("mpn", "vendorCode"),
        ("gtin", "barcode"),
        ("currency", "currencyId"),
    )
    _OLD_CODES: Mapping[str, str] = {"RUR": "RUB"}  # what Yandex calls the rouble to this day

    def __init__(self) -> None:
        self._categories: dict[str, tuple[str, str | None]] = {}
        self._currency: str | None = None

    def begin(self, first_row: Any) -> None:
        """The categories that offers name by number, and the currency whose rate is 1."""
        shop = first_row.getparent().getparent()
        if shop is None:
            return
        for category in shop.iterfind("{*}categories/{*}category"):
            self._categories[category.get("id", "")] = (text_of(category), category.get("parentId"))
        for currency in shop.iterfind("{*}currencies/{*}currency"):
            if currency.get("rate") in ("1", "1.0"):
                self._currency = currency.get("id")

    def row(self, element: Any) -> Parsed:
        """Its fields; `oldprice` is what is struck through."""
        named = texts_by_name(element)
        fields = {field: named[name][0] for field, name in self._NAMES if name in named}
        fields["id"] = element.get("id", "")
        fields["title"] = self._title(named)
        fields["item_group_id"] = element.get("group_id", "")
        fields["availability"] = "out_of_stock" if element.get("available") == "false" else "in_stock"
        fields["product_type"] = self._path(named.get("categoryId", [""])[0])
        code = fields.get("currency") or self._currency
        if code:
            fields["currency"] = self._OLD_CODES.get(code.upper(), code)
        pictures = named.get("picture", [])
        if pictures:
            fields["image_link"] = pictures[0]
        add_pictures(fields, pictures[1:])
        fields |= prices(fields.get("price", ""), named.get("oldprice", [""])[0])
        return Parsed({name: text for name, text in fields.items() if text})

    def _title(self, named: dict[str, list[str]]) -> str:
        parts = [named[name][0] for name in ("typePrefix", "vendor", "model") if name in named]
        return named["name"][0] if "name" in named else " ".join(parts)

    def _path(self, category_id: str) -> str:
        names: list[str] = []
        while category_id in self._categories and len(names) < _MOST_CATEGORIES_DEEP:
            name, parent = self._categories[category_id]
            names.insert(0, name)
            category_id = parent or ""
        return " > ".join(names)
