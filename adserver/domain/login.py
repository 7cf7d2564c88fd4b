"""When a log-in may be tried again, how long a session lasts, and which time-based codes are right.

Throttling is of two kinds. An account is slowed down for each network from which it is tried, so that nobody
is locked out by strangers elsewhere; and a network, whichever accounts it tries.
"""

import hmac
from enum import StrEnum
from hashlib import sha256
from struct import pack
from urllib.parse import quote

import msgspec

from adserver.domain.user import Session, User
from adserver.domain.visitor import DAY_MS

FREE_ATTEMPTS = 5  # of one account from one network
FREE_ATTEMPTS_OF_NETWORK = 30
FREE_ATTEMPTS_OF_ACCOUNT = 200  # from everywhere, in a day
FIRST_WAIT_MS = 30_000
LONGEST_WAIT_MS = 15 * 60_000
FORGOTTEN_MS = DAY_MS  # after which failures count no more
IDLE_MS = 12 * 3_600_000
LONGEST_MS = 30 * DAY_MS
STEP_SECONDS = 30  # RFC 6238
DIGITS = 6

# Counted of the network: how many were tried, how many of these were right, how many had to wait.
LOGINS_TRIED, LOGINS_RIGHT, LOGINS_HELD_UP = "logins_tried", "logins_right", "logins_held_up"


class Attempts(msgspec.Struct, frozen=True):
    """Failed attempts of late by an account, a network, or one from the other."""

    failures: int = 0
    last_ms: int = 0


NO_ATTEMPTS = Attempts()


class Kind(StrEnum):
    """Of what failures are counted."""

    BOTH = "both"
    NETWORK = "network"
    ACCOUNT = "account"


_FREE = {
    Kind.BOTH: FREE_ATTEMPTS,
    Kind.NETWORK: FREE_ATTEMPTS_OF_NETWORK,
    Kind.ACCOUNT: FREE_ATTEMPTS_OF_ACCOUNT,
}


def subjects(email: str, network: int | None) -> dict[Kind, str]:
    """Under which names failures are counted; no address is kept in clear."""
    account, place = email.encode(), str(network).encode()
    named = {Kind.BOTH: account + b"|" + place, Kind.NETWORK: place, Kind.ACCOUNT: account}
    return {kind: sha256(kind.encode() + b":" + text).hexdigest() for kind, text in named.items()}


def wait_ms(kind: Kind, attempts: Attempts, now_ms: int) -> int:
    """How long until the next attempt is looked at: doubled with each failure beyond those that are free."""
    over = attempts.failures - _FREE[kind]
    if over < 0 or now_ms - attempts.last_ms >= FORGOTTEN_MS:
        return 0
    wait = min(LONGEST_WAIT_MS, FIRST_WAIT_MS << min(over, 10))
    return max(0, attempts.last_ms + wait - now_ms)


def after_failure(attempts: Attempts, now_ms: int) -> Attempts:
    """One failure more; what was a day ago is forgotten."""
    known = 0 if now_ms - attempts.last_ms >= FORGOTTEN_MS else attempts.failures
    return Attempts(known + 1, now_ms)


def is_over(session: Session, user: User, now_ms: int) -> bool:
    """Whether a session has ended: idle or old, or its user changed the password or may no longer enter."""
    return (
        now_ms - session.seen_ms >= IDLE_MS
        or now_ms - session.began_ms >= LONGEST_MS
        or session.began_ms < user.sessions_from_ms
        or user.disabled_at_ms is not None
    )


def totp_step(secret: bytes, code: str, now_ms: int, used_step: int = 0) -> int | None:
    """The step that a code is of: now, or one before or after, for clocks differ; None where it is wrong.

    A code at or before `used_step` has been used. RFC 6238 with SHA-1, as all authenticator apps have it.
    """
    now, typed = now_ms // 1000 // STEP_SECONDS, code.strip().replace(" ", "").encode()
    for step in (now, now - 1, now + 1):
        if step > used_step and hmac.compare_digest(totp_code(secret, step).encode(), typed):
            return step
    return None


def totp_code(secret: bytes, step: int) -> str:
    """The code of a step (RFC 4226, section 5.3)."""
    digest = hmac.digest(secret, pack(">Q", step), "sha1")
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def totp_link(secret: str, email: str, network_name: str) -> str:
    """What an authenticator app reads; `secret` in base32."""
    issuer = quote(network_name, safe="")
    return f"otpauth://totp/{issuer}:{quote(email)}?secret={quote(secret)}&issuer={issuer}&digits={DIGITS}"
