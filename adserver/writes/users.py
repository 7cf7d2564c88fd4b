"""What may be written of sessions and log-ins; users and invitations are entities."""

import msgspec

from adserver.domain.login import Kind


class BeginSession(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Somebody has logged in; of the session's secret only the digest is kept."""

    digest: str
    user_key: int
    at_ms: int


class SeeSession(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The session is in use."""

    digest: str
    at_ms: int


class EndSession(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Somebody has logged out."""

    digest: str


class ClaimAttempt(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Somebody tries to log in, by these names (see domain/login.py).

    The outcome's figure is how long to wait first, in ms, and nothing is counted; 0: it may be tried now, and
    counts as a failure until it is told that it was none. So a thousand at once are not looked at together.
    """

    names: dict[Kind, str]
    at_ms: int


class AttemptSucceeded(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """It was no failure: the account is free again from there, and the network and account have one less."""

    names: dict[Kind, str]
    at_ms: int


SessionWrite = BeginSession | SeeSession | EndSession | ClaimAttempt | AttemptSucceeded
