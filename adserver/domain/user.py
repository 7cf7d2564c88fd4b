"""Users: who logs in to the console, and what they may see and change there."""

import re
from enum import StrEnum
from hashlib import sha256

import msgspec

from adserver.domain.visitor import DAY_MS

FEWEST_LETTERS = 10  # of a password; NIST SP 800-63B asks for length and against known words, for no mixture
MOST_LETTERS = 200  # a longer one would only cost us the hashing
INVITATION_MS = 7 * DAY_MS
RECOVERY_CODES = 8

_EMAIL = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}"
)
_COMMON = re.compile(r"(.)\1*|0?1?2?3456789?0?|(?:password|passwort|motdepasse|qwert[yz]|azerty)\W*\d*\W*")


class Role(StrEnum):
    """What a user does; each but the operator's is for one account."""

    OPERATOR = "operator"
    ADVERTISER = "advertiser"  # campaigns, creatives, money
    WEBMASTER = "webmaster"  # of a merchant: the tag, feeds, events; no money
    PUBLISHER = "publisher"


class Grant(msgspec.Struct, frozen=True):
    """A role for an account; `owner_key` is None for the operator's."""

    role: Role
    owner_key: int | None = None


class User(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Someone who logs in. Sessions that began before `sessions_from_ms` are over."""

    key: int
    email: str  # in its normal form: no two users have the same
    name: str
    password_hash: str
    grants: tuple[Grant, ...]
    language: str = "en"
    sessions_from_ms: int = 0
    totp_secret: str | None = None  # of the time-based codes that are asked for beside the password
    totp_used_step: int = 0  # the newest code that was taken: none serves twice
    recovery_digests: tuple[str, ...] = ()
    code_taken_key: int = (
        0  # drawn when a code is taken, so that two who send it at once differ, and one fails
    )
    disabled_at_ms: int | None = None
    version: int = 1
    created_at_ms: int = 0

    @property
    def is_operator(self) -> bool:
        return any(grant.role is Role.OPERATOR for grant in self.grants)


class Invitation(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A link that makes somebody a user, or lets a user choose another password; it works once."""

    key: int
    digest: str  # of the link's secret, which is told once
    email: str
    grants: tuple[Grant, ...]
    expires_at_ms: int
    user_key: int | None = None  # whose password it changes; None for someone new
    used_at_ms: int | None = None
    version: int = 1
    created_at_ms: int = 0

    def is_open(self, now_ms: int) -> bool:
        return self.used_at_ms is None and now_ms < self.expires_at_ms


class Session(msgspec.Struct, frozen=True):
    """A browser in which somebody has logged in."""

    digest: str
    user_key: int
    began_ms: int
    seen_ms: int


class Flaw(StrEnum):
    """Why an address, a name or a password is not taken."""

    BAD_EMAIL = "bad_email"
    EMAIL_TAKEN = "email_taken"
    NAME_MISSING = "name_missing"
    PASSWORD_TOO_SHORT = "password_too_short"  # noqa: S105  the name of a refusal
    PASSWORD_TOO_LONG = "password_too_long"  # noqa: S105
    PASSWORD_TOO_COMMON = "password_too_common"  # noqa: S105
    PASSWORD_IS_EMAIL = "password_is_email"  # noqa: S105


def normal_email(text: str) -> str | None:
    """The form in which an address is compared; None where it is none."""
    email = text.strip().lower()
    return email if len(email) <= 254 and _EMAIL.fullmatch(email) else None


def password_flaw(password: str, email: str) -> Flaw | None:
    """Why a password is not taken; None where it may be."""
    if len(password) < FEWEST_LETTERS:
        return Flaw.PASSWORD_TOO_SHORT
    if len(password) > MOST_LETTERS:
        return Flaw.PASSWORD_TOO_LONG
    plain = password.lower()
    if _COMMON.fullmatch(plain):
        return Flaw.PASSWORD_TOO_COMMON
    if plain == email or (plain.startswith(email.partition("@")[0]) and len(plain) < len(email)):
        return Flaw.PASSWORD_IS_EMAIL
    return None


def digest_of(text: str) -> str:
    """How secrets of links and sessions are kept: they are random, so a digest cannot be guessed back."""
    return sha256(text.encode()).hexdigest()


def may_grant(by: User, grant: Grant) -> bool:
    """An operator gives every role; others those that they have, and advertisers their webmaster's."""
    if by.is_operator or grant in by.grants:
        return True
    return grant.role is Role.WEBMASTER and Grant(Role.ADVERTISER, grant.owner_key) in by.grants
