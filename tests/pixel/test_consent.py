"""The first gate of consent over the whole space of signals, against a reference written as rows."""

from collections.abc import Iterator
from itertools import product

import pytest

from pixel.consent import STRICT_COUNTRIES, Basis, Consent, Region, Signals, decide, region_of

ALL = (True, True, True, True)
NONE = (False, False, False, False)
ANY = None

SILENCE = [None, "", "${GDPR}", "%%GDPR%%"]
REGIONS = list(Region)
GDPR = [*SILENCE, "0", "1", "yes"]
TC_STRINGS = [*SILENCE, "CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA"]
GPP_STRINGS = [*SILENCE, "DBAA", "DBABLA~BVQqAAAAAgA.QA"]
COPPA = [*SILENCE, "0", "1"]
ASSERTIONS = [  # asserted, by, at, from a verified origin
    (None, None, None, True),
    (False, "Klaro", 1_790_000_000, True),
    (False, None, None, False),
    (True, None, None, False),
    (True, "Klaro", 1_790_000_000, False),
    (True, "Klaro", None, True),
    (True, None, 1_790_000_000, True),
    (True, "", 1_790_000_000, True),
    (True, "${CMP}", 1_790_000_000, True),
    (True, "Klaro", 1_790_000_000, True),
]

# The first row that fits decides. Columns: opted out, child, privacy control, page said no, a yes is needed,
# the page's yes is proven, an unread GPP string with sections, the page said yes -> basis, allowed.
ROWS = [
    ((True, ANY, ANY, ANY, ANY, ANY, ANY, ANY), Basis.OPTED_OUT, NONE),
    ((ANY, True, ANY, ANY, ANY, ANY, ANY, ANY), Basis.CHILD, NONE),
    ((ANY, ANY, True, ANY, ANY, ANY, ANY, ANY), Basis.PRIVACY_CONTROL, NONE),
    ((ANY, ANY, ANY, True, ANY, ANY, ANY, ANY), Basis.REFUSED, NONE),
    ((ANY, ANY, ANY, ANY, True, True, ANY, ANY), Basis.ASSERTED, ALL),
    ((ANY, ANY, ANY, ANY, True, False, ANY, ANY), Basis.NO_USABLE_STRING, NONE),
    ((ANY, ANY, ANY, ANY, False, ANY, True, ANY), Basis.NO_USABLE_STRING, NONE),
    ((ANY, ANY, ANY, ANY, False, ANY, False, True), Basis.ASSERTED, ALL),
    ((ANY, ANY, ANY, ANY, False, ANY, False, False), Basis.OPEN_REGION, ALL),
]


def every_signal() -> Iterator[Signals]:
    flags = [False, True]
    space = product(REGIONS, GDPR, TC_STRINGS, GPP_STRINGS, COPPA, ASSERTIONS, flags, flags)
    for region, gdpr, tc, gpp, coppa, (asserted, by, at, verified), control, opted_out in space:
        yield Signals(region, gdpr, tc, gpp, None, coppa, asserted, by, at, verified, control, opted_out)


def columns_of(signals: Signals) -> tuple[bool, ...]:
    return (
        signals.opted_out,
        signals.coppa == "1",
        signals.global_privacy_control,
        signals.asserted is False,
        signals.region is Region.STRICT
        or signals.gdpr in ("1", "yes")
        or (signals.gdpr in SILENCE and signals.gdpr_consent not in SILENCE),
        (signals.asserted, signals.asserted_by, signals.asserted_at_seconds, signals.origin_verified)
        == (True, "Klaro", 1_790_000_000, True),
        "~" in (signals.gpp or ""),
        signals.asserted is True,
    )


def reference(signals: Signals) -> Consent:
    columns = columns_of(signals)
    for pattern, basis, allowed in ROWS:
        if all(wanted is ANY or wanted is said for wanted, said in zip(pattern, columns, strict=True)):
            return Consent(basis, *allowed)
    raise AssertionError(f"no row for {signals}")


def test_every_combination_of_signals_is_decided_as_the_rows_say() -> None:
    for signals in every_signal():
        assert decide(signals) == reference(signals), signals


def make_signals(region: Region = Region.OPEN, **fields: object) -> Signals:
    return Signals(region, **fields)  # type: ignore[arg-type]


def test_silence_is_a_no_where_the_law_is_strict_and_allowed_elsewhere() -> None:
    assert decide(make_signals(Region.STRICT)) == Consent(Basis.NO_USABLE_STRING, *NONE)
    assert decide(make_signals(Region.OPEN)) == Consent(Basis.OPEN_REGION, *ALL)


def test_a_bare_yes_in_a_pasted_address_does_not_count_in_the_eea() -> None:
    assert decide(make_signals(Region.STRICT, asserted=True)).basis is Basis.NO_USABLE_STRING
    assert decide(make_signals(Region.OPEN, asserted=True)) == Consent(Basis.ASSERTED, *ALL)


def test_a_yes_from_our_own_pages_with_tool_and_time_counts_in_the_eea() -> None:
    said = {"asserted": True, "asserted_by": "Klaro", "asserted_at_seconds": 1_790_000_000}
    assert decide(make_signals(Region.STRICT, **said, origin_verified=True)) == Consent(Basis.ASSERTED, *ALL)
    assert decide(make_signals(Region.STRICT, **said)) == Consent(Basis.NO_USABLE_STRING, *NONE)


def test_an_address_that_says_gdpr_does_not_apply_does_not_move_a_european_elsewhere() -> None:
    assert decide(make_signals(Region.STRICT, gdpr="0")).basis is Basis.NO_USABLE_STRING


@pytest.mark.parametrize("macro", ["${GDPR}", "%%GDPR%%", "${GDPR_CONSENT_755}"])
def test_a_macro_nobody_expanded_is_silence(macro: str) -> None:
    silent = {"gdpr": macro, "gdpr_consent": macro, "gpp": macro, "gpp_sid": macro, "coppa": macro}
    for region in Region:
        assert decide(make_signals(region, **silent)) == decide(make_signals(region))


@pytest.mark.parametrize(
    ("country", "region"),
    [("DE", Region.STRICT), ("GB", Region.STRICT), ("CH", Region.STRICT), ("NO", Region.STRICT),
     ("RE", Region.STRICT), ("US", Region.OPEN), ("TR", Region.OPEN)],
)  # fmt: skip
def test_a_country_has_the_region_of_its_law(country: str, region: Region) -> None:
    assert region_of(country, Region.STRICT) is region_of(country, Region.OPEN) is region


@pytest.mark.parametrize("default", list(Region))
def test_an_unknown_country_has_the_default_region(default: Region) -> None:
    assert region_of(None, default) is region_of("", default) is default


def test_the_strict_countries_are_the_thirty_of_the_eea_and_nine_more() -> None:
    assert len(STRICT_COUNTRIES) == 39
