"""Users and their invitations, sessions, and what is counted of log-ins that failed."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import bindparam, delete, func, insert, select, update

from adserver.domain.audit_log import Action, Actor, ActorKind
from adserver.domain.login import (
    LOGINS_HELD_UP,
    LOGINS_RIGHT,
    LOGINS_TRIED,
    NO_ATTEMPTS,
    Attempts,
    Kind,
    after_failure,
    wait_ms,
)
from adserver.domain.tally import NETWORK
from adserver.domain.user import Invitation, Session, User
from adserver.storage.audit_log import tell
from adserver.storage.batch import Batch
from adserver.storage.entities import entity, page_of, stored
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.tables import console_sessions, invitations, login_attempts, users
from adserver.writes import (
    AttemptSucceeded,
    BeginSession,
    ClaimAttempt,
    EndSession,
    Outcome,
    Result,
    SeeSession,
)

_BY_EMAIL = prepared(select(users.c.body).where(users.c.email == bindparam("email")))
_BY_DIGEST = prepared(select(invitations.c.body).where(invitations.c.digest == bindparam("digest")))
_SESSION = prepared(select(console_sessions).where(console_sessions.c.digest == bindparam("digest")))
_BEGIN = prepared(insert(console_sessions))
_SEE = prepared(
    update(console_sessions)
    .where(console_sessions.c.digest == bindparam("of"))
    .values(seen_ms=bindparam("at_ms"))
)
_END = prepared(delete(console_sessions).where(console_sessions.c.digest == bindparam("digest")))
_names = func.json_each(bindparam("subjects")).table_valued("value")
_ATTEMPTS = prepared(select(login_attempts).where(login_attempts.c.subject.in_(select(_names.c.value))))
_COUNT = prepared(insert(login_attempts).prefix_with("OR REPLACE"))
_FORGET = prepared(delete(login_attempts).where(login_attempts.c.subject == bindparam("subject")))

SAVED = Outcome(Result.SAVED)

_user = msgspec.json.Decoder(User)
_invitation = msgspec.json.Decoder(Invitation)


def begin_session(batch: Batch, write: BeginSession) -> Outcome:
    """Once more is a conflict: a secret is drawn for one session only."""
    if batch.connection.execute(_SESSION, {"digest": write.digest}).fetchone() is not None:
        return Outcome(Result.CONFLICT)
    row = {"digest": write.digest, "user_key": write.user_key}
    batch.connection.execute(_BEGIN, {**row, "began_ms": write.at_ms, "seen_ms": write.at_ms})
    user = stored(batch, User, write.user_key)
    if user is not None:
        actor = Actor(ActorKind.USER, user.key, user.email)
        tell(batch, actor, write.at_ms, Action.LOGGED_IN, ("User", user.key, user.name))
    return SAVED


def see_session(batch: Batch, write: SeeSession) -> Outcome:
    batch.connection.execute(_SEE, {"of": write.digest, "at_ms": write.at_ms})
    return SAVED


def end_session(batch: Batch, write: EndSession) -> Outcome:
    batch.connection.execute(_END, {"digest": write.digest})
    return SAVED


def claim_attempt(batch: Batch, write: ClaimAttempt) -> Outcome:
    """Two that try at once both count: this is the one process that writes."""
    known = _attempts(batch, write.names)
    wait = max(wait_ms(kind, known.get(name, NO_ATTEMPTS), write.at_ms) for kind, name in write.names.items())
    if not wait:
        for name in write.names.values():
            _keep(batch, name, after_failure(known.get(name, NO_ATTEMPTS), write.at_ms))
    batch.count(NETWORK, LOGINS_HELD_UP if wait else LOGINS_TRIED, write.at_ms)
    return Outcome(Result.SAVED, wait)


def attempt_succeeded(batch: Batch, write: AttemptSucceeded) -> Outcome:
    batch.count(NETWORK, LOGINS_RIGHT, write.at_ms)
    batch.connection.execute(_FORGET, {"subject": write.names[Kind.BOTH]})
    known = _attempts(batch, write.names)
    for kind in (Kind.NETWORK, Kind.ACCOUNT):
        was = known.get(write.names[kind], NO_ATTEMPTS)
        _keep(batch, write.names[kind], Attempts(max(0, was.failures - 1), was.last_ms))
    return SAVED


def _attempts(batch: Batch, names: Mapping[Kind, str]) -> dict[str, Attempts]:
    asked = {"subjects": msgspec.json.encode(list(names.values())).decode()}
    return {subject: Attempts(*rest) for subject, *rest in batch.connection.execute(_ATTEMPTS, asked)}


def _keep(batch: Batch, name: str, attempts: Attempts) -> None:
    row = {"subject": name, "failures": attempts.failures, "last_ms": attempts.last_ms}
    batch.connection.execute(_COUNT, row)


class SqliteUsers:
    """Users, and who is invited to be one."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def user(self, key: int) -> User | None:
        return entity(self._reader, User, key)

    def user_named(self, email: str) -> User | None:
        row = self._reader.row(_BY_EMAIL, {"email": email})
        return None if row is None else _user.decode(row[0])

    def users(self, after: int, limit: int) -> list[User]:
        return page_of(self._reader, User, None, after, limit)

    def invitation(self, digest: str) -> Invitation | None:
        row = self._reader.row(_BY_DIGEST, {"digest": digest})
        return None if row is None else _invitation.decode(row[0])


class SqliteSessions:
    """Browsers in which somebody has logged in."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def session(self, digest: str) -> Session | None:
        row = self._reader.row(_SESSION, {"digest": digest})
        return None if row is None else Session(*row)
