"""What the console's readers see where callers of the API get a problem: a page, in words."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from adserver.web.console.page import language_of, page
from adserver.web.console.visit import someone

Answerer = Callable[[Request, Any], Coroutine[Any, Any, Response]]

NOT_FOUND = 404
FAULT = 500


def in_pages(elsewhere: Answerer) -> Answerer:
    """The console's pages tell their own trouble; `elsewhere` answers for all other addresses."""

    async def answer(request: Request, error: Exception) -> Response:
        if f"{request.url.path}/".startswith("/console/"):
            return await _page(request, _status(error))
        return await elsewhere(request, error)

    return answer


def _status(error: Exception) -> int:
    if isinstance(error, HTTPException):
        return error.status_code
    return NOT_FOUND if isinstance(error, RequestValidationError) else FAULT  # only addresses are validated


async def _page(request: Request, status: int) -> Response:
    """After a fault nobody is looked up: what is broken may be the database."""
    visit = await someone(request) if status < FAULT else None
    if visit is not None:
        return visit.page("trouble.html", status=status, code=status)
    language = language_of(None, request.headers.get("accept-language", ""))
    return page("trouble.html", language, status=status, code=status, visit=None)
