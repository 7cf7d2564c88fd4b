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
from creatives.formats import FRAMES, Format, frame_of
from creatives.labels import direction_of, labels_for, spoken_language
from creatives.price import PriceTag, locale_for, price_tag
from creatives.text import plain_text
from creatives.theme import palettes

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
    "with_sheet",
]

# Templates are cut at these characters. No advertiser can forge them: `plain_text` drops control characters.
_SPLICE = "\x00"
_TITLE, _NOW, _WAS, _PICTURE = "\x01", "\x02", "\x03", "\x04"  # a card's own words
_OWN_WORDS = re.compile("([\x01-\x04])")
MOST_CARD_KINDS = 1_000
_PICTURE_HASH = re.compile(r"[A-Za-z0-9_-]{1,128}")
_THUMBNAIL = re.compile(r"/media/([0-9a-f]{32})\.(?:jpg|webp)")
_LOW_PIXELS = 150  # below this height a message's picture is never wider than a half rendition
_LONG_PRICE_CHARACTERS = 16  # now and was together: beyond this they stand on two lines
_PRICE_CHARACTERS = (7, 9, 11, 13, 16, 20)  # the longer of the two: style sheets fit it to the room by these
_OF_TEMPLATE = re.compile(r"(?<!\()\.t-(\w+)")  # a class of the body that a rule asks for
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
    ends_at_ms: int | None  # the offer's
    heads: tuple[bytes, ...]  # heads[n - 1] is laid out for n cards
    between_beacons: bytes
    before_left: bytes
    before_why: bytes
    before_cards: bytes
    tail: bytes

    def render(
        self, fragments: Sequence[Fragment], links: Sequence[str], beacons: Beacons, now_ms: int
    ) -> bytes:
        """The document for 1 to `format.cards` fragments, each with its link; `now_ms` is the server's clock.

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
            self.before_left,
            b"" if self.ends_at_ms is None else b"%d" % (self.ends_at_ms - now_ms),
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


def card_fragment(card: Card, look: Look, *, lazy: bool = False) -> Fragment:
    """One product. It is the same in every format, and among any number of cards: style sheets adapt it.

    A `lazy` one stands where nobody sees it yet, so that its picture can wait.
    """
    tag = price_tag(card, look.offer, look.language)
    picture = card.picture if card.picture and _PICTURE_HASH.fullmatch(card.picture) else None
    pieces = _card_pieces(
        _CardKind(
            language=look.language,
            card_language=card.language,
            button=look.button,
            badge=tag.badge,
            has_picture=picture is not None,
            has_was=tag.was is not None,
            long_price=len(tag.now) + len(tag.was or "") > _LONG_PRICE_CHARACTERS,
            price_size=_size_of(tag),
            lazy=lazy,
        )
    )
    words = {
        _TITLE: markup_of(plain_text(card.title)),
        _NOW: markup_of(tag.now),
        _WAS: markup_of(tag.was or ""),
        _PICTURE: picture or "",
    }
    return _fragment("".join([words.get(piece, piece) for piece in pieces]))


def _size_of(tag: PriceTag) -> int:
    """The characters to leave room for: one of a few numbers, so that few kinds of cards exist."""
    longest = max(len(tag.now), len(tag.was or ""))
    return next((most for most in _PRICE_CHARACTERS if longest <= most), _PRICE_CHARACTERS[-1])


class _CardKind(msgspec.Struct, frozen=True):
    """What cards have in common that differ in nothing but their own words."""

    language: str
    card_language: str
    button: str | None
    badge: str | None
    has_picture: bool
    has_was: bool
    long_price: bool
    price_size: int
    lazy: bool


@lru_cache(maxsize=MOST_CARD_KINDS)
def _card_pieces(kind: _CardKind) -> tuple[str, ...]:
    """The template between a card's own words: Jinja2 runs once for all cards of a kind, not for each."""
    labels = labels_for(kind.language)
    html = template("card.html.j2").render(
        splice=_SPLICE,
        title=_TITLE,
        picture=_PICTURE if kind.has_picture else None,
        tag=PriceTag(_NOW, _WAS if kind.has_was else None, kind.badge),
        long_price=kind.long_price,
        price_size=kind.price_size,
        lazy=kind.lazy,
        card_language=plain_text(kind.card_language),
        language=kind.language,
        button=plain_text(kind.button or "") or labels.see_it,
        labels=labels,
    )
    return tuple(_OWN_WORDS.split(html))


def message_fragment(look: Look, format_: Format) -> Fragment:
    """The advertiser's own words, for services without products; its picture is as large as the size asks."""
    if look.message is None:
        raise ValueError("a look without a message has no message fragment")
    html = template("message.html.j2").render(
        splice=_SPLICE,
        headline=plain_text(look.message.headline),
        body=plain_text(look.message.body),
        button=plain_text(look.message.button) or labels_for(look.language).see_it,
        picture=_own_media(look.message.picture),
        **_renditions(look.message.picture, format_),
    )
    return _fragment(html)


