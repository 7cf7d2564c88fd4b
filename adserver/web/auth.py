"""Who calls the API: a bearer key becomes a Caller before anything of the request is read."""

from collections.abc import Callable
from typing import Annotated

import msgspec
from fastapi import Depends, Request

from adserver.flows.manage import Reach
from adserver.web.problems import Problem
from adserver.writes import ApiKey, Scope

_MOST_LETTERS = 200


class Caller(msgspec.Struct, frozen=True):
    """Whose request it is: what the key reaches, and the digest it is known by."""

    reach: Reach
    digest: str


def bearer_text(header: str | None) -> str | None:
    """The token of an Authorization header, or None where it is no bearer's."""
    scheme, _, text = (header or "").partition(" ")
    text = text.strip(" ")
    if scheme.lower() != "bearer" or not text.isascii() or not 0 < len(text) <= _MOST_LETTERS:
        return None
    return text


def caller_of(key: ApiKey) -> Caller:
    return Caller(Reach(key.scope, key.owner_key, key.key), key.digest)


def _current(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


CurrentCaller = Annotated[Caller, Depends(_current)]


def only(*scopes: Scope) -> Callable[[Request], None]:
    """A dependency of routers: keys of other scopes are forbidden there."""

    def check(request: Request) -> None:
        if _current(request).reach.scope not in scopes:
            raise Problem("forbidden")

    return check


ADVERTISERS_ONLY = Depends(only(Scope.OPERATOR, Scope.ADVERTISER))
PUBLISHERS_ONLY = Depends(only(Scope.OPERATOR, Scope.PUBLISHER))
OPERATORS_ONLY = Depends(only(Scope.OPERATOR))
