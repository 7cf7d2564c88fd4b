"""What a slot asks, and what it is answered with."""

from collections.abc import Callable, Mapping
from hashlib import blake2b

import msgspec

from adserver.domain.page import Answered
from adserver.domain.peace import DEFAULT_POLICY, PeacePolicy
from adserver.domain.sensitive import HOUSE_LIST
from adserver.domain.token import AdToken
from creatives.card import Card
from creatives.formats import Format
from creatives.html import Look
from pixel.consent import NOTHING_SAID, Said
from pixel.cookie import KeyRing

CARDS_OF_IMAGE = 4  # frames of one GIF


class ServingPolicy(msgspec.Struct, frozen=True):
    """The operator's settings: our own address, what currencies are worth to the ranking, keys, an IAB id.

    And how much of ads a visitor is shown at most, of which categories nobody is reminded, and whether what
    was learnt of visits is used.
    """

    base_url: str
    ranking_rates: Mapping[str, float]
    cookie_keys: KeyRing
    tcf_vendor_id: int | None = None
    peace: PeacePolicy = DEFAULT_POLICY
    sensitive_categories: tuple[str, ...] = HOUSE_LIST
    recommends: bool = True


class Chance(msgspec.Struct, frozen=True):
    """Where ids and the decision's dice (in [0, 1)) come from."""

    mint_key: Callable[[], int]
    dice: Callable[[], float]


class SlotRequest(msgspec.Struct, frozen=True):
    """What a publisher's page sends with its request."""

    slot_key: int
    click_prefix: str | None = None
    embed_key: str | None = None  # `n`: ties an image to its link
    said: Said = NOTHING_SAID
    cards: int = CARDS_OF_IMAGE  # of an image; a still has one
    keywords: str | None = None  # what the publisher says of the page, not yet read
    categories: str | None = None
    sheet: str | None = None  # what the page's slots were answered before, sealed
    others: tuple[int, ...] = ()  # the page's slots to answer along with this one; 0 for what is none
    place: int = 0  # of what the sheet promises this slot, from its end; 0 where it is to be decided


class Stated(msgspec.Struct, frozen=True):
    """What a page's request says of the page, what its other slots were answered, and what it shows."""

    keywords: str | None = None
    categories: str | None = None
    answers: tuple[Answered, ...] = ()
    image_cards: int = 0  # the most that an image shows; 0 for a document


NOTHING_STATED = Stated()


def stated_in(ask: SlotRequest, image_cards: int = 0, answers: tuple[Answered, ...] = ()) -> Stated:
    if not (ask.keywords or ask.categories or answers or image_cards):
        return NOTHING_STATED
    return Stated(ask.keywords, ask.categories, answers, image_cards)


class Served(msgspec.Struct):
    """A document for the slot's iframe; `domains` may frame it."""

    body: bytes
    content_security_policy: str
    domains: tuple[str, ...]
    filled: bool
    set_cookie: bytes | None = None


class ServedImage(msgspec.Struct):
    """What an image slot's frames show: draw them, then charge the token before the bytes are sent."""

    format: Format
    look: Look
    cards: list[Card]
    token: AdToken
    set_cookie: bytes | None


def image_key(ask: SlotRequest, visitor_key: int) -> int:
    """What ties an image slot's picture to its link: the slot, the embedder's key and the visitor."""
    text = f"{ask.slot_key}:{ask.embed_key}:{visitor_key}".encode()
    return int.from_bytes(blake2b(text, digest_size=8, person=b"image").digest(), "big") >> 1
