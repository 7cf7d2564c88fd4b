"""An ad's token is read by the server that signed it, whole and for its own purpose, or not at all."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.token import LANDED, SERVED, AdToken, TokenKeys, sign, verify

KEYS = TokenKeys(2, {1: b"a" * 32, 2: b"b" * 32})
TOKEN = AdToken(11, 70, 3, 800, 700, 900, 1234, 1_795_000_000_000, 76)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

keys = st.integers(min_value=0, max_value=2**63 - 1)
tokens = st.builds(
    AdToken, keys, keys, st.integers(min_value=1, max_value=2**32 - 1), keys, keys, keys, keys, keys, keys,
    st.booleans(),
)  # fmt: skip


def unpacked(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def packed(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


@given(tokens, st.sampled_from([SERVED, LANDED]))
def test_a_token_is_read_back_as_it_was_signed(token: AdToken, purpose: bytes) -> None:
    assert verify(sign(token, KEYS, purpose), KEYS, purpose) == token


def test_a_token_with_any_byte_changed_is_refused() -> None:
    raw = unpacked(sign(TOKEN, KEYS))
    for place in range(len(raw)):
        for bit in range(8):
            flipped = bytearray(raw)
            flipped[place] ^= 1 << bit
            assert verify(packed(bytes(flipped)), KEYS) is None


def test_a_token_with_any_letter_changed_is_refused() -> None:
    text = sign(TOKEN, KEYS)
    for place, letter in enumerate(text):
        for other in ALPHABET.replace(letter, ""):
            assert verify(text[:place] + other + text[place + 1 :], KEYS) is None


def test_a_cut_or_lengthened_token_is_refused() -> None:
    text = sign(TOKEN, KEYS)
    assert all(verify(text[:length], KEYS) is None for length in range(len(text)))
    assert all(verify(text + more, KEYS) is None for more in ("A", "=", "==", "\n", " ", ".", "AAAA", text))


def test_a_token_has_one_spelling_only() -> None:
    text = sign(TOKEN, KEYS)
    for place in range(len(text) + 1):
        for foreign in ("=", "+", "/", ".", " ", "\n", "%3D", "é"):
            assert verify(text[:place] + foreign + text[place:], KEYS) is None


def test_a_token_of_another_purpose_is_refused() -> None:
    assert verify(sign(TOKEN, KEYS, LANDED), KEYS) is None
    assert verify(sign(TOKEN, KEYS, SERVED), KEYS, LANDED) is None


def test_body_and_signature_of_two_tokens_do_not_mix() -> None:
    one, other = (unpacked(sign(msgspec.structs.replace(TOKEN, impression_id=n), KEYS)) for n in (1, 2))
    assert verify(packed(one[:13] + other[13:]), KEYS) is None


def test_a_retired_key_still_verifies_and_an_unknown_one_does_not() -> None:
    before = TokenKeys(1, {1: KEYS.keys[1]})
    assert verify(sign(TOKEN, before), KEYS) == TOKEN
    assert verify(sign(TOKEN, KEYS), before) is None


def test_a_key_of_the_same_number_but_another_server_is_refused() -> None:
    assert verify(sign(TOKEN, TokenKeys(2, {2: b"c" * 32})), KEYS) is None


def test_nothing_of_a_token_can_be_read_or_joined() -> None:
    one = unpacked(sign(TOKEN, KEYS))
    other = unpacked(sign(msgspec.structs.replace(TOKEN, impression_id=12), KEYS))
    assert (1234).to_bytes(8, "big") not in one
    same = sum(a == b for a, b in zip(one[1:], other[1:], strict=True))
    assert same < 8  # only by chance


def test_no_byte_of_a_token_is_left_unmasked() -> None:
    """Not even the last ones, which are the same in all tokens of an audience."""
    texts = [sign(msgspec.structs.replace(TOKEN, impression_id=n), KEYS) for n in range(20)]
    for place, seen in enumerate(zip(*map(unpacked, texts), strict=True)):
        assert len(set(seen)) > 10 or place == 0  # the first byte is the key's number


@pytest.mark.parametrize("text", ["", "A", "ä", "=" * 110, "A" * 110, "\0", "💸", " " * 110])
def test_what_is_no_token_is_refused(text: str) -> None:
    assert verify(text, KEYS) is None


@given(st.text(max_size=120))
def test_no_text_makes_reading_a_token_fail(text: str) -> None:
    assert verify(text, KEYS) is None
