"""What a merchant's feed may say: the text of each field becomes a Product, or a named Rejection."""

import html
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from urllib.parse import quote

import msgspec

from adserver.domain.catalogue import Availability, Product
from adserver.domain.feed_price import PriceRejection, read_price
from adserver.domain.identity import product_key
from adserver.domain.link import LinkRejection, read_link
from adserver.domain.money import Micros

MOST_TITLE_CHARACTERS = 300
MOST_ID_CHARACTERS = 100  # the pixel accepts no longer one, so such a product could never be recognised
MOST_DESCRIPTION_CHARACTERS = 5_000
MOST_NAME_CHARACTERS = 750
MOST_ADDITIONAL_IMAGES = 10  # as many as Google takes
LABELS = tuple(f"custom_label_{number}" for number in range(5))
LINK_PLACEHOLDERS = ("handle", "post_id", "id")  # of Shopify, of WooCommerce, and of every feed


class Rejection(StrEnum):
    """Why a row of a feed is no product."""

    MISSING_ID = "missing_id"
    BAD_ID = "bad_id"  # too long, or with characters that cannot be seen
    DUPLICATE_ID = "duplicate_id"  # the first row with this id counts
    MISSING_TITLE = "missing_title"
    MISSING_LINK = "missing_link"
    BAD_LINK = "bad_link"
    FOREIGN_LINK = "foreign_link"  # not on one of the advertiser's domains
    MISSING_PRICE = "missing_price"
    BAD_PRICE = "bad_price"
    MISSING_CURRENCY = "missing_currency"
    WRONG_CURRENCY = "wrong_currency"  # not the advertiser's
    FIELD_TOO_LONG = "field_too_long"
    COLUMNS_SHIFTED = "columns_shifted"  # more cells than the header has columns
    NOT_JSON = "not_json"  # a line that is no JSON object
    PRICE_WITHOUT_TAX = "price_without_tax"  # shoppers would be shown less than they are asked
    NOT_PUBLISHED = "not_published"  # the shop itself does not show it
    VARIABLE_PRODUCT = "variable_product"  # it is sold as its variations, which are rows of their own
    GROUPED_PRODUCT = "grouped_product"  # a collection without a price of its own


class Note(StrEnum):
    """What was left out of a product that is in the catalogue all the same."""

    TITLE_CUT = "title_cut"
    BAD_SALE_PRICE = "bad_sale_price"  # not a price, another currency, or not below the price
    BAD_SALE_DATES = "bad_sale_dates"  # without its dates a sale is not shown
    BAD_IMAGE_LINK = "bad_image_link"
    UNKNOWN_AVAILABILITY = "unknown_availability"  # counts as out of stock
    BAD_GTIN = "bad_gtin"
    ID_IS_GROUP_ID = "id_is_group_id"  # pages that name the one cannot be told from pages that name the other
    ID_FROM_HANDLE = "id_from_handle"  # the export gives the variant no SKU
    TAX_ADDED = "tax_added"  # the feed's price is without, and its rate of tax is beside it
    IMAGE_NOT_IN_FILE = "image_not_in_file"  # the export names a picture by a number that it does not explain


class FeedRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows of one advertiser's feed must agree with; None where a file is checked for nobody."""

    advertiser_key: int = 0
    domains: tuple[str, ...] | None = None
    currency: str | None = None
    language: str = "en"  # where the feed does not say
    feed_currency: str | None = None  # of prices that name none
    link_template: str | None = None  # for feeds without links: `https://shop.example/products/{handle}`
    most_field_characters: int = 65_536


def product_of(
    fields: Mapping[str, str], language: str | None, rules: FeedRules
) -> tuple[Product, tuple[Note, ...]] | Rejection:
    """The product that a row's fields describe, with notes on what was left out of it."""
    if any(len(text) > rules.most_field_characters for text in fields.values()):
        return Rejection.FIELD_TOO_LONG
    item_id = _item_id(fields)
    title = _required_title(fields)
    link = _required_link(fields, rules)
    price = _required_price(fields, rules)
    for found in (item_id, title, link, price):
        if isinstance(found, Rejection):
            return found
    assert not isinstance(price, Rejection)
    notes: list[Note] = []
    product = Product(
        key=product_key(rules.advertiser_key, item_id),
        advertiser_key=rules.advertiser_key,
        item_id=item_id,
        title=_cut(title, MOST_TITLE_CHARACTERS, notes),
        link=link,
        price_micros=price[0],
        currency=price[1],
        language=read_language(language) or rules.language,
        description=_text(fields, "description", MOST_DESCRIPTION_CHARACTERS),
        brand=_text(fields, "brand"),
        product_type=_text(fields, "product_type"),
        google_product_category=_text(fields, "google_product_category"),
        item_group_id=_text(fields, "item_group_id"),
        mpn=_text(fields, "mpn"),
        gtin=_gtin(fields, notes),
        custom_labels=_custom_labels(fields),
        condition=_condition(fields),
        image_link=_image_link(fields, notes),
        additional_image_links=_additional_image_links(fields, notes),
        availability=_availability(fields, notes),
    )
    if product.item_group_id == item_id:
        notes.append(Note.ID_IS_GROUP_ID)
    return _with_sale(product, fields, rules, notes), tuple(notes)


