"""In and out of the console: log-in, invitation, log-out, and one's own account."""

from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from adserver.domain.login import totp_link
from adserver.flows.login import No, NotIn
from adserver.web.caller import read_head
from adserver.web.console.page import LANGUAGES, language_of, page
from adserver.web.console.visit import (
    CurrentDesk,
    CurrentVisit,
    Desk,
    OwnForm,
    StrangersForm,
    see,
    someone,
    with_session,
    without_session,
)
from adserver.web.routes import page_router
from adserver.web.schemas.fields import Name, Text

HOME = "/console"
NAME = Text(Name)
SECOND_MS = 1_000

router = page_router("/console")


@router.get("/login")
async def login_page(request: Request) -> Response:
    if await someone(request) is not None:
        return see(HOME)
    return _login(request, status=200)


@router.post("/login")
async def log_in(request: Request, desk: CurrentDesk, form: StrangersForm) -> Response:
    """The same answer in the same time, whether or not the address is anybody's."""
    email, code = form.get("email", ""), form.get("code", "")
    entered = await run_in_threadpool(
        desk.login.enter, email, form.get("password", ""), code, _network(request, desk)
    )
    if isinstance(entered, NotIn):
        status = 429 if entered.reason is No.WAIT else 200 if entered.reason is No.CODE_NEEDED else 403
        wait_seconds = -(-entered.wait_ms // SECOND_MS)
        told = {"email": email, "no": entered.reason, "wait_seconds": wait_seconds}
        answer = _login(request, status, **told, next=form.get("next", ""))
        if entered.reason is No.WAIT:
            answer.headers["Retry-After"] = str(wait_seconds)
        return answer
    return with_session(see(own_address(form.get("next", ""))), request, entered.text)


@router.post("/logout")
def log_out(request: Request, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    desk.login.leave(visit.signed_in)
    return without_session(see("/console/login"), request)


@router.get("/welcome/{text}")
def welcome(request: Request, text: str, desk: CurrentDesk) -> Response:
    return _welcome(request, desk, text, 200)


@router.post("/welcome/{text}")
def accept(request: Request, text: str, desk: CurrentDesk, form: StrangersForm) -> Response:
    language = form.get("language", "")
    name, password = form.get("name", ""), form.get("password", "")
    entered = desk.login.accept(
        text, NAME.read(name) or "", password, language if language in LANGUAGES else "en"
    )
    if isinstance(entered, NotIn):
        return _welcome(request, desk, text, 422, name=name, no=entered.reason)
    return with_session(see(HOME), request, entered.text)


@router.get("/account")
def account(visit: CurrentVisit) -> Response:
    return visit.page("account.html", no=None, done=None, secret=None, recovery=())


@router.post("/account/password")
def change_password(request: Request, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    """Every other session of the user is over."""
    changed = desk.login.change_password(visit.signed_in, form.get("old", ""), form.get("new", ""))
    if isinstance(changed, NotIn):
        return _account(visit, 422, no=changed.reason)
    return with_session(see("/console/account", "saved"), request, changed.text)


@router.post("/account/language")
def speak(desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    language = form.get("language", "")
    if language not in LANGUAGES:
        return see("/console/account")
    kept = desk.login.speak(visit.signed_in, language)
    if isinstance(kept, NotIn):
        return _account(visit, 409, no=kept.reason)
    return see("/console/account", "saved")


@router.post("/account/codes")
def codes(desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    """Without a code: the secret to put into an app. With one: codes are asked for from now on."""
    user, secret = visit.signed_in.user, form.get("secret", "") or desk.login.start_codes()
    link = totp_link(secret, user.email, visit.network)
    if "code" not in form:
        return _account(visit, 200, secret=secret, link=link)
    confirmed = desk.login.confirm_codes(visit.signed_in, secret, form["code"])
    if isinstance(confirmed, NotIn):
        return _account(visit, 422, no=confirmed.reason, secret=secret, link=link)
    return _account(visit, 200, done="codes", recovery=confirmed[1])


@router.post("/account/codes/end")
def end_codes(desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    ended = desk.login.end_codes(visit.signed_in, form.get("old", ""))
    if isinstance(ended, NotIn):
        return _account(visit, 422, no=ended.reason)
    return see("/console/account", "saved")


def own_address(text: str) -> str:
    """A page of ours that was asked for before the log-in; the home page for anything else."""
    parts = urlsplit(text) if text.startswith("/console") and "\\" not in text else None
    return HOME if parts is None or parts.netloc or parts.scheme else parts.path


def _login(request: Request, status: int, **words: object) -> Response:
    language = language_of(None, request.headers.get("accept-language", ""))
    told = {"email": "", "no": None, "wait_seconds": 0, "next": request.query_params.get("next", "")}
    return page("login.html", language, status=status, **(told | words))


def _welcome(request: Request, desk: Desk, text: str, status: int, **words: object) -> Response:
    language = language_of(None, request.headers.get("accept-language", ""))
    invitation = desk.login.invitation(text)
    told = {"invitation": invitation, "text": text, "name": "", "no": None}
    return page("welcome.html", language, status=404 if invitation is None else status, **(told | words))


def _account(visit: CurrentVisit, status: int, **words: object) -> Response:
    told: dict[str, object] = {"no": None, "done": None, "secret": None, "recovery": ()}
    return visit.page("account.html", status=status, **(told | words))


def _network(request: Request, desk: Desk) -> int | None:
    client = request.client.host if request.client else ""
    return desk.callers.caller(read_head(request.scope["headers"]), client).network
