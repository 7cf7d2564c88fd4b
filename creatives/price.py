"""What a card says about money: the price now, the price struck through, and the offer's badge."""

from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

import msgspec
from babel import Locale, UnknownLocaleError
from babel.numbers import format_currency, format_percent, get_currency_precision

from creatives.card import Card, Offer
from creatives.labels import FALLBACK_LANGUAGE

MOST_PRICE_TAGS = 10_000
DIGITS = "default"  # the locale's own: Egypt writes ١٢, Morocco 12


class PriceTag(msgspec.Struct, frozen=True):
    """Formatted for people. `was` is struck through; `badge` is the offer in one word ("-10 %")."""

    now: str
    was: str | None
    badge: str | None


@lru_cache(maxsize=256)
def locale_for(language: str) -> Locale:
    """The locale of `language` ("fr", "pt-BR"), English where Babel knows none."""
    try:
        return Locale.parse(language.replace("_", "-"), sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale.parse(FALLBACK_LANGUAGE)


def format_price(price_micros: int, currency: str, language: str) -> str:
    """Exact: micros are shifted as a Decimal, never divided as a float."""
    amount = Decimal(price_micros).scaleb(-6)
    return format_currency(amount, currency, locale=locale_for(language), numbering_system=DIGITS)


def price_after(price_micros: int, currency: str, offer: Offer) -> int | None:
    """Micros to pay with `offer`, rounded to the currency's smallest coin; None if that is no discount."""
    after = Decimal(price_micros)
    if offer.percent is not None:
        after = after * (100 - offer.percent) / 100
    if offer.amount_micros is not None:
        after -= offer.amount_micros
    coin_micros = Decimal(10) ** (6 - get_currency_precision(currency))
    rounded_micros = int((after / coin_micros).quantize(Decimal(1), ROUND_HALF_UP) * coin_micros)
    return rounded_micros if 0 < rounded_micros < price_micros else None


def badge_for(offer: Offer, currency: str, language: str) -> str | None:
    """The offer in one word: a percentage, or an amount in whole coins where it is whole."""
    if offer.percent is not None:
        share = Decimal(-offer.percent).scaleb(-2)
        return format_percent(share, locale=locale_for(language), numbering_system=DIGITS)
    if offer.amount_micros is None:
        return None
    amount = Decimal(-offer.amount_micros).scaleb(-6)
    locale = locale_for(language)
    if amount != amount.to_integral_value():
        return format_currency(amount, currency, locale=locale, numbering_system=DIGITS)
    without_coins = locale.currency_formats["standard"].pattern.replace(".00", "")
    return format_currency(
        amount, currency, without_coins, locale, currency_digits=False, numbering_system=DIGITS
    )


def price_tag(card: Card, offer: Offer | None, language: str) -> PriceTag:
    """With an offer its price stands, and the card's own price is struck; else the reference price is."""
    return _price_tag(card.price_micros, card.reference_price_micros, card.currency, offer, language)


@lru_cache(maxsize=MOST_PRICE_TAGS)  # many products cost the same, and Babel takes its time for each
def _price_tag(
    price_micros: int, reference_micros: int | None, currency: str, offer: Offer | None, language: str
) -> PriceTag:
    def shown(micros: int) -> str:
        return format_price(micros, currency, language)

    if offer is not None:
        after_micros = price_after(price_micros, currency, offer)
        if after_micros is not None:
            badge = badge_for(offer, currency, language)
            return PriceTag(shown(after_micros), shown(price_micros), badge)
    if reference_micros is not None and reference_micros > price_micros:
        return PriceTag(shown(price_micros), shown(reference_micros), None)
    return PriceTag(shown(price_micros), None, None)
