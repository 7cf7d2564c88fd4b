"""What a publisher's pages say: why something was not done, and what the names of the trade mean."""

from datetime import date
from decimal import Decimal
from typing import Any

from babel.dates import format_skeleton
from babel.numbers import format_currency
from pydantic import ValidationError

from adserver.domain.admission import Admission
from adserver.domain.slot import OnEmpty
from adserver.flows.manage import Refused
from adserver.flows.serve.try_slot import Eyes
from adserver.web.console.figures import number, price
from adserver.web.console.page import translations
from creatives.price import locale_for

CENT_MICROS = 10_000


def name_of(no: Refused | ValidationError) -> str:
    """By what a no is known: the refusal, or the field that was filled in badly."""
    return str(no.reason) if isinstance(no, Refused) else str(no.errors()[0]["loc"][0])


def no_in_words(name: str, language: str) -> str:
    """What to do about it."""
    words = translations(language).gettext
    size = words("Choose one of the sizes.")
    currency = words("Choose the currency of the floor price.")
    category = words("Write a category like Sport > Football, or like IAB17-12; one on each line.")
    address = words("Write click addresses whole, like https://clicks.example/; one on each line.")
    domain = words("Write domains like news.example, without https:// and without a path; one on each line.")
    known = {
        "name": words("Give it a name of at most 100 letters."),
        "domains": domain,
        "bad_domain": domain,
        "click_prefixes": address,
        "bad_link": address,
        "categories": category,
        "blocked_categories": category,
        "blocked_advertisers": words("Name advertisers by domain, like rival.example; one on each line."),
        "width": size,
        "unknown_format": size,
        "currency": currency,
        "unknown_currency": currency,
        "floor_without_currency": currency,
        "floor_cpm_micros": words("That is no amount. Write it like 0.80, or leave the field empty."),
        "content_changed": words("One was changed while you looked at it. Look again, then decide."),
        "reason": words("Say why, in at most 300 letters: the advertiser reads it, and mends the ad."),
        "chosen": words("Nothing was chosen. Tick what you mean, then press the button again."),
        "conflict": words("Somebody else was changing it. Look again, then repeat your change."),
    }
    return known.get(name, words("That could not be saved. Look at what you typed, and try again."))


def on_empty_in_words(language: str) -> dict[OnEmpty, tuple[str, str]]:
    """What stands there without an ad, and what that means."""
    words = translations(language).gettext
    return {
        OnEmpty.HOUSE: (words("House ad"), words("A calm picture of ours keeps the place.")),
        OnEmpty.COLLAPSE: (
            words("Close the place"),
            words("The text moves up, as if there had been none."),
        ),
        OnEmpty.PASSBACK: (
            words("Your own tag"),
            words("Another network's code, or a picture of yours."),
        ),
    }


def eyes_in_words(language: str) -> dict[Eyes, str]:
    words = translations(language).gettext
    return {
        Eyes.SHOPPER: words("A shopper"),
        Eyes.STRANGER: words("Without consent"),
        Eyes.NOBODY: words("No ad"),
    }


def admission_in_words(language: str) -> dict[Admission, str]:
    words = translations(language).gettext
    return {
        Admission.WAITING: words("Waiting for you"),
        Admission.SHOWN: words("May be shown"),
        Admission.APPROVED: words("Approved by you"),
        Admission.REFUSED: words("Refused by you"),
        Admission.CATEGORY: words("Of a category that you block"),
    }


def not_billed_in_words(language: str) -> dict[str, str]:
    """Why an ad's event costs the advertiser nothing, so that it earns nothing."""
    words = translations(language).gettext
    too_many = words("More of one network at once than people make")
    nameless = words("More of one network than people make, of readers whom nobody knows")
    return {
        "test": words("Your own, or another test visitor's"),
        "robot": words("By a machine that says so: search engines, previews, monitors"),
        "prefetch": words("Loaded ahead by a browser, and seen by nobody"),
        "too_soon": words("Clicked sooner than anybody reads"),
        "elsewhere": words("Clicked from a country that the campaign leaves out"),
        "other_visitor": words("From another browser than the one that was shown the ad"),
        "visitor_clicks": words("Clicked again and again by the same reader"),
        "visitor_rate": words("More of one reader in a minute than people do"),
        "network_rate": too_many,
        "strangers": too_many,
        "nameless_clicks": nameless,
        "nameless_views": nameless,
    }


def written(language: str) -> dict[str, Any]:
    """How a template writes figures."""
    return {
        "number": lambda value: number(value, language),
        "price": lambda micros, currency: amount(micros, currency, language),
        "month_name": lambda year, month: month_name(year, month, language),
    }


def amount(micros: int, currency: str, language: str) -> str:
    """A share of one ad is less than a cent: then to the last digit, since it is not nothing."""
    if abs(micros) >= CENT_MICROS or not micros:
        return price(micros, currency, language)
    exact = Decimal(micros).scaleb(-6)
    return format_currency(exact, currency, locale=locale_for(language), decimal_quantization=False)


def month_name(year: int, month: int, language: str) -> str:
    return format_skeleton("yMMMM", date(year, month, 1), locale=locale_for(language))
