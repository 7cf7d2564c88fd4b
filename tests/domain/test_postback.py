"""What is signed of a postback, and for how long it is believed."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from adserver.domain.postback import (
    WINDOW_MS,
    canonical,
    is_of_now,
    is_signed,
    postback_secret,
    signature_of,
)

SECRET = postback_secret(b"s" * 32, 7)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
PARAMETERS = st.dictionaries(TEXTS.filter(lambda name: name != "sig"), TEXTS, min_size=1, max_size=6)


def test_parameters_are_signed_by_name_and_percent_encoded() -> None:
    """The very text that the documentation shows, as PHP's http_build_query and RFC 3986 write it."""
    given = {"ts": "1795000000", "order_id": "R 10/01~é", "nonce": "abcd-1234", "sig": "what came before"}
    assert canonical(given) == b"nonce=abcd-1234&order_id=R%2010%2F01~%C3%A9&ts=1795000000"


@given(PARAMETERS)
def test_what_is_signed_reads_back_as_the_parameters(parameters) -> None:
    read = dict(parse_qsl(canonical(parameters).decode(), keep_blank_values=True))
    assert read == parameters


@given(PARAMETERS, PARAMETERS)
def test_a_signature_is_of_these_parameters_and_this_secret_only(parameters, others) -> None:
    assume(parameters != others)
    signature = signature_of(SECRET, parameters)
    assert is_signed(SECRET, parameters | {"sig": signature})
    assert not is_signed(SECRET, others | {"sig": signature})
    assert not is_signed(postback_secret(b"s" * 32, 8), parameters | {"sig": signature})


@pytest.mark.parametrize("sig", ["", "0" * 64, "é", None])
def test_without_a_true_signature_nothing_is_signed(sig: str | None) -> None:
    given = {"order_id": "R-1"} | ({} if sig is None else {"sig": sig})
    assert not is_signed(SECRET, given)


@pytest.mark.parametrize(
    ("off_ms", "is_believed"),
    [(0, True), (WINDOW_MS, True), (-WINDOW_MS, True), (WINDOW_MS + 1000, False), (-WINDOW_MS - 1000, False)],
)
def test_a_postback_is_believed_within_five_minutes(off_ms: int, is_believed: bool) -> None:
    now_ms = 1_795_000_000_000
    assert is_of_now((now_ms + off_ms) // 1000, now_ms) is is_believed
