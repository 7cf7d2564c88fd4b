"""Log-ins are slowed down, sessions end, codes are RFC 6238's, and passwords have a length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.login import (
    FORGOTTEN_MS,
    FREE_ATTEMPTS,
    IDLE_MS,
    LONGEST_MS,
    LONGEST_WAIT_MS,
    NO_ATTEMPTS,
    Attempts,
    Kind,
    after_failure,
    is_over,
    subjects,
    totp_code,
    totp_step,
    wait_ms,
)
from adserver.domain.user import Flaw, Grant, Role, Session, User, may_grant, normal_email, password_flaw
from tests.domain.makers import NOW_MS

SECRET = b"12345678901234567890"  # of RFC 6238, appendix B
ANNA = User(key=1, email="anna@example.org", name="Anna", password_hash="", grants=(Grant(Role.OPERATOR),))
SHOP = User(key=2, email="bo@example.org", name="Bo", password_hash="", grants=(Grant(Role.ADVERTISER, 7),))


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ],
)
def test_a_code_is_the_standards(second: int, code: str) -> None:
    assert totp_code(SECRET, second // 30) == code
    assert totp_step(SECRET, code, second * 1000) == second // 30


def test_a_code_serves_a_step_early_or_late_and_once_only() -> None:
    step = NOW_MS // 30_000
    code = totp_code(SECRET, step)
    for at in (step - 1, step, step + 1):
        assert totp_step(SECRET, f" {code[:3]} {code[3:]} ", at * 30_000) == step
    assert totp_step(SECRET, code, (step + 2) * 30_000) is None
    assert totp_step(SECRET, code, NOW_MS, used_step=step) is None
    assert totp_step(SECRET, "\u0661\u0662\u0663\u0664\u0665\u0666", NOW_MS) is None


@given(failures=st.integers(0, 60), passed=st.integers(0, FORGOTTEN_MS - 1))
def test_each_failure_makes_the_wait_longer_up_to_the_longest(failures: int, passed: int) -> None:
    now, one_more = (Attempts(failures + more, NOW_MS - passed) for more in (0, 1))
    assert 0 <= wait_ms(Kind.BOTH, now, NOW_MS) <= wait_ms(Kind.BOTH, one_more, NOW_MS) <= LONGEST_WAIT_MS
    assert wait_ms(Kind.NETWORK, now, NOW_MS) <= wait_ms(Kind.BOTH, now, NOW_MS)


def test_the_first_failures_are_free_and_a_day_forgets_the_others() -> None:
    attempts = NO_ATTEMPTS
    for _ in range(FREE_ATTEMPTS):
        assert wait_ms(Kind.BOTH, attempts, NOW_MS) == 0
        attempts = after_failure(attempts, NOW_MS)
    assert wait_ms(Kind.BOTH, attempts, NOW_MS) == 30_000
    assert wait_ms(Kind.BOTH, attempts, NOW_MS + 30_000) == 0
    assert after_failure(attempts, NOW_MS + FORGOTTEN_MS).failures == 1


def test_no_address_is_counted_in_clear_and_no_two_things_share_a_name() -> None:
    named = subjects("anna@example.org", 5)
    assert len(set(named.values())) == 3
    assert not any("anna" in name for name in named.values())
    elsewhere = subjects("anna@example.org", 6)
    assert named[Kind.ACCOUNT] == elsewhere[Kind.ACCOUNT]
    assert named[Kind.BOTH] != elsewhere[Kind.BOTH]


@pytest.mark.parametrize(
    ("began", "seen", "user", "over"),
    [
        (0, 0, ANNA, False),
        (IDLE_MS, IDLE_MS, ANNA, True),
        (LONGEST_MS, 0, ANNA, True),
        (LONGEST_MS - 1, IDLE_MS - 1, ANNA, False),
    ],
)
def test_a_session_ends_idle_or_old(began: int, seen: int, user: User, over: bool) -> None:
    assert is_over(Session("", 1, NOW_MS - began, NOW_MS - seen), user, NOW_MS) is over


def test_a_session_from_before_the_password_or_of_one_shut_out_is_over() -> None:
    session = Session("", 1, NOW_MS - 10, NOW_MS)
    changed = {"sessions_from_ms": NOW_MS}
    assert is_over(session, make_user(**changed), NOW_MS)
    assert not is_over(Session("", 1, NOW_MS, NOW_MS), make_user(**changed), NOW_MS)
    assert is_over(session, make_user(disabled_at_ms=NOW_MS), NOW_MS)


def make_user(**fields: int) -> User:
    return User(key=1, email="a@b.example", name="", password_hash="", grants=(), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("password", "flaw"),
    [
        ("four old wet boots", None),
        ("été à Montréal", None),
        ("short", Flaw.PASSWORD_TOO_SHORT),
        ("x" * 201, Flaw.PASSWORD_TOO_LONG),
        ("aaaaaaaaaaaa", Flaw.PASSWORD_TOO_COMMON),
        ("password123", Flaw.PASSWORD_TOO_COMMON),
        ("1234567890", Flaw.PASSWORD_TOO_COMMON),
        ("Anna@Example.org", Flaw.PASSWORD_IS_EMAIL),
    ],
)
def test_a_password_is_long_and_not_what_everybody_tries(password: str, flaw: Flaw | None) -> None:
    assert password_flaw(password, "anna@example.org") is flaw


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        (" Anna@Example.ORG ", "anna@example.org"),
        ("anna@example.org, bo@example.org", None),
        ("anna@localhost", None),
        ("anna\n@example.org", None),
        ("<anna@example.org>", None),
        ("a" * 65 + "@example.org", None),
        ("o'neil+shop@example.org", "o'neil+shop@example.org"),
        ("\u0430nna@example.org", None),  # a Cyrillic letter that looks like an a
        ("an\u200bna@example.org", None),
    ],
)
def test_an_address_has_one_form(text: str, normal: str | None) -> None:
    assert normal_email(text) == normal


@pytest.mark.parametrize(
    ("by", "grant", "may"),
    [
        (ANNA, Grant(Role.OPERATOR), True),
        (ANNA, Grant(Role.PUBLISHER, 9), True),
        (SHOP, Grant(Role.ADVERTISER, 7), True),
        (SHOP, Grant(Role.WEBMASTER, 7), True),
        (SHOP, Grant(Role.ADVERTISER, 8), False),
        (SHOP, Grant(Role.WEBMASTER, 8), False),
        (SHOP, Grant(Role.OPERATOR), False),
        (SHOP, Grant(Role.PUBLISHER, 7), False),
    ],
)
def test_nobody_gives_what_they_have_not(by: User, grant: Grant, may: bool) -> None:
    assert may_grant(by, grant) is may
