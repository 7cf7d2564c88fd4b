"""GPP strings are read as the IAB's own decoder reads them, and nothing that is sent can hurt the reader."""

import json
import random
import string
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel.bits import Bits
from pixel.gpp import (
    MOST_CHARACTERS,
    TCF_EU,
    US_PRIVACY,
    US_SECTIONS,
    Fields,
    GppFlaw,
    UsChoices,
    choices_of,
    fields_of,
    sections_of,
)
from pixel.tcf import TcString, decode
from tests.pixel.consent_strings import (
    ALPHABET,
    RANDOM_STRINGS,
    base64_of,
    fibonacci,
    ids_of,
    make_gpp,
    make_tc,
    make_usnat,
    moment,
    number,
)

TCF_CANADA = 5
NAMES = (
    "tcfeuv2 - - tcfcav1 uspv1 usnat usca usva usco usut usct usfl usmt usor ustx usde usia usne usnh usnj ustn"
    " usmn usmd usin usky usri"
).split()


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "consent" / "gpp_strings.jsonl").read_text().splitlines()]


def sections(text: str) -> dict[int, str]:
    found = sections_of(text)
    assert isinstance(found, dict), found
    return found


def fields(section_id: int, text: str) -> Fields:
    found = fields_of(section_id, text)
    assert not isinstance(found, GppFlaw), (section_id, text, found)
    return found


def assert_same_tc(text: str, reference: dict[str, Any]) -> None:
    tc = decode(text)
    assert isinstance(tc, TcString)
    assert (moment(tc.created_ms), moment(tc.updated_ms)) == (reference["Created"], reference["LastUpdated"])
    assert (tc.cmp_id, tc.cmp_version, tc.screen) == tuple(
        reference[name] for name in ("CmpId", "CmpVersion", "ConsentScreen")
    )
    assert (tc.list_version, tc.policy_version) == (
        reference["VendorListVersion"],
        reference["PolicyVersion"],
    )
    assert (tc.language, tc.publisher_country) == (
        reference["ConsentLanguage"],
        reference["PublisherCountryCode"],
    )
    assert tc.service_specific is reference["IsServiceSpecific"]
    assert tc.purpose_one_treatment is reference["PurposeOneTreatment"]
    for ours, theirs in (
        (tc.special_features, "SpecialFeatureOptins"),
        (tc.purpose_consents, "PurposeConsents"),
        (tc.purpose_interests, "PurposeLegitimateInterests"),
        (tc.publisher_consents, "PublisherConsents"),
    ):
        assert sorted(ours) == [place for place, on in enumerate(reference[theirs], 1) if on]
    assert ids_of(tc.vendor_consents) == reference["VendorConsents"]
    assert ids_of(tc.vendor_interests) == reference["VendorLegitimateInterests"]
    assert ids_of(tc.disclosed) == reference["VendorsDisclosed"]
    assert len(tc.restrictions) == len(reference["PublisherRestrictions"])


def test_every_string_is_read_as_the_reference_reads_it(shared_data: Path) -> None:
    compared = set()
    for row in rows_of(shared_data):
        if not row["ref_valid"]:
            assert sections_of(row["gpp"]) is GppFlaw.OTHER_SECTIONS
            continue
        found = sections(row["gpp"])
        assert list(found) == row["sections"]
        for section_id, text in found.items():
            reference = row["ref"][NAMES[section_id - TCF_EU]]
            if section_id == TCF_EU:
                assert_same_tc(text, reference)
            elif section_id != TCF_CANADA:  # no law that this server applies
                assert_same_fields(section_id, text, reference)
            compared.add(section_id)
    assert compared == {TCF_EU, TCF_CANADA, US_PRIVACY, *US_SECTIONS}


