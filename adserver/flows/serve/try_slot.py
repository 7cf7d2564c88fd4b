"""What a slot would show somebody who need not exist: decided as ever, and nothing is counted or billed."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from adserver.domain.catalogue import Product
from adserver.domain.decision import NoAd
from adserver.domain.looks import look_of
from adserver.domain.offer import still
from adserver.domain.slot import Slot
from adserver.domain.snapshot import Snapshot
from adserver.domain.visitor import Profile, fold_event
from adserver.flows.serve.explain import Explain, Question
from adserver.ports import Catalogue, Refreshed
from creatives.card import Look
from creatives.formats import FORMATS
from creatives.html import HouseDocument, house_document
from pixel.events import Event, EventName, Item

MOST_SHOPS = 20  # those whose campaigns are newest
MOST_ITEMS = 6
_DOINGS = (EventName.VIEW_ITEM, EventName.ADD_TO_CART)  # so that hardly any audience leaves them out


class Eyes(StrEnum):
    """Whose eyes a slot is looked at with."""

    SHOPPER = "shopper"  # knows every shop, and left something in its cart
    STRANGER = "stranger"  # said no, or was never seen: only ads for the page are left
    NOBODY = "nobody"  # there is no ad


class Tried(msgspec.Struct, frozen=True):
    """An ad for the slot: how it looks, and with what products."""

    slot: Slot
    look: Look
    products: Sequence[Product]


class TrySlot:
    """Budgets, caps and what was bought are not asked about: the visitor is a test visitor."""

    def __init__(
        self, explain: Explain, catalogue: Catalogue, snapshot: Snapshot, refresh: Refreshed
    ) -> None:
        self._explain = explain
        self._catalogue = catalogue
        self._snapshot = snapshot
        self._refresh = refresh

    def look(self, slot: Slot, eyes: Eyes) -> Tried | None:
        """The ad that is shown; None where there is none."""
        if eyes is Eyes.NOBODY:
            return None
        profile = self._shopper() if eyes is Eyes.SHOPPER else None
        explained = self._explain.ask(Question(slot.key, profile=profile, test=True))
        if explained is None or isinstance(explained.answer, NoAd):
            return None
        answer = explained.answer
        language = answer.products[0].language if answer.products else answer.creative.language
        look = still(look_of(answer.creative, answer.situation, language), explained.at_ms)
        return Tried(slot, look, answer.products)

    def house(self, slot: Slot) -> HouseDocument:
        """What stands in the slot where there is no ad."""
        return house_document(FORMATS[slot.format_name], "en", slot.on_empty)

    def _shopper(self) -> Profile:
        """Somebody who was at every shop a moment ago."""
        self._refresh()
        now_ms = self._explain.now_ms()
        profile = Profile(now_ms)
        campaigns = list(self._snapshot.campaigns.values())  # another thread may put more
        newest_first = sorted(campaigns, key=lambda one: -one.key)
        shops = dict.fromkeys(one.advertiser_key for one in newest_first)
        with_ads = [key for key in shops if self._snapshot.live_campaigns(key)]
        for advertiser_key in with_ads[:MOST_SHOPS]:
            found = self._catalogue.page(advertiser_key, 0, MOST_ITEMS * 4)
            best = sorted(found, key=lambda one: (not one.in_stock, one.picture is None))[:MOST_ITEMS]
            items = tuple(Item(product.item_id) for product in best)
            for doing in _DOINGS:
                fold_event(profile, advertiser_key, Event(doing, items=items), now_ms)
        return profile
