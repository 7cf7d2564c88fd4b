"""TC strings are read as the IAB's own decoder reads them, and nothing that is sent can hurt the reader."""

import json
import random
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel.tcf import MOST_CHARACTERS, RestrictionType, TcFlaw, TcString, decode
from tests.pixel.consent_strings import (
    ALPHABET,
    NOW_MS,
    RANDOM_STRINGS,
    VENDOR,
    base64_of,
    bitfield,
    ids_of,
    letters,
    make_tc,
    moment,
    number,
    ranges,
    restriction,
)


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "consent" / "tc_strings.jsonl").read_text().splitlines()]


def reading_of(tc: TcString) -> dict[str, object]:
    """What we read, under the names of the reference."""
    return {
        "version": 2,
        "created": moment(tc.created_ms),
        "lastUpdated": moment(tc.updated_ms),
        "cmpId": tc.cmp_id,
        "cmpVersion": tc.cmp_version,
        "consentScreen": tc.screen,
        "consentLanguage": tc.language,
        "vendorListVersion": tc.list_version,
        "policyVersion": tc.policy_version,
        "isServiceSpecific": tc.service_specific,
        "specialFeatureOptins": sorted(tc.special_features),
        "purposeConsents": sorted(tc.purpose_consents),
        "purposeLegitimateInterests": sorted(tc.purpose_interests),
        "purposeOneTreatment": tc.purpose_one_treatment,
        "publisherCountryCode": tc.publisher_country,
        "vendorConsents": ids_of(tc.vendor_consents),
        "vendorLegitimateInterests": ids_of(tc.vendor_interests),
        "nPublisherRestrictions": len({(one.purpose, one.type) for one in tc.restrictions}),
        "publisherConsents": sorted(tc.publisher_consents),
        "vendorsDisclosed": ids_of(tc.disclosed),
    }


def test_every_string_of_version_2_is_read_as_the_reference_reads_it(shared_data: Path) -> None:
    compared = 0
    for row in rows_of(shared_data):
        reference = row["ref"]
        if row["ref_valid"] and reference["version"] == 2:
            read = decode(row["tc"])
            assert isinstance(read, TcString), (row["tc"], read)
            assert reading_of(read) == reference, row["tc"]
            compared += 1
    assert compared == 49


def test_what_the_reference_cannot_read_and_what_is_of_version_1_is_refused_by_name(
    shared_data: Path,
) -> None:
    refused: dict[TcFlaw, int] = {}
    for row in rows_of(shared_data):
        reference = row["ref"]
        if not row["ref_valid"] or reference["version"] == 1:
            flaw = decode(row["tc"])
            assert isinstance(flaw, TcFlaw), row["tc"]
            refused[flaw] = refused.get(flaw, 0) + 1
    assert sum(refused.values()) == 54
    assert set(refused) == {TcFlaw.OTHER_VERSION, TcFlaw.CUT_SHORT, TcFlaw.BAD_RANGE}


def read(text: str) -> TcString:
    found = decode(text)
    assert isinstance(found, TcString)
    return found


def test_a_string_says_what_was_written_into_it() -> None:
    tc = read(make_tc(purposes=(1, 3, 4), restrictions=[restriction(3, 0, [10, 11])]))
    assert (tc.cmp_id, tc.language, tc.publisher_country, tc.policy_version) == (880, "EN", "FR", 5)
    assert tc.updated_ms == NOW_MS - 3_600_000
    assert tc.purpose_consents == {1, 3, 4}
    assert VENDOR in tc.vendor_consents and VENDOR - 1 not in tc.vendor_consents
    assert tc.disclosed is not None and VENDOR in tc.disclosed
    [one] = tc.restrictions
    assert (one.purpose, one.type) == (3, RestrictionType.NOT_ALLOWED)
    assert 11 in one.vendors and VENDOR not in one.vendors


def test_segments_after_the_core_may_stand_in_any_order() -> None:
    core, disclosed = make_tc().split(".")
    publisher = base64_of(number(3, 3) + "101" + "0" * 21 + "0" * 24 + number(0, 6))
    unknown = base64_of(number(5, 3) + "1" * 30)
    expected = read(f"{core}.{disclosed}.{publisher}")
    assert expected.publisher_consents == {1, 3}
    assert (
        expected
        == read(f"{core}.{publisher}.{disclosed}")
        == read(f"{core}.{unknown}.{publisher}.{disclosed}")
    )