def assert_same_fields(section_id: int, text: str, reference: dict[str, Any]) -> None:
    ours = fields(section_id, text)
    assert set(ours) == set(reference)
    for name, theirs in reference.items():
        found = ours[name]
        if isinstance(
            found, tuple
        ):  # the second layout of usnat has lists that the reference cuts to the first's
            assert list(found[: len(theirs)]) == theirs and not any(found[len(theirs) :])
        else:
            assert found == theirs, (section_id, name)


SECTIONS = [*US_SECTIONS]


@pytest.mark.parametrize("section_id", SECTIONS)
def test_each_opt_out_of_each_law_is_found_where_that_law_writes_it(
    shared_data: Path, section_id: int
) -> None:
    """Of the reference's own strings, one field after another is set, and read back alone."""
    [text, *_] = [
        sections(row["gpp"])[section_id]
        for row in rows_of(shared_data)
        if row["ref_valid"] and section_id in row["sections"]
    ]
    core, *rest = text.split(".")
    plain = fields(section_id, text)
    at = 6
    for name, value in list(plain.items())[1:]:
        count = len(value) if isinstance(value, tuple) else 1
        if name in ("GpcSegmentType", "Gpc") or at + 2 * count > len(core) * 6:
            break
        bits = "".join(number(ALPHABET.index(letter), 6) for letter in core)
        changed = base64_of(bits[:at] + "01" + bits[at + 2 :])
        read = fields(section_id, ".".join([changed, *rest]))
        assert {one for one in plain if read[one] != plain[one]} <= {name}
        assert choices_of(read) == UsChoices(
            opted_out=name in ("SaleOptOut", "SharingOptOut", "TargetedAdvertisingOptOut"),
            child=name == "KnownChildSensitiveDataConsents",
        )
        at += 2 * count


def test_a_section_says_what_was_written_into_it() -> None:
    text = make_gpp({7: make_usnat(sale=1, gpc=True)})
    read = fields(7, sections(text)[7])
    assert (read["SaleOptOut"], read["SharingOptOut"], read["Gpc"]) == (1, 2, True)
    assert choices_of(read) == UsChoices(opted_out=True, gpc=True)
    assert choices_of(fields(7, make_usnat())) == UsChoices()
    assert choices_of(fields(7, make_usnat(child=2))) == UsChoices(child=True)


@pytest.mark.parametrize("name", ["sale", "sharing", "targeted"])
def test_an_undefined_answer_counts_as_an_opt_out(name: str) -> None:
    assert [choices_of(fields(7, make_usnat(**{name: value}))).opted_out for value in range(4)] == [
        False, True, False, True,
    ]  # fmt: skip


def test_the_national_section_has_a_second_layout() -> None:
    head = number(2, 6) + "00" * 6 + "10" * 3 + "00" * 16
    child = base64_of(head + "000001" + "00" * 4)
    assert choices_of(fields(7, child)) == UsChoices(child=True)
    assert fields(7, child)["KnownChildSensitiveDataConsents"] == (0, 0, 1)


@pytest.mark.parametrize(
    ("text", "opted_out"),
    [("1YNN", False), ("1YYN", True), ("1---", False), ("1-Y-", True), ("1nyn", True)],
)
def test_the_older_american_text_is_read(text: str, opted_out: bool) -> None:
    assert choices_of(fields(US_PRIVACY, text)).opted_out is opted_out


@pytest.mark.parametrize("text", ["", "1YN", "2YNN", "1YNNN", "1YXN", "YNNN", "${US_PRIVACY}", "1Y\u0130N"])
def test_what_is_no_american_text_is_refused_by_name(text: str) -> None:
    assert fields_of(US_PRIVACY, text) is GppFlaw.BAD_US_PRIVACY


@given(st.sets(st.integers(1, 4_000), min_size=1, max_size=30))
def test_the_header_names_its_sections_whatever_their_ids(ids: set[int]) -> None:
    expected = dict.fromkeys(sorted(ids), "1YNN")
    assert sections_of(make_gpp(expected)) == expected


