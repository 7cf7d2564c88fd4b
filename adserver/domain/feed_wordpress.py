"""WordPress's own export of a WooCommerce shop (WXR): posts, of which some are products."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from adserver.domain.catalogue import FeedFormat
from adserver.domain.feed import Note, Rejection
from adserver.domain.feed_columns import add_pictures
from adserver.domain.feed_element import Parsed, texts_by_name

_MOST_INDEXED = 300_000  # pictures and parents; a larger shop sends a product feed
_CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"
_HIDDEN = frozenset(("exclude-from-catalog", "exclude-from-search"))
_STOCK = {"instock": "in_stock", "outofstock": "out_of_stock", "onbackorder": "backorder"}


# The terms before the first post are let go one by one, as if they were posts: a shop may have many.
_ROW_PARENTS: Mapping[str, tuple[str, ...]] = {"item": ("channel", "rss")} | dict.fromkeys(
    ("author", "category", "tag", "term"), ("channel",)
)


class _Parent(NamedTuple):
    item_id: str
    category: str
    is_shown: bool


class WordPressIndex:
    """The first reading of an export: what its pictures' and products' numbers mean."""

    format = FeedFormat.WOOCOMMERCE_XML
    row_parents = _ROW_PARENTS
    begins_at_once = False

    def __init__(self) -> None:
        self.pictures: dict[str, str] = {}
        self.parents: dict[str, _Parent] = {}

    def begin(self, first_row: Any) -> None:
        """Nothing there is of use."""

    def row(self, element: Any) -> None:
        """Remember a picture or a product; nothing of it is a row yet."""
        named = texts_by_name(element)
        post_id, kind = _first(named, "post_id"), _first(named, "post_type")
        if len(self.pictures) + len(self.parents) >= _MOST_INDEXED:
            return
        if kind == "attachment":
            self.pictures[post_id] = _first(named, "attachment_url")
        elif kind == "product":
            item_id = _meta(element).get("_sku") or post_id
            self.parents[post_id] = _Parent(item_id, _category(element), _is_shown(element, named))


class WordPress:
    """The second reading: each product and each variation is a row."""

    format = FeedFormat.WOOCOMMERCE_XML
    row_parents = _ROW_PARENTS
    begins_at_once = False

    def __init__(self, index: WordPressIndex | None = None) -> None:
        self._index = index or WordPressIndex()

    def begin(self, first_row: Any) -> None:
        """Nothing there is of use."""

    def row(self, element: Any) -> Parsed | None:
        """A product or variation; pages, posts and pictures are none."""
        named = texts_by_name(element)
        if _first(named, "post_type") not in ("product", "product_variation"):
            return None
        meta = _meta(element)
        parent = self._index.parents.get(_first(named, "post_parent"))
        fields = _fields(element, named, meta)
        if parent is not None:
            fields |= {"item_group_id": parent.item_id, "product_type": parent.category}
        pictures, notes = self._pictures(meta)
        fields |= pictures
        kind = _terms(element, "product_type")
        shown = _is_shown(element, named) and (parent is None or parent.is_shown)
        if not shown:
            return Parsed(fields, Rejection.NOT_PUBLISHED, notes)
        if "variable" in kind and not meta.get("_regular_price"):
            return Parsed(fields, Rejection.VARIABLE_PRODUCT, notes)
        return Parsed(fields, Rejection.GROUPED_PRODUCT if "grouped" in kind else None, notes)

    def _pictures(self, meta: dict[str, str]) -> tuple[dict[str, str], tuple[Note, ...]]:
        numbers = [meta.get("_thumbnail_id", ""), *meta.get("_product_image_gallery", "").split(",")]
        named = [number.strip() for number in numbers if number.strip() not in ("", "0")]
        links = [link for number in named if (link := self._index.pictures.get(number))]
        fields = {"image_link": links[0]} if links else {}
        add_pictures(fields, links[1:])
        return fields, () if len(links) == len(named) else (Note.IMAGE_NOT_IN_FILE,)


def _fields(element: Any, named: dict[str, list[str]], meta: dict[str, str]) -> dict[str, str]:
    post_id = _first(named, "post_id")
    page_id = _first(named, "post_parent")
    return {
        "id": meta.get("_sku") or post_id,
        "post_id": post_id if page_id in ("", "0") else page_id,
        "title": _first(named, "title"),
        "link": _first(named, "link"),
        "description": element.findtext(_CONTENT) or _first(named, "encoded"),
        "price": meta.get("_regular_price") or meta.get("_price", ""),
        "sale_price": meta.get("_sale_price", ""),
        "sale_price_effective_date": _dates(meta),
        "availability": _STOCK.get(meta.get("_stock_status", ""), ""),
        "product_type": _category(element),
        "gtin": meta.get("_global_unique_id", ""),
    }


def _dates(meta: dict[str, str]) -> str:
    """The times of a sale, which WordPress keeps in seconds since 1970."""
    begin, end = (_moment(meta.get(f"_sale_price_dates_{name}", "")) for name in ("from", "to"))
    return f"{begin}/{end}" if begin or end else ""


def _moment(seconds: str) -> str:
    if not seconds.isdecimal() or len(seconds) > 10:
        return ""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat()


def _is_shown(element: Any, named: dict[str, list[str]]) -> bool:
    return _first(named, "status") == "publish" and not _terms(element, "product_visibility") >= _HIDDEN


def _category(element: Any) -> str:
    found = (one.text for one in element.iterfind("{*}category") if one.get("domain") == "product_cat")
    return (next(found, "") or "").strip()


def _terms(element: Any, domain: str) -> set[str]:
    return {one.get("nicename", "") for one in element.iterfind("{*}category") if one.get("domain") == domain}


def _meta(element: Any) -> dict[str, str]:
    found = (
        (one.findtext("{*}meta_key"), one.findtext("{*}meta_value"))
        for one in element.iterfind("{*}postmeta")
    )
    return {key.strip(): value.strip() for key, value in found if key and value}


def _first(named: dict[str, list[str]], name: str) -> str:
    return named.get(name, [""])[0]
