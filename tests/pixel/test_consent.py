"""What each signal does to a Consent: TCF, American laws, Consent Mode, assertions, regions."""

import re
from hashlib import sha256
from urllib.parse import parse_qsl

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel import consent
from pixel.consent import Basis, Consent, Region, Said, Signals
from pixel.consent_proof import ConsentProof
from pixel.parse import said_in
from pixel.region import STRICT_COUNTRIES, region_of
from tests.pixel.consent_strings import NOW_MS, VENDOR, make_gpp, make_tc, make_usnat, restriction
from tests.shared_data import PROJECT

DAY_MS = 86_400_000
ALL = (True, True, True, True)  # store, profile, personalise, measure
NONE = (False, False, False, False)
PROVEN = {"asserted": True, "asserted_by": "Klaro", "asserted_at_seconds": NOW_MS // 1_000 - 60}


def decide(signals: Signals) -> Consent:
    """What is allowed; what proves it, and whether ads may be counted, are asked for by themselves, below."""
    return msgspec.structs.replace(consent.decide(signals), proof=None, may_cap=False)


def make_signals(region: Region = Region.OPEN, **fields: object) -> Signals:
    """A request; fields of Signals by their names, all others are what the page said."""
    own = {name: fields.pop(name) for name in list(fields) if name in Signals.__struct_fields__}
    return Signals(region, NOW_MS, Said(**fields), **own)  # type: ignore[arg-type]


def with_tc(text: str, **fields: object) -> Consent:
    """What a European's request with this string allows a vendor who is on the list."""
    fields = {"gdpr": "1", "gdpr_consent": text, "vendor_id": VENDOR, **fields}
    return decide(make_signals(Region.STRICT, **fields))


# ---- TCF ----


def test_a_string_that_gives_us_everything_allows_everything() -> None:
    assert with_tc(make_tc()) == Consent(Basis.TCF, *ALL)


@pytest.mark.parametrize(
    ("string", "basis", "allowed"),
    [
        ({"purposes": (1,)}, Basis.PURPOSE_REFUSED, (True, False, False, False)),
        ({"purposes": (1, 3)}, Basis.PURPOSE_REFUSED, (True, True, False, False)),
        ({"purposes": (1, 3, 7)}, Basis.PURPOSE_REFUSED, (True, True, False, True)),
        ({"purposes": (1, 4, 7)}, Basis.PURPOSE_REFUSED, (True, False, False, True)),
        ({"purposes": (3, 4, 7)}, Basis.PURPOSE_REFUSED, NONE),
        ({"purposes": ()}, Basis.PURPOSE_REFUSED, NONE),
        ({"purposes": (1, 3, 4), "interests": (7,)}, Basis.VENDOR_REFUSED, (True, True, True, False)),
        ({"purposes": (1, 4, 7), "interests": (3,)}, Basis.PURPOSE_REFUSED, (True, False, False, True)),
        ({"purposes": (1, 3, 4), "interests": (7,), "vendor_interests": (VENDOR,)}, Basis.TCF, ALL),
        ({"vendors": (VENDOR - 1,)}, Basis.VENDOR_REFUSED, NONE),
        ({"disclosed": (VENDOR - 1,)}, Basis.VENDOR_NOT_DISCLOSED, NONE),
        ({"disclosed": None}, Basis.VENDOR_NOT_DISCLOSED, NONE),
        ({"service_specific": False}, Basis.TC_NOT_SERVICE_SPECIFIC, NONE),
        ({"policy": 3}, Basis.TC_OLD_POLICY, NONE),
        ({"policy": 4}, Basis.TCF, ALL),
        ({"version": 1}, Basis.TC_OTHER_VERSION, NONE),
        ({"updated_ms": NOW_MS - 393 * DAY_MS}, Basis.TCF, ALL),
        ({"updated_ms": NOW_MS - 394 * DAY_MS}, Basis.TC_EXPIRED, NONE),
        ({"updated_ms": NOW_MS + DAY_MS}, Basis.TCF, ALL),
        ({"updated_ms": NOW_MS + 2 * DAY_MS}, Basis.TC_FROM_THE_FUTURE, NONE),
    ],
)
def test_what_a_string_says_is_what_it_allows(
    string: dict[str, object], basis: Basis, allowed: tuple[bool, ...]
) -> None:
    assert with_tc(make_tc(**string)) == Consent(basis, *allowed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("purpose", "kind", "allowed"),
    [
        (1, 0, NONE),
        (1, 1, ALL),
        (1, 2, NONE),
        (1, 3, NONE),
        (3, 0, (True, False, False, True)),
        (3, 1, ALL),
        (3, 2, (True, False, False, True)),
        (4, 0, (True, True, False, True)),
        (4, 2, (True, True, False, True)),
        (7, 0, (True, True, True, False)),
        (7, 1, ALL),
        (7, 2, (True, True, True, False)),
        (9, 0, ALL),
    ],
)
def test_a_restriction_of_the_publisher_is_as_if_the_purpose_were_off(
    purpose: int, kind: int, allowed: tuple[bool, ...]
) -> None:
    text = make_tc(restrictions=[restriction(purpose, kind)])
    assert with_tc(text) == Consent(Basis.TCF if allowed == ALL else Basis.RESTRICTED, *allowed)
    others = make_tc(restrictions=[restriction(purpose, kind, [VENDOR - 1, VENDOR + 1])])
    assert with_tc(others) == Consent(Basis.TCF, *ALL)


@pytest.mark.parametrize(
    ("string", "expected"),
    [
        ({"purposes": (1, 2)}, True),
        ({"purposes": (1, 2, 3, 4, 7), "restrictions": [restriction(2, 0)]}, False),
        ({"purposes": (1,), "interests": (2,), "vendor_interests": (VENDOR,)}, True),
        ({"purposes": (1,), "interests": (2,)}, False),
        ({"purposes": (2,)}, False),
        ({"purposes": (1, 3, 4, 7)}, False),
    ],
)
def test_counting_ads_for_a_site_needs_storage_and_the_limited_choice_of_ads(
    string: dict[str, object], expected: bool
) -> None:
    text = make_tc(**string)  # type: ignore[arg-type]
    signals = make_signals(Region.STRICT, gdpr="1", gdpr_consent=text, vendor_id=VENDOR)
    assert consent.decide(signals).may_cap is expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, True),
        ({"ad_user_data": False}, True),
        ({"ad_personalization": False}, True),
        ({"coppa": "1"}, False),
    ],
)
def test_where_no_string_speaks_what_may_be_stored_may_be_counted(
    said: dict[str, object], expected: bool
) -> None:
    allowed = consent.decide(make_signals(**said))
    assert allowed.may_cap is allowed.may_store is expected


