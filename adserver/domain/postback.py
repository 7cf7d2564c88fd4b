"""A signed postback: an order told by calling an address, proved by the merchant's secret, once."""

import hmac
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import quote, urlencode

WINDOW_MS = 5 * 60_000  # how far a postback's time may be from ours
SIGNATURE = "sig"


def postback_secret(server_key: bytes, advertiser_key: int) -> str:
    """What an advertiser signs with; derived each time, so that it is stored nowhere."""
    return hmac.digest(server_key, b"postback:%d" % advertiser_key, "sha256").hex()


def canonical(parameters: Mapping[str, str]) -> bytes:
    """What is signed: all parameters but the signature, by name, percent-encoded as RFC 3986 says."""
    named = sorted((name, value) for name, value in parameters.items() if name != SIGNATURE)
    return urlencode(named, quote_via=quote, safe="").encode()


def signature_of(secret: str, parameters: Mapping[str, str]) -> str:
    return hmac.digest(secret.encode(), canonical(parameters), sha256).hex()


def is_signed(secret: str, parameters: Mapping[str, str]) -> bool:
    """Whether the signature is the secret's, compared in the same time wherever it differs."""
    given = parameters.get(SIGNATURE, "").encode(errors="replace")
    return hmac.compare_digest(signature_of(secret, parameters).encode(), given)


def is_of_now(timestamp: int, now_ms: int) -> bool:
    """Whether a postback's time, in seconds, is within the window around ours."""
    return abs(timestamp * 1000 - now_ms) <= WINDOW_MS
