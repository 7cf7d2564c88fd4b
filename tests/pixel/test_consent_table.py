"""Signals become one Consent: their whole product, against what each of them leaves by itself."""

from collections.abc import Iterator, Sequence
from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixel import consent
from pixel.consent import Basis, Region, Said, Signals, decide, hear, judge
from tests.pixel.consent_strings import NOW_MS, VENDOR, make_gpp, make_tc, make_usnat
from tests.pixel.test_consent import ALL, DAY_MS, PROVEN, make_signals

# What each signal leaves by itself: s(tore), p(rofile), c(hoose), m(easure); and the reason for the rest.
Left = tuple[Basis, str]
Axis = list[tuple[dict[str, object], list[Left]]]

TC_STRINGS: Axis = [
    ({}, []),
    ({"gdpr_consent": make_tc()}, []),
    ({"gdpr_consent": make_tc(purposes=(1, 3, 7))}, [(Basis.PURPOSE_REFUSED, "spm")]),
    ({"gdpr_consent": make_tc(purposes=(1, 4))}, [(Basis.PURPOSE_REFUSED, "s")]),
    ({"gdpr_consent": make_tc(purposes=(3, 4, 7))}, [(Basis.PURPOSE_REFUSED, "")]),
    ({"gdpr_consent": make_tc(updated_ms=NOW_MS - 400 * DAY_MS)}, [(Basis.TC_EXPIRED, "")]),
    ({"gdpr_consent": "BOEFEAyOEFEAyAHABDENAI4AAAB9vABAASA"}, [(Basis.TC_OTHER_VERSION, "")]),
    ({"gdpr_consent": "${GDPR_CONSENT_755}"}, []),
]
GPP_STRINGS: Axis = [
    ({}, []),
    ({"gpp": make_gpp({7: make_usnat()}), "gpp_sid": "7"}, []),
    ({"gpp": make_gpp({7: make_usnat(targeted=1)}), "gpp_sid": "7"}, [(Basis.SALE_OPT_OUT, "")]),
    ({"gpp": "%%GPP%%"}, []),
    ({"gpp": "undefined"}, [(Basis.GPP_UNREADABLE, "")]),
]
US_PRIVACY: Axis = [({}, []), ({"us_privacy": "1YYN"}, [(Basis.SALE_OPT_OUT, "")])]
COPPA: Axis = [({}, []), ({"coppa": "1"}, [(Basis.CHILD, "")])]
MODES: Axis = [
    ({}, []),
    ({"ad_storage": False}, [(Basis.AD_STORAGE_DENIED, "")]),
    ({"ad_user_data": False}, [(Basis.AD_USER_DATA_DENIED, "sm")]),
    ({"ad_storage": True, "ad_personalization": False}, [(Basis.AD_PERSONALIZATION_DENIED, "spm")]),
]
ASSERTIONS: Axis = [
    ({}, []),
    ({"asserted": False}, [(Basis.REFUSED, "")]),
    ({"unheard": True}, [(Basis.UNHEARD, "")]),
    ({"asserted": True}, []),
    (PROVEN, []),
]
GDPR = [None, "0", "1"]
FLAGS = [False, True]


def every_signal() -> Iterator[tuple[Signals, list[Left]]]:
    """The whole product, each with what its parts leave, in the order in which reasons are told."""
    said_space = list(product(ASSERTIONS, MODES, COPPA, US_PRIVACY, GPP_STRINGS, TC_STRINGS, GDPR))
    for region, vendor_id, opted_out, control in product(Region, [None, VENDOR], FLAGS, FLAGS):
        of_visitor: list[Left] = [(Basis.OPTED_OUT, "")] if opted_out else []
        of_browser: list[Left] = [(Basis.PRIVACY_CONTROL, "")] if control else []
        for asserted, mode, coppa, us, gpp, tc, gdpr in said_space:
            fields = {**asserted[0], **mode[0], **coppa[0], **us[0], **gpp[0], **tc[0], "gdpr": gdpr}
            said = Said(**fields)  # type: ignore[arg-type]
            sale = (us[1] + [one for one in gpp[1] if one[0] is Basis.SALE_OPT_OUT])[:1]
            unread = [one for one in gpp[1] if one[0] is not Basis.SALE_OPT_OUT]
            left = [*of_visitor, *coppa[1], *of_browser, *sale, *asserted[1], *mode[1], *unread]
            has_string = tc[0] and not str(tc[0]["gdpr_consent"]).startswith("$")
            if region is Region.STRICT or gdpr == "1" or (gdpr is None and has_string):
                left += tc[1] if has_string else []
                left += ground(said, vendor_id, has_string=bool(has_string))
            yield (
                Signals(region, NOW_MS, said, vendor_id, True, control, opted_out, True),
                left,
            )


