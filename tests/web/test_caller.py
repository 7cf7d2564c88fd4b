"""Headers, addresses and the operator's settings say who asks, where that is, and which network it is."""

from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.caller import Caller, Place
from adserver.web import caller
from adserver.web.caller import CallerPolicy, Callers, network_of, read_head
from pixel.consent import Region
from pixel.cookie import KeyRing
from pixel.events import Device, Family, Rejection

STRICT, OPEN = Region.STRICT, Region.OPEN
BROWSER = b"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
POLICY = CallerPolicy(
    hosts=frozenset({"cards.example"}),
    trusted_proxies=("10.0.0.0/8",),
    default_region=STRICT,
    loopback_region=None,
    robots_refused=True,
    cookie_keys=KeyRing(1, {1: b"c" * 32}),
    secure=True,
)
PLACES = {"2.125.160.216": "GB", "216.160.83.56": "US", "81.2.69.160": "CH", "8.8.8.8": "BR", "9.9.9.9": "GP"}


class Atlas:
    """A database of a few addresses."""

    def place(self, address: str) -> Place | None:
        country = PLACES.get(address)
        return Place(country) if country else None


def ask(client: str = "8.8.8.8", policy: CallerPolicy = POLICY, **headers: str) -> Caller:
    named = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    head = read_head(({b"host": b"cards.example", b"user-agent": BROWSER} | named).items())
    return Callers(policy, Atlas()).caller(head, client)


# ---- where ----


@pytest.mark.parametrize(
    ("client", "region"),
    [
        ("2.125.160.216", STRICT),
        ("81.2.69.160", STRICT),
        ("9.9.9.9", STRICT),
        ("216.160.83.56", OPEN),
        ("8.8.8.8", OPEN),
        ("1.1.1.1", STRICT),
        ("10.1.1.1", STRICT),
        ("nonsense", STRICT),
        ("", STRICT),
    ],
)
def test_silence_is_read_as_the_law_of_the_place_reads_it(client: str, region: Region) -> None:
    assert ask(client).region is region


@pytest.mark.parametrize("default", list(Region))
def test_an_address_of_no_known_place_has_the_operators_default(default: Region) -> None:
    policy = msgspec.structs.replace(POLICY, default_region=default)
    assert ask("1.1.1.1", policy).region is default
    assert ask("1.1.1.1", policy).place is None
    assert ask("2.125.160.216", policy).region is STRICT
    assert ask("216.160.83.56", policy).region is OPEN


def test_an_operator_may_take_more_countries_for_strict() -> None:
    policy = msgspec.structs.replace(POLICY, region_rules={"BR": STRICT})
    assert ask("8.8.8.8", policy).region is STRICT
    assert ask("216.160.83.56", policy).region is OPEN


def test_without_a_database_every_region_is_the_default() -> None:
    head = read_head([(b"host", b"cards.example")])
    assert Callers(POLICY).caller(head, "216.160.83.56").region is STRICT


def test_this_machine_has_a_region_of_its_own_where_the_operator_says_so() -> None:
    policy = msgspec.structs.replace(POLICY, loopback_region=OPEN)
    assert [ask(client, policy).region for client in ("127.0.0.1", "::1")] == [OPEN, OPEN]
    assert ask("127.0.0.1").region is STRICT


@pytest.mark.parametrize(
    ("client", "forwarded", "country"),
    [
        ("10.0.0.1", "2.125.160.216", "GB"),
        ("10.0.0.1", "216.160.83.56, 2.125.160.216, 10.0.0.9", "GB"),
        ("216.160.83.56", "2.125.160.216", "US"),
    ],
)
def test_the_place_is_of_the_last_hop_that_is_no_proxy_of_ours(
    client: str, forwarded: str, country: str
) -> None:
    caller = ask(client, x_forwarded_for=forwarded)
    assert caller.place == Place(country)
    assert caller.network == network_of({"GB": "2.125.160.216", "US": "216.160.83.56"}[country])


# ---- networks ----


def test_a_network_is_a_24_of_the_old_addresses_and_a_48_of_the_new() -> None:
    assert network_of("8.8.8.8") == network_of("8.8.8.255") != network_of("8.8.9.8")
    assert network_of("::ffff:8.8.8.8") == network_of("8.8.8.8")
    assert network_of("2a02:d6c0:1:2::3") == network_of("2a02:d6c0:1:ffff::") != network_of("2a02:d6c0:2::3")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "10.0.0.1",
        "192.168.7.7",
        "172.17.0.1",
        "100.64.0.1",
        "fd00::1",
        "fe80::1",
        "",
        "x",
    ],
)
def test_addresses_of_this_machine_or_network_are_none(address: str) -> None:
    assert network_of(address) is None


