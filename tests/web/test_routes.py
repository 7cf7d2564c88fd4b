"""Routes are made when they are first asked; here each is, and by many at once."""

from concurrent.futures import ThreadPoolExecutor

from fastapi.routing import APIRoute

from adserver.web.app import API_ROUTES
from adserver.web.console import ROUTES as CONSOLE_ROUTES
from adserver.web.privacy_routes import ROUTES as VISITOR_ROUTES
from adserver.web.routes import LateRoute, page_router
from adserver.web.schemas.fields import Strict


class Order(Strict):
    number: int


def test_every_route_can_be_made() -> None:
    routes = [
        route for route in (*API_ROUTES, *VISITOR_ROUTES, *CONSOLE_ROUTES) if isinstance(route, APIRoute)
    ]
    assert len(routes) > 250
    for route in routes:
        assert route.dependant.call is route.endpoint
        assert route.app is not None


def test_a_route_that_many_ask_at_once_is_made_once() -> None:
    router = page_router("/orders")

    @router.post("/{place}")
    def keep(place: int, order: Order) -> None: ...

    route = router.routes[0]
    assert isinstance(route, LateRoute)
    with ThreadPoolExecutor(8) as pool:
        made = {id(dependant) for dependant in pool.map(lambda _: route.dependant, range(64))}
    assert len(made) == 1


def test_what_a_route_never_has_is_missing() -> None:
    router = page_router()
    router.add_api_route("/nothing", lambda: None)
    assert not hasattr(router.routes[0], "nothing")
    assert router.routes[0].name == "<lambda>"  # type: ignore[attr-defined]
