"""Ids are read back as the keys they were written from, and nothing else is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.identity import (
    KEY_EPOCH_MS,
    LARGEST_KEY,
    first_key_at,
    key_of,
    minted_ms,
    product_key,
    read_id,
    write_id,
)
from adserver.outside.clock import KeyMint

keys = st.integers(min_value=0, max_value=LARGEST_KEY)


@given(keys)
def test_an_id_is_read_back_as_its_key(key: int) -> None:
    assert read_id("cmp", write_id("cmp", key)) == key


@given(keys, keys)
def test_ids_sort_like_their_keys(one: int, other: int) -> None:
    assert (write_id("cmp", one) < write_id("cmp", other)) is (one < other)


@given(keys)
def test_an_id_of_another_kind_is_refused(key: int) -> None:
    assert read_id("adv", write_id("cmp", key)) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cmp",
        "cmp_",
        "cmp_000000000000",  # too short
        "cmp_00000000000000",  # too long
        "cmp_000000000000i",  # letters that look like digits
        "cmp_000000000000L",
        "cmp_000000000000U",
        "cmp_000000000000A",  # one spelling only
        "cmp-0000000000000",
        "CMP_0000000000000",
        " cmp_0000000000000",
        "cmp_0000000000000\n",
        "cmp_00000000000٠0",  # an Arabic digit
        "cmp__000000000000",
        "cmp_8000000000000",  # beyond 63 bits
        "cmp_zzzzzzzzzzzzz",
    ],
)
def test_what_is_no_id_is_refused(text: str) -> None:
    assert read_id("cmp", text) is None


@given(st.text(max_size=20))
def test_any_text_is_either_refused_or_written_the_same_way(text: str) -> None:
    key = read_id("cmp", text)
    assert key is None or write_id("cmp", key) == text


@given(st.binary(max_size=9), st.binary(max_size=9), st.integers(min_value=0, max_value=18))
def test_parts_of_a_key_are_told_apart_by_their_length(one: bytes, other: bytes, cut: int) -> None:
    whole = one + other
    parts = (whole[:cut], whole[cut:])
    assert (key_of(b"test", *parts) == key_of(b"test", one, other)) is (parts == (one, other))


def test_keys_of_different_purposes_differ() -> None:
    assert key_of(b"product", b"a") != key_of(b"event", b"a")
    assert 0 <= key_of(b"product", b"a") <= LARGEST_KEY


def test_two_shops_may_use_the_same_item_id() -> None:
    assert product_key(1, "boots") != product_key(2, "boots")
    assert product_key(1, "0001") != product_key(1, "1")


@given(st.integers(0, 2**41 - 3), st.integers(0, 255))
def test_a_minted_key_tells_its_moment_and_stands_between_that_and_the_next(
    after_ms: int, worker: int
) -> None:
    now_ms = KEY_EPOCH_MS + 1 + after_ms
    key = KeyMint(worker, lambda: now_ms)()
    assert first_key_at(now_ms) <= key < first_key_at(now_ms + 1)
    assert minted_ms(key) == now_ms


def test_before_the_first_key_there_is_none() -> None:
    assert first_key_at(0) == first_key_at(KEY_EPOCH_MS) == 0