def _renditions(picture: str | None, format_: Format) -> dict[str, str | None]:
    """A thumbnail of ours in two forms; in a low size the half one, and the whole one for a dense screen."""
    found = _THUMBNAIL.fullmatch(picture or "")
    if found is None:
        return {"rendition": None, "dense": None}
    whole = found[1]
    is_low = 0 < format_.height < _LOW_PIXELS
    return {"rendition": f"{whole}-half", "dense": whole} if is_low else {"rendition": whole, "dense": None}


def compile_document(look: Look, format_: Format) -> Document:
    """All of a document that does not depend on the visitor; raises UnsafeColour or UnsafeAddress."""
    style, script = _style(look, format_), _script(look)
    html = template("document.html.j2").render(
        splice=_SPLICE,
        style=Markup(style),  # noqa: S704 - our own text with checked colours
        script=Markup(script),  # noqa: S704 - files of ours
        template=look.template,
        brand_name=plain_text(look.brand.name),
        logo=_own_media(look.brand.logo),
        headline=plain_text(look.headline or ""),
        long_name=len(look.brand.name) > _LONG_NAME_CHARACTERS,
        labels=labels_for(look.language),
        language=spoken_language(look.language),
        direction=direction_of(look.language),
        format=format_,
        **_offer_words(look),
    )
    before_count, after_count, *rest = html.encode().split(_SPLICE.encode())
    counts = range(1, format_.cards + 1)
    heads = tuple(before_count + str(count).encode() + after_count for count in counts)
    ends_at_ms = look.offer.ends_at_ms if look.offer else None
    return Document(_policy(style, script), ends_at_ms, heads, *rest)


def _offer_words(look: Look) -> dict[str, object]:
    """What is said about the offer above the cards; its amount stands on them."""
    offer = look.offer
    code = None if offer is None or offer.pool or not offer.code else plain_text(offer.code)
    pool = offer is not None and offer.pool
    ends_at_ms = offer.ends_at_ms if offer else None
    locale = locale_for(spoken_language(look.language))
    return {
        "code": code,
        "pool": pool,
        "ends_at_ms": ends_at_ms,
        "offer_words": bool(code or pool or ends_at_ms is not None),
        # The same digits as in our prices, whatever the browser would choose.
        "locale": f"{locale.language}-u-nu-{locale.default_numbering_system}",
    }


def house_document(format_: Format, language: str, on_empty: str = "house") -> HouseDocument:
    """A calm creative of our own for an empty slot; `on_empty` is told to the page that frames it."""
    style, script = template("house.css.j2").render(format=format_), text_of("empty.js")
    html = template("house.html.j2").render(
        style=Markup(style),  # noqa: S704 - our own text with checked colours
        script=Markup(script),  # noqa: S704 - a file of ours
        on_empty=on_empty,
        labels=labels_for(language),
        language=spoken_language(language),
        direction=direction_of(language),
        format=format_,
    )
    return HouseDocument(_policy(style, script), html.encode())


def with_sheet(body: bytes, sheet: str) -> bytes:
    """A document, or the house's, that hands what is sealed there to the page that frames it."""
    return body.replace(b"<body ", b'<body data-page="%s" ' % escape(sheet).encode(), 1)


def _fragment(html: str) -> Fragment:
    before, after = html.encode("utf-8", "replace").split(_SPLICE.encode())
    return Fragment(before, after)


def _style(look: Look, format_: Format) -> str:
    light, dark = palettes(look.brand)
    style = template("style.css.j2").render(
        format=format_,
        template=look.template,
        message=look.template == "message",
        palette=light,
        dark=dark,
        frames=_frames(format_),
    )
    return "\n".join(line for line in _tight(style) if not _is_of_another(line, look.template))


def _tight(text: str) -> list[str]:
    """Its lines without what only we read. They stay lines: the end of a script's statement may be one."""
    lines = map(str.strip, text.splitlines())
    return [line for line in lines if line and not line.startswith(("//", "/*"))]


def _is_of_another(rule: str, template_name: str) -> bool:
    """Whether every selector of a rule asks for another template."""
    selectors, brace, _ = rule.partition("{")
    return bool(brace) and all(
        any(name != template_name for name in _OF_TEMPLATE.findall(selector))
        for selector in selectors.split(",")
    )


def _frames(format_: Format) -> list[tuple[str, str | None]]:
    """A size's style sheets, each with its bounds: a fixed size is of one frame, the responsive of all."""
    if format_.width:
        return [(f"frame_{frame_of(format_.width, format_.height).name}.css", None)]
    return [(f"frame_{frame.name}.css", frame.bounds) for frame in FRAMES]


def _script(look: Look) -> str:
    names = ["beacons.js", "close.js"]
    if look.template == "carousel":
        names.append("carousel.js")
    if look.offer is not None and look.offer.ends_at_ms is not None:
        names.append("countdown.js")
    return "\n".join(line for name in names for line in _tight(text_of(name)))


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
