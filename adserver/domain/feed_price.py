"""How merchants write a price: its text becomes micros and a currency, or a named refusal."""

import re
from decimal import Decimal
from enum import StrEnum

from adserver.domain.money import LARGEST, MICROS_PER_UNIT, Micros


class PriceRejection(StrEnum):
    """Why a text is no price."""

    BAD_PRICE = "bad_price"
    MISSING_CURRENCY = "missing_currency"


_MOST_PRICE_CHARACTERS = 40
_CODE = re.compile(r"[A-Za-z]{3}")
_GROUP = "[ \u00a0\u2009\u202f'\u2019]"  # spaces, narrow spaces and apostrophes part thousands only
_PLAIN = re.compile(r"[0-9]{1,12}(?:[.,][0-9]{0,18})?|[.,][0-9]{1,18}")
_GROUPED = re.compile(
    rf"[0-9]{{1,3}}(?:(?:{_GROUP}[0-9]{{3}})+(?:[.,][0-9]{{0,18}})?"
    r"|(?:\.[0-9]{3})+,[0-9]{0,18}|(?:,[0-9]{3})+\.[0-9]{0,18}"
    r"|(?:\.[0-9]{3}){2,}|(?:,[0-9]{3}){2,})"
)
_COMMA_AND_THREE_DIGITS = re.compile(r"[1-9][0-9]{0,2},[0-9]{3}")
_POINT_AND_THREE_DIGITS = re.compile(r"[1-9][0-9]{0,2}\.[0-9]{3}")
_THREE_DECIMALS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))
_SWISS_ROUND = re.compile(r"(?<=[0-9])[.,](?:-{1,2}|\u2013|\u2014)")  # `15.-` and `15,-`: no cents
_NUMBER_INSIDE = re.compile(r"([^0-9]*?)([0-9](?:.*[0-9])?[.,]?|[.,][0-9]+)([^0-9]*)", re.DOTALL)
_EASTERN = str.maketrans(
    {ord(zero) + digit: str(digit) for zero in "\u0660\u06f0\uff10" for digit in range(10)}
    | {0x066B: ".", 0x066C: "'"}  # Arabic's decimal sign, and its sign between thousands
)

# What a sign means wherever it is used. The others mean a currency only where somebody said which.
_SIGNS = {
    "€": "EUR",
    "£": "GBP",
    "kč": "CZK",
    "zł": "PLN",
    "ft": "HUF",
    "₽": "RUB",
    "\u0440\u0443\u0431": "RUB",  # written in Russian
    "₴": "UAH",
    "грн": "UAH",
    "₺": "TRY",
    "tl": "TRY",
    "₪": "ILS",
    "₩": "KRW",
    "₫": "VND",
    "₹": "INR",
    "₱": "PHP",
    "₦": "NGN",
    "฿": "THB",
    "₸": "KZT",
    "лв": "BGN",
    "r$": "BRL",
    "us$": "USD",
    "ca$": "CAD",
    "au$": "AUD",
    "nz$": "NZD",
    "hk$": "HKD",
    "mx$": "MXN",
    "د.إ": "AED",
    "ر.ع": "OMR",
    "ج.م": "EGP",
    "د.ك": "KWD",
}
_SHARED_SIGNS = {
    "$": frozenset("ARS AUD BRL CAD CLP COP HKD MXN NZD SGD TWD USD UYU".split()),
    "kr": frozenset(("DKK", "ISK", "NOK", "SEK")),
    "¥": frozenset(("CNY", "JPY")),
    "lei": frozenset(("MDL", "RON")),
    "fr": frozenset(("CHF", "XAF", "XOF")),
    "ر.س": frozenset(("SAR",)),
    "din": frozenset(("RSD", "MKD")),
}


def read_price(text: str, currency: str | None = None) -> tuple[Micros, str] | PriceRejection:
    """`15.00 USD`, `USD 15.00`, `15,00 €`, `1.234,50 EUR` or `Kč 1 234,50` as micros and currency.

    `currency` counts where the text names none, and decides for a sign that several share, such as `$`.
    Google's decimal point is a point, so one point is always that. One comma before exactly three digits
    parts thousands; but where the currency has three decimals it says nothing, and nothing is guessed.
    """
    text = text.strip() if text.isascii() else text.translate(_EASTERN).strip()
    if len(text) > _MOST_PRICE_CHARACTERS:
        return PriceRejection.BAD_PRICE
    found = _NUMBER_INSIDE.fullmatch(_SWISS_ROUND.sub("", text))
    if found is None:
        return PriceRejection.BAD_PRICE
    before, number, after = (part.strip() for part in found.groups())
    code = _currency_of(before, after, currency)
    if code is PriceRejection.BAD_PRICE:
        return PriceRejection.BAD_PRICE
    micros = _amount(number, code)
    if micros is None or _could_be_thousands(number, code, before or after):
        return PriceRejection.BAD_PRICE
    return code if isinstance(code, PriceRejection) else (micros, code)


def _currency_of(before: str, after: str, given: str | None) -> str | PriceRejection:
    """What stands on one side of the number; on both sides it is no price, nor where it is no currency."""
    if before and after:
        return PriceRejection.BAD_PRICE
    word = before or after
    if not word:
        return given or PriceRejection.MISSING_CURRENCY
    if _CODE.fullmatch(word) and word.lower() not in _SIGNS and word.lower() not in _SHARED_SIGNS:
        return word.upper()
    sign = word.lower().strip(".\u200e\u200f ")
    if sign in _SIGNS:
        return _SIGNS[sign]
    shared = _SHARED_SIGNS.get(sign)
    if shared is None:
        return PriceRejection.BAD_PRICE
    return given if given in shared else PriceRejection.MISSING_CURRENCY


def _amount(number: str, currency: str) -> Micros | None:
    if _COMMA_AND_THREE_DIGITS.fullmatch(number):
        if currency in _THREE_DECIMALS:
            return None
        plain = number.replace(",", "")
    elif _PLAIN.fullmatch(number):
        plain = number.replace(",", ".")
    elif _GROUPED.fullmatch(number):
        plain = _without_groups(number)
    else:
        return None
    micros = round(Decimal(plain) * MICROS_PER_UNIT)
    return Micros(micros) if 0 < micros < LARGEST else None


def _could_be_thousands(number: str, currency: str, word: str) -> bool:
    """`1.299 €`: who writes a sign writes as the country does, where a point may part thousands."""
    if not word or _CODE.fullmatch(word) or currency in _THREE_DECIMALS:
        return False
    return bool(_POINT_AND_THREE_DIGITS.fullmatch(number))


def _without_groups(number: str) -> str:
    number = re.sub(_GROUP, "", number)
    last = max(number.rfind("."), number.rfind(","))
    if last < 0 or number.count(number[last]) > 1:  # every mark parts thousands
        return number.replace(".", "").replace(",", "")
    return re.sub("[.,]", "", number[:last]) + "." + number[last + 1 :]
