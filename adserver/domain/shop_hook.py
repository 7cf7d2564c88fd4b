"""A shop's order webhook: which shop sends it, the secret it is signed with, and how long it is believed."""

import hmac
from base64 import b64encode
from enum import StrEnum
from hashlib import sha256

import msgspec

from adserver.domain.identity import key_of

OLDEST_HOOK_MS = 24 * 3_600_000  # shops try again for four hours at most: what is older is a replay


class ShopSoftware(StrEnum):
    """The shop software whose webhooks are understood."""

    SHOPIFY = "shopify"
    WOOCOMMERCE = "woocommerce"


class ShopHook(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An advertiser's webhook of one shop software; without a secret nothing of it is believed."""

    key: int
    advertiser_key: int
    shop: ShopSoftware
    secret: str
    set_at_ms: int
    version: int = 1


def shop_hook_key(advertiser_key: int, shop: ShopSoftware) -> int:
    return key_of(b"hook", advertiser_key.to_bytes(8, "big"), shop.encode())


def signature_of(secret: str, body: bytes) -> str:
    """What both shops send: base64 of HMAC-SHA256 over the very bytes of the body."""
    return b64encode(hmac.digest(secret.encode(), body, sha256)).decode()


def is_signed(secret: str, body: bytes, signature: str) -> bool:
    """Whether the signature is the secret's, compared in the same time wherever it differs."""
    return hmac.compare_digest(signature_of(secret, body).encode(), signature.encode(errors="replace"))


def is_replay(told_ms: int | None, now_ms: int) -> bool:
    """Whether a body tells its own time, and that is too long ago."""
    return told_ms is not None and told_ms < now_ms - OLDEST_HOOK_MS
