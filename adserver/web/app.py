"""Routers, the gate and the error mapping make one app."""

from collections.abc import Callable, Coroutine
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from anyio import CapacityLimiter
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from adserver.flows.arrivals import ArrivalReports
from adserver.flows.audience_sizes import AudienceSizeReports
from adserver.flows.consents import ProveConsent
from adserver.flows.convert import Convert
from adserver.flows.funnel import FunnelReports
from adserver.flows.imports import RunImports
from adserver.flows.live_view import WatchLiveEvents
from adserver.flows.manage import Manage
from adserver.flows.network import ManageNetwork
from adserver.flows.notify import Notify
from adserver.flows.picture import PictureReports
from adserver.flows.pixel_doctor import PixelDoctor
from adserver.flows.postback import Postback
from adserver.flows.preview import Preview
from adserver.flows.recognise import Recognise
from adserver.flows.redeem import Redeem
from adserver.flows.relay import Relay
from adserver.flows.shops import Shops
from adserver.flows.upload import Upload
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
from adserver.web.flows import Books, Decisions, Flows, Operations
from adserver.web.gate import API, MOST_FEED_BYTES, OPEN, Gate
from adserver.web.problems import Problem, answer_fault, answer_http, answer_invalid, answer_problem

MOST_BODY_BYTES = 1_000_000
MOST_FILE_BYTES = 10_000_000
MOST_IMPORTS_AT_ONCE = 2

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

HANDLERS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    Problem: answer_problem,
    HTTPException: console.in_pages(answer_http),
    RequestValidationError: console.in_pages(answer_invalid),
    Exception: console.in_pages(answer_fault),
    **console.HANDLERS,
}


def make_app(  # noqa: PLR0913  every flow with routes, by name
    *,
    manage: Manage,
    convert: Convert,
    imports: RunImports,
    notify: Notify,
    shops: Shops,
    pixel_doctor: PixelDoctor,
    live_view: WatchLiveEvents,
    recognise: Recognise,
    arrivals: ArrivalReports,
    audience_sizes: AudienceSizeReports,
    funnel: FunnelReports,
    picture_reports: PictureReports,
    relay: Relay,
    proven: ProveConsent,
    postback: Postback,
    preview: Preview,
    redeem: Redeem,
    network: ManageNetwork,
    books: Books,
    decisions: Decisions,
    upload: Upload,
    operations: Operations,
    base_url: str,
    tcf_vendor_id: int | None = None,
    visitor_pages: APIRouter | None = None,
    console_desk: console.Desk | None = None,
    most_body_bytes: int = MOST_BODY_BYTES,
    most_file_bytes: int = MOST_FILE_BYTES,
    most_feed_bytes: int = MOST_FEED_BYTES,
) -> FastAPI:
    """The management API. `base_url` is where publishers' pages reach this server."""
    app = _new_app()
    app.state.flows = Flows(
        manage=manage,
        convert=convert,
        imports=imports,
        notify=notify,
        shops=shops,
        pixel_doctor=pixel_doctor,
        live_view=live_view,
        recognise=recognise,
        arrivals=arrivals,
        audience_sizes=audience_sizes,
        funnel=funnel,
        pictures=picture_reports,
        relay=relay,
        consents=proven,
        postback=postback,
        preview=preview,
        redeem=redeem,
        network=network,
        books=books,
        decisions=decisions,
        upload=upload,
        operations=operations,
        base_url=base_url,
        tcf_vendor_id=tcf_vendor_id,
        import_turns=CapacityLimiter(MOST_IMPORTS_AT_ONCE),
    )
    _add_routes(app, visitor_pages)
    if console_desk is not None:
        app.state.console = console_desk
        app.include_router(console.router())
    _add_docs(app)
    app.add_middleware(
        Gate,
        identify=manage.keys.identify,
        most_body_bytes=most_body_bytes,
        most_file_bytes=most_file_bytes,
        most_feed_bytes=most_feed_bytes,
    )
    return app


def _new_app() -> FastAPI:
    return FastAPI(
        title="adserver",
        version=_version(),
        description="Campaigns, catalogues, places and conversions of a retargeting ad server.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        exception_handlers=HANDLERS,
    )


def _add_routes(app: FastAPI, visitor_pages: APIRouter | None) -> None:
    for resource in RESOURCES:
        app.include_router(resource.router, prefix=API)
    if visitor_pages is not None:
        app.include_router(visitor_pages)


def addresses() -> list[str]:
    """Every address of the server with its method, as the documentation must name it."""
    return [*hot.ADDRESSES, *privacy_routes.ADDRESSES, *console.addresses(), *api_addresses()]


def api_addresses() -> list[str]:
    """The addresses of the API, from its routers."""
    named = {f"GET {path}" for path in OPEN}
    for resource in RESOURCES:
        for route in resource.router.routes:
            if isinstance(route, APIRoute):
                path = API + route.path.replace(":path}", "}")
                named.update(f"{method} {path}" for method in route.methods or ())
    return sorted(named)


def _add_docs(app: FastAPI) -> None:
    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            document = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            app.openapi_schema = docs.complete(document)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend it

    @app.get(f"{API}/openapi.json", include_in_schema=False)
    def openapi_json() -> JSONResponse:
        return JSONResponse(app.openapi())

    @app.get(f"{API}/docs", include_in_schema=False)
    def docs_page() -> HTMLResponse:
        return docs.page(app)


def _version() -> str:
    try:
        return version("adserver")
    except PackageNotFoundError:  # run from a checkout that was not installed
        return "0"