def ground(said: Said, vendor_id: int | None, *, has_string: bool) -> list[Left]:
    """What is missing where silence is a no."""
    if has_string and vendor_id is not None:
        return []
    if said.asserted and said.asserted_by:
        return []
    if said.asserted_by is None and has_string:
        return [(Basis.NO_VENDOR_ID, "")]
    return [(Basis.UNPROVEN_ASSERTION if said.asserted or said.ad_storage else Basis.NO_USABLE_STRING, "")]


def expected(left: list[Left]) -> tuple[Basis | None, tuple[bool, ...]]:
    for need in "spcm":
        for basis, letters in left:
            if need not in letters:
                return basis, tuple(all(one in some for _, some in left) for one in "spcm")
    return None, ALL


@pytest.mark.slow
def test_every_combination_of_signals_leaves_the_least_of_what_each_leaves() -> None:
    seen = set()
    for signals, left in every_signal():
        consent = decide(signals)
        basis, allowed = expected(left)
        given_allowed = (
            consent.may_store,
            consent.may_profile,
            consent.may_personalise,
            consent.may_measure,
        )
        assert given_allowed == allowed, (signals, left)
        if basis is not None:
            assert consent.basis is basis, (signals, left)
        seen.add(consent.basis)
    assert {Basis.TCF, Basis.ASSERTED, Basis.OPEN_REGION, Basis.NO_VENDOR_ID} <= seen


# ---- one more no never allows more ----

