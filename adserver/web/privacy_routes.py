"""The visitor's pages: why this ad, their rights by cookie, and an operator's own test browser."""

import re
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec
from fastapi import Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.routing import BaseRoute

from adserver.domain import meanings
from adserver.domain.caller import Caller
from adserver.domain.consent_record import Ended
from adserver.domain.visitor import Preference
from adserver.flows.privacy import Privacy, Wish, rfc3339
from adserver.ports import Clock
from adserver.web.caller import Callers, read_head
from adserver.web.routes import page_router
from adserver.web.visitor_pages import HEADERS, page
from pixel.cookie import expire_opt_out, expire_test, expire_visitor, names_for, set_opt_out, set_test

MOST_FORM_BYTES = 4_096
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,256}")
_PREFERENCES = {str(preference): preference for preference in Preference}


def is_own_form(request: Request) -> bool:
    """Whether the form was sent by a page of this very host: others must not speak for a visitor."""
    sender = request.headers.get("origin") or request.headers.get("referer") or ""
    try:
        return urlsplit(sender).netloc == request.headers.get("host") != ""
    except ValueError:
        return False


class VisitorPages:
    """One method per address. Who asks is told by the cookie, never by the address."""

    def __init__(self, privacy: Privacy, callers: Callers, clock: Clock) -> None:
        self._privacy = privacy
        self.callers = callers
        self._clock = clock

    # ---- why this ad ----

    async def why(self, request: Request, caller: Caller) -> Response:
        token = _token(request.query_params.get("t", ""))
        why = await run_in_threadpool(self._privacy.why, token, caller.visitor_key)
        done = _PREFERENCES.get(request.query_params.get("done", ""))
        return page("why.html", why=why, token=token, done=done, now_ms=self._clock())

    async def tell(self, request: Request, caller: Caller) -> Response:
        form = await _form(request)
        token, preference = _token(form.get("t", "")), _PREFERENCES.get(form.get("wish", ""))
        if preference is None:
            return page("refused.html", status=400)
        wish = await run_in_threadpool(self._privacy.tell, token, caller.visitor_key, preference)
        if wish is Wish.UNRECORDED:
            return page("try_again.html", status=503)
        if wish is Wish.NOT_YOURS:
            return page("refused.html", status=403)
        return _see(f"/why?t={quote(token)}&done={preference}")

    # ---- the visitor's rights ----

    async def privacy(self, request: Request, caller: Caller) -> Response:
        held = await run_in_threadpool(self._privacy.show, caller.visitor_key)
        shops = await run_in_threadpool(self._privacy.shops, caller.visitor_key)
        return page(
            "privacy.html",
            caller=caller,
            held=held,
            rows=sum(len(holding.rows) for holding in held.values()),
            shops=shops,
            now_ms=self._clock(),
            done=request.query_params.get("done") == "opt-in",
        )

    async def export(self, request: Request, caller: Caller) -> Response:
        held = await run_in_threadpool(self._privacy.show, caller.visitor_key)
        body = {"exported_at": rfc3339(self._clock()), "opted_out": caller.opted_out, "held": held}
        name = {"Content-Disposition": 'attachment; filename="what-we-hold.json"'}
        formatted = msgspec.json.format(msgspec.json.encode(body), indent=2)
        return Response(formatted, headers=HEADERS | name, media_type="application/json")

    async def opt_out(self, request: Request, caller: Caller) -> Response:
        """The refusal holds whatever becomes of the erasure, which may be tried again."""
        answer = await self._erase(caller, Ended.OPTED_OUT)
        _set_cookie(answer, set_opt_out(names_for(caller.secure)))
        return answer

    async def opt_in(self, request: Request, caller: Caller) -> Response:
        answer = _see("/privacy?done=opt-in")
        _set_cookie(answer, expire_opt_out(names_for(caller.secure)))
        return answer

    async def forget(self, request: Request, caller: Caller) -> Response:
        return await self._erase(caller, Ended.FORGOTTEN)

    async def _erase(self, caller: Caller, because: Ended) -> Response:
        receipt = await run_in_threadpool(self._privacy.forget, caller.visitor_key, because)
        if receipt is None:
            return page("try_again.html", status=503)
        opted_out = caller.opted_out or because is Ended.OPTED_OUT
        answer = page("receipt.html", receipt=receipt, opted_out=opted_out, tables=meanings.TABLES)
        _set_cookie(answer, expire_visitor(names_for(caller.secure)))
        return answer

    # ---- an operator's own browser ----

    async def test_visitor(self, request: Request, caller: Caller) -> Response:
        return page("test_visitor.html", is_test=caller.test)

    async def set_test_visitor(self, request: Request, caller: Caller) -> Response:
        names = names_for(caller.secure)
        wanted = (await _form(request)).get("test") == "on"
        answer = _see("/test-visitor")
        _set_cookie(answer, set_test(names) if wanted else expire_test(names))
        return answer


Handler = Callable[[VisitorPages, Request, Caller], Awaitable[Response]]
HANDLERS: dict[str, Handler] = {
    "GET /why": VisitorPages.why,
    "POST /why": VisitorPages.tell,
    "GET /privacy": VisitorPages.privacy,
    "POST /privacy/opt-out": VisitorPages.opt_out,
    "POST /privacy/opt-in": VisitorPages.opt_in,
    "POST /privacy/forget": VisitorPages.forget,
    "GET /privacy/export": VisitorPages.export,
    "GET /test-visitor": VisitorPages.test_visitor,
    "POST /test-visitor": VisitorPages.set_test_visitor,
}
ADDRESSES = tuple(HANDLERS)


def _endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Forms are taken from our own pages only."""

    async def answer(request: Request) -> Response:
        if request.method == "POST" and not is_own_form(request):
            return page("refused.html", status=403)
        pages: VisitorPages = request.app.state.visitor_pages
        head = read_head(request.scope["headers"])
        client = request.client.host if request.client else ""
        return await handler(pages, request, pages.callers.caller(head, client))

    return answer


def _routes() -> list[BaseRoute]:
    routes = page_router()
    for address, handler in HANDLERS.items():
        method, path = address.split()
        routes.add_api_route(path, _endpoint(handler), methods=[method], response_model=None, name=address)
    return routes.routes


ROUTES = _routes()


def _token(text: str) -> str:
    return text if _TOKEN.fullmatch(text) else ""


async def _form(request: Request) -> dict[str, str]:
    """The fields of a small form; nothing of one that is too large."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MOST_FORM_BYTES:
            return {}
    return dict(parse_qsl(body.decode("latin-1")))


def _see(address: str) -> Response:
    return RedirectResponse(address, 303, headers=HEADERS)


def _set_cookie(answer: Response, value: bytes) -> None:
    answer.raw_headers.append((b"set-cookie", value))