# ---- machines ----


@pytest.mark.parametrize("header", ["sec_purpose", "purpose", "x_purpose", "x_moz"])
def test_a_prefetch_says_so_in_any_of_four_headers(header: str) -> None:
    assert ask(**{header: "prefetch"}).robot is Rejection.PREFETCH
    assert ask(**{header: "navigate"}).robot is None


def test_a_question_about_a_page_is_no_visit() -> None:
    head = read_head([(b"host", b"cards.example"), (b"user-agent", BROWSER)])
    assert Callers(POLICY).caller(head, "8.8.8.8", asks_only=True).robot is Rejection.PREFETCH
    assert Callers(POLICY).caller(head, "8.8.8.8").robot is None


# ---- which browser ----


def test_a_user_agent_leaves_its_family_only() -> None:
    assert ask().family is Family.FIREFOX
    assert ask(user_agent="").family is Family.OTHER
    assert "Mozilla" not in repr(ask())


@pytest.mark.parametrize(
    ("said", "own"),
    [("same-origin", True), ("same-site", True), ("cross-site", False), ("none", False), (None, False)],
)
def test_the_browser_says_whether_page_and_address_are_of_one_site(said: str | None, own: bool) -> None:
    assert ask(**({} if said is None else {"sec_fetch_site": said})).from_own_site is own


# ---- what is remembered ----

ADDRESS_PARTS = [
    "http:",
    "https://",
    "/",
    "//",
    "\t",
    "?",
    "#",
    "@",
    ":80",
    "[",
    "]",
    "::1",
    "a.example",
    "B",
    "\xe9",
    " ",
]


@given(st.lists(st.sampled_from(ADDRESS_PARTS), max_size=9).map("".join))
def test_a_page_has_the_host_that_its_whole_address_has(address: str) -> None:
    try:
        host = urlsplit(address).hostname
    except ValueError:
        host = None
    raw = address.encode("latin-1")
    assert caller._host_of(raw) == caller._host_of(raw) == host
    assert caller._host_of(raw + b"/page" * 40) == caller._read_host(raw + b"/page" * 40)


ADDRESSES = ["8.8.8.8", "2.125.160.216", "10.1.1.1", "2a00::1", "::ffff:9.9.9.9", "nonsense", "", "x" * 200]


@given(st.lists(st.tuples(st.sampled_from(ADDRESSES), st.lists(st.sampled_from(ADDRESSES)), st.booleans())))
def test_who_asked_before_changes_nothing_of_who_asks(requests: list[tuple[str, list[str], bool]]) -> None:
    always = Callers(POLICY, Atlas())
    for client, hops, is_robot in requests:
        values = [
            (b"x-forwarded-for", ", ".join(hops).encode()),
            (b"user-agent", b"curl" if is_robot else BROWSER),
        ]
        found = always.caller(read_head(values), client)
        assert found == Callers(POLICY, Atlas()).caller(read_head(values), client)
        assert found.robot is (Rejection.ROBOT if is_robot else None)


def test_what_is_remembered_of_addresses_is_bounded_and_nothing_long_is_kept() -> None:
    callers = Callers(POLICY)
    for number in range(caller._MOST_HOPS + 10):
        callers.caller(read_head([]), f"8.8.{number >> 8}.{number & 255}")
    assert callers._remembered_hop.cache_info().currsize == caller._MOST_HOPS
    before = callers._remembered_hop.cache_info().misses, caller._remembered_host.cache_info().misses
    callers.caller(read_head([(b"referer", b"https://" + b"x" * 200)]), "x" * 200)
    assert (
        callers._remembered_hop.cache_info().misses,
        caller._remembered_host.cache_info().misses,
    ) == before


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, None),
        ("", None),
        ("fr-FR,fr;q=0.9,en-US;q=0.8", "fr"),
        ("FR", "fr"),
        ("de;q=0.7, en", "de"),
        ("*", None),
        ("x-klingon", None),
        ("abcd", None),
        ("\u00e9\u00e9", None),
        ("haw-US", "haw"),
        ("," * 500, None),
    ],
)
def test_a_reader_prefers_one_language_without_its_country(header: str | None, language: str | None) -> None:
    given_ = {} if header is None else {"accept_language": header}
    assert ask(**given_).language == language


def test_a_caller_has_the_kind_of_its_machine() -> None:
    assert ask().device is Device.DESKTOP
    assert ask(user_agent="curl/8.5").device is None
