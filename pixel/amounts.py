"""Amounts of money and currency codes as pages write them become whole micros of a known currency."""

import re
from decimal import Decimal
from functools import lru_cache

MICROS_PER_UNIT = 1_000_000
_LONGEST_REMEMBERED = 20  # pages, not we, choose how long an amount is
MAX_UNITS = 10**9  # exclusive; no basket is worth a billion, whatever the currency

# The active money of ISO 4217 (no funds codes, no metals), a literal since this room reads no disk.
CURRENCIES = frozenset(
    """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF
    CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD
    HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD
    LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK
    PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS
    TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
    """.split()
)

_PLAIN_AMOUNT = re.compile(
    r"([0-9]{1,9})(?:\.([0-9]{1,6}))?"
)  # nearly every price there is; three times faster
_AMOUNT = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,18})?(?:[eE][+-]?[0-9]{1,2})?")
# Shops add prices as binary floats: 0.1 + 0.2 arrives as 0.30000000000000004. What lies this far below a
# micro is their rounding noise; anything between this and a micro is a price we cannot hold.
_NOISE_MICROS = Decimal("0.001")


def micros_from(given: object) -> int | None:
    """Whole micros of an amount in major units; None where it is negative, too large, too fine or no number.

    Accepts int, the text of a decimal number and Decimal. A float is refused: it lost the text it came from.
    """
    if type(given) is int:  # not bool
        return given * MICROS_PER_UNIT if 0 <= given < MAX_UNITS else None
    if isinstance(given, Decimal):
        given = str(given)
    if not isinstance(given, str):
        return None
    return _remembered_text(given) if len(given) <= _LONGEST_REMEMBERED else _read_text(given)


def _read_text(given: str) -> int | None:
    plain = _PLAIN_AMOUNT.fullmatch(given)
    if plain:
        whole, fraction = plain.groups("")
        return int(whole + fraction.ljust(6, "0"))
    text = given.strip(" ")
    return _micros_of(text) if _AMOUNT.fullmatch(text) else None


_remembered_text = lru_cache(maxsize=4_096)(_read_text)  # a price is said with every view of its product


def _micros_of(text: str) -> int | None:
    amount = Decimal(text)
    if amount >= MAX_UNITS:
        return None
    exact = amount * MICROS_PER_UNIT
    whole = round(exact)
    if whole != exact and abs(exact - whole) > _NOISE_MICROS:
        return None
    return whole if whole < MAX_UNITS * MICROS_PER_UNIT else None


def currency_from(given: object) -> str | None:
    """The ISO 4217 code in capitals; None where there is no such money."""
    if not isinstance(given, str):
        return None
    if given in CURRENCIES:
        return given
    code = given.strip(" ").upper()
    return code if code in CURRENCIES else None