@given(st.sets(st.integers(1, 65_535), min_size=1, max_size=40))
def test_a_bitfield_and_ranges_of_the_same_vendors_say_the_same(ids: set[int]) -> None:
    few = {one % 2_000 + 1 for one in ids}
    core = make_tc().split(".")[0]
    by_bits = read(f"{core}.{base64_of('001' + bitfield(few))}").disclosed
    by_ranges = read(f"{core}.{base64_of('001' + ranges([(one, one) for one in sorted(few)]))}").disclosed
    assert by_bits is not None and by_ranges is not None
    assert ids_of(by_bits) == ids_of(by_ranges) == sorted(few)
    assert all((one in by_bits) is (one in by_ranges) is (one in few) for one in (*few, *ids, 0, 70_000))


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("", TcFlaw.NOT_BASE64),
        ("${GDPR_CONSENT_755}", TcFlaw.NOT_BASE64),
        ("undefined", TcFlaw.OTHER_VERSION),
        ("BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA", TcFlaw.OTHER_VERSION),
        (make_tc(version=3), TcFlaw.OTHER_VERSION),
        (make_tc() + "=", TcFlaw.NOT_BASE64),
        (make_tc() + ".", TcFlaw.NOT_BASE64),
        (make_tc()[:40], TcFlaw.CUT_SHORT),
        (make_tc(disclosed=None) + ".IAA", TcFlaw.CUT_SHORT),
        (make_tc(disclosed=None) + "." + base64_of("001" + ranges([(5, 5)]))[:-1], TcFlaw.CUT_SHORT),
        (make_tc(disclosed=None) + "." + base64_of("001" + ranges([(9, 3)])), TcFlaw.BAD_RANGE),
        (make_tc(disclosed=None) + "." + base64_of("001" + ranges([(0, 3)])), TcFlaw.BAD_RANGE),
        (make_tc(restrictions=[restriction(1, 0, [0])]), TcFlaw.BAD_RANGE),
        (make_tc() + "." + "A" * MOST_CHARACTERS, TcFlaw.TOO_LONG),
        ("CP\u0660", TcFlaw.NOT_BASE64),
        ("CP\ud800", TcFlaw.NOT_BASE64),
    ],
)
def test_what_is_no_string_of_version_2_is_refused_by_name(text: str, flaw: TcFlaw) -> None:
    assert decode(text) is flaw


def test_no_random_text_raises_anything() -> None:
    dice = random.Random(23)
    alphabets = [ALPHABET, ALPHABET + ".", string.printable, "A.", "_-C"]
    for _ in range(RANDOM_STRINGS):
        text = "".join(dice.choices(dice.choice(alphabets), k=dice.randrange(120)))
        assert isinstance(decode(text), TcFlaw | TcString)
        assert isinstance(decode("C" + text), TcFlaw | TcString)


@given(st.text(max_size=400))
def test_no_text_at_all_raises_anything(text: str) -> None:
    assert isinstance(decode(text), TcFlaw | TcString)
    assert isinstance(decode(make_tc() + text), TcFlaw | TcString)


def test_no_cut_or_changed_real_string_raises_anything_and_no_cut_core_is_read(shared_data: Path) -> None:
    dice = random.Random(29)
    for row in rows_of(shared_data):
        text = row["tc"]
        core = text.split(".")[0]
        for length in {dice.randrange(len(text)) for _ in range(30)}:
            assert isinstance(decode(text[:length]), TcFlaw | TcString)
        for _ in range(60):
            at = dice.randrange(len(text))
            changed = text[:at] + dice.choice(ALPHABET + ".=") + text[at + 1 :]
            assert isinstance(decode(changed), TcFlaw | TcString)
        assert isinstance(decode(core[: len(core) // 2]), TcFlaw)


def test_the_worst_that_fits_is_read_without_being_spread_out() -> None:
    """Ranges over all vendors are kept as ranges: what is kept is no longer than what was sent."""
    header = make_tc(disclosed=None)
    room = (MOST_CHARACTERS - len(header) - 1) * 6 - 3 - 16 - 1 - 12
    widest = [(1, 65_535)] * (room // 33)
    tc = read(f"{header}.{base64_of('001' + ranges(widest))}")
    assert tc.disclosed is not None and len(tc.disclosed.ranges) == len(widest) > 1_000
    assert 65_535 in tc.disclosed and tc.disclosed.bits == ""


def test_countries_and_languages_are_two_letters() -> None:
    assert letters("FR") == "000101010001"
    assert read(make_tc()).publisher_country == "FR"