# ---- the fields without which there is no product ------------------------------------------------


def _item_id(fields: Mapping[str, str]) -> str | Rejection:
    text = fields.get("id", "").strip()
    if not text:
        return Rejection.MISSING_ID
    plain = len(text) <= MOST_ID_CHARACTERS and text.isprintable() and "\ufffd" not in text
    return text if plain else Rejection.BAD_ID


def _required_title(fields: Mapping[str, str]) -> str | Rejection:
    return read_text(fields.get("title", "")) or Rejection.MISSING_TITLE


def _required_link(fields: Mapping[str, str], rules: FeedRules) -> str | Rejection:
    text = fields.get("link", "").strip() or _link_from(rules.link_template, fields)
    if not text:
        return Rejection.MISSING_LINK
    link = read_link(text, rules.domains)
    return Rejection(link.value) if isinstance(link, LinkRejection) else link


def _link_from(template: str | None, fields: Mapping[str, str]) -> str:
    """The address of a product by the merchant's template; empty where the row lacks what it asks for."""
    link = template or ""
    for name in LINK_PLACEHOLDERS:
        if f"{{{name}}}" in link:
            text = fields.get(name, "").strip()
            if not text:
                return ""
            link = link.replace(f"{{{name}}}", quote(text, safe=""))
    return link


def is_link_template(text: str) -> bool:
    """Whether addresses can be made of it: one of the placeholders, and an address around it."""
    filled = _link_from(text, dict.fromkeys(LINK_PLACEHOLDERS, "1"))
    return filled != text and not isinstance(read_link(filled, None), LinkRejection)


def _required_price(fields: Mapping[str, str], rules: FeedRules) -> tuple[Micros, str] | Rejection:
    text = fields.get("price", "").strip()
    if not text:
        return Rejection.MISSING_PRICE
    price = read_price(text, _currency(fields, rules))
    if isinstance(price, PriceRejection):
        return Rejection(price.value)
    return price if rules.currency in (None, price[1]) else Rejection.WRONG_CURRENCY


def _currency(fields: Mapping[str, str], rules: FeedRules) -> str | None:
    """The currency of prices that name none: the row's own, else the one that the merchant said."""
    code = fields.get("currency", "").strip().upper()
    return code if len(code) == 3 and code.isalpha() and code.isascii() else rules.feed_currency


# ---- the fields a product can do without ---------------------------------------------------------

_COUNT = re.compile(r"-?[0-9]{1,12}(?:\.0+)?")
_CONDITIONS = ("new", "refurbished", "used")
_AVAILABILITIES = {
    "instock": Availability.IN_STOCK,
    "availablefororder": Availability.IN_STOCK,  # Google's word until 2014
    "limitedavailability": Availability.IN_STOCK,
    **dict.fromkeys(("true", "yes"), Availability.IN_STOCK),  # where the column is `in_stock`
    **dict.fromkeys(("false", "no"), Availability.OUT_OF_STOCK),
    "outofstock": Availability.OUT_OF_STOCK,
    "discontinued": Availability.OUT_OF_STOCK,
    "preorder": Availability.PREORDER,
    "backorder": Availability.BACKORDER,
}


def _text(fields: Mapping[str, str], name: str, most_characters: int = MOST_NAME_CHARACTERS) -> str | None:
    text = fields.get(name)
    return _cut(read_text(text), most_characters) or None if text else None


def _condition(fields: Mapping[str, str]) -> str | None:
    condition = fields.get("condition", "").strip().lower()
    return condition if condition in _CONDITIONS else None


def _image_link(fields: Mapping[str, str], notes: list[Note]) -> str | None:
    text = fields.get("image_link", "").strip()
    link = read_link(text, None) if text else None
    if isinstance(link, LinkRejection):
        notes.append(Note.BAD_IMAGE_LINK)
        return None
    return link


_BETWEEN_LINKS = re.compile(r"[\s,;|]+(?=https?://)")


def split_links(text: str) -> list[str]:
    """The addresses of a list; a comma within an address does not part it."""
    return [one.strip() for one in _BETWEEN_LINKS.split(text.strip())] if text.strip() else []


