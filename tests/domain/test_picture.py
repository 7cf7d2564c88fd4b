"""When a picture is tried again, which host is left alone, and what is told of it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from adserver.domain.fetching import Validators
from adserver.domain.picture import (
    DAY_MS,
    FAILURES_BEFORE_REST,
    FETCH_AGAIN_MS,
    HOST_RESTING,
    LOOK_AGAIN_MS,
    MINUTE_MS,
    MOST_LINKS,
    MOST_REST_MS,
    HostState,
    PictureCounts,
    PictureState,
    Shown,
    Tried,
    blames_host,
    is_wanted,
    links_of,
    state_after,
)
from adserver.domain.picture_advice import KNOWN_REASONS, advice
from creatives.pictures import PictureRejection
from tests.domain.makers import NOW_MS, make_product
from tests.shared_data import PROJECT

FIRST, SECOND = "https://shop.example/1.jpg", "https://shop.example/2.jpg"
BOOTS = make_product(image_link=FIRST)
GONE = Tried(None, reason="status_404")
TAGGED = Tried(FIRST, "ab" * 16, Validators(etag='"1"'))


def after(tried: Tried, known: PictureState | None = None, dice: float = 0.0) -> PictureState:
    return state_after(BOOTS, known, tried, NOW_MS, dice)


def waits_ms(reason: str, times: int) -> list[int]:
    state, waits = None, []
    for _ in range(times):
        state = after(Tried(None, reason=reason), state)
        waits.append(state.due_ms - NOW_MS)
    return waits


def test_what_a_merchant_must_repair_is_looked_at_again_in_days() -> None:
    assert waits_ms("status_404", 5) == [day * DAY_MS for day in (1, 2, 4, 8, 8)]


@pytest.mark.parametrize("reason", ["unreachable", "timed_out", "status_429", "status_503", HOST_RESTING])
def test_what_may_pass_by_itself_is_tried_again_in_minutes(reason: str) -> None:
    waits = waits_ms(reason, 12)
    assert waits[:4] == [minutes * MINUTE_MS for minutes in (10, 20, 40, 80)]
    assert waits[-1] == DAY_MS


def test_other_addresses_begin_anew() -> None:
    failed = after(GONE, after(GONE))
    moved = state_after(replace(BOOTS, image_link=SECOND), failed, GONE, NOW_MS, 0.0)
    assert (failed.failures, moved.failures) == (2, 1)


def test_a_shown_picture_is_asked_after_and_sooner_where_that_is_cheap() -> None:
    assert after(TAGGED).due_ms - NOW_MS == LOOK_AGAIN_MS
    assert after(Tried(FIRST, "ab" * 16)).due_ms - NOW_MS == FETCH_AGAIN_MS
    assert after(TAGGED, after(GONE)).failures == 0


@given(dice=st.floats(0, 1, exclude_max=True), tried=st.sampled_from([GONE, TAGGED]))
def test_what_was_tried_at_once_is_spread_over_the_next_times(dice: float, tried: Tried) -> None:
    earliest_ms = after(tried).due_ms - NOW_MS
    assert earliest_ms <= after(tried, dice=dice).due_ms - NOW_MS <= earliest_ms * 5 // 4


def test_a_product_is_wanted_once_for_each_set_of_addresses() -> None:
    state = after(GONE)
    assert is_wanted(BOOTS, None)
    assert not is_wanted(BOOTS, state)
    assert is_wanted(replace(BOOTS, additional_image_links=(SECOND,)), state)
    assert not is_wanted(replace(BOOTS, image_link=None), None)


def test_addresses_are_tried_in_turn_each_once_and_not_for_ever() -> None:
    many = tuple(f"https://shop.example/{number}.jpg" for number in range(1, 50))
    links = links_of(replace(BOOTS, additional_image_links=(FIRST, SECOND, *many)))
    assert links[:2] == (FIRST, SECOND)
    assert len(links) == MOST_LINKS


def test_what_is_shown_instead_is_told() -> None:
    shown = replace(BOOTS, picture="ab" * 16)
    assert after(GONE).shown(BOOTS) is Shown.NOTHING
    assert after(Tried(SECOND, "ab" * 16, reason="status_404")).shown(shown) is Shown.ANOTHER
    assert state_after(shown, after(TAGGED), GONE, NOW_MS, 0).shown(shown) is Shown.OLDER


def test_a_host_that_fails_again_and_again_is_left_alone_for_longer_each_time() -> None:
    host, rests = HostState(), []
    for _ in range(10):
        host = host.after(failed=True, now_ms=NOW_MS)
        rests.append(max(0, host.rests_until_ms - NOW_MS) // MINUTE_MS)
    assert rests[: FAILURES_BEFORE_REST + 3] == [0, 0, 5, 10, 20, 40]
    assert rests[-1] == MOST_REST_MS // MINUTE_MS
    assert host.after(failed=False, now_ms=NOW_MS) == HostState()


def test_a_missing_picture_is_not_its_hosts_fault() -> None:
    assert not blames_host("status_404") and not blames_host("picture_damaged")
    assert blames_host("timed_out") and blames_host("status_502")


def test_every_reason_says_what_to_do() -> None:
    fetcher = (PROJECT / "adserver" / "outside" / "fetcher.py").read_text(encoding="utf-8")
    refusals = set(re.findall(r'FetchRefused\("(\w+)"\)', fetcher))
    named = set(re.findall(r'"(too_large|encoding_\w+)"', fetcher))
    reasons = {rejection.value for rejection in PictureRejection} | refusals | named | {HOST_RESTING}
    assert len(reasons) > 15
    assert reasons <= KNOWN_REASONS
    assert all(
        advice(reason).endswith(".") for reason in {*reasons, "status_500", "status_418", "unheard_of"}
    )


def test_counts_add_up() -> None:
    counts = PictureCounts(100, 5, 20, {"status_404": 7, "picture_blank": 1}, {"status_404": 3})
    assert (counts.shown, counts.waiting) == (75, 12)
