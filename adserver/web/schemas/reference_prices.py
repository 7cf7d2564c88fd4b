"""What is struck through beside a product's price, as JSON with a sentence that says why."""

from collections.abc import Sequence

from pydantic import Field

from adserver.domain.campaign import Advertiser
from adserver.domain.price_history import PRIOR_MS, ReferencePrice, Strike, StrikeCount, asks_for_lowest
from adserver.web.schemas.fields import ShownTime, Strict, write_time
from adserver.web.schemas.google import write_price

_TRUST = "`trust_reference_price` of the advertiser strikes the feed's own price through, on its word"


class PriceStepAnswer(Strict):
    since: ShownTime
    asked_micros: int
    on_sale: bool


class ReferencePriceAnswer(Strict):
    """What stands struck through now, and what that was made of."""

    why: Strike
    says: str = Field(description="the same in a sentence, with what to do next")
    asked_micros: int = Field(description="what a visitor is asked now")
    struck_micros: int | None = Field(description="struck through beside it; null: nothing")
    known_since: ShownTime | None = Field(description="without a gap")
    reduced_since: ShownTime | None = Field(description="since when the sale's price is asked, or will be")
    lowest_micros: int | None = Field(description="asked in the 30 days before, as far as they are known")
    lowest_since: ShownTime | None
    history: list[PriceStepAnswer] = Field(description="each change of the price asked, the newest last")


def show_reference_price(told: ReferencePrice, currency: str) -> ReferencePriceAnswer:
    history, reduction = told.history, told.reduction
    return ReferencePriceAnswer(
        why=told.strike,
        says=_says(told, currency),
        asked_micros=told.asked_micros,
        struck_micros=told.struck_micros,
        known_since=None if history is None else history.known_since_ms,
        reduced_since=None if reduction is None else reduction.began_ms,
        lowest_micros=None if reduction is None else reduction.lowest_micros,
        lowest_since=None if reduction is None else reduction.lowest_at_ms,
        history=[
            PriceStepAnswer(since=step.from_ms, asked_micros=step.asked_micros, on_sale=step.on_sale)
            for step in (() if history is None else history.steps)
        ],
    )


def _says(told: ReferencePrice, currency: str) -> str:
    reduction = told.reduction
    if told.struck_micros is not None:
        struck = write_price(told.struck_micros, currency)
        if told.strike is Strike.FEED:
            return f"{struck} is struck through: the product's own price without the sale."
        return f"{struck} is struck through: no lower price was asked in the 30 days before the sale began."
    lowest_micros = None if reduction is None else reduction.lowest_micros
    if told.strike is Strike.NOT_LOWER and (lowest_micros is None or lowest_micros > told.asked_micros):
        return "Nothing is struck through: the sale asks less than a coin less."
    if told.strike is Strike.NOT_LOWER and reduction is not None and lowest_micros is not None:
        lowest = write_price(lowest_micros, currency)
        since = write_time(reduction.lowest_at_ms or 0)
        return (
            f"Nothing is struck through: {lowest} was asked since {since}, within the 30 days before the sale"
            " began. Ask less than that, or let 30 days pass without it before the next sale."
        )
    if told.strike is Strike.KNOWN_TOO_SHORT:
        return f"Nothing is struck through: {_known_since(told)} {_TRUST}."
    return "Nothing is struck through: the product is not on sale."


def _known_since(told: ReferencePrice) -> str:
    """Since when its price is known, and what that means for this sale or the next."""
    if told.history is None:
        return "its price is not known yet; send the product again, by a feed or the API."
    since_ms = told.history.known_since_ms
    return (
        f"its price is known only since {write_time(since_ms)}, which is less than 30 days before the sale"
        f" began. A sale that begins after {write_time(since_ms + PRIOR_MS)} can strike through what was"
        " asked before it."
    )


class NotStruckAnswer(Strict):
    why: Strike
    products: int
    known_since_first: ShownTime | None = Field(description="of all these products, the longest known")
    known_since_last: ShownTime | None


class SalesAnswer(Strict):
    """The products that are on sale now, and for how many of them something is struck through."""

    country: str
    lowest_of_30_days: bool = Field(description="whether its country asks for that, and no trust is set")
    says: str
    on_sale: int
    struck: int
    not_struck: list[NotStruckAnswer]


def show_sales(advertiser: Advertiser, counts: Sequence[StrikeCount]) -> SalesAnswer:
    without = [one for one in counts if one.strike not in (Strike.LOWEST, Strike.FEED)]
    on_sale = sum(one.products for one in counts)
    struck = on_sale - sum(one.products for one in without)
    parts = [
        f"{on_sale:,} {'product is' if on_sale == 1 else 'products are'} on sale:"
        f" {struck:,} with a struck-through price",
        *map(_without, without),
    ]
    return SalesAnswer(
        country=advertiser.country,
        lowest_of_30_days=asks_for_lowest(advertiser),
        says="; ".join(parts) + ".",
        on_sale=on_sale,
        struck=struck,
        not_struck=[
            NotStruckAnswer(
                why=one.strike,
                products=one.products,
                known_since_first=one.first_known_ms,
                known_since_last=one.last_known_ms,
            )
            for one in without
        ],
    )


def _without(count: StrikeCount) -> str:
    if count.strike is Strike.NOT_LOWER:
        return f"{count.products:,} not: as little was asked in the 30 days before"
    since = "not known yet" if count.first_known_ms is None else f"known only since {_days(count)}"
    return (
        f"{count.products:,} not: the price is {since}, which is not all of the 30 days before the sale"
        f" ({_TRUST})"
    )


def _days(count: StrikeCount) -> str:
    first, last = (write_time(at or 0)[:10] for at in (count.first_known_ms, count.last_known_ms))
    return first if first == last else f"{first} to {last}"