@given(st.integers(1, 100_000))
def test_a_number_in_fibonaccis_code_is_read_back(value: int) -> None:
    assert Bits(base64_of(fibonacci(value) + "0")).fibonacci() == value


def test_ids_in_a_row_may_be_written_as_a_range() -> None:
    header = base64_of(number(3, 6) + number(1, 6) + number(1, 12) + "1" + fibonacci(7) + fibonacci(2))
    assert sections(f"{header}~a~b~c") == {7: "a", 8: "b", 9: "c"}


def test_a_range_of_millions_is_not_spread_out() -> None:
    header = base64_of(
        number(3, 6) + number(1, 6) + number(1, 12) + "1" + fibonacci(1) + fibonacci(2_000_000)
    )
    tracemalloc.start()
    assert sections_of(f"{header}~1YNN") is GppFlaw.OTHER_SECTIONS
    _, most_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most_bytes < 100_000


def test_a_header_without_sections_says_nothing() -> None:
    assert sections_of("DBAA") == {}


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("", GppFlaw.NOT_BASE64),
        ("${GPP_STRING_755}", GppFlaw.NOT_BASE64),
        ("undefined", GppFlaw.BAD_HEADER),
        (make_tc(), GppFlaw.NOT_BASE64),
        ("D", GppFlaw.CUT_SHORT),
        ("DBA", GppFlaw.CUT_SHORT),
        ("DCAA", GppFlaw.BAD_HEADER),
        ("DBAA~1YNN", GppFlaw.OTHER_SECTIONS),
        (make_gpp({7: "x", 8: "y"}).rpartition("~")[0], GppFlaw.OTHER_SECTIONS),
        ("DBAA" + "~" * MOST_CHARACTERS, GppFlaw.TOO_LONG),
        (base64_of(number(3, 6) + number(1, 6) + number(1, 12) + "0" + "01" * 40 + "1"), GppFlaw.CUT_SHORT),
        (
            base64_of(number(3, 6) + number(1, 6) + number(1, 12) + "1" + fibonacci(1) + fibonacci(99_999)),
            GppFlaw.OTHER_SECTIONS,
        ),
    ],
)
def test_what_is_no_gpp_string_is_refused_by_name(text: str, flaw: GppFlaw) -> None:
    assert sections_of(text) is flaw


@pytest.mark.parametrize(
    ("section_id", "text", "flaw"),
    [
        (5, "BPSG", GppFlaw.UNKNOWN_SECTION),
        (28, "BAAA", GppFlaw.UNKNOWN_SECTION),
        (7, "A" * MOST_CHARACTERS + "A", GppFlaw.TOO_LONG),
        (8, "CAAAAAAA", GppFlaw.OTHER_VERSION),
        (8, "BA", GppFlaw.CUT_SHORT),
        (8, "BAAAAABA.", GppFlaw.NOT_BASE64),
        (8, "B+AAAABA", GppFlaw.NOT_BASE64),
    ],
)
def test_a_section_that_says_nothing_is_refused_by_name(section_id: int, text: str, flaw: GppFlaw) -> None:
    assert fields_of(section_id, text) is flaw


def test_no_random_text_raises_anything() -> None:
    dice = random.Random(31)
    alphabets = [ALPHABET, ALPHABET + ".~", string.printable, "DBA~"]
    for _ in range(RANDOM_STRINGS):
        text = "".join(dice.choices(dice.choice(alphabets), k=dice.randrange(60)))
        assert isinstance(sections_of("DB" + text), GppFlaw | dict)
        assert isinstance(fields_of(dice.randrange(30), dice.choice("BC1") + text), GppFlaw | dict)


@given(st.text(max_size=200), st.integers(0, 30))
def test_no_text_at_all_raises_anything(text: str, section_id: int) -> None:
    assert isinstance(sections_of(text), GppFlaw | dict)
    assert isinstance(fields_of(section_id, text), GppFlaw | dict)