def _additional_image_links(fields: Mapping[str, str], notes: list[Note]) -> tuple[str, ...]:
    texts = split_links(fields.get("additional_image_link", ""))[:MOST_ADDITIONAL_IMAGES]
    links = [read_link(one, None) for one in texts]
    if any(isinstance(link, LinkRejection) for link in links) and Note.BAD_IMAGE_LINK not in notes:
        notes.append(Note.BAD_IMAGE_LINK)
    return tuple(dict.fromkeys(link for link in links if not isinstance(link, LinkRejection)))


def _gtin(fields: Mapping[str, str], notes: list[Note]) -> str | None:
    """A barcode's digits; spreadsheets put an apostrophe before it, people spaces and dashes between."""
    text = fields.get("gtin")
    gtin = re.sub(r"[\s'-]", "", text) if text else None
    if not gtin:
        return None
    if re.fullmatch(r"[0-9]{8}|[0-9]{12,14}", gtin):
        return gtin
    notes.append(Note.BAD_GTIN)
    return None


def _custom_labels(fields: Mapping[str, str]) -> tuple[str, ...]:
    if not any(name in fields for name in LABELS):
        return ()
    labels = [_text(fields, name) or "" for name in LABELS]
    while labels and not labels[-1]:
        labels.pop()
    return tuple(labels)


def _availability(fields: Mapping[str, str], notes: list[Note]) -> Availability:
    text = fields.get("availability", "").strip()
    spelling = re.sub(r"[\s_-]+", "", text).lower()
    if not spelling:
        return Availability.IN_STOCK
    if _COUNT.fullmatch(text):  # how many there are
        return Availability.IN_STOCK if float(text) > 0 else Availability.OUT_OF_STOCK
    known = _AVAILABILITIES.get(spelling.rpartition("/")[2])  # schema.org's `https://schema.org/InStock`
    if known is None:
        notes.append(Note.UNKNOWN_AVAILABILITY)
    return known or Availability.OUT_OF_STOCK


def _with_sale(product: Product, fields: Mapping[str, str], rules: FeedRules, notes: list[Note]) -> Product:
    text = fields.get("sale_price", "").strip()
    if not text:
        return product
    sale = read_price(text, _currency(fields, rules))
    if isinstance(sale, PriceRejection) or sale[1] != product.currency or sale[0] >= product.price_micros:
        notes.append(Note.BAD_SALE_PRICE)
        return product
    dates = read_interval(fields.get("sale_price_effective_date", ""))
    if dates is None:
        notes.append(Note.BAD_SALE_DATES)
        return product
    return msgspec.structs.replace(
        product, sale_price_micros=sale[0], sale_from_ms=dates[0], sale_until_ms=dates[1]
    )


# ---- how the text of a field is read -------------------------------------------------------------

# What is opened and never closed reaches to the end, so that each of these is linear in the text.
_HIDDEN_ELEMENT = re.compile(r"<(script|style)\b[^<>]*>.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<!--.*?(?:-->|\Z)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
_LANGUAGE = re.compile(r"([a-zA-Z]{2,3})(?:[-_][a-zA-Z0-9]{1,8})*")


def read_text(text: str) -> str:
    """One line of plain text: entities that were escaped twice become letters, and markup goes."""
    plain = html.unescape(text)
    if "<" in plain:
        plain = _TAG.sub(" ", _HIDDEN_ELEMENT.sub(" ", plain))
    return " ".join(_CONTROL.sub("", plain).split())


def read_interval(text: str) -> tuple[int | None, int | None] | None:
    """An ISO 8601 interval `from/until` in milliseconds, open where nothing is said; None where it is bad.

    A time without an offset is UTC. An end that is only a day lasts through that day.
    """
    if not text.strip():
        return None, None
    begin, slash, end = text.partition("/")
    try:
        begins_ms, ends_ms = _moment(begin), _moment(end, through_the_day=True)
    except (ValueError, OverflowError):
        return None
    in_order = begins_ms is None or ends_ms is None or begins_ms < ends_ms
    return (begins_ms, ends_ms) if slash and in_order else None


def _moment(text: str, through_the_day: bool = False) -> int | None:
    text = text.strip()
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if through_the_day and _is_day(text):
        moment += timedelta(days=1)
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def read_language(text: str | None) -> str | None:
    """The language of a tag such as `en-GB`, None where it is not one."""
    found = _LANGUAGE.fullmatch(text.strip()) if text else None
    return found[1].lower() if found else None


def _cut(text: str, most_characters: int, notes: list[Note] | None = None) -> str:
    """`text`, cut between two words where it is too long; only a title's cut is worth a note."""
    if len(text) <= most_characters:
        return text
    if notes is not None:
        notes.append(Note.TITLE_CUT)
    head, space, _ = text[: most_characters + 1].rpartition(" ")
    return head if space else text[:most_characters]
