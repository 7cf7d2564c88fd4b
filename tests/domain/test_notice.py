"""A notice says what happened, is signed with its time, and is tried again at growing intervals."""

import hashlib
import hmac
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.identity import write_id
from adserver.domain.notice import (
    FIRST_RETRY_MS,
    GIVE_UP_MS,
    MOST_WAIT_MS,
    budget_notice,
    budget_notice_key,
    next_attempt_ms,
    ping_notice,
    sign_notice,
    webhook_secret,
)
from tests.domain.makers import NOW_MS

CAMPAIGN, ADVERTISER, DAY, CAP = 11, 7, 20261122, 1_000_000
DICE = st.floats(0, 1, exclude_max=True)


def read(
    percent: int = 80, owner: int = CAMPAIGN, is_campaign: bool = True, day: int = DAY
) -> dict[str, object]:
    body = budget_notice(
        5, percent, owner, is_campaign, ADVERTISER, day, CAP, 750_000, 50_000, 1_795_000_000_999
    )
    found: dict[str, object] = json.loads(body)
    return found


def test_a_campaigns_daily_budget_is_told_with_every_figure() -> None:
    assert read() == {
        "id": write_id("ntc", 5),
        "kind": "budget_80",
        "at": "2026-11-18T11:06:40Z",
        "advertiser_id": write_id("adv", ADVERTISER),
        "campaign_id": write_id("cmp", CAMPAIGN),
        "budget": "daily",
        "day": DAY,
        "cap_micros": CAP,
        "spent_micros": 750_000,
        "pending_micros": 50_000,
    }


def test_an_accounts_total_budget_names_no_campaign_and_no_day() -> None:
    notice = read(100, ADVERTISER, is_campaign=False, day=0)
    told = [notice[name] for name in ("kind", "campaign_id", "budget", "day")]
    assert told == ["budget_reached", None, "total", None]


def test_a_ping_says_who_is_meant_and_nothing_of_money() -> None:
    assert set(json.loads(ping_notice(5, ADVERTISER, NOW_MS))) == {"id", "kind", "at", "advertiser_id"}


def test_the_same_mark_of_the_same_budget_is_the_same_notice_and_any_other_is_another() -> None:
    marks = [(CAMPAIGN, DAY, CAP, 80), (ADVERTISER, DAY, CAP, 80), (CAMPAIGN, 0, CAP, 80)]
    marks += [(CAMPAIGN, DAY, CAP + 1, 80), (CAMPAIGN, DAY, CAP, 100)]
    keys = [budget_notice_key(*mark) for mark in marks]
    assert len(set(keys)) == len(marks)
    assert keys == [budget_notice_key(*mark) for mark in marks]


def test_a_signature_is_the_documented_hmac_of_time_and_body() -> None:
    by_hand = hmac.new(b"secret", b"1795000000.{}", hashlib.sha256).hexdigest()
    assert sign_notice("secret", 1_795_000_000, b"{}") == f"v1={by_hand}"
    assert sign_notice("secret", 1_795_000_001, b"{}") != f"v1={by_hand}"


def test_each_advertiser_has_a_secret_of_its_own_that_stays() -> None:
    secrets = [webhook_secret(b"k" * 32, advertiser) for advertiser in (1, 2, 1)]
    assert secrets[0] == secrets[2] != secrets[1]
    assert webhook_secret(b"o" * 32, 1) != secrets[0]


@pytest.mark.parametrize(
    ("attempts", "dice", "wait_ms"),
    [
        (1, 0.0, FIRST_RETRY_MS),
        (1, 0.5, FIRST_RETRY_MS * 3 // 4),
        (2, 0.0, FIRST_RETRY_MS * 2),
        (5, 0.0, FIRST_RETRY_MS * 16),
        (13, 0.0, MOST_WAIT_MS),
        (10_000, 0.0, MOST_WAIT_MS),
    ],
)
def test_the_wait_doubles_with_each_failure_up_to_six_hours(attempts: int, dice: float, wait_ms: int) -> None:
    assert next_attempt_ms(NOW_MS, attempts, NOW_MS, dice) == NOW_MS + wait_ms


def test_three_days_after_the_event_it_is_given_up() -> None:
    assert next_attempt_ms(NOW_MS, 1, NOW_MS + GIVE_UP_MS - FIRST_RETRY_MS, 0.0) == NOW_MS + GIVE_UP_MS
    assert next_attempt_ms(NOW_MS, 1, NOW_MS + GIVE_UP_MS - FIRST_RETRY_MS + 1, 0.0) is None


@given(st.lists(DICE, min_size=60, max_size=60))
def test_attempts_end_within_three_days_and_never_press(dice: list[float]) -> None:
    attempts_ms = [NOW_MS]
    for attempts, one in enumerate(dice, 1):
        due_ms = next_attempt_ms(NOW_MS, attempts, attempts_ms[-1], one)
        if due_ms is None:
            break
        attempts_ms.append(due_ms)
    assert due_ms is None
    assert attempts_ms[-1] > NOW_MS + GIVE_UP_MS - MOST_WAIT_MS
    assert all(later - earlier >= FIRST_RETRY_MS // 2 for earlier, later in pairwise(attempts_ms))
