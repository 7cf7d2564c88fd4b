"""How routes answer: an entity, a page of them, or a no."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field, SerializeAsAny

from adserver.domain.identity import read_id, write_id
from adserver.flows.manage import Refused
from adserver.web import sheet
from adserver.web.once import answer
from adserver.web.problems import MEDIA_TYPE, Problem, refuse
from adserver.web.schemas.fields import Paging, Strict
from pixel.events import Rejection

Item = TypeVar("Item", bound=BaseModel)
Found = TypeVar("Found")


class HasKey(Protocol):
    @property
    def key(self) -> int: ...


Keyed = TypeVar("Keyed", bound=HasKey)


class Page(Strict, Generic[Item]):
    """A part of a list; `next_cursor` asks for the next one, null on the last."""

    items: list[Item]
    next_cursor: str | None = Field(description="opaque; give it as `cursor`")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route, for the OpenAPI document."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": "Refused", "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in (401, 403, 404, 422, *statuses)
    }


def key_from(prefix: str, text: str) -> int:
    """The key behind an id in an address; what is no id there does not exist."""
    key = read_id(prefix, text)
    if key is None:
        raise Problem("not_found")
    return key


def found(result: Found | Refused) -> Found:
    """What the flow answered, unless it refused."""
    if isinstance(result, Refused):
        raise refuse(result)
    return result


def sheet_of(kind: type[BaseModel], pieces: Iterable[Iterable[BaseModel]], name: str) -> Response:
    """Rows as a file to keep."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return StreamingResponse(sheet.sheet(kind, pieces), headers=headers, media_type=sheet.MEDIA_TYPE)


def known(visitor: int | Rejection) -> int:
    """The visitor whom a merchant's server names, unless it is nobody we know."""
    if isinstance(visitor, Rejection):
        raise Problem(visitor.value)
    return visitor


def page(
    paging: Paging,
    fetch: Callable[[int, int], Sequence[Keyed] | Refused],
    show: Callable[[Sequence[Keyed]], Sequence[BaseModel]],
    place: Callable[[Keyed], int] = lambda entity: entity.key,
) -> Response:
    """Fetch one more than was asked for: it tells whether there is a next page, behind whose `place`."""
    entities = found(fetch(paging.cursor, paging.limit + 1))
    shown = entities[: paging.limit]
    cursor = write_id("cur", place(shown[-1])) if len(entities) > paging.limit else None
    return answer(Page[SerializeAsAny[BaseModel]](items=list(show(shown)), next_cursor=cursor))


def each(show: Callable[[Keyed], BaseModel]) -> Callable[[Sequence[Keyed]], Sequence[BaseModel]]:
    """Shows the entities of a page one by one."""
    return lambda entities: [show(entity) for entity in entities]
