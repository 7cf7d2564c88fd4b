"""Too much of one visitor or network is suspected by name; a crowd passes at the limit; memory is bounded."""

from collections import deque

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.domain import validity
from adserver.domain.caller import Caller
from adserver.domain.consent_hold import nobody_was_asked
from adserver.domain.pricing import AdEvent
from adserver.domain.token import AdToken
from adserver.domain.validity import DAY_MS, HOUR_MS, MINUTE_MS, Limits, Rate, Suspicion, Watch
from pixel.consent import Region
from tests.domain.makers import CAMPAIGN, CREATIVE, NOW_MS, SLOT

VISITOR, NETWORK = 4_242, 9
CALLER = Caller(Region.OPEN, visitor_key=VISITOR, network=NETWORK)
CLICK, IMPRESSION = AdEvent.CLICK, AdEvent.IMPRESSION
NOBODY = Limits(0, 0, 0, 0, 0, 0, 0)


def make_token(visitor_key: int = VISITOR, campaign_key: int = CAMPAIGN) -> AdToken:
    return AdToken(1, campaign_key, 1, SLOT, CREATIVE, 0, visitor_key, NOW_MS - 1_000)


def make_caller(**fields: object) -> Caller:
    return msgspec.structs.replace(CALLER, **fields)


def make_watch(**limits: int) -> Watch:
    """Only what is named is limited."""
    return Watch(msgspec.structs.replace(NOBODY, **limits))


def told(watch: Watch, times: int, event: AdEvent = CLICK, now_ms: int = NOW_MS) -> list[Suspicion | None]:
    return [watch.suspicion(event, make_token(), CALLER, now_ms) for _ in range(times)]


# ---- rates ----


def test_so_many_pass_in_a_window_and_no_more() -> None:
    rate = Rate(3, MINUTE_MS, 10)
    assert [rate.passes("a", 0) for _ in range(5)] == [True, True, True, False, False]
    assert rate.passes("b", 0)
    assert not rate.passes("a", MINUTE_MS)  # the minute before still counts as a whole
    assert rate.passes("a", 2 * MINUTE_MS)


def test_the_window_before_counts_for_what_the_sliding_one_covers_of_it() -> None:
    rate = Rate(4, MINUTE_MS, 10)
    for _ in range(4):
        rate.passes("a", 0)
    assert [rate.passes("a", MINUTE_MS + MINUTE_MS // 2) for _ in range(3)] == [True, True, False]


def test_several_at_once_pass_together_or_not_at_all() -> None:
    rate = Rate(5, MINUTE_MS, 10)
    assert [rate.passes("a", 0, n) for n in (3, 3, 2, 1)] == [True, False, True, False]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 20_000), min_size=1, max_size=200), st.integers(1, 9))
def test_never_more_than_twice_the_limit_pass_in_any_minute(gaps_ms: list[int], most: int) -> None:
    rate, now_ms, passed = Rate(most, MINUTE_MS, 10), 0, deque[int]()
    for gap_ms in gaps_ms:
        now_ms += gap_ms
        while passed and passed[0] <= now_ms - MINUTE_MS:
            passed.popleft()
        if rate.passes("a", now_ms):
            passed.append(now_ms)
        assert len(passed) <= 2 * most


