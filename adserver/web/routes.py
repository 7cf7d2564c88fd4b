"""Routers of the API and of the pages, whose routes are made when they are first asked.

FastAPI takes about a millisecond to make a route, and there are three hundred. A route knows its whole
address from the start: to include a router would make its routes again, for each server of a process.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from threading import RLock
from typing import Any

from fastapi import APIRouter
from fastapi.params import Depends
from fastapi.routing import APIRoute
from starlette.routing import compile_path

from adserver.web.gate import API

_MAKING = RLock()


class LateRoute(APIRoute):
    """Knows what it matches; all else is made when it is asked for."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self.path, self.endpoint, self._options = path, endpoint, options
        self.methods = set(options["methods"] or ("GET",))
        self.path_regex, self.path_format, self.param_convertors = compile_path(path)

    def __getattr__(self, name: str) -> Any:
        """What is missing is made, by one thread for all that wait for it."""
        with _MAKING:
            options = self.__dict__.pop("_options", None)
            if options is not None:
                super().__init__(self.path, self.endpoint, **options)
        try:
            return self.__dict__[name]
        except KeyError:
            raise AttributeError(name) from None


def api_router(path: str = "", *, tags: list[str | Enum], dependencies: Sequence[Depends] = ()) -> APIRouter:
    """Of the management API; documented."""
    return APIRouter(
        prefix=API + path,
        tags=tags,
        dependencies=dependencies,
        route_class=LateRoute,
        generate_unique_id_function=lambda route: route.name,
    )


def page_router(path: str = "", *, dependencies: Sequence[Depends] = ()) -> APIRouter:
    """Of pages for people."""
    return APIRouter(prefix=path, dependencies=dependencies, route_class=LateRoute, include_in_schema=False)