REFUSALS: list[dict[str, object]] = [
    {"opted_out": True},
    {"global_privacy_control": True},
    {"coppa": "1"},
    {"asserted": False},
    {"unheard": True},
    {"ad_storage": False},
    {"ad_user_data": False},
    {"ad_personalization": False},
    {"us_privacy": "1YYN"},
    {"us_privacy": "1"},
    {"gpp": make_gpp({7: make_usnat(sale=1)})},
    {"gpp": make_gpp({2: make_tc(purposes=())}), "gpp_sid": "2"},
    {"gpp": "x"},
    {"gdpr": "1"},
    {"gdpr_consent": make_tc(purposes=())},
    {"gdpr_consent": make_tc(vendors=())},
    {"gdpr_consent": make_tc(updated_ms=0)},
    {"gdpr_consent": "x"},
    {"origin_verified": False},
    {"vendor_id": None},
    {"region": Region.STRICT},
]
FIELDS = {
    "gdpr": st.sampled_from([None, "0", "1", "${GDPR}"]),
    "gdpr_consent": st.sampled_from([None, make_tc(), make_tc(purposes=(1, 3)), make_tc(purposes=(1,))]),
    "gpp": st.sampled_from([None, "DBAA", make_gpp({7: make_usnat()}), make_gpp({2: make_tc()})]),
    "gpp_sid": st.sampled_from([None, "2", "7", "2,7"]),
    "us_privacy": st.sampled_from([None, "1YNN", "1---"]),
    "asserted": st.sampled_from([None, True]),
    "asserted_by": st.sampled_from([None, "Klaro"]),
    "asserted_at_seconds": st.sampled_from([None, NOW_MS // 1_000]),
    "ad_storage": st.sampled_from([None, True]),
    "ad_user_data": st.sampled_from([None, True]),
    "ad_personalization": st.sampled_from([None, True]),
}


@given(
    st.fixed_dictionaries(FIELDS),
    st.sampled_from(Region),
    st.sampled_from([None, VENDOR]),
    st.booleans(),
    st.lists(st.sampled_from(REFUSALS), min_size=1, max_size=3),
)
def test_one_more_refusal_never_allows_more(
    fields: dict[str, object],
    region: Region,
    vendor_id: int | None,
    verified: bool,
    refusals: list[dict[str, object]],
) -> None:
    before = make_signals(region, vendor_id=vendor_id, origin_verified=verified, **fields)
    after = before
    for refusal in refusals:
        own = {name: value for name, value in refusal.items() if name in Signals.__struct_fields__}
        page = {name: value for name, value in refusal.items() if name not in own}
        said = msgspec.structs.replace(after.said, **page)
        after = msgspec.structs.replace(after, said=said, **own)
    first, second = decide(before), decide(after)
    for need in ("may_store", "may_profile", "may_personalise", "may_measure"):
        assert getattr(first, need) or not getattr(second, need), (need, first, second)


# ---- what is remembered ----

ANEW: dict[str, Sequence[object]] = {
    "said": [Said(), Said(coppa="1"), Said(asserted=False), Said(**PROVEN)],  # type: ignore[arg-type]
    "site": ["", "shop.example"],
    "region": list(Region),
    "vendor_id": [None, VENDOR, VENDOR + 1],
    "origin_verified": FLAGS,
    "global_privacy_control": FLAGS,
    "opted_out": FLAGS,
    "has_cookie": FLAGS,
    "assertions_held": FLAGS,
}
GIVEN_MS = NOW_MS - 90_000
REMEMBERED = [
    make_signals(),
    make_signals(Region.STRICT, origin_verified=True, **PROVEN),
    make_signals(origin_verified=True, has_cookie=True, asserted=False),
    make_signals(Region.STRICT, vendor_id=VENDOR, gdpr_consent=make_tc(updated_ms=GIVEN_MS)),
    make_signals(
        Region.STRICT,
        origin_verified=True,
        gpp=make_gpp({2: make_tc(updated_ms=NOW_MS)}),
        **PROVEN | {"asserted_at_seconds": GIVEN_MS // 1_000},
    ),
]
TIMES_MS = [
    at_ms + turn + step
    for at_ms in (GIVEN_MS, NOW_MS)
    for turn in (-DAY_MS, 393 * DAY_MS)
    for step in (-1, 0, 1)
]


@pytest.mark.parametrize("signals", REMEMBERED)
def test_a_change_of_one_thing_is_decided_as_if_nothing_were_remembered(signals: Signals) -> None:
    for name, values in ANEW.items():
        for value in [*values, *values]:
            changed = msgspec.structs.replace(signals, **{name: value})
            assert decide(changed) == judge(hear(changed)), name


@pytest.mark.parametrize("signals", REMEMBERED)
def test_what_is_remembered_ends_with_the_dates_that_it_depends_on(signals: Signals) -> None:
    for before_ms, after_ms in product(TIMES_MS, TIMES_MS):
        consent._KNOWN.clear()
        decide(msgspec.structs.replace(signals, now_ms=before_ms))
        after = msgspec.structs.replace(signals, now_ms=after_ms)
        assert decide(after) == judge(hear(after))


def test_a_second_request_that_says_the_same_is_not_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for signals in REMEMBERED:
        first = decide(signals)
        with monkeypatch.context() as patched:
            patched.setattr(consent, "judge", None)
            assert decide(msgspec.structs.replace(signals, now_ms=NOW_MS + 1)) is first


MORE_FIELDS = FIELDS | {
    "gdpr_consent": st.sampled_from(
        [None, make_tc(), make_tc(vendors=()), make_tc(purposes=(1,), updated_ms=NOW_MS - 200 * DAY_MS), "x"]
    ),
    "asserted": st.sampled_from([None, True, False]),
    "ad_storage": st.sampled_from([None, True, False]),
}
REQUEST = st.builds(
    Signals,
    st.sampled_from(Region),
    st.sampled_from(TIMES_MS),
    st.fixed_dictionaries(MORE_FIELDS).map(lambda fields: Said(**fields)),
    st.sampled_from([None, VENDOR, VENDOR + 1]),
    site=st.sampled_from(["", "shop.example"]),
    **{name: st.booleans() for name in ("origin_verified", "opted_out", "has_cookie", "assertions_held")},
)


@given(st.lists(REQUEST, min_size=1, max_size=5), st.sampled_from(TIMES_MS))
def test_whatever_was_asked_before_each_request_is_decided_by_its_own_signals(
    requests: list[Signals], later_ms: int
) -> None:
    for signals in [*requests, *[msgspec.structs.replace(one, now_ms=later_ms) for one in requests]]:
        assert decide(signals) == judge(hear(signals))


@given(st.fixed_dictionaries(MORE_FIELDS), st.sampled_from([None, VENDOR]))
def test_a_string_says_the_same_whether_it_was_read_before_or_not(
    fields: dict[str, object], vendor_id: int | None
) -> None:
    heard = hear(make_signals(Region.STRICT, vendor_id=vendor_id, **fields))
    assert heard.tc_answers == tuple(
        consent._read_answer.__wrapped__(text, vendor_id) for text in heard.tc_texts
    )


def test_no_more_is_remembered_than_is_said_and_no_long_text() -> None:
    for number in range(consent._MOST_KNOWN + 10):
        decide(make_signals(site=f"{number}.example"))
    assert len(consent._KNOWN) == consent._MOST_KNOWN
    for name in ("gpp", "gdpr_consent", "us_privacy", "coppa", "gdpr", "gpp_sid"):
        decide(make_signals(**{name: f"long {'x' * consent._MOST_KNOWN_CHARACTERS}"}))
    assert not any("long" in str(key) for key in consent._KNOWN)
    before = consent._read_answer.cache_info().currsize
    decide(make_signals(Region.STRICT, gdpr_consent="x" * (consent._MOST_TC_CHARACTERS + 1)))
    assert consent._read_answer.cache_info().currsize == before
