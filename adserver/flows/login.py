"""Somebody logs in to the console, by password and code; for the first time, by an invitation."""

import hmac
import re
from base64 import b32decode, b32encode
from collections.abc import Callable
from enum import StrEnum
from hashlib import sha256

import msgspec
from msgspec.structs import replace

from adserver.domain.login import is_over, subjects, totp_step
from adserver.domain.user import (
    RECOVERY_CODES,
    Flaw,
    Invitation,
    Session,
    User,
    digest_of,
    normal_email,
    password_flaw,
)
from adserver.ports import Clock, Hasher, Sessions, Users, Writer
from adserver.writes import (
    AttemptSucceeded,
    BeginSession,
    ClaimAttempt,
    EndSession,
    Result,
    SaveEntity,
    SeeSession,
    Together,
)

SEEN_AGAIN_MS = 5 * 60_000  # a session in use is noted no more often
TOTP_BYTES = 20  # as RFC 4226 recommends
_SECRET = re.compile("[A-Z2-7]{32}")


class No(StrEnum):
    """Why somebody was not let in."""

    WRONG = "wrong"  # address, password or code: which, is not said
    CODE_NEEDED = "code_needed"
    WAIT = "wait"
    LINK_OVER = "link_over"  # used, too old, or never ours
    NOT_KEPT = "not_kept"  # somebody changed the same at the same moment, or the disk is full


class NotIn(msgspec.Struct, frozen=True):
    """Nobody is logged in, and why; `wait_ms` says when to try again."""

    reason: No | Flaw
    wait_ms: int = 0


class SignedIn(msgspec.Struct, frozen=True):
    """A user and their session; `text` is the session's secret, told to the browser only."""

    user: User
    session: Session
    text: str

    @property
    def form_token(self) -> str:
        """What our own forms carry: another site's page does not know it."""
        return hmac.digest(self.text.encode(), b"form", "sha256").hex()[:32]


