"""How a creative looks in every size, with real products of its advertiser; nothing is billed or counted."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

from adserver.domain.campaign import Creative
from adserver.domain.catalogue import Product, card_of
from adserver.domain.identity import product_key
from adserver.domain.looks import look_of
from adserver.domain.offer import still
from adserver.domain.situation import Situation
from adserver.ports import Catalogue, Clock
from creatives.card import Card, Look
from creatives.contact_sheet import contact_sheet
from creatives.fonts import scripts_of
from creatives.formats import FORMATS, RESPONSIVE, Format
from creatives.html import Beacons, card_fragment, compile_document, message_fragment
from creatives.script import joined

MESSAGE = "message"
MOST_LOOKED_AT = 200  # products, among which the preview's are found
MOST_CARDS = 6
CARDS_OF_IMAGE = 4
# Nothing that a document could report is sent: its beacons have no address, and it may connect nowhere.
_NO_BEACONS = Beacons("", "", "/privacy")
_CONNECTS, _CONNECTS_NOWHERE = "connect-src 'self'", "connect-src 'none'"
_SANDBOX = "sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox; frame-ancestors 'self'"


class NoPreview(StrEnum):
    """Why there is nothing to look at."""

    NOTHING_TO_SHOW = "nothing_to_show"
    UNKNOWN_ITEM = "unknown_item"


class Wish(msgspec.Struct, frozen=True):
    """What to show instead of what would be shown to anybody."""

    item_ids: tuple[str, ...] = ()
    language: str | None = None
    theme: str | None = None
    situation: Situation | None = None


class Shown(NamedTuple):
    """What a preview is of."""

    look: Look
    products: Sequence[Product]


class Document(NamedTuple):
    body: bytes
    content_security_policy: str


class Picture(Protocol):
    @property
    def body(self) -> bytes: ...


class Drawing(Protocol):
    """Pictures of cards, as image slots show them; see flows/draw.py."""

    def image(self, cards: list[Card], look: Look, format_: Format, kind: str = ...) -> Picture: ...
    def uncovered(self, texts: Sequence[str]) -> list[str]: ...


class Preview:
    def __init__(self, catalogue: Catalogue, drawing: Drawing, clock: Clock) -> None:
        self._catalogue = catalogue
        self._drawing = drawing
        self._clock = clock

    def shown(self, creative: Creative, advertiser_key: int, wish: Wish) -> Shown | NoPreview:
        """The creative as it stands now, approved or not, with the products it is shown with."""
        products: Sequence[Product] = ()
        if creative.template != MESSAGE:
            found = self._products(advertiser_key, wish.item_ids)
            if isinstance(found, NoPreview):
                return found
            products = found
        language = wish.language or (products[0].language if products else creative.language)
        look = still(look_of(creative, wish.situation, language), self._clock())
        if wish.theme is not None:
            brand = msgspec.structs.replace(look.brand, theme=wish.theme)
            look = msgspec.structs.replace(look, brand=brand)
        return Shown(look, products)

    def document(self, shown: Shown, format_: Format) -> Document:
        """The HTML creative; a card leads to its product, on no way that counts."""
        look = shown.look
        document = compile_document(look, format_)
        cards = self._cards(shown)[: format_.cards]
        fragments = [card_fragment(card, look) for card in cards] or [message_fragment(look, format_)]
        links = [product.link for product in shown.products[: len(cards)]] or ["/privacy"]
        body = document.render(fragments, links, _NO_BEACONS, self._clock())
        policy = document.content_security_policy.replace(_CONNECTS, _CONNECTS_NOWHERE)
        return Document(body, f"{policy}; {_SANDBOX}")

    def picture(self, shown: Shown, format_: Format, kind: str) -> bytes:
        """The image creative: a GIF, or its first card as a PNG."""
        return self._drawing.image(self._cards(shown)[:CARDS_OF_IMAGE], shown.look, format_, kind).body

    def sheet(self, shown: Shown) -> bytes:
        """One picture of all sizes, each with another of the products."""
        cards = self._cards(shown)
        formats = [format_ for format_ in FORMATS.values() if format_.name != RESPONSIVE]
        gifs = []
        for number, format_ in enumerate(formats):
            card = [cards[number % len(cards)]] if cards else []
            gifs.append(self._drawing.image(card, shown.look, format_).body)
        return contact_sheet(gifs)

    def undrawn(self, shown: Shown) -> list[tuple[str | None, str]]:
        """Of which products, and of the look itself, letters are left out for want of a font."""
        look = shown.look
        message = look.message
        own = [look.brand.name, look.headline or "", look.button or ""]
        own += [message.headline, message.body, message.button] if message else []
        texts: list[tuple[str | None, str]] = [(None, " ".join(own))]
        texts += [(product.item_id, product.title) for product in shown.products]
        missing = self._drawing.uncovered([joined(text) for _, text in texts])
        named = [(item_id, scripts_of(letters)) for (item_id, _), letters in zip(texts, missing, strict=True)]
        return [(item_id, scripts) for item_id, scripts in named if scripts]

    def _products(self, advertiser_key: int, item_ids: Sequence[str]) -> list[Product] | NoPreview:
        """Those that were named, in that order; else what can be bought, first what has a picture."""
        if item_ids:
            keys = [product_key(advertiser_key, item_id) for item_id in item_ids]
            known = self._catalogue.products(keys)
            return [known[key] for key in keys] if len(known) == len(set(keys)) else NoPreview.UNKNOWN_ITEM
        found = self._catalogue.page(advertiser_key, 0, MOST_LOOKED_AT)
        best = sorted(found, key=lambda one: (not one.in_stock, one.picture is None))
        return best[:MOST_CARDS] or NoPreview.NOTHING_TO_SHOW

    def _cards(self, shown: Shown) -> list[Card]:
        now_ms = self._clock()
        return [card_of(product, now_ms) for product in shown.products]
