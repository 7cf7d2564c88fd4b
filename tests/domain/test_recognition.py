"""By what a browser was known, for how long that lasts, and what it costs where it was not."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.caller import Caller
from adserver.domain.recognition import (
    COOKIE_DAYS,
    FOLDED,
    LEAST_REQUESTS,
    Group,
    Kind,
    Side,
    count_request,
    counters,
    kind_in_slot,
    kind_on_page,
    recognition,
    window_days,
)
from adserver.domain.tally import NETWORK, Tally
from pixel.consent import Basis, Consent, Region
from pixel.cookie import MAX_AGE_SECONDS
from pixel.events import Family

YES = Consent(Basis.OPEN_REGION, may_store=True, may_profile=True, may_personalise=True, may_measure=True)
NO = Consent(Basis.REFUSED, may_store=False, may_profile=False, may_personalise=False, may_measure=False)
NOT_CHOSEN_BY = msgspec.structs.replace(YES, basis=Basis.AD_PERSONALIZATION_DENIED, may_personalise=False)


def caller(**fields: object) -> Caller:
    return msgspec.structs.replace(Caller(Region.OPEN, origin="shop.example"), **fields)


KNOWN, FORGED, OPTED_OUT = caller(visitor_key=5), caller(cookie_flaw="forged"), caller(opted_out=True)


@pytest.mark.parametrize(
    ("who", "consent", "own_path", "click", "kind"),
    [
        (KNOWN, YES, False, False, Kind.COOKIE),
        (KNOWN, YES, False, True, Kind.COOKIE),
        (KNOWN, YES, True, False, Kind.FIRST_PARTY),
        (KNOWN, NOT_CHOSEN_BY, False, False, Kind.COOKIE),
        (caller(), YES, True, False, Kind.NEW),
        (caller(), YES, False, True, Kind.CLICK),
        (FORGED, YES, True, True, Kind.FORGED),
        (KNOWN, NO, True, True, Kind.REFUSED),
        (FORGED, NO, False, False, Kind.REFUSED),
        (OPTED_OUT, NO, False, True, Kind.OPTED_OUT),
    ],
)
def test_a_browser_on_a_page_is_known_by_one_thing(
    who: Caller, consent: Consent, own_path: bool, click: bool, kind: Kind
) -> None:
    assert kind_on_page(who, consent, own_path, click) is kind


@pytest.mark.parametrize(
    ("who", "consent", "has_site_cookie", "kind"),
    [
        (KNOWN, YES, False, Kind.COOKIE),
        (KNOWN, YES, True, Kind.COOKIE),
        (caller(), YES, True, Kind.SITE),
        (caller(), YES, False, Kind.NONE),
        (FORGED, YES, True, Kind.FORGED),
        (KNOWN, NOT_CHOSEN_BY, True, Kind.REFUSED),
        (caller(), NO, False, Kind.REFUSED),
        (OPTED_OUT, NO, True, Kind.OPTED_OUT),
    ],
)
def test_a_browser_in_a_slot_is_known_by_one_thing(
    who: Caller, consent: Consent, has_site_cookie: bool, kind: Kind
) -> None:
    assert kind_in_slot(who, consent, has_site_cookie) is kind


def test_a_request_counts_for_its_owners_and_the_server_and_a_test_visitors_for_nobody() -> None:
    tally = Tally()
    count_request(tally, Side.SLOT, Kind.NONE, caller(family=Family.SAFARI), 800, 8)
    count_request(tally, Side.SLOT, Kind.NONE, caller(family=Family.SAFARI, test=True), 800, 8)
    assert set(tally.take(0)) == {(0, "identity_slot_none_safari", owner, 1) for owner in (NETWORK, 8, 800)}


def test_no_two_counters_share_a_name() -> None:
    names = [*counters(Side.PIXEL), *counters(Side.SLOT)]
    assert len(names) == len(set(names)) == len(Side) * len(Kind) * len(Family)


@pytest.mark.parametrize(
    ("kind", "family", "days"),
    [
        (Kind.COOKIE, Family.CHROME, 390),
        (Kind.FIRST_PARTY, Family.SAFARI, 390),
        (Kind.CLICK, Family.SAFARI, 7),
        (Kind.CLICK, Family.IN_APP, 7),
        (Kind.CLICK, Family.FIREFOX, 30),
        (Kind.NEW, Family.CHROME, None),
        (Kind.SITE, Family.CHROME, None),
        (Kind.REFUSED, Family.CHROME, None),
    ],
)
def test_each_kind_lasts_for_as_long_as_the_browser_lets_it(
    kind: Kind, family: Family, days: int | None
) -> None:
    assert window_days(kind, family) == days


def test_a_cookies_days_are_those_it_is_set_for() -> None:
    assert COOKIE_DAYS * 86_400 == MAX_AGE_SECONDS


def test_a_report_says_what_was_known_how_long_and_what_it_costs() -> None:
    told = {
        "identity_slot_cookie_chrome": 60,
        "identity_slot_none_safari": 25,
        "identity_slot_refused_chrome": 15,
        "identity_pixel_cookie_chrome": 1_000,
        "impressions": 7,
    }
    report = recognition(Side.SLOT, told)
    assert (report.requests, report.unknown, report.refused) == (100, 25, 15)
    assert report.groups == [
        Group("cookie", "chrome", 60, 390),
        Group("none", "safari", 25),
        Group("refused", "chrome", 15),
    ]
    assert report.kinds == [Group("cookie", None, 60), Group("none", None, 25), Group("refused", None, 15)]
    assert report.families == [Group(None, "chrome", 75, 390), Group(None, "safari", 25)]


def test_a_familys_window_is_that_of_half_of_its_known_requests() -> None:
    def days(clicks: int, cookies: int) -> int | None:
        names = {"identity_pixel_click_safari": clicks, "identity_pixel_first_party_safari": cookies}
        (family,) = recognition(Side.PIXEL, names | {"identity_pixel_new_safari": 500}).families
        return family.window_days

    assert (days(60, 40), days(40, 60), days(50, 50)) == (7, 390, 390)


def test_few_requests_are_told_without_their_group() -> None:
    report = recognition(Side.SLOT, {"identity_slot_cookie_chrome": 40, "identity_slot_none_opera": 9})
    assert report.groups == [Group("cookie", "chrome", 40, 390), Group(FOLDED, FOLDED, 9)]
    assert [one.kind for one in report.kinds] == ["cookie", FOLDED]
    assert [one.family for one in report.families] == ["chrome", FOLDED]
    assert (report.requests, report.unknown, report.refused) == (49, None, 0)


@given(st.dictionaries(st.sampled_from(counters(Side.SLOT)), st.integers(1, 40)))
def test_lists_add_up_and_name_no_group_that_is_too_small(counts: dict[str, int]) -> None:
    report = recognition(Side.SLOT, counts)
    for groups in (report.groups, report.kinds, report.families):
        assert sum(one.requests for one in groups) == report.requests == sum(counts.values())
        named = [one for one in groups if FOLDED not in (one.kind, one.family)]
        assert all(one.requests >= LEAST_REQUESTS for one in named)
