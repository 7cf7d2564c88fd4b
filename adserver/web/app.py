"""Routers, the gate and the error mapping make one app."""

from collections.abc import Callable, Coroutine
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from threading import Lock
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from adserver.web import console, docs, hot, privacy_routes
from adserver.web.api import (
    admissions,
    advertisers,
    arrivals,
    audiences,
    campaigns,
    consents,
    conversions,
    creatives,
    deposits,
    earnings,
    events,
    experiments,
    feeds,
    funnel,
    hooks,
    identity,
    keys,
    launches,
    live_events,
    media,
    network_totals,
    offer_pools,
    offers,
    orders,
    payout_holds,
    pictures,
    pixel,
    postback,
    previews,
    product_sets,
    products,
    proofs,
    publishers,
    reference_prices,
    refunds,
    reports,
    saved_reports,
    sites,
    slot_trials,
    slots,
    statements,
    suppression_lists,
    webhooks,
)
from adserver.web.api import (
    decisions as decision_routes,
)
from adserver.web.api import (
    imports as import_routes,
)
from adserver.web.api import (
    network as network_routes,
)
from adserver.web.flows import Flows
from adserver.web.gate import API, MOST_FEED_BYTES, OPEN, Gate
from adserver.web.problems import Problem, answer_fault, answer_http, answer_invalid, answer_problem
from adserver.web.routes import page_router

MOST_BODY_BYTES = 1_000_000
MOST_FILE_BYTES = 10_000_000

RESOURCES = (
    advertisers,
    webhooks,
    hooks,
    events,
    postback,
    pixel,
    live_events,
    identity,
    arrivals,
    consents,
    products,
    product_sets,
    reference_prices,
    pictures,
    feeds,
    funnel,
    import_routes,
    audiences,
    experiments,
    campaigns,
    decision_routes,
    creatives,
    media,
    previews,
    offer_pools,
    offers,
    publishers,
    admissions,
    earnings,
    sites,
    slots,
    network_routes,
    slot_trials,
    keys,
    launches,
    conversions,
    orders,
    refunds,
    deposits,
    statements,
    reports,
    saved_reports,
    suppression_lists,
    proofs,
    network_totals,
    payout_holds,
)

API_ROUTES: list[BaseRoute] = [route for resource in RESOURCES for route in resource.router.routes]
_DOCS = page_router()
_DOCUMENTING = Lock()

HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    Problem: answer_problem,
    HTTPException: console.in_pages(answer_http),
    RequestValidationError: console.in_pages(answer_invalid),
    Exception: console.in_pages(answer_fault),
    **console.HANDLERS,
}


def make_app(
    flows: Flows,
    visitor_pages: privacy_routes.VisitorPages | None = None,
    console_desk: console.Desk | None = None,
    most_body_bytes: int = MOST_BODY_BYTES,
    most_file_bytes: int = MOST_FILE_BYTES,
    most_feed_bytes: int = MOST_FEED_BYTES,
) -> FastAPI:
    """The management API and the console over the same flows."""
    routes = [*API_ROUTES]
    if visitor_pages is not None:
        routes += privacy_routes.ROUTES
    if console_desk is not None:
        routes += console.ROUTES
    app = _new_app([*routes, *_DOCS.routes])
    app.state.flows = flows
    app.state.visitor_pages = visitor_pages
    app.state.console = console_desk
    app.add_middleware(
        Gate,
        identify=flows.manage.keys.identify,
        most_body_bytes=most_body_bytes,
        most_file_bytes=most_file_bytes,
        most_feed_bytes=most_feed_bytes,
    )
    return app


def _new_app(routes: list[BaseRoute]) -> FastAPI:
    """Routes take long to make, so all servers of a process share them; they find theirs by the request."""
    return FastAPI(
        routes=routes,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers=HANDLERS,
    )


def addresses() -> list[str]:
    """Every address of the server with its method, as the documentation must name it."""
    return [*hot.ADDRESSES, *privacy_routes.ADDRESSES, *console.addresses(), *api_addresses()]


def api_addresses() -> list[str]:
    """The addresses of the API, from its routers."""
    named = {f"GET {path}" for path in OPEN}
    for route in API_ROUTES:
        if isinstance(route, APIRoute):
            path = route.path.replace(":path}", "}")
            named.update(f"{method} {path}" for method in route.methods or ())
    return sorted(named)


def openapi() -> dict[str, Any]:
    """The API's document; who asks while it is made, which takes a second, waits for the same one."""
    with _DOCUMENTING:
        return _document()


@cache
def _document() -> dict[str, Any]:
    return docs.complete(
        get_openapi(
            title="adserver",
            version=_version(),
            description="Campaigns, catalogues, places and conversions of a retargeting ad server.",
            routes=API_ROUTES,
        )
    )


@_DOCS.get(f"{API}/openapi.json")
def openapi_json() -> JSONResponse:
    return JSONResponse(openapi())


@_DOCS.get(f"{API}/docs")
def docs_page() -> HTMLResponse:
    return docs.page(openapi())


def _version() -> str:
    try:
        return version("adserver")
    except PackageNotFoundError:  # run from a checkout that was not installed
        return "0"
