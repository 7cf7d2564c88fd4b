"""Amounts against an oracle of exact decimals."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

import pytest
from babel.core import get_global
from hypothesis import given
from hypothesis import strategies as st

from pixel import amounts
from pixel.amounts import CURRENCIES, currency_from, micros_from

EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)


@given(st.decimals(min_value=0, max_value=10**9, places=6, allow_nan=False, allow_infinity=False))
def test_an_amount_of_at_most_six_places_is_exact(amount: Decimal) -> None:
    expected = int(EXACT.multiply(amount, Decimal(10**6))) if amount < 10**9 else None
    assert micros_from(f"{amount:f}") == expected
    assert micros_from(amount) == expected


@given(st.integers())
def test_a_whole_amount_is_exact_within_its_bounds(units: int) -> None:
    assert micros_from(units) == (units * 10**6 if 0 <= units < 10**9 else None)


@given(st.integers(0, 10**11), st.integers(0, 10**11))
def test_the_rounding_noise_of_a_page_adding_floats_is_taken_away(cents: int, more_cents: int) -> None:
    total = cents / 100 + more_cents / 100
    if cents + more_cents < 10**8:  # above a million units a double is coarser than a micro
        assert micros_from(repr(total)) == (cents + more_cents) * 10_000


@given(st.text() | st.floats() | st.booleans() | st.none() | st.decimals())
def test_whatever_is_accepted_is_whole_micros_within_bounds(given: object) -> None:
    micros = micros_from(given)
    assert micros is None or (type(micros) is int and 0 <= micros < 10**15)


@pytest.mark.parametrize(
    "text",
    ["", " ", "-1", "-0", "+1", ".5", "5.", "0,99", "1 000", "1_000", "0x10", "NaN", "Infinity", "1e308",
     "1e9",     "1e-7", "0.0000001", "1.2345678", "999999999.9999999", "9" * 40, "0." + "1" * 40, "１２", "12 EUR", "1\n"],
)  # fmt: skip
def test_text_that_is_no_amount_we_can_hold_is_refused(text: str) -> None:
    assert micros_from(text) is None


@pytest.mark.parametrize(
    ("text", "micros"),
    [("0", 0), ("12.5", 12_500_000), (" 12.50 ", 12_500_000), ("1.25E2", 125_000_000), ("1.0E7", 10**13),
     ("0.30000000000000004", 300_000), ("999999999.999999", 10**15 - 1), ("0.000001", 1),
     ("007.5", 7_500_000)],
)  # fmt: skip
def test_text_of_a_decimal_number_is_read_exactly(text: str, micros: int) -> None:
    assert micros_from(text) == micros


@pytest.mark.parametrize(
    ("given", "code"), [("EUR", "EUR"), (" usd ", "USD"), ("XXX", None), ("€", None), (978, None)]
)
def test_only_active_currencies_are_known(given: object, code: str | None) -> None:
    assert currency_from(given) == code


def test_the_currency_table_holds_every_legal_tender_the_locale_data_knows() -> None:
    tender = {
        row[0]
        for rows in get_global("territory_currencies").values()
        for row in rows
        if row[2] is None and row[3]
    }
    assert tender <= CURRENCIES


@given(st.text(alphabet="0129. e-", max_size=25))
def test_an_amount_that_was_read_before_is_read_alike(text: str) -> None:
    assert micros_from(text) == micros_from(text) == amounts._read_text(text)


def test_what_is_remembered_of_amounts_is_bounded_and_nothing_long_is_kept() -> None:
    for number in range(5_000):
        micros_from(f"{number}.5")
    remembered = amounts._remembered_text.cache_info()
    assert remembered.currsize == remembered.maxsize
    micros_from("1" * 21)
    assert amounts._remembered_text.cache_info() == remembered
