"""The cookie of one site tells what was shown there, names nobody, and is refused in every damaged form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel.cookie import (
    DEVELOPMENT_NAMES,
    SECURE_NAMES,
    CookieFlaw,
    KeyRing,
    VisitorCookie,
    mint,
    read_visitor,
)
from pixel.site_cookie import (
    MOST_SEEN,
    MOST_TIMES,
    Seen,
    SiteCookie,
    expire_site,
    mint_site,
    read_site,
    set_site,
)

KEYS = KeyRing(current=2, keys={1: b"old" * 10, 2: b"new" * 10})
SEEN: tuple[Seen, ...] = ((70, 498_611, 1), (2**63 - 1, 498_612, 255))
SITE = 2**62 + 5
VALUE = mint_site(SEEN, SITE, KEYS)
NAMES = [SECURE_NAMES, DEVELOPMENT_NAMES]
ENTRIES = st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 2**24 - 1), st.integers(1, 255))
LISTS = st.lists(ENTRIES, min_size=1, max_size=MOST_SEEN + 5).map(tuple)


def read(*cookies: str, names=SECURE_NAMES, keys=KEYS) -> SiteCookie:
    return read_site("; ".join(cookies).encode(), keys, names)


@given(LISTS, st.sampled_from(NAMES))
def test_what_was_shown_is_read_when_the_cookie_returns_and_of_too_much_the_newest(seen, names) -> None:
    name, value = names.site.decode(), mint_site(seen, SITE, KEYS)
    assert read("other=1", f"{name}={value}", "x=y", names=names) == SiteCookie(seen[-MOST_SEEN:], SITE)
    assert len(value) <= 36 + 16 * MOST_SEEN  # a browser's limit is 4,096


def test_a_count_stops_where_its_byte_ends() -> None:
    value = mint_site(((70, 498_611, MOST_TIMES + 1),), SITE, KEYS)
    assert read(f"__Host-rt-site={value}").seen == ((70, 498_611, MOST_TIMES),)


def test_no_cookie_is_no_flaw() -> None:
    visitor = mint(bytes(16), KEYS)
    assert read() == read("a=b", f"__Host-rt={visitor}", "__Host-rt-site2=x") == SiteCookie()


def test_a_list_of_an_older_key_is_still_read_and_one_of_a_retired_key_is_not() -> None:
    old = mint_site(SEEN, SITE, KeyRing(1, KEYS.keys))
    assert read(f"__Host-rt-site={old}").seen == SEEN
    assert read(f"__Host-rt-site={VALUE}", keys=KeyRing(1, {1: b"old" * 10})).flaw is CookieFlaw.FORGED


def test_no_character_of_a_list_can_be_changed() -> None:
    for place in range(len(VALUE)):
        for code in range(33, 127):
            changed = VALUE[:place] + chr(code) + VALUE[place + 1 :]
            if changed != VALUE and chr(code) != ";":
                found = read(f"__Host-rt-site={changed}")
                assert found.seen == () and found.flaw in (CookieFlaw.FORGED, CookieFlaw.MALFORMED), changed


def test_a_list_that_is_cut_or_lengthened_or_empty_is_malformed() -> None:
    damaged = [VALUE[:place] for place in range(len(VALUE)) if (place - 36) % 16 or place <= 36]
    for value in [*damaged, VALUE + "A", VALUE + "=", f'"{VALUE}"', mint_site((), SITE, KEYS), "A" * 3_000]:
        assert read(f"__Host-rt-site={value}") == SiteCookie(flaw=CookieFlaw.MALFORMED)
    assert read(f"__Host-rt-site={VALUE[:-16]}").flaw is CookieFlaw.FORGED


def test_a_list_longer_than_ours_ever_are_is_malformed() -> None:
    longest = mint_site(((1, 1, 1),) * MOST_SEEN, SITE, KEYS)
    assert len(read(f"__Host-rt-site={longest}").seen) == MOST_SEEN
    assert read(f"__Host-rt-site={longest}{'A' * 16}").flaw is CookieFlaw.MALFORMED


def test_a_list_says_of_which_site_it_is() -> None:
    other = mint_site(SEEN, SITE + 1, KEYS)
    assert (read(f"__Host-rt-site={VALUE}").site_key, read(f"__Host-rt-site={other}").site_key) == (
        SITE,
        SITE + 1,
    )


def test_two_lists_say_nothing() -> None:
    assert read(f"__Host-rt-site={VALUE}", f"__Host-rt-site={VALUE}") == SiteCookie(flaw=CookieFlaw.DOUBLED)


def test_no_other_cookie_of_ours_passes_for_a_list_nor_a_list_for_another() -> None:
    visitor = mint(bytes(16), KEYS)
    assert read(f"__Host-rt-site={visitor}").flaw is CookieFlaw.MALFORMED
    header = f"__Host-rt={VALUE}".encode()
    assert read_visitor(header, KEYS, SECURE_NAMES).flaw is CookieFlaw.MALFORMED


@pytest.mark.parametrize("names", NAMES)
def test_a_list_names_no_visitor_and_hides_none(names) -> None:
    visitor, opt_out, site = (name.decode() for name in (names.visitor, names.opt_out, names.site))
    alone = f"{site}={VALUE}".encode()
    assert read_visitor(alone, KEYS, names) == VisitorCookie()
    beside = f"{site}={VALUE}; {opt_out}=1; {visitor}={mint(bytes(16), KEYS)}".encode()
    assert read_visitor(beside, KEYS, names) == VisitorCookie(0, True)


@given(st.binary())
def test_no_cookie_header_raises(header) -> None:
    for part in (header, b"__Host-rt-site=" + header):
        assert read_site(part, KEYS, SECURE_NAMES).seen == ()


def test_the_set_cookie_headers_are_literally_these() -> None:
    # Browsers hold these: a change forgets them all. No dice are in it, so that it tells no two browsers apart.
    assert VALUE == "AkAAAAAAAAAFAAAAAAAAAEYHm7MBf_________8Hm7T_4W_PqyS1rG3ulMRNb1CUHOCZ"
    attributes = b"; Path=/; Secure; HttpOnly; SameSite=None; Partitioned"
    assert set_site("V", 93_600, SECURE_NAMES) == b"__Host-rt-site=V; Max-Age=93600" + attributes
    assert expire_site(SECURE_NAMES) == b"__Host-rt-site=; Max-Age=0" + attributes
    assert set_site("V", 60, DEVELOPMENT_NAMES) == b"rt-site=V; Max-Age=60; Path=/; HttpOnly; SameSite=Lax"
    assert expire_site(DEVELOPMENT_NAMES) == b"rt-site=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"
