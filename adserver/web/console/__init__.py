"""The console: pages for the people who work here, over the same flows as the API."""

from collections.abc import Callable, Coroutine
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from adserver.web.console import (
    ad_page,
    approvals,
    audience_pages,
    campaign_page,
    campaigns,
    conversions,
    doctor,
    earnings,
    entering,
    feeds,
    keys,
    launching,
    money,
    network,
    network_accounts,
    network_privacy,
    network_traffic,
    people,
    proof,
    reports,
    sites,
    slots,
    start,
    tag,
)
from adserver.web.console.trouble import in_pages
from adserver.web.console.visit import Desk, Elsewhere, NotOurs, go_elsewhere, refuse_form
from adserver.web.routes import page_router

__all__ = ["HANDLERS", "ROUTES", "Desk", "addresses", "in_pages"]

ROOMS = (
    entering,
    people,
    start,
    keys,
    network,
    network_accounts,
    network_traffic,
    network_privacy,
    campaigns,
    launching,
    campaign_page,
    ad_page,
    audience_pages,
    conversions,
    money,
    proof,
    reports,
    tag,
    doctor,
    feeds,
    sites,
    slots,
    earnings,
    approvals,
)
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


def _routes() -> list[BaseRoute]:
    assets = page_router()
    for name in ASSETS:
        assets.add_api_route(f"/console/{name}", _asset(name), response_model=None, name=name)
    return [
        route
        for router in (*(room.router for room in ROOMS), proof.scripts, assets)
        for route in router.routes
    ]


ROUTES = _routes()


def addresses() -> list[str]:
    """Every address of the console with its method."""
    return sorted(
        f"{method} {route.path}"
        for route in ROUTES
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    )