@pytest.mark.parametrize("most", range(1, 10))
def test_whoever_comes_half_as_often_always_passes(most: int) -> None:
    rate = Rate(most, MINUTE_MS, 10)
    assert all(rate.passes("a", n * 2 * MINUTE_MS // most) for n in range(9 * most))


def test_a_million_keys_take_the_memory_of_those_that_are_kept() -> None:
    rate = Rate(1, MINUTE_MS, 1_000)
    for key in range(100_000):
        rate.passes(key, 0)
    assert len(rate) == 1_000
    assert rate.knows(99_999) and not rate.knows(0)


def test_a_limit_of_nothing_is_none() -> None:
    rate = Rate(0, MINUTE_MS, 10)
    assert all(rate.passes("a", 0) for _ in range(100))
    assert rate.knows("a")


# ---- what happens to ads ----


def test_many_clicks_of_a_visitor_on_one_campaign_in_an_hour_are_suspect() -> None:
    watch = make_watch(visitor_clicks=2)
    assert told(watch, 4) == [None, None, Suspicion.VISITOR_CLICKS, Suspicion.VISITOR_CLICKS]
    assert watch.suspicion(CLICK, make_token(campaign_key=CAMPAIGN + 1), CALLER, NOW_MS) is None
    other = make_caller(visitor_key=VISITOR + 1)
    assert watch.suspicion(CLICK, make_token(VISITOR + 1), other, NOW_MS) is None
    assert told(watch, 1, now_ms=NOW_MS + 2 * HOUR_MS) == [None]


def test_impressions_are_no_clicks() -> None:
    assert told(make_watch(visitor_clicks=1, network_clicks=1), 9, IMPRESSION) == [None] * 9


def test_a_visitor_who_does_too_much_in_a_minute_is_suspect() -> None:
    assert told(make_watch(visitor_events=3), 5, IMPRESSION)[3:] == [Suspicion.VISITOR_RATE] * 2


@pytest.mark.parametrize(("limit", "event"), [("network_clicks", CLICK), ("network_events", IMPRESSION)])
def test_too_much_from_one_network_is_suspect_whoever_it_is(limit: str, event: AdEvent) -> None:
    watch = make_watch(**{limit: 3})
    visitors = [0, 1, 2, 3, 0]
    reasons = [
        watch.suspicion(event, make_token(key), make_caller(visitor_key=key), NOW_MS) for key in visitors
    ]
    assert reasons == [None, None, None, Suspicion.NETWORK_RATE, Suspicion.NETWORK_RATE]
    elsewhere = make_caller(network=NETWORK + 1)
    assert watch.suspicion(event, make_token(), elsewhere, NOW_MS) is None


def test_many_visitors_whom_nobody_has_seen_are_suspect_and_known_ones_are_not() -> None:
    watch = make_watch(network_strangers=3)
    reasons = [
        watch.suspicion(IMPRESSION, make_token(key), make_caller(visitor_key=key), NOW_MS)
        for key in (1, 2, 3, 4, 5, 1, 2)
    ]
    assert reasons == [None, None, None, Suspicion.STRANGERS, Suspicion.STRANGERS, None, None]


def test_an_ad_of_another_browser_is_suspect_and_one_without_a_cookie_is_not() -> None:
    watch = make_watch()
    assert watch.suspicion(CLICK, make_token(VISITOR + 1), CALLER, NOW_MS) is Suspicion.OTHER_VISITOR
    assert watch.suspicion(CLICK, make_token(0), CALLER, NOW_MS) is None
    assert watch.suspicion(CLICK, make_token(), make_caller(visitor_key=0), NOW_MS) is None


# ---- ads that were shown to nobody known ----


def told_nameless(watch: Watch, times: int, event: AdEvent, **fields: int) -> list[Suspicion | None]:
    """Ads that name nobody, in a browser that shows no cookie."""
    now_ms, network = fields.get("now_ms", NOW_MS), fields.get("network", NETWORK)
    token = make_token(0, fields.get("campaign_key", CAMPAIGN))
    caller = make_caller(visitor_key=0, network=network)
    return [watch.suspicion(event, token, caller, now_ms) for _ in range(times)]


@pytest.mark.parametrize(
    ("event", "limit", "reason"),
    [
        (CLICK, "nameless_clicks", Suspicion.NAMELESS_CLICKS),
        (IMPRESSION, "nameless_views", Suspicion.NAMELESS_VIEWS),
        (AdEvent.VIEWABLE_IMPRESSION, "nameless_views", Suspicion.NAMELESS_VIEWS),
    ],
)
def test_ads_that_name_nobody_are_limited_by_campaign_and_network_in_an_hour(
    event: AdEvent, limit: str, reason: Suspicion
) -> None:
    watch = make_watch(**{limit: 2})
    assert told_nameless(watch, 4, event) == [None, None, reason, reason]
    assert told_nameless(watch, 1, event, campaign_key=CAMPAIGN + 1) == [None]
    assert told_nameless(watch, 1, event, network=NETWORK + 1) == [None]
    assert told(watch, 3, event) == [None] * 3
    assert told_nameless(watch, 1, event, now_ms=NOW_MS + HOUR_MS // 2) == [reason]
    assert told_nameless(watch, 1, event, now_ms=NOW_MS + 2 * HOUR_MS) == [None]


def test_impressions_and_views_of_the_same_ads_are_each_counted_for_themselves() -> None:
    watch = make_watch(nameless_views=3)
    assert told_nameless(watch, 3, IMPRESSION) == [None] * 3
    assert told_nameless(watch, 3, AdEvent.VIEWABLE_IMPRESSION) == [None] * 3
    assert told_nameless(watch, 9, CLICK) == [None] * 9


def test_a_known_browser_is_counted_on_ads_that_name_nobody_too() -> None:
    watch = make_watch(visitor_clicks=2)
    tokens = (make_token(0), make_token(), make_token(0))
    reasons = [watch.suspicion(CLICK, token, CALLER, NOW_MS) for token in tokens]
    assert reasons == [None, None, Suspicion.VISITOR_CLICKS]
    assert told_nameless(watch, 9, CLICK) == [None] * 9
    assert watch.suspicion(CLICK, make_token(0), make_caller(visitor_key=VISITOR + 1), NOW_MS) is None


def test_fresh_cookies_lift_no_limit_of_ads_that_name_nobody() -> None:
    watch = make_watch(nameless_clicks=2)
    callers = [make_caller(visitor_key=key) for key in range(1, 5)]
    reasons = [watch.suspicion(CLICK, make_token(0), caller, NOW_MS) for caller in callers]
    assert reasons == [None, None, Suspicion.NAMELESS_CLICKS, Suspicion.NAMELESS_CLICKS]


def test_a_click_a_second_for_an_hour_on_ads_that_name_nobody_is_paid_up_to_the_limit() -> None:
    watch = Watch(Limits())
    starts_ms = NOW_MS // HOUR_MS * HOUR_MS + 2 * HOUR_MS
    reasons = [
        watch.suspicion(CLICK, make_token(0), make_caller(visitor_key=0), starts_ms + seconds * 1_000)
        for seconds in range(3_600)
    ]
    assert reasons.count(None) == Limits().nameless_clicks


def test_on_this_machine_nothing_is_limited() -> None:
    watch = Watch(Limits(1, 1, 1, 1, 1, 1, 1))
    here = make_caller(network=None)
    for token in (make_token(), make_token(0)):
        assert [watch.suspicion(CLICK, token, here, NOW_MS) for _ in range(9)] == [None] * 9
    assert all(watch.takes(here, 100, NOW_MS) for _ in range(9))


def test_a_click_flood_is_paid_up_to_the_limit() -> None:
    """200 clicks on 200 ads within a minute, by one visitor."""
    reasons = told(Watch(Limits()), 200)
    assert reasons.count(None) == Limits().visitor_clicks


# ---- events of shops ----


def test_a_flood_of_events_is_not_taken_of_a_visitor_nor_of_a_network() -> None:
    watch = make_watch(visitor_events=5)
    assert [watch.takes(CALLER, 2, NOW_MS) for _ in range(4)] == [True, True, False, False]
    assert watch.takes(make_caller(visitor_key=VISITOR + 1), 5, NOW_MS)
    watch = make_watch(network_events=5)
    assert [watch.takes(make_caller(visitor_key=key), 2, NOW_MS) for key in range(4)] == [
        True,
        True,
        False,
        False,
    ]


# ---- answers about consent ----


def test_of_a_network_a_few_answers_about_each_account_count_in_a_day() -> None:
    watch = Watch(Limits())

    def heard(caller: Caller = CALLER, owner_key: int = 7, now_ms: int = NOW_MS) -> int:
        return sum(watch.hears(caller, owner_key, now_ms) for _ in range(2_400))

    assert heard() == validity.ANSWERS_A_DAY
    assert heard(owner_key=8) == heard(make_caller(network=99)) == validity.ANSWERS_A_DAY
    assert heard(make_caller(visitor_key=VISITOR + 1), now_ms=NOW_MS + HOUR_MS) == 0
    assert heard(now_ms=NOW_MS + 2 * DAY_MS) == validity.ANSWERS_A_DAY
    assert heard(make_caller(network=None)) == 2_400


def test_ten_networks_cannot_have_an_account_held_in_a_week() -> None:
    assert not nobody_was_asked(10 * 8 * validity.ANSWERS_A_DAY, 0)


def test_a_million_forged_visitors_take_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validity, "MOST_VISITORS", 100)
    monkeypatch.setattr(validity, "MOST_NETWORKS", 50)
    watch = Watch(Limits())
    for key in range(1, 5_000):
        caller = make_caller(visitor_key=key, network=key)
        watch.takes(caller, 1, NOW_MS)
        watch.shows(caller, NOW_MS)
        watch.hears(caller, key, NOW_MS)
        watch.suspicion(CLICK, make_token(key), caller, NOW_MS)
        watch.suspicion(CLICK, make_token(0), caller, NOW_MS)
        watch.suspicion(IMPRESSION, make_token(0, key), make_caller(visitor_key=0), NOW_MS)
    sizes = [len(held) for held in vars(watch).values() if isinstance(held, Rate)]
    assert len(sizes) == 12 and max(sizes) <= 100
