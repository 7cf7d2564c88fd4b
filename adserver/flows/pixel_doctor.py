"""Examines an advertiser's pixel: figures by event, what is wrong, and a rule for its item ids."""

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet

import msgspec

from adserver.domain.arrival import Arrived
from adserver.domain.campaign import Advertiser
from adserver.domain.catalogue import Feed, Product
from adserver.domain.identity import product_key
from adserver.domain.item_id import ItemIdRule
from adserver.domain.item_mapping import Proposal, ids_of, propose_mapping
from adserver.domain.pixel_doctor import HISTORY_MS, WEEK_MS, Diagnosis, Named, PixelFacts, diagnose
from adserver.domain.pixel_sample import Sample
from adserver.ports import Catalogue, Clock, Feeds, Pixel

MOST_PRODUCTS = 10_000  # of a larger catalogue these are the sample; keys are digests, so it is a fair one
PAGE = 500
MOST_FEEDS = 100


class Examined(msgspec.Struct, frozen=True):
    diagnosis: Diagnosis
    proposal: Proposal | None


class PixelDoctor:
    """Reads only; asks of the catalogue no more than a bounded part, however large it is.

    `pages_of` tells where an advertiser's clicks of the week led, and what became of them.
    """

    def __init__(
        self,
        pixel: Pixel,
        catalogue: Catalogue,
        feeds: Feeds,
        clock: Clock,
        pages_of: Callable[[Advertiser], list[tuple[str, Arrived]]],
    ) -> None:
        self._pixel = pixel
        self._catalogue = catalogue
        self._feeds = feeds
        self._clock = clock
        self._pages_of = pages_of

    def examine(self, advertiser: Advertiser) -> Examined:
        now_ms = self._clock()
        samples = self._pixel.samples(advertiser.key, now_ms - WEEK_MS)
        named = self._named(advertiser, samples)
        product_count = self._catalogue.count(advertiser.key)
        proposal = self._proposal(advertiser, named, product_count)
        facts = PixelFacts(
            now_ms=now_ms,
            currency=advertiser.currency,
            hours=self._pixel.hours(advertiser.key, now_ms - HISTORY_MS),
            named=named,
            products=product_count,
            feeds=self._feeds_of(advertiser),
            rule=advertiser.item_id_rule,
            consent_held_at_ms=advertiser.consent_held_at_ms,
            proposal=proposal,
            pages=self._pages_of(advertiser),
        )
        return Examined(diagnose(facts), proposal)

    def _named(self, advertiser: Advertiser, samples: Sequence[Sample]) -> list[Named]:
        rule = advertiser.item_id_rule or ItemIdRule()
        keys = {one.item_id: product_key(advertiser.key, rule.apply(one.item_id)) for one in samples}
        products = self._catalogue.products(set(keys.values()))
        return [Named(one, products.get(keys[one.item_id])) for one in samples]

    def _proposal(
        self, advertiser: Advertiser, named: Sequence[Named], product_count: int
    ) -> Proposal | None:
        if not product_count or all(one.product is not None for one in named):
            return None

        def existing(ids: AbstractSet[str]) -> set[str]:
            found = self._catalogue.products({product_key(advertiser.key, item_id) for item_id in ids})
            return {product.item_id for product in found.values()}

        known = ids_of(self._products(advertiser.key))
        whole = product_count <= len(known.ids)
        seen = [one.sample.item_id for one in named]
        return propose_mapping(seen, known, advertiser.item_id_rule, None if whole else existing)

    def _products(self, advertiser_key: int) -> Iterator[Product]:
        after = -1
        for _ in range(0, MOST_PRODUCTS, PAGE):
            page = self._catalogue.page(advertiser_key, after, PAGE)
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].key

    def _feeds_of(self, advertiser: Advertiser) -> list[Feed]:
        return self._feeds.feeds(advertiser.key, -1, MOST_FEEDS)