def test_measurement_may_rest_on_legitimate_interest_unless_restricted_to_consent() -> None:
    lawful = {"purposes": (1, 3, 4), "interests": (7,), "vendor_interests": (VENDOR,)}
    assert with_tc(make_tc(**lawful, restrictions=[restriction(7, 2)])).may_measure  # type: ignore[arg-type]
    assert not with_tc(make_tc(**lawful, restrictions=[restriction(7, 1)])).may_measure  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["CP", "undefined!", make_tc()[:50], "C" * 9_000])
def test_a_string_that_cannot_be_read_is_a_no(text: str) -> None:
    assert with_tc(text) == Consent(Basis.TC_UNREADABLE, *NONE)


def test_without_an_iab_id_no_string_can_permit_us_but_each_can_refuse() -> None:
    assert with_tc(make_tc(), vendor_id=None) == Consent(Basis.NO_VENDOR_ID, *NONE)
    custom = {"vendor_id": None, "origin_verified": True, **PROVEN}
    assert with_tc(make_tc(vendors=()), **custom) == Consent(Basis.ASSERTED, *ALL)
    refused = with_tc(make_tc(purposes=(1, 3, 7)), **custom)
    assert refused == Consent(Basis.PURPOSE_REFUSED, True, True, False, True)
    assert with_tc("BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA", **custom).basis is Basis.TC_OTHER_VERSION


