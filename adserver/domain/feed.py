"""What a merchant's feed may say: the text of each field becomes a Product, or a named Rejection."""

import html
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import msgspec

from adserver.domain.catalogue import Availability, Product
from adserver.domain.identity import product_key
from adserver.domain.link import LinkRejection, read_link
from adserver.domain.money import LARGEST, MICROS_PER_UNIT, Micros

MOST_TITLE_CHARACTERS = 300
MOST_ID_CHARACTERS = 100  # the pixel accepts no longer one, so such a product could never be recognised
MOST_DESCRIPTION_CHARACTERS = 5_000
MOST_NAME_CHARACTERS = 750


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


class Note(StrEnum):
    """What was left out of a product that is in the catalogue all the same."""

    TITLE_CUT = "title_cut"
    BAD_SALE_PRICE = "bad_sale_price"  # not a price, another currency, or not below the price
    BAD_SALE_DATES = "bad_sale_dates"  # without its dates a sale is not shown
    BAD_IMAGE_LINK = "bad_image_link"
    UNKNOWN_AVAILABILITY = "unknown_availability"  # counts as out of stock


class FeedRules(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows of one advertiser's feed must agree with; None where a file is checked for nobody."""

    advertiser_key: int = 0
    domains: tuple[str, ...] | None = None
    currency: str | None = None
    language: str = "en"  # where the feed does not say
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
        condition=_condition(fields),
        image_link=_image_link(fields, notes),
        availability=_availability(fields, notes),
    )
    return _with_sale(product, fields, notes), tuple(notes)


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
    text = fields.get("link", "").strip()
    if not text:
        return Rejection.MISSING_LINK
    link = read_link(text, rules.domains)
    return Rejection(link.value) if isinstance(link, LinkRejection) else link


def _required_price(fields: Mapping[str, str], rules: FeedRules) -> tuple[Micros, str] | Rejection:
    text = fields.get("price", "").strip()
    if not text:
        return Rejection.MISSING_PRICE
    price = read_price(text)
    if isinstance(price, Rejection):
        return price
    return price if rules.currency in (None, price[1]) else Rejection.WRONG_CURRENCY


# ---- the fields a product can do without ---------------------------------------------------------

_CONDITIONS = ("new", "refurbished", "used")
_AVAILABILITIES = {
    "instock": Availability.IN_STOCK,
    "availablefororder": Availability.IN_STOCK,  # Google's word until 2014
    "limitedavailability": Availability.IN_STOCK,
    "outofstock": Availability.OUT_OF_STOCK,
    "discontinued": Availability.OUT_OF_STOCK,
    "preorder": Availability.PREORDER,
    "backorder": Availability.BACKORDER,
}


def _text(fields: Mapping[str, str], name: str, most_characters: int = MOST_NAME_CHARACTERS) -> str | None:
    return _cut(read_text(fields.get(name, "")), most_characters) or None


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


def _availability(fields: Mapping[str, str], notes: list[Note]) -> Availability:
    spelling = re.sub(r"[\s_-]+", "", fields.get("availability", "")).lower()
    if not spelling:
        return Availability.IN_STOCK
    known = _AVAILABILITIES.get(spelling.rpartition("/")[2])  # schema.org's `https://schema.org/InStock`
    if known is None:
        notes.append(Note.UNKNOWN_AVAILABILITY)
    return known or Availability.OUT_OF_STOCK


def _with_sale(product: Product, fields: Mapping[str, str], notes: list[Note]) -> Product:
    text = fields.get("sale_price", "").strip()
    if not text:
        return product
    sale = read_price(text)
    if isinstance(sale, Rejection) or sale[1] != product.currency or sale[0] >= product.price_micros:
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

_MOST_PRICE_CHARACTERS = 40
_CODE = re.compile(r"[A-Za-z]{3}")
_GROUP = "[ \u00a0\u2009\u202f'\u2019]"  # spaces, narrow spaces and apostrophes part thousands only
_PLAIN = re.compile(r"[0-9]{1,12}(?:[.,][0-9]{0,18})?")
_GROUPED = re.compile(
    rf"[0-9]{{1,3}}(?:(?:{_GROUP}[0-9]{{3}})+(?:[.,][0-9]{{0,18}})?"
    r"|(?:\.[0-9]{3})+,[0-9]{0,18}|(?:,[0-9]{3})+\.[0-9]{0,18}"
    r"|(?:\.[0-9]{3}){2,}|(?:,[0-9]{3}){2,})"
)
_COMMA_AND_THREE_DIGITS = re.compile(r"[1-9][0-9]{0,2},[0-9]{3}")
_THREE_DECIMALS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))


def read_text(text: str) -> str:
    """One line of plain text: entities that were escaped twice become letters, and markup goes."""
    plain = html.unescape(text)
    if "<" in plain:
        plain = _TAG.sub(" ", _HIDDEN_ELEMENT.sub(" ", plain))
    return " ".join(_CONTROL.sub("", plain).split())


def read_price(text: str) -> tuple[Micros, str] | Rejection:
    """`15.00 USD`, `USD 15.00`, `15,00 EUR`, `1.234,50 EUR` or `1 234,50 CZK` as micros and currency.

    Google's decimal point is a point, so one point is always that. One comma before exactly three digits
    parts thousands; but where the currency has three decimals it says nothing, and nothing is guessed.
    """
    text = text.strip()
    if len(text) > _MOST_PRICE_CHARACTERS:
        return Rejection.BAD_PRICE
    code, number = text[-3:], text[:-3]
    if not _CODE.fullmatch(code):
        code, number = text[:3], text[3:]
    number = number.strip()
    if not _CODE.fullmatch(code):
        return Rejection.MISSING_CURRENCY if _amount(text, "") is not None else Rejection.BAD_PRICE
    micros = _amount(number, code.upper())
    return Rejection.BAD_PRICE if micros is None else (micros, code.upper())


def _amount(number: str, currency: str) -> Micros | None:
    if _COMMA_AND_THREE_DIGITS.fullmatch(number):
        if currency in _THREE_DECIMALS:
            return None
        plain = number.replace(",", "")
    elif _PLAIN.fullmatch(number):
        plain = number.replace(",", ".")
    elif _GROUPED.fullmatch(number):
        plain = _without_groups(number)
    else:
        return None
    micros = round(Decimal(plain) * MICROS_PER_UNIT)
    return Micros(micros) if 0 < micros < LARGEST else None


def _without_groups(number: str) -> str:
    number = re.sub(_GROUP, "", number)
    last = max(number.rfind("."), number.rfind(","))
    if last < 0 or number.count(number[last]) > 1:  # every mark parts thousands
        return number.replace(".", "").replace(",", "")
    return re.sub("[.,]", "", number[:last]) + "." + number[last + 1 :]


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
