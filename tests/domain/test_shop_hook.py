"""A shop's signature proves the very bytes, and a body of another day is a replay."""

import pytest

from adserver.domain.shop_hook import (
    OLDEST_HOOK_MS,
    ShopSoftware,
    is_replay,
    is_signed,
    shop_hook_key,
    signature_of,
)

NOW_MS = 1_795_000_000_000


@pytest.mark.parametrize(
    ("secret", "body", "signature"),
    [
        # RFC 4231, case 2
        ("Jefe", b"what do ya want for nothing?", "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="),
        ("key", b"The quick brown fox jumps over the lazy dog", "97yD9DBThCSxMpjmqm+xQ+9NWaFJRhdZl0edvC0aPNg="),
        ("", b"", "thNnmggU2ex3L5XXeMNfxf8Wl8STcVZTxscSFEKSxa0="),
    ],
)  # fmt: skip
def test_signatures_are_base64_of_hmac_sha256(secret: str, body: bytes, signature: str) -> None:
    assert signature_of(secret, body) == signature
    assert is_signed(secret, body, signature)


@pytest.mark.parametrize(
    "signature",
    ["", "=", "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM", "w9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", "\u00e9" * 44, "x" * 100_000],
)  # fmt: skip
def test_any_other_text_is_no_signature(signature: str) -> None:
    assert not is_signed("Jefe", b"what do ya want for nothing?", signature)


def test_every_flipped_bit_of_the_body_breaks_the_signature() -> None:
    body = b'{"id": 1}'
    signature = signature_of("secret", body)
    for place in range(len(body) * 8):
        changed = bytearray(body)
        changed[place // 8] ^= 1 << place % 8
        assert not is_signed("secret", bytes(changed), signature)
    assert not is_signed("secret", body + b"\n", signature)
    assert not is_signed("Secret", body, signature)


@pytest.mark.parametrize(
    ("told_ms", "replay"),
    [
        (None, False),
        (NOW_MS, False),
        (NOW_MS + OLDEST_HOOK_MS, False),  # a shop's clock may run ahead
        (NOW_MS - OLDEST_HOOK_MS, False),
        (NOW_MS - OLDEST_HOOK_MS - 1, True),
        (0, True),
    ],
)
def test_a_body_that_is_older_than_a_day_is_a_replay(told_ms: int | None, replay: bool) -> None:
    assert is_replay(told_ms, NOW_MS) is replay


def test_hooks_of_two_shops_and_two_advertisers_are_four() -> None:
    keys = {shop_hook_key(advertiser_key, shop) for advertiser_key in (1, 2) for shop in ShopSoftware}
    assert len(keys) == 4
