"""The console: pages for the people who work here, over the same flows as the API."""

from collections.abc import Callable, Coroutine
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

from adserver.web.console import campaigns, doctor, entering, feeds, people, tag
from adserver.web.console.visit import Desk, Elsewhere, NotOurs, go_elsewhere, refuse_form

__all__ = ["HANDLERS", "Desk", "addresses", "router"]

KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
TEMPLATES = files("adserver.web") / "templates" / "console"
ASSETS = sorted(one.name for one in TEMPLATES.iterdir() if Path(one.name).suffix in KINDS)
HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    Elsewhere: go_elsewhere,
    NotOurs: refuse_form,
}


def _asset(name: str) -> Callable[[], Response]:
    """A file of ours, asked for again after each upgrade only."""
    body = (TEMPLATES / name).read_bytes()
    headers = {"Cache-Control": "public, max-age=600", "X-Content-Type-Options": "nosniff"}
    return lambda: Response(body, media_type=KINDS[Path(name).suffix], headers=headers)


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    for room in (entering, people, campaigns, tag, doctor, feeds):
        routes.include_router(room.router)
    for name in ASSETS:
        routes.add_api_route(f"/console/{name}", _asset(name), response_model=None, name=name)
    return routes


def addresses() -> list[str]:
    """Every address of the console with its method."""
    return sorted(
        f"{method} {route.path}"
        for route in router().routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    )