def test_an_assertion_does_not_overrule_the_string_that_speaks_of_us() -> None:
    said = {"origin_verified": True, **PROVEN}
    assert with_tc(make_tc(vendors=()), **said) == Consent(Basis.VENDOR_REFUSED, *NONE)


def test_the_string_inside_a_gpp_string_counts_and_both_bind() -> None:
    inside = {"gdpr_consent": None, "gpp_sid": "2"}
    assert with_tc("", gpp=make_gpp({2: make_tc()}), **inside) == Consent(Basis.TCF, *ALL)
    refusing = make_gpp({2: make_tc(purposes=(1,))})
    assert not with_tc(make_tc(), gpp=refusing).may_profile
    assert decide(make_signals(gpp=refusing, gpp_sid="2")).basis is Basis.NO_VENDOR_ID
    assert decide(make_signals(gpp=refusing)).basis is Basis.NO_VENDOR_ID
    assert decide(make_signals(gpp=refusing, gpp_sid="7")).basis is Basis.OPEN_REGION
    assert decide(make_signals(gpp=refusing, gdpr="0")).basis is Basis.OPEN_REGION


def test_the_documentations_examples_are_true() -> None:
    """A European where an example says so, else somebody in an open region; the operator is vendor 12."""
    text = (PROJECT / "docs" / "privacy.md").read_text()
    examples = re.findall(
        r"^\| `([a-z_]+=[^`]+)` \| `(\w+)` \| (everything|nothing|profile|cookie)", text, re.M
    )
    assert len(examples) == 11
    at_ms = 1_795_046_400_000  # 2026-11-19
    for query, reason, first_word in examples:
        consent = decide(Signals(Region.OPEN, at_ms, said_in(dict(parse_qsl(query))), vendor_id=12))
        most = {"everything": ALL, "nothing": NONE, "profile": ALL[:2], "cookie": ALL[:1]}[first_word]
        allowed = (consent.may_store, consent.may_profile, consent.may_personalise)
        assert (consent.basis, allowed) == (Basis(reason), (*most, False, False)[:3]), query


# ---- withdrawal ----


KNOWN = {"has_cookie": True, "origin_verified": True}
DENIED = {"ad_storage": False}
NOES: list[dict[str, object]] = [
    {"gdpr_consent": make_tc(purposes=(3, 4, 7))},
    {"gdpr_consent": make_tc(purposes=(1, 4, 7))},
    {"gdpr_consent": make_tc(vendors=())},
    {"gdpr_consent": make_tc(), "gpp": make_gpp({2: make_tc(purposes=())}), "gpp_sid": "2"},
    {"gdpr_consent": make_tc(purposes=()), "asserted": True},
    {"gdpr_consent": make_tc(), "asserted": False},
    {"asserted": False, "gdpr": "0"},
    {"gdpr_consent": make_tc(purposes=()), "unheard": True},  # one tool has spoken, another has not
    DENIED,
    DENIED | {"gdpr_consent": make_tc(purposes=(), updated_ms=0)},
    DENIED | {"global_privacy_control": True},
]


@pytest.mark.parametrize("said", NOES)
def test_an_explicit_no_on_the_accounts_own_page_withdraws(said: dict[str, object]) -> None:
    assert decide(make_signals(Region.STRICT, vendor_id=VENDOR, **KNOWN, **said)).withdrawn


@pytest.mark.parametrize("said", [*NOES, {}])
@pytest.mark.parametrize("missing", [{"has_cookie": False}, {"origin_verified": False}])
def test_it_takes_our_cookie_and_an_own_page(said: dict[str, object], missing: dict[str, object]) -> None:
    signals = make_signals(Region.STRICT, vendor_id=VENDOR, **{**KNOWN, **missing}, **said)
    assert not decide(signals).withdrawn


def test_our_opt_out_withdraws_wherever_it_is_sent() -> None:
    assert decide(make_signals(opted_out=True, has_cookie=True)).withdrawn
    assert not decide(make_signals(opted_out=True)).withdrawn


