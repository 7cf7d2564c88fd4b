"""Who looks at a page of the console: a session cookie becomes a Visit, and a form is known to be our own."""

from collections.abc import AsyncGenerator, Callable
from typing import Annotated
from urllib.parse import parse_qsl, quote

import msgspec
from fastapi import Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser

from adserver.domain.user import Grant, Role
from adserver.flows.login import Login, SignedIn, actor_of
from adserver.flows.manage import Manage
from adserver.flows.network import ManageNetwork
from adserver.flows.users import ManageUsers
from adserver.ports import Accounts, Clock
from adserver.web.caller import Callers, read_head
from adserver.web.console.navigation import frame_of
from adserver.web.console.page import HEADERS, language_of, page
from adserver.web.privacy_routes import is_own_form
from adserver.writes.actor import act_as

MOST_FORM_BYTES = 65_536
MOST_UPLOAD_BYTES = 4_000_000
MOST_FIELDS = 20  # beside a file
LOGIN = "/console/login"
_AS_IT_IS = {"file": "surrogateescape"}  # bytes that are no text would break a page that shows them
UNNAMED = "adserver"  # a network whose operator has not told its name
SESSION_SECONDS = 30 * 86_400


class Desk(msgspec.Struct, frozen=True):
    """What the console's pages are made with."""

    login: Login
    users: ManageUsers
    manage: Manage
    network: ManageNetwork
    accounts: Accounts
    callers: Callers
    clock: Clock
    base_url: str


class Visit(msgspec.Struct, frozen=True):
    """A page asked for by somebody who is logged in."""

    signed_in: SignedIn
    language: str
    path: str
    accounts: Accounts
    network: str
    done: str = ""  # what the form before has done, as `see` told this page

    def may(self, *roles: Role, owner_key: int | None = None) -> bool:
        """Whether one of the roles is theirs for an account; an operator has them all."""
        user = self.signed_in.user
        return user.is_operator or any(Grant(role, owner_key) in user.grants for role in roles)

    def page(self, template: str, *, status: int = 200, **words: object) -> Response:
        user = self.signed_in.user
        frame = frame_of(self.network, self.accounts, user, self.path, self.may, self.language)
        return page(template, self.language, status=status, visit=self, frame=frame, **words)


class Elsewhere(Exception):
    """The answer is another page; raised where a dependency finds out."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address


class NotOurs(Exception):
    """A form that no page of ours has sent."""


async def go_elsewhere(request: Request, found: Elsewhere) -> Response:
    return see(found.address)


async def refuse_form(request: Request, found: NotOurs) -> Response:
    language = language_of(None, request.headers.get("accept-language", ""))
    return page("not_ours.html", language, status=403)


def desk_of(request: Request) -> Desk:
    desk: Desk = request.app.state.console
    return desk


CurrentDesk = Annotated[Desk, Depends(desk_of)]


def cookie_name(secure: bool) -> str:
    return "__Host-session" if secure else "session"


def is_secure(request: Request) -> bool:
    """Whether the browser reaches us over HTTPS, as the operator has said."""
    head = read_head(request.scope["headers"])
    return desk_of(request).callers.caller(head, "").secure


def with_session(answer: Response, request: Request, text: str) -> Response:
    """Lax, so that a link in a mail finds one logged in; what changes anything is a form with a token."""
    secure = is_secure(request)
    answer.set_cookie(
        cookie_name(secure), text, SESSION_SECONDS, path="/", secure=secure, httponly=True, samesite="lax"
    )
    return answer


def without_session(answer: Response, request: Request) -> Response:
    secure = is_secure(request)
    answer.delete_cookie(cookie_name(secure), path="/", secure=secure, httponly=True, samesite="lax")
    return answer


async def someone(request: Request) -> Visit | None:
    """Who is logged in; None for nobody."""
    text = request.cookies.get(cookie_name(is_secure(request)), "")
    return await run_in_threadpool(_look_up, request, text) if text else None


def _look_up(request: Request, text: str) -> Visit | None:
    desk, done = desk_of(request), request.query_params.get("done", "")
    signed_in = desk.login.who(text)
    if signed_in is None:
        return None
    language = language_of(signed_in.user.language, "")
    network = desk.network.network().name or UNNAMED
    return Visit(signed_in, language, request.url.path, desk.accounts, network, done)


async def _visit(request: Request) -> Visit:
    found = await someone(request)
    if found is None:
        asked = f"?next={quote(request.url.path)}" if request.method == "GET" else ""
        raise Elsewhere(LOGIN + asked)
    act_as(actor_of(found.signed_in.user))  # here, since a thread's own context ends with it
    return found


CurrentVisit = Annotated[Visit, Depends(_visit)]


async def strangers_form(request: Request) -> dict[str, str]:
    """The fields of a form that nobody needs to be logged in for; sent by a page of this very host."""
    if not is_own_form(request):
        raise NotOurs
    return await _fields(request)


async def _own_form(request: Request, visit: CurrentVisit) -> dict[str, str]:
    """Of somebody who is logged in; it may bring a file."""
    if not is_own_form(request):
        raise NotOurs
    with_file = request.headers.get("content-type", "").startswith("multipart/form-data")
    fields = await (_parts(request) if with_file else _fields(request))
    if fields.pop("token", "") != visit.signed_in.form_token:
        raise NotOurs
    return fields


StrangersForm = Annotated[dict[str, str], Depends(strangers_form)]
OwnForm = Annotated[dict[str, str], Depends(_own_form)]


async def _bounded(request: Request, most_bytes: int) -> AsyncGenerator[bytes, None]:
    """The body as it comes, as long as it is not too large."""
    seen = 0
    async for part in request.stream():
        seen += len(part)
        if seen > most_bytes:
            raise HTTPException(413)
        yield part


async def _fields(request: Request) -> dict[str, str]:
    """The fields of a form, in UTF-8."""
    body = b"".join([part async for part in _bounded(request, MOST_FORM_BYTES)])
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


async def _parts(request: Request) -> dict[str, str]:
    """The fields of a form with a file in it, and the file's bytes as `bytes_of` reads them."""
    reader = MultiPartParser(
        request.headers,
        _bounded(request, MOST_UPLOAD_BYTES),
        max_files=1,
        max_fields=MOST_FIELDS,
        max_part_size=MOST_FORM_BYTES,
    )
    try:
        form = await reader.parse()
    except MultiPartException:
        return {}
    fields = {
        name: value
        if isinstance(value, str)
        else (await value.read()).decode("utf-8", _AS_IT_IS.get(name, "replace"))
        for name, value in form.multi_items()
    }
    await form.close()
    return fields


def bytes_of(text: str) -> bytes:
    """A file that came in a form, as it was."""
    return text.encode("utf-8", "surrogateescape")


def see(address: str, done: str = "") -> Response:
    """Another page, which says what was `done` in the words of done.html."""
    return RedirectResponse(f"{address}?done={done}" if done else address, 303, headers=HEADERS)


def only(*roles: Role) -> Callable[[Visit], None]:
    """A dependency of network-wide pages: others are sent to their own."""

    def check(visit: CurrentVisit) -> None:
        if not visit.may(*roles):
            raise Elsewhere("/console")

    return check


OPERATORS_ONLY = Depends(only(Role.OPERATOR))
