"""Cards become an iframe document: Jinja2 when a look or a product changes, byte joins per request."""

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from html import escape

import msgspec
from markupsafe import Markup
from markupsafe import escape as markup_of

from creatives.assets import template, text_of
from creatives.card import MEDIA_ADDRESS_PATTERN, Card, Look
from creatives.colour import badge_colour, mixed, readable_on_white, safe_colour, text_on
from creatives.formats import Format
from creatives.labels import labels_for, spoken_language
from creatives.price import PriceTag, price_tag
from creatives.text import plain_text

__all__ = [
    "Beacons",
    "Document",
    "Fragment",
    "HouseDocument",
    "Look",
    "UnsafeAddress",
    "card_fragment",
    "compile_document",
    "house_document",
    "message_fragment",
]

# Templates are cut at these characters. No advertiser can forge them: `plain_text` drops control characters.
_SPLICE = "\x00"
_TITLE, _NOW, _WAS, _PICTURE = "\x01", "\x02", "\x03", "\x04"  # a card's own words
_OWN_WORDS = re.compile("([\x01-\x04])")
MOST_CARD_KINDS = 1_000
_PICTURE_HASH = re.compile(r"[A-Za-z0-9_-]{1,128}")
_LONG_PRICE_CHARACTERS = 16  # now and was together: beyond this they stand on two lines
_HUGE_PRICE_CHARACTERS = 12  # the price alone: beyond this it is set smaller
_LONG_NAME_CHARACTERS = 15  # a brand's name: beyond this it is set smaller


class UnsafeAddress(ValueError):
    """A logo or picture that is not one of our own media addresses."""


class Fragment(msgspec.Struct, frozen=True):
    """One card or message without its link; see creatives/ready.py, which keeps them."""

    before: bytes  # up to the link
    after: bytes


class Beacons(msgspec.Struct, frozen=True):
    """Our own addresses for one served ad: `/i?t=...`, `/v?t=...`, `/why?t=...`."""

    impression: str
    viewable: str
    why: str


class Document(msgspec.Struct, frozen=True):
    """An iframe document with holes for what differs per request."""

    content_security_policy: str  # without frame-ancestors: only the web room knows the publisher
    heads: tuple[bytes, ...]  # heads[n - 1] is laid out for n cards
    between_beacons: bytes
    before_why: bytes
    before_cards: bytes
    tail: bytes

    def render(self, fragments: Sequence[Fragment], links: Sequence[str], beacons: Beacons) -> bytes:
        """The document for 1 to `format.cards` fragments, each with its link.

        All addresses are escaped in one go, which costs a third of escaping them one by one.
        """
        if not 1 <= len(fragments) <= len(self.heads):
            raise ValueError(f"1 to {len(self.heads)} fragments fit")
        together = "\n".join((beacons.impression, beacons.viewable, beacons.why, *links))
        escaped = escape(together).encode("utf-8", "replace").split(b"\n")
        if len(escaped) != len(fragments) + 3:
            raise ValueError("as many links as fragments, and no line breaks in addresses")
        parts = [
            self.heads[len(fragments) - 1],
            escaped[0],
            self.between_beacons,
            escaped[1],
            self.before_why,
            escaped[2],
            self.before_cards,
        ]
        for fragment, link in zip(fragments, escaped[3:], strict=True):
            parts += (fragment.before, link, fragment.after)
        parts.append(self.tail)
        return b"".join(parts)


class HouseDocument(msgspec.Struct, frozen=True):
    """What stands in a slot that nobody bought: no link and no beacon; its script tells the page so."""

    content_security_policy: str
    body: bytes


def card_fragment(card: Card, look: Look) -> Fragment:
    """One product. It is the same in every format, and among any number of cards: style sheets adapt it."""
    tag = price_tag(card, look.offer, look.language)
    picture = card.picture if card.picture and _PICTURE_HASH.fullmatch(card.picture) else None
    pieces = _card_pieces(
        look.language,
        card.language,
        tag.badge,
        has_picture=picture is not None,
        has_was=tag.was is not None,
        long_price=len(tag.now) + len(tag.was or "") > _LONG_PRICE_CHARACTERS,
        huge_price=len(tag.now) > _HUGE_PRICE_CHARACTERS,
    )
    words = {
        _TITLE: markup_of(plain_text(card.title)),
        _NOW: markup_of(tag.now),
        _WAS: markup_of(tag.was or ""),
        _PICTURE: picture or "",
    }
    return _fragment("".join([words.get(piece, piece) for piece in pieces]))