def test_without_an_iab_id_a_string_may_take_back_what_is_not_about_vendors() -> None:
    assert with_tc(make_tc(purposes=(1, 4)), vendor_id=None, **KNOWN).withdrawn
    assert not with_tc(make_tc(vendors=()), vendor_id=None, **KNOWN).withdrawn


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"gdpr_consent": ""},
        {"gdpr_consent": "nonsense!"},
        {"gdpr_consent": make_tc()},
        {"gdpr_consent": make_tc(purposes=(1, 3))},
        {"gdpr_consent": make_tc(restrictions=[restriction(3, 0)])},  # the publisher's no, not the visitor's
        {"gdpr_consent": make_tc(vendors=(), disclosed=(VENDOR - 1,))},  # who was not asked about us
        {"gdpr_consent": make_tc(vendors=(), disclosed=None)},
        {"gdpr_consent": make_tc(purposes=(), updated_ms=NOW_MS - 400 * DAY_MS)},
        {"gdpr_consent": make_tc(purposes=(), policy=2)},
        {"gdpr_consent": make_tc(purposes=(), service_specific=False)},
        {"gdpr_consent": make_tc(), **DENIED},
        {"asserted": True, **DENIED},
        {"unheard": True},
        {"unheard": True, **DENIED},  # a default, until the tool speaks
        {"ad_user_data": False},
        {"ad_personalization": False},
        {"global_privacy_control": True},
        {"us_privacy": "1YYN"},
        {"gpp": make_gpp({7: make_usnat(sale=1)})},
        {"gpp": "undefined"},
        {"coppa": "1"},
    ],
)
def test_nothing_else_withdraws(said: dict[str, object]) -> None:
    assert not decide(make_signals(Region.STRICT, vendor_id=VENDOR, **KNOWN, **said)).withdrawn


def test_where_the_gdpr_does_not_apply_a_string_withdraws_nothing() -> None:
    signals = make_signals(gdpr="0", gdpr_consent=make_tc(purposes=()), **KNOWN)
    assert decide(signals) == Consent(Basis.OPEN_REGION, *ALL)


# ---- proof ----


def proof(**fields: object) -> ConsentProof | None:
    own = {"vendor_id": VENDOR, "origin_verified": True, "site": "www.shop.example"}
    return consent.decide(make_signals(Region.STRICT, **{**own, **fields})).proof


def test_a_string_proves_the_yes_by_its_digest() -> None:
    text = make_tc(updated_ms=NOW_MS - 86_400_000)
    digest = int(sha256(text.encode()).hexdigest()[:16], 16) >> 1
    expected = ConsentProof(Basis.TCF, digest, "880", NOW_MS - 86_400_000, "www.shop.example")
    assert proof(gdpr_consent=text) == expected
    both = proof(gdpr_consent=text, gpp=make_gpp({2: make_tc()}), gpp_sid="2")
    assert both is not None and both.digest not in (digest, proof(gdpr_consent=make_tc()).digest)  # type: ignore[union-attr]


