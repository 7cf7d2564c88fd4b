"""A publisher's blocks made ready for its slots: which advertisers and products may not be shown there."""

from collections.abc import Mapping, Sequence
from weakref import WeakValueDictionary

import msgspec

from adserver.domain.blocks import NO_BLOCKS, Blocks, category_path, lies_under
from adserver.domain.campaign import Advertiser
from adserver.domain.catalogue import Product
from adserver.domain.eligibility import Refusal
from adserver.domain.slot import Publisher, Site, Slot
from adserver.domain.snapshot import Snapshot

MOST_SLOTS = 20_000
MOST_CATEGORIES = 10_000  # of one slot's rules: feeds may name any


class _Wish(msgspec.Struct, frozen=True):
    """Blocks, quick to ask. Whoever holds all of a domain is blocked with a host under it."""

    blocked: frozenset[int]
    blocked_domains: frozenset[str]
    above_blocked: frozenset[str]
    only_approved: bool
    approved: frozenset[int]
    approved_domains: frozenset[str]


def _wish(blocks: Blocks) -> _Wish:
    return _Wish(
        frozenset(blocks.advertisers),
        frozenset(blocks.domains),
        frozenset(parent for domain in blocks.domains for parent in _with_parents(domain)),
        blocks.only_approved,
        frozenset(blocks.approved),
        frozenset(blocks.approved_domains),
    )


def _with_parents(domain: str) -> list[str]:
    """`www.shop.example`, `shop.example`, `example`."""
    labels = domain.split(".")
    return [".".join(labels[place:]) for place in range(len(labels))]


class HouseRules:
    """What holds at a slot. Each advertiser and category is judged once, until it is another."""

    def __init__(self, advertisers: Mapping[int, Advertiser], blocks: Sequence[Blocks]) -> None:
        self._advertisers = advertisers
        self._wishes = [_wish(one) for one in blocks]
        self._categories = [category_path(text) for one in blocks for text in one.categories]
        self.separates_competitors = any(one.separate_competitors for one in blocks)
        self._judged: dict[int, tuple[Advertiser, Refusal | None]] = {}
        self._blocked: dict[str, bool] = {}

    def refusal(self, advertiser_key: int) -> Refusal | None:
        """Why no campaign of the advertiser may answer there, if so."""
        advertiser = self._advertisers.get(advertiser_key)
        if advertiser is None:
            return None
        judged = self._judged.get(advertiser_key)
        if judged is None or judged[0] is not advertiser:
            judged = self._judged[advertiser_key] = (advertiser, self._judge(advertiser))
        return judged[1]

    def hides(self, product: Product) -> bool:
        """Whether the product lies in a blocked category, by Google's or the merchant's own."""
        if not self._categories:
            return False
        named = (product.google_product_category, product.product_type)
        return any(text is not None and self._is_blocked(text) for text in named)

    def visible(self, products: Mapping[int, Product]) -> Mapping[int, Product]:
        if not self._categories:
            return products
        return {key: product for key, product in products.items() if not self.hides(product)}

    def _judge(self, advertiser: Advertiser) -> Refusal | None:
        named = {domain for own in advertiser.domains for domain in _with_parents(own)}
        for wish in self._wishes:
            if advertiser.key in wish.blocked or not named.isdisjoint(wish.blocked_domains):
                return Refusal.ADVERTISER_BLOCKED
            if not wish.above_blocked.isdisjoint(advertiser.domains):
                return Refusal.ADVERTISER_BLOCKED
            is_approved = advertiser.key in wish.approved or not named.isdisjoint(wish.approved_domains)
            if wish.only_approved and not is_approved:
                return Refusal.ADVERTISER_NOT_APPROVED
        return Refusal.CATEGORY_BLOCKED if any(map(self._is_blocked, advertiser.categories)) else None

    def _is_blocked(self, text: str) -> bool:
        known = self._blocked.get(text)
        if known is None:
            path = category_path(text)
            known = any(lies_under(path, category) for category in self._categories)
            if len(self._blocked) < MOST_CATEGORIES:
                self._blocked[text] = known
        return known


class _Kept(msgspec.Struct, frozen=True):
    """Rules, and what they were made of."""

    slot: Slot
    site: Site
    publisher: Publisher | None
    rules: HouseRules | None


class HouseRulesOf:
    """The rules of each slot, made when first asked for and when slot, site or publisher has changed.

    Slots with the same wishes have them in common: what each has found out of categories takes its room once.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._kept: dict[int, _Kept] = {}
        self._common: WeakValueDictionary[tuple[Blocks, ...], HouseRules] = WeakValueDictionary()

    def at(self, slot: Slot, site: Site) -> HouseRules | None:
        """None where nothing is blocked, as in most places."""
        publisher, kept = self._snapshot.publishers.get(site.publisher_key), self._kept.get(slot.key)
        if kept is None or not (kept.slot is slot and kept.site is site and kept.publisher is publisher):
            if len(self._kept) >= MOST_SLOTS:
                self._kept.clear()
            kept = self._kept[slot.key] = _Kept(slot, site, publisher, self._made(slot, site, publisher))
        return kept.rules

    def _made(self, slot: Slot, site: Site, publisher: Publisher | None) -> HouseRules | None:
        found = (NO_BLOCKS if publisher is None else publisher.blocks, site.blocks, slot.blocks)
        blocks = tuple(one for one in found if one != NO_BLOCKS)
        if not blocks:
            return None
        rules = self._common.get(blocks)
        if rules is None:
            rules = self._common[blocks] = HouseRules(self._snapshot.advertisers, blocks)
        return rules
