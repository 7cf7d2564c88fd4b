"""What was asked for a product, and since when: so that a struck-through price is one that was asked.

Directive 98/6/EC, article 6a: who announces a reduction tells the lowest price asked in the 30 days before.
"""

from collections.abc import Sequence
from enum import StrEnum
from itertools import groupby

import msgspec

from adserver.domain.campaign import Advertiser
from adserver.domain.catalogue import Product
from adserver.domain.money import Micros

DAY_MS = 86_400_000
PRIOR_MS = 30 * DAY_MS
FOREVER_MS = 2**62
MOST_STEPS = 48  # of a product; whose price changes oftener is known by the lowest of each day
_NEWEST_STEPS = 12  # stay as they are
ONE_DAY_STEPS = MOST_STEPS - _NEWEST_STEPS

# The European Union with its parts that have a code of their own, and the European Economic Area.
_EUROPEAN_UNION = """
    AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK AX GF GP MF MQ RE YT
"""
COUNTRIES_OF_THE_LOWEST = frozenset(f"{_EUROPEAN_UNION} IS LI NO".split())

_WHOLE_COINS = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split())


class PriceStep(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """From this moment until the next step so much was asked, as the price or as that of a sale."""

    from_ms: int
    asked_micros: Micros
    on_sale: bool = False


class PriceHistory(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Each change of what was asked, the sales included; at its end stand those that a sale's dates announce.

    Without a gap since `known_since_ms`; of what lies longer back than any answer needs, only that.
    """

    currency: str
    known_since_ms: int
    steps: tuple[PriceStep, ...]


class Strike(StrEnum):
    """What is struck through beside the price of a sale, or why nothing is."""

    LOWEST = "lowest_of_30_days"
    FEED = "feed"  # the price without the sale: the country does not ask for more, or the shop vouches for it
    NOT_LOWER = "not_lower"  # as little was asked in the 30 days before
    KNOWN_TOO_SHORT = "known_too_short"  # not for all of the 30 days before
    NOT_ON_SALE = "not_on_sale"


class Reduction(msgspec.Struct, frozen=True, gc=False):
    """A product's sale beside what was asked before it; `strike` is what a country of the lowest allows."""

    strike: Strike
    known_since_ms: int | None
    began_ms: int | None = None
    lowest_micros: Micros | None = None  # asked in the 30 days before, as far as they are known
    lowest_at_ms: int | None = None  # since when that was asked
    struck_micros: Micros | None = None


class StrikeCount(msgspec.Struct, frozen=True):
    """How many products of an advertiser are on sale with the same answer, and since when they are known."""

    strike: Strike
    products: int
    first_known_ms: int | None = None
    last_known_ms: int | None = None


class ReferencePrice(msgspec.Struct, frozen=True):
    """What stands struck through beside a product's price at a moment, and why."""

    strike: Strike
    asked_micros: Micros
    struck_micros: Micros | None
    reduction: Reduction | None
    history: PriceHistory | None


def noted(known: PriceHistory | None, product: Product, at_ms: int) -> PriceHistory:
    """The history once the product is saved: what was announced before and has not begun never will."""
    if known is None or known.currency != product.currency:
        return PriceHistory(product.currency, at_ms, _changes(_announced(product, at_ms)))
    past = [step for step in known.steps if step.from_ms < at_ms]
    steps = _changes([*past, *_announced(product, at_ms)])
    if steps == known.steps:
        return known
    return PriceHistory(known.currency, min(known.known_since_ms, at_ms), _needed(steps, at_ms))


def reduction_of(product: Product, known: PriceHistory | None) -> Reduction | None:
    """The product's sale and what may be struck through while it lasts; None where it has none.

    It is the same at any moment of the sale: what was asked before a reduction does not change any more.
    """
    sale = product.sale_price_micros
    if sale is None or sale >= product.price_micros:
        return None
    began_ms = _began_ms(product, known)
    if known is None or began_ms is None:
        return Reduction(Strike.KNOWN_TOO_SHORT, known.known_since_ms if known else None)
    lowest = _lowest(known.steps, began_ms - PRIOR_MS, began_ms)
    if lowest is None:
        return Reduction(Strike.KNOWN_TOO_SHORT, known.known_since_ms, began_ms)
    told = Reduction(Strike.KNOWN_TOO_SHORT, known.known_since_ms, began_ms, *lowest)
    if known.known_since_ms > began_ms - PRIOR_MS:
        return told
    # What the shop itself says is less where it never asked as much as in those days.
    struck = min(lowest[0], product.price_micros)
    if not _is_dearer(struck, sale, product.currency):
        return msgspec.structs.replace(told, strike=Strike.NOT_LOWER)
    return msgspec.structs.replace(told, strike=Strike.LOWEST, struck_micros=struck)


def asks_for_lowest(advertiser: Advertiser | None) -> bool:
    """Whether only the lowest price of 30 days may be struck through; so it is where nobody knows."""
    if advertiser is None:
        return True
    return advertiser.country in COUNTRIES_OF_THE_LOWEST and not advertiser.trust_reference_price


def struck_micros(reduction: Reduction | None, product: Product, *, lowest: bool) -> Micros | None:
    """What to strike through while the product's sale lasts; `lowest` as `asks_for_lowest` says."""
    if reduction is None:
        return None
    if lowest:
        return reduction.struck_micros
    price, asked = product.price_micros, product.sale_price_micros
    return price if asked is not None and _is_dearer(price, asked, product.currency) else None


def reference_price(
    product: Product, known: PriceHistory | None, advertiser: Advertiser, now_ms: int
) -> ReferencePrice:
    asked, reduction = product.asked_micros(now_ms), reduction_of(product, known)
    if reduction is None or not product.is_on_sale(now_ms):
        return ReferencePrice(Strike.NOT_ON_SALE, asked, None, reduction, known)
    lowest = asks_for_lowest(advertiser)
    struck = struck_micros(reduction, product, lowest=lowest)
    feeds = Strike.NOT_LOWER if struck is None else Strike.FEED
    strike = reduction.strike if lowest else feeds
    return ReferencePrice(strike, asked, struck, reduction, known)


def counted_for(advertiser: Advertiser, counts: Sequence[StrikeCount]) -> list[StrikeCount]:
    """The counts of a country of the lowest, as they are for this advertiser."""
    if asks_for_lowest(advertiser) or not counts:
        return list(counts)
    return [StrikeCount(Strike.FEED, sum(one.products for one in counts))]


def asked_micros(known: PriceHistory, at_ms: int) -> Micros | None:
    """What was asked at a moment; None before it is known."""
    return next((step.asked_micros for step in reversed(known.steps) if step.from_ms <= at_ms), None)


def _announced(product: Product, at_ms: int) -> list[PriceStep]:
    """What is asked from a moment on, as the product says: its sale begins and ends without another word."""
    turns = (product.sale_from_ms, product.sale_until_ms)
    moments = sorted({at_ms, *(turn for turn in turns if turn is not None and turn > at_ms)})
    return [PriceStep(moment, product.asked_micros(moment), product.is_on_sale(moment)) for moment in moments]


def _changes(steps: Sequence[PriceStep]) -> tuple[PriceStep, ...]:
    """Without those that go on asking the same."""
    kept: list[PriceStep] = []
    for step in steps:
        if not kept or (kept[-1].asked_micros, kept[-1].on_sale) != (step.asked_micros, step.on_sale):
            kept.append(step)
    return tuple(kept)


def _needed(steps: tuple[PriceStep, ...], at_ms: int) -> tuple[PriceStep, ...]:
    """From 30 days before what is asked now began, with the one that was asked then: a sale may last long."""
    began_ms = max((step.from_ms for step in steps if step.from_ms <= at_ms), default=at_ms)
    first = sum(step.from_ms <= began_ms - PRIOR_MS for step in steps) - 1
    kept = steps[max(first, 0) :]
    return kept if len(kept) <= MOST_STEPS else _by_day(kept)


def _by_day(steps: tuple[PriceStep, ...]) -> tuple[PriceStep, ...]:
    """The older of them by day, each at its lowest: so that no price that was asked is taken for a higher."""
    older, newest = steps[:-_NEWEST_STEPS], steps[-_NEWEST_STEPS:]
    days = [list(day) for _, day in groupby(older, lambda step: step.from_ms // DAY_MS)]
    lowest = [PriceStep(day[0].from_ms, min(step.asked_micros for step in day)) for day in days]
    return _changes([*lowest[-ONE_DAY_STEPS:], *newest])


def _began_ms(product: Product, known: PriceHistory | None) -> int | None:
    """When the sale began to ask its price, without another between; None where it is not known to.

    Who asks the same without a sale, and then calls it one, has reduced nothing.
    """
    if known is None or known.currency != product.currency:
        return None
    last_ms = FOREVER_MS if product.sale_until_ms is None else product.sale_until_ms - 1
    steps = [step for step in known.steps if step.from_ms <= last_ms]
    if not steps or not steps[-1].on_sale or steps[-1].asked_micros != product.sale_price_micros:
        return None
    return steps[-1].from_ms


def _lowest(steps: Sequence[PriceStep], from_ms: int, until_ms: int) -> tuple[Micros, int] | None:
    """The lowest asked within, and since when; the newest of those that are alike."""
    ends = [*(step.from_ms for step in steps[1:]), FOREVER_MS]
    within = [
        (step.asked_micros, -step.from_ms)
        for step, end in zip(steps, ends, strict=True)
        if step.from_ms < until_ms and end > from_ms
    ]
    if not within:
        return None
    micros, at_ms = min(within)
    return micros, -at_ms


def _is_dearer(struck: Micros, asked: Micros, currency: str) -> bool:
    """By at least one coin: what reads the same is not struck through."""
    coin = 1_000_000 if currency in _WHOLE_COINS else 10_000
    return struck - asked >= coin