def test_an_assertion_proves_the_yes_whenever_it_is_told() -> None:
    told = {"vendor_id": None, **PROVEN}
    first, later = proof(**told), proof(**{**told, "asserted_at_seconds": NOW_MS // 1_000 - 1})
    assert first is not None and later is not None
    assert (first.kind, first.cmp, first.given_ms) == (Basis.ASSERTED, "Klaro", NOW_MS - 60_000)
    assert first.digest == later.digest and later.given_ms == NOW_MS - 1_000
    others = [proof(**{**told, "asserted_by": "Didomi"}), proof(**told, ad_personalization=False)]
    assert len({first.digest, *(one.digest for one in others if one)}) == 3


def test_the_yes_that_is_proven_is_the_one_to_a_profile() -> None:
    assert proof(gdpr_consent=make_tc(purposes=(1, 3))) is not None
    assert proof(gdpr_consent=make_tc(purposes=(1, 4, 7))) is None
    assert proof(gdpr_consent=make_tc(), asserted=False) is None
    assert consent.decide(make_signals(Region.OPEN)).proof is None  # nobody was asked


# ---- American laws, children, the browser's own control ----


@pytest.mark.parametrize(
    ("fields", "basis"),
    [
        ({"gpp": make_gpp({7: make_usnat(sale=1)})}, Basis.SALE_OPT_OUT),
        ({"gpp": make_gpp({7: make_usnat(sharing=1)})}, Basis.SALE_OPT_OUT),
        ({"gpp": make_gpp({7: make_usnat(targeted=1)}), "gpp_sid": "8"}, Basis.SALE_OPT_OUT),
        ({"gpp": make_gpp({6: "1YYN"})}, Basis.SALE_OPT_OUT),
        ({"us_privacy": "1YYN"}, Basis.SALE_OPT_OUT),
        ({"gpp": make_gpp({7: make_usnat(gpc=True)})}, Basis.PRIVACY_CONTROL),
        ({"global_privacy_control": True}, Basis.PRIVACY_CONTROL),
        ({"gpp": make_gpp({7: make_usnat(child=1)})}, Basis.CHILD),
        ({"coppa": "1"}, Basis.CHILD),
        ({"coppa": "yes"}, Basis.CHILD),
        ({"opted_out": True}, Basis.OPTED_OUT),
        ({"asserted": False}, Basis.REFUSED),
        ({"unheard": True}, Basis.UNHEARD),
        ({"unheard": True, **DENIED}, Basis.UNHEARD),
        ({"gpp": "undefined"}, Basis.GPP_UNREADABLE),
        ({"gpp": make_gpp({7: "x"})}, Basis.GPP_UNREADABLE),
        ({"gpp": make_gpp({5: "BPSG"})}, Basis.GPP_UNREADABLE),
        ({"gpp": make_gpp({5: "BPSG"}), "gpp_sid": "5,7"}, Basis.GPP_UNREADABLE),
        ({"us_privacy": "yes"}, Basis.US_PRIVACY_UNREADABLE),
    ],
)
def test_one_refusal_is_enough_wherever_the_visitor_is(fields: dict[str, object], basis: Basis) -> None:
    consent = decide(make_signals(**fields))
    assert consent == Consent(basis, *NONE)
    given_all = {"gdpr_consent": make_tc(), "vendor_id": VENDOR, **fields}
    assert decide(make_signals(Region.STRICT, **given_all)) == Consent(basis, *NONE)


@pytest.mark.parametrize(
    "fields",
    [
        {"gpp": "DBAA"},
        {"gpp": make_gpp({7: make_usnat()}), "gpp_sid": "7"},
        {"gpp": make_gpp({5: "BPSG"}), "gpp_sid": "7"},
        {"gpp": make_gpp({5: "BPSG", 7: make_usnat()}), "gpp_sid": "7_8"},
        {"us_privacy": "1YNN"},
        {"us_privacy": "1---"},
        {"coppa": "0"},
        {"gdpr": "0"},
    ],
)
def test_what_refuses_nothing_leaves_an_open_region_open(fields: dict[str, object]) -> None:
    assert decide(make_signals(**fields)) == Consent(Basis.OPEN_REGION, *ALL)


# ---- Consent Mode and assertions ----


@pytest.mark.parametrize(
    ("mode", "basis", "allowed"),
    [
        ((True, True, True), Basis.ASSERTED, ALL),
        ((True, True, None), Basis.NO_USABLE_STRING, (True, True, False, True)),
        ((True, True, False), Basis.AD_PERSONALIZATION_DENIED, (True, True, False, True)),
        ((True, None, True), Basis.NO_USABLE_STRING, (True, False, False, True)),
        ((True, False, True), Basis.AD_USER_DATA_DENIED, (True, False, False, True)),
        ((None, True, True), Basis.NO_USABLE_STRING, NONE),
        ((False, True, True), Basis.AD_STORAGE_DENIED, NONE),
    ],
)
def test_consent_mode_allows_need_by_need_what_a_named_tool_granted(
    mode: tuple[bool | None, ...], basis: Basis, allowed: tuple[bool, ...]
) -> None:
    fields = dict(zip(("ad_storage", "ad_user_data", "ad_personalization"), mode, strict=True))
    tool = {"asserted_by": "gtag", "asserted_at_seconds": NOW_MS // 1_000, "origin_verified": True}
    assert decide(make_signals(Region.STRICT, **fields, **tool)) == Consent(basis, *allowed)
    if mode[0]:
        assert decide(make_signals(Region.STRICT, **fields)).may_store is False


def test_silence_is_a_no_where_the_law_is_strict_and_allowed_elsewhere() -> None:
    assert decide(make_signals(Region.STRICT)) == Consent(Basis.NO_USABLE_STRING, *NONE)
    assert decide(make_signals(Region.OPEN)) == Consent(Basis.OPEN_REGION, *ALL)


def test_a_bare_yes_in_a_pasted_address_does_not_count_in_the_eea() -> None:
    assert decide(make_signals(Region.STRICT, asserted=True)).basis is Basis.UNPROVEN_ASSERTION
    assert decide(make_signals(Region.OPEN, asserted=True)) == Consent(Basis.ASSERTED, *ALL)


@pytest.mark.parametrize(
    "missing",
    [
        {"asserted": None},
        {"asserted_by": None},
        {"asserted_by": ""},
        {"asserted_by": "${CMP}"},
        {"asserted_at_seconds": None},
        {"asserted_at_seconds": NOW_MS // 1_000 - 394 * 86_400},
        {"asserted_at_seconds": NOW_MS // 1_000 + 2 * 86_400},
        {"origin_verified": False},
    ],
)
def test_a_yes_counts_in_the_eea_with_tool_and_time_and_from_our_own_pages_only(
    missing: dict[str, object],
) -> None:
    proven = {"origin_verified": True, **PROVEN}
    assert decide(make_signals(Region.STRICT, **proven)) == Consent(Basis.ASSERTED, *ALL)
    assert not decide(make_signals(Region.STRICT, **{**proven, **missing})).may_store


def test_an_address_that_says_gdpr_does_not_apply_does_not_move_a_european_elsewhere() -> None:
    assert decide(make_signals(Region.STRICT, gdpr="0")).basis is Basis.NO_USABLE_STRING


@pytest.mark.parametrize("macro", ["${GDPR}", "%%GDPR%%", "${GDPR_CONSENT_755}"])
def test_a_macro_nobody_expanded_is_silence(macro: str) -> None:
    names = ("gdpr", "gdpr_consent", "gpp", "gpp_sid", "us_privacy", "coppa", "asserted_by")
    silent = dict.fromkeys(names, macro)
    for region in Region:
        assert decide(make_signals(region, **silent)) == decide(make_signals(region))


# ---- whatever is said ----


@given(st.builds(Said, *[st.none() | st.text(max_size=60)] * 6), st.sampled_from(Region))
def test_nothing_that_a_page_says_raises_anything_or_lifts_one_need_above_another(
    said: Said, region: Region
) -> None:
    consent = decide(Signals(region, NOW_MS, said, VENDOR, True))
    assert consent.may_store or not (consent.may_profile or consent.may_measure)
    assert consent.may_profile or not consent.may_personalise
    assert region is Region.OPEN or not consent.may_store


# ---- regions ----


@pytest.mark.parametrize(
    ("country", "region"),
    [("DE", Region.STRICT), ("GB", Region.STRICT), ("CH", Region.STRICT), ("NO", Region.STRICT),
     ("RE", Region.STRICT), ("US", Region.OPEN), ("TR", Region.OPEN)],
)  # fmt: skip
def test_a_country_has_the_region_of_its_law(country: str, region: Region) -> None:
    assert region_of(country, Region.STRICT) is region_of(country, Region.OPEN) is region


def test_the_operators_table_speaks_for_countries_outside_europe() -> None:
    rules = {"BR": Region.STRICT, "FR": Region.OPEN}
    assert region_of("BR", Region.OPEN, rules) is Region.STRICT
    assert region_of("US", Region.STRICT, rules) is Region.OPEN
    assert region_of("FR", Region.OPEN, rules) is Region.STRICT


@pytest.mark.parametrize("default", list(Region))
def test_an_unknown_country_has_the_default_region(default: Region) -> None:
    assert region_of(None, default) is region_of("", default) is default


def test_the_strict_countries_are_those_of_the_eea_with_two_more_and_their_territories() -> None:
    assert len(STRICT_COUNTRIES) == 30 + 2 + 19