@lru_cache(maxsize=MOST_CARD_KINDS)
def _card_pieces(
    language: str,
    card_language: str,
    badge: str | None,
    *,
    has_picture: bool,
    has_was: bool,
    long_price: bool,
    huge_price: bool,
) -> tuple[str, ...]:
    """The template between a card's own words: Jinja2 runs once for all cards of a kind, not for each."""
    html = template("card.html.j2").render(
        splice=_SPLICE,
        title=_TITLE,
        picture=_PICTURE if has_picture else None,
        tag=PriceTag(_NOW, _WAS if has_was else None, badge),
        long_price=long_price,
        huge_price=huge_price,
        card_language=plain_text(card_language),
        language=language,
        labels=labels_for(language),
    )
    return tuple(_OWN_WORDS.split(html))


def message_fragment(look: Look, format_: Format) -> Fragment:
    """The advertiser's own words, for services without products."""
    if look.message is None:
        raise ValueError("a look without a message has no message fragment")
    html = template("message.html.j2").render(
        splice=_SPLICE,
        headline=plain_text(look.message.headline),
        body=plain_text(look.message.body),
        button=plain_text(look.message.button) or labels_for(look.language).see_it,
        picture=_own_media(look.message.picture),
        format=format_,
    )
    return _fragment(html)


def compile_document(look: Look, format_: Format) -> Document:
    """All of a document that does not depend on the visitor; raises UnsafeColour or UnsafeAddress."""
    style, script = _style(look, format_), text_of("beacons.js")
    html = template("document.html.j2").render(
        splice=_SPLICE,
        style=Markup(style),  # noqa: S704 - our own text with checked colours
        script=Markup(script),  # noqa: S704 - a file of ours
        brand_name=plain_text(look.brand.name),
        logo=_own_media(look.brand.logo),
        code=plain_text(look.offer.code) if look.offer and look.offer.code else None,
        long_name=len(look.brand.name) > _LONG_NAME_CHARACTERS,
        labels=labels_for(look.language),
        language=spoken_language(look.language),
        format=format_,
    )
    before_count, after_count, *rest = html.encode().split(_SPLICE.encode())
    counts = range(1, format_.cards + 1)
    heads = tuple(before_count + str(count).encode() + after_count for count in counts)
    return Document(_policy(style, script), heads, *rest)


def house_document(format_: Format, language: str, on_empty: str = "house") -> HouseDocument:
    """A calm creative of our own for an empty slot; `on_empty` is told to the page that frames it."""
    style, script = template("house.css.j2").render(format=format_), text_of("empty.js")
    html = template("house.html.j2").render(
        style=Markup(style),  # noqa: S704 - our own text with checked colours
        script=Markup(script),  # noqa: S704 - a file of ours
        on_empty=on_empty,
        labels=labels_for(language),
        language=spoken_language(language),
        format=format_,
    )
    return HouseDocument(_policy(style, script), html.encode())


def _fragment(html: str) -> Fragment:
    before, after = html.encode("utf-8", "replace").split(_SPLICE.encode())
    return Fragment(before, after)


def _style(look: Look, format_: Format) -> str:
    primary, accent = safe_colour(look.brand.primary), safe_colour(look.brand.accent)
    return template("style.css.j2").render(
        format=format_,
        message=look.template == "message",
        primary=primary,
        on_primary=text_on(primary),
        primary_pressed=mixed(primary, "#000000", 86),
        primary_deep=mixed(primary, "#000000", 80) if text_on(primary) == "#ffffff" else primary,
        badge=badge_colour(accent),
        on_badge=text_on(badge_colour(accent)),
        sale=readable_on_white(accent),
    )


def _own_media(address: str | None) -> str | None:
    if address is not None and not MEDIA_ADDRESS_PATTERN.fullmatch(address):
        raise UnsafeAddress(address[:80])
    return address


def _policy(style: str, script: str) -> str:
    return (
        "default-src 'none'; img-src 'self'; connect-src 'self'; "
        f"style-src {_source_hash(style)}; script-src {_source_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _source_hash(block: str) -> str:
    """A CSP source for an inline block, which must stand in the document to the byte."""
    digest = hashlib.sha256(block.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
