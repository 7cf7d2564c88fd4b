"""Card, Offer, Brand, Message and Look: the plain data that every renderer accepts."""

import re

import msgspec

# `fullmatch` it: what is stored as a colour later stands inside a style sheet.
COLOUR_PATTERN = re.compile(r"#[0-9a-fA-F]{6}")
# Our own media only, so that a creative never asks another host for a picture.
MEDIA_ADDRESS_PATTERN = re.compile(r"/media/[A-Za-z0-9_-]+(?:\.[A-Za-z0-9]+)?")


class Offer(msgspec.Struct, frozen=True, gc=False):
    """A discount shown on a card, valid only through the click. Exactly one of the two amounts is set."""

    percent: int | None = None  # 1 to 90
    amount_micros: int | None = None  # in the advertiser's currency
    code: str | None = None  # the same for everybody
    ends_at_ms: int | None = None  # UTC
    pool: bool = False  # each click gets a code of its own, told on landing


class Brand(msgspec.Struct, frozen=True, gc=False):
    """How an advertiser looks. Colours are `#rrggbb`; `logo` is one of our own media addresses."""

    name: str
    primary: str = "#1f3a5f"  # button and header
    accent: str = "#d9480f"  # offers and sale prices
    logo: str | None = None
    theme: str = "light"  # "light", "dark", or "auto": as the reader's system is set


class Message(msgspec.Struct, frozen=True, gc=False):
    """The advertiser's own words and picture, for services that have no products."""

    headline: str
    body: str
    button: str
    picture: str | None = None  # media address


class Card(msgspec.Struct, frozen=True, cache_hash=True):
    """One product as it is drawn. Prices are micros of `currency`, before any Offer.

    `reference_price_micros` is the struck-through price, None when there is none to show.
    `picture` is the content hash of our own thumbnail, None when the product has no usable one.
    """

    product_key: int
    title: str
    price_micros: int
    currency: str
    reference_price_micros: int | None = None
    picture: str | None = None
    brand: str | None = None
    language: str = "en"


class Look(msgspec.Struct, frozen=True, cache_hash=True):
    """Everything about a creative's appearance that does not depend on the visitor."""

    template: str  # "cards", "hero", "carousel", "text" or "message"
    brand: Brand
    offer: Offer | None = None
    message: Message | None = None
    headline: str | None = None  # the advertiser's words above the cards, for the visitor's situation
    button: str | None = None  # the same for each card's button; our own word where None
    language: str = "en"
