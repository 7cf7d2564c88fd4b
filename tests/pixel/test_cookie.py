"""Cookies are signed, read back, and refused in every damaged form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel.cookie import (
    DEVELOPMENT_NAMES,
    SECURE_NAMES,
    CookieFlaw,
    KeyRing,
    VisitorCookie,
    expire_opt_out,
    expire_visitor,
    mint,
    party_id,
    read_visitor,
    set_opt_out,
    set_visitor,
    visitor_behind,
    visitor_of,
)

KEYS = KeyRing(current=2, keys={1: b"old" * 10, 2: b"new" * 10})
RANDOM = bytes(range(16))
VALUE = mint(RANDOM, KEYS)
NAMES = [SECURE_NAMES, DEVELOPMENT_NAMES]


def read(*cookies: str, names=SECURE_NAMES, keys=KEYS) -> VisitorCookie:
    return read_visitor("; ".join(cookies).encode(), keys, names)


@given(st.binary(min_size=16, max_size=16), st.sampled_from(NAMES))
def test_a_minted_cookie_names_its_visitor_when_it_returns(random_bytes, names) -> None:
    name = names.visitor.decode()
    found = read("other=1", f"{name}={mint(random_bytes, KEYS)}", "x=y", names=names)
    assert found == VisitorCookie(visitor_of(random_bytes))
    assert 0 <= visitor_of(random_bytes) < 2**63


def test_no_cookie_is_no_flaw() -> None:
    assert read() == read("a=b", "rt=1") == VisitorCookie()


def test_a_cookie_of_an_older_key_is_still_read() -> None:
    old = mint(RANDOM, KeyRing(1, KEYS.keys))
    assert read(f"__Host-rt={old}").visitor == visitor_of(RANDOM)


def test_a_cookie_of_a_retired_key_names_nobody() -> None:
    assert read(f"__Host-rt={VALUE}", keys=KeyRing(1, {1: b"old" * 10})).flaw is CookieFlaw.FORGED


def test_no_character_of_a_cookie_can_be_changed() -> None:
    for place in range(len(VALUE)):
        for code in range(33, 127):
            changed = VALUE[:place] + chr(code) + VALUE[place + 1 :]
            if changed != VALUE and chr(code) != ";":
                found = read(f"__Host-rt={changed}")
                assert found.visitor is None and found.flaw in (CookieFlaw.FORGED, CookieFlaw.MALFORMED), (
                    changed
                )


def test_a_cut_or_lengthened_cookie_is_malformed() -> None:
    for damaged in [VALUE[:place] for place in range(len(VALUE))] + [VALUE + "A", VALUE + "=", f'"{VALUE}"']:
        assert read(f"__Host-rt={damaged}") == VisitorCookie(flaw=CookieFlaw.MALFORMED)


def test_two_visitor_cookies_name_nobody() -> None:
    assert read(f"__Host-rt={VALUE}", f"__Host-rt={VALUE}") == VisitorCookie(flaw=CookieFlaw.DOUBLED)


def test_a_cookie_under_the_development_name_does_not_count_on_a_secure_host() -> None:
    assert read(f"rt={VALUE}") == VisitorCookie()
    assert read(f"__Host-rt={VALUE}", names=DEVELOPMENT_NAMES) == VisitorCookie()


@pytest.mark.parametrize("names", NAMES)
def test_an_opt_out_is_seen_beside_the_visitor_it_withdraws(names) -> None:
    visitor, opt_out = names.visitor.decode(), names.opt_out.decode()
    assert read(f"{opt_out}=1", names=names) == VisitorCookie(opted_out=True)
    assert read(f"{visitor}={VALUE}", f"{opt_out}=1", names=names) == VisitorCookie(visitor_of(RANDOM), True)
    assert read(f"{opt_out}=", names=names) == VisitorCookie()


@given(st.binary())
def test_no_cookie_header_raises(header) -> None:
    for part in (header, b"__Host-rt=" + header, b"__Host-rt-optout=" + header):
        assert read_visitor(part, KEYS, SECURE_NAMES).visitor is None


def test_the_set_cookie_headers_are_literally_these() -> None:
    assert (
        VALUE == "AgABAgMEBQYHCAkKCwwNDg9BxPIuHty2-1kKIrpTWKbE"
    )  # browsers hold these: a change logs all out
    assert (
        set_visitor("V", SECURE_NAMES)
        == b"__Host-rt=V; Max-Age=33696000; Path=/; Secure; HttpOnly; SameSite=None"
    )
    assert expire_visitor(SECURE_NAMES) == b"__Host-rt=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=None"
    assert (
        set_opt_out(SECURE_NAMES)
        == b"__Host-rt-optout=1; Max-Age=33696000; Path=/; Secure; HttpOnly; SameSite=None"
    )
    assert (
        expire_opt_out(SECURE_NAMES)
        == b"__Host-rt-optout=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=None"
    )
    assert set_visitor("V", DEVELOPMENT_NAMES) == b"rt=V; Max-Age=33696000; Path=/; HttpOnly; SameSite=Lax"
    assert set_opt_out(DEVELOPMENT_NAMES) == b"rt-optout=1; Max-Age=33696000; Path=/; HttpOnly; SameSite=Lax"


def test_sixteen_random_bytes_are_needed() -> None:
    with pytest.raises(ValueError, match="16 random bytes"):
        mint(b"short", KEYS)


KEY = b"k" * 32
VISITORS = st.integers(0, 2**63 - 1)


@given(VISITORS, VISITORS, VISITORS)
def test_two_parties_cannot_join_the_ids_they_see(visitor, party, other_party) -> None:
    """Nothing of the ids agrees, and neither party's is one to the other."""
    one, other = party_id(visitor, party, KEY), party_id(visitor, other_party, KEY)
    assert len(one) == len(other) == 32
    assert one == party_id(visitor, party, KEY)
    if party != other_party:
        assert one[:20] != other[:20] and one[-8:] != other[-8:]
        assert visitor_behind(one, other_party, KEY) is None


@given(VISITORS, VISITORS)
def test_a_partys_id_is_turned_back_by_the_key_alone(visitor, party) -> None:
    told = party_id(visitor, party, KEY)
    assert visitor_behind(told, party, KEY) == visitor
    assert visitor_behind(told, party, b"l" * 32) is None


@given(VISITORS, st.integers(0, 31), st.sampled_from("ABCabc012-_=+/é@ "))
def test_a_partys_id_with_any_letter_changed_is_nobodys(visitor, place, letter) -> None:
    told = party_id(visitor, 7, KEY)
    altered = told[:place] + letter + told[place + 1 :]
    assert altered == told or visitor_behind(altered, 7, KEY) is None


@given(st.text(max_size=40) | st.text("abcdefgh-_AZ09", min_size=32, max_size=32))
def test_what_was_never_given_out_is_nobodys(text) -> None:
    assert visitor_behind(text, 7, KEY) is None