class Login:
    """Sessions, from the first invitation to the last log-out. Hashing blocks: call from a thread."""

    def __init__(
        self,
        writer: Writer,
        users: Users,
        sessions: Sessions,
        hasher: Hasher,
        clock: Clock,
        mint_key: Callable[[], int],
        mint_secret: Callable[[], str],
    ) -> None:
        self._writer = writer
        self._users = users
        self._sessions = sessions
        self._hasher = hasher
        self._clock = clock
        self._mint_key = mint_key
        self._mint_secret = mint_secret
        self._nobodys_hash: str | None = None

    # ---- in and out ----

    def enter(self, email: str, password: str, code: str, network: int | None) -> SignedIn | NotIn:
        """Log in. It takes as long, and says the same, whether or not there is such a user."""
        known_as = normal_email(email) or ""
        names = subjects(known_as, network)
        wait_ms = self._writer.commit(ClaimAttempt(names, self._clock())).figure
        if wait_ms:
            return NotIn(No.WAIT, wait_ms)
        user = self._users.user_named(known_as)
        right = self._hasher.verify(user.password_hash if user else self._nobody(), password)
        if user is None or not right or user.disabled_at_ms is not None:
            return NotIn(No.WRONG)
        if user.totp_secret is not None:
            if not code.strip():  # still counted: else whoever has the password tries codes for ever
                return NotIn(No.CODE_NEEDED)
            taken = self._take_code(user, code)
            if taken is None:
                return NotIn(No.WRONG)
            user = taken
        self._writer.commit(AttemptSucceeded(names))
        return self._begin(user)

    def who(self, text: str) -> SignedIn | None:
        """Whose session a browser names; None where it is none, or over."""
        session = self._sessions.session(digest_of(text))
        user = self._users.user(session.user_key) if session is not None else None
        now_ms = self._clock()
        if session is None or user is None or is_over(session, user, now_ms):
            return None
        if now_ms - session.seen_ms >= SEEN_AGAIN_MS:
            self._writer.commit(SeeSession(session.digest, now_ms))
        return SignedIn(user, session, text)

    def leave(self, signed_in: SignedIn) -> None:
        self._writer.commit(EndSession(signed_in.session.digest))

    # ---- invitations ----

    def invitation(self, text: str) -> Invitation | None:
        """What a link invites to; None where it is used, too old, or never was."""
        found = self._users.invitation(digest_of(text))
        return found if found is not None and found.is_open(self._clock()) else None

    def accept(self, text: str, name: str, password: str, language: str) -> SignedIn | NotIn:
        """Become a user, or choose another password; all sessions from before are over."""
        invitation = self.invitation(text)
        if invitation is None:
            return NotIn(No.LINK_OVER)
        known = None if invitation.user_key is None else self._users.user(invitation.user_key)
        if known is None and not name.strip():
            return NotIn(Flaw.NAME_MISSING)
        flaw = password_flaw(password, invitation.email)
        if flaw is not None:
            return NotIn(flaw)
        now_ms, hashed = self._clock(), self._hasher.hash(password)
        if known is None:
            user = User(
                key=self._mint_key(),
                email=invitation.email,
                name=name.strip(),
                password_hash=hashed,
                grants=invitation.grants,
                language=language,
                created_at_ms=now_ms,
            )
        else:
            user = replace(known, password_hash=hashed, sessions_from_ms=now_ms, version=known.version + 1)
        used = replace(invitation, used_at_ms=now_ms, version=invitation.version + 1)
        outcome = self._writer.commit(
            Together((SaveEntity(used, is_new=False), SaveEntity(user, is_new=known is None)))
        )
        if outcome.result is not Result.SAVED:
            return NotIn(Flaw.EMAIL_TAKEN if known is None else No.NOT_KEPT)
        return self._begin(user)

    # ---- one's own account ----

    def change_password(self, signed_in: SignedIn, old: str, new: str) -> SignedIn | NotIn:
        """Every session of the user is over; this browser gets another."""
        user = signed_in.user
        if not self._is_password_of(user, old):
            return NotIn(No.WRONG)
        flaw = password_flaw(new, user.email)
        if flaw is not None:
            return NotIn(flaw)
        changed = replace(user, password_hash=self._hasher.hash(new), sessions_from_ms=self._clock())
        kept = self._keep(changed)
        return self._begin(kept) if isinstance(kept, User) else kept

    def speak(self, signed_in: SignedIn, language: str) -> User | NotIn:
        """The language of all pages from the next on."""
        return self._keep(replace(signed_in.user, language=language))

    def start_codes(self) -> str:
        """The secret of an authenticator app, to be confirmed by one of its codes."""
        return b32encode(sha256(self._mint_secret().encode()).digest()[:TOTP_BYTES]).decode()

    def confirm_codes(self, signed_in: SignedIn, secret: str, code: str) -> tuple[User, list[str]] | NotIn:
        """From now on a code is asked for too. The recovery codes are told once: each stands for one code.

        Codes that are asked for already are ended first, which takes the password: else whoever finds a
        browser logged in could put their own telephone in the place of the user's.
        """
        if signed_in.user.totp_secret is not None:
            return NotIn(No.NOT_KEPT)
        if not _SECRET.fullmatch(secret):
            return NotIn(No.WRONG)
        step = totp_step(b32decode(secret), code, self._clock())
        if step is None:
            return NotIn(No.WRONG)
        recovery = [self._mint_secret()[:10].lower() for _ in range(RECOVERY_CODES)]
        digests = tuple(digest_of(text) for text in recovery)
        changed = replace(signed_in.user, totp_secret=secret, totp_used_step=step, recovery_digests=digests)
        kept = self._keep(changed)
        return (kept, recovery) if isinstance(kept, User) else kept

    def end_codes(self, signed_in: SignedIn, password: str) -> User | NotIn:
        if not self._is_password_of(signed_in.user, password):
            return NotIn(No.WRONG)
        return self._keep(replace(signed_in.user, totp_secret=None, totp_used_step=0, recovery_digests=()))

    # ---- steps ----

    def _begin(self, user: User) -> SignedIn | NotIn:
        text, now_ms = self._mint_secret(), self._clock()
        session = Session(digest_of(text), user.key, now_ms, now_ms)
        outcome = self._writer.commit(BeginSession(session.digest, user.key, now_ms))
        return SignedIn(user, session, text) if outcome.result is Result.SAVED else NotIn(No.NOT_KEPT)

    def _take_code(self, user: User, code: str) -> User | None:
        """The user once the code is spent, so that nobody uses it again; None where it is wrong."""
        taken_key = self._mint_key()
        step = totp_step(b32decode(user.totp_secret or ""), code, self._clock(), user.totp_used_step)
        if step is not None:
            kept = self._keep(replace(user, totp_used_step=step, code_taken_key=taken_key))
        else:
            digest = digest_of(code.strip().lower())
            if digest not in user.recovery_digests:
                return None
            left = tuple(one for one in user.recovery_digests if one != digest)
            kept = self._keep(replace(user, recovery_digests=left, code_taken_key=taken_key))
        return kept if isinstance(kept, User) else None

    def _is_password_of(self, user: User, password: str) -> bool:
        """Asked of who is logged in already, and counted all the same: the browser may be somebody else's."""
        names = subjects(user.email, -user.key)  # no network has it: these mistakes slow nobody else down
        if self._writer.commit(ClaimAttempt(names, self._clock())).figure:
            return False
        if not self._hasher.verify(user.password_hash, password):
            return False
        self._writer.commit(AttemptSucceeded(names))
        return True

    def _keep(self, changed: User) -> User | NotIn:
        user = replace(changed, version=changed.version + 1)
        outcome = self._writer.commit(SaveEntity(user, is_new=False))
        return user if outcome.result is Result.SAVED else NotIn(No.NOT_KEPT)

    def _nobody(self) -> str:
        """A hash of no password, so that an unknown address takes as long as a known one."""
        if self._nobodys_hash is None:
            self._nobodys_hash = self._hasher.hash(self._mint_secret())
        return self._nobodys_hash
