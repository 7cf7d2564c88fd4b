"""Users are invited, given roles, and shut out."""

from collections.abc import Callable
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from adserver.domain.user import (
    INVITATION_MS,
    Flaw,
    Grant,
    Invitation,
    Role,
    User,
    digest_of,
    may_grant,
    normal_email,
)
from adserver.ports import Accounts, Clock, Users, Writer
from adserver.writes import Result, SaveEntity


class Why(StrEnum):
    """Why nobody was invited or changed, besides flaws of what was told."""

    FORBIDDEN = "forbidden"
    NO_ROLE = "no_role"
    UNKNOWN_ACCOUNT = "unknown_account"
    UNKNOWN_USER = "unknown_user"
    LAST_OPERATOR = "last_operator"
    NOT_KEPT = "not_kept"


class Invited(msgspec.Struct, frozen=True):
    """An invitation; `text` is its link's secret, and this the only sight of it."""

    invitation: Invitation
    text: str


class ManageUsers:
    """What users may do about users; `by` None is the command line, which may do everything."""

    def __init__(
        self,
        writer: Writer,
        users: Users,
        accounts: Accounts,
        clock: Clock,
        mint_key: Callable[[], int],
        mint_secret: Callable[[], str],
    ) -> None:
        self._writer = writer
        self._users = users
        self._accounts = accounts
        self._clock = clock
        self._mint_key = mint_key
        self._mint_secret = mint_secret

    def all(self) -> list[User]:
        """By their keys, that is in the order in which they came."""
        users: list[User] = []
        while page := self._users.users(users[-1].key if users else -1, 500):
            users += page
        return users

    def colleagues(self, by: User) -> list[User]:
        """Users with a role in an account of this one; an operator sees all."""
        if by.is_operator:
            return self.all()
        owners = {grant.owner_key for grant in by.grants}
        return [user for user in self.all() if any(grant.owner_key in owners for grant in user.grants)]

    def invite(self, by: User | None, email: str, grants: tuple[Grant, ...]) -> Invited | Why | Flaw:
        """A link for somebody new; for a user, one that lets them choose another password."""
        address = normal_email(email)
        if address is None:
            return Flaw.BAD_EMAIL
        known = self._users.user_named(address)
        if known is not None:
            if by is not None and not by.is_operator:
                return Flaw.EMAIL_TAKEN
            return self._link(address, known.grants, known)
        why = self._why_not(by, grants)
        return why or self._link(address, grants, None)

    def change_grants(self, by: User, key: int, grants: tuple[Grant, ...]) -> User | Why:
        """Other roles for a user, from their next page on."""
        user = self._users.user(key)
        why = Why.UNKNOWN_USER if user is None else self._why_not(by, grants)
        if why is not None or user is None:
            return why or Why.UNKNOWN_USER
        if not by.is_operator:
            return Why.FORBIDDEN
        if (
            user.is_operator
            and not any(grant.role is Role.OPERATOR for grant in grants)
            and self._is_last(user)
        ):
            return Why.LAST_OPERATOR
        return self._keep(replace(user, grants=grants))

    def set_enabled(self, by: User, key: int, *, enabled: bool) -> User | Why:
        """Shut a user out, whose sessions are over at once, or let them in again."""
        user = self._users.user(key)
        if not by.is_operator:
            return Why.FORBIDDEN
        if user is None:
            return Why.UNKNOWN_USER
        if not enabled and user.is_operator and self._is_last(user):
            return Why.LAST_OPERATOR
        now_ms = self._clock()
        return self._keep(replace(user, disabled_at_ms=None if enabled else now_ms, sessions_from_ms=now_ms))

    def _why_not(self, by: User | None, grants: tuple[Grant, ...]) -> Why | None:
        if not grants:
            return Why.NO_ROLE
        if by is not None and not all(may_grant(by, grant) for grant in grants):
            return Why.FORBIDDEN
        return None if all(map(self._exists, grants)) else Why.UNKNOWN_ACCOUNT

    def _exists(self, grant: Grant) -> bool:
        if grant.role is Role.OPERATOR or grant.owner_key is None:
            return grant.role is Role.OPERATOR and grant.owner_key is None
        if grant.role is Role.PUBLISHER:
            return self._accounts.publisher(grant.owner_key) is not None
        return self._accounts.advertiser(grant.owner_key) is not None

    def _is_last(self, user: User) -> bool:
        others = (one for one in self.all() if one.key != user.key)
        return not any(one.is_operator and one.disabled_at_ms is None for one in others)

    def _link(self, email: str, grants: tuple[Grant, ...], user: User | None) -> Invited | Why:
        text, now_ms = self._mint_secret(), self._clock()
        invitation = Invitation(
            key=self._mint_key(),
            digest=digest_of(text),
            email=email,
            grants=grants,
            expires_at_ms=now_ms + INVITATION_MS,
            user_key=None if user is None else user.key,
            created_at_ms=now_ms,
        )
        outcome = self._writer.commit(SaveEntity(invitation, is_new=True, at_ms=now_ms))
        return Invited(invitation, text) if outcome.result is Result.SAVED else Why.NOT_KEPT

    def _keep(self, changed: User) -> User | Why:
        user = replace(changed, version=changed.version + 1)
        outcome = self._writer.commit(SaveEntity(user, is_new=False, at_ms=self._clock()))
        return user if outcome.result is Result.SAVED else Why.NOT_KEPT
