"""/api/v1/advertisers/{id}/suppression-lists: to which visitors an advertiser's ads are never shown."""

import tempfile
from typing import IO, Annotated, Any

from fastapi import Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from adserver.domain.suppression import SuppressionList
from adserver.flows.manage import Manage
from adserver.web.api.answers import Page, found, key_from, page, problems
from adserver.web.auth import ADVERTISERS_ONLY, Caller, CurrentCaller
from adserver.web.flows import CurrentFlows, CurrentManage, Flows
from adserver.web.once import CurrentOnce, answer
from adserver.web.routes import api_router
from adserver.web.schemas.fields import Paging
from adserver.web.schemas.suppressions import (
    ListedAnswer,
    SuppressionListAnswer,
    SuppressionListChange,
    SuppressionListDraft,
    names_in,
    show_list,
    show_listed,
)

router = api_router(
    "/advertisers/{advertiser_id}/suppression-lists",
    tags=["audiences"],
    dependencies=[ADVERTISERS_ONLY],
)
_FILES: dict[str, Any] = {"requestBody": {"content": {"text/csv": {}, "application/x-ndjson": {}}}}


@router.get("", response_model=Page[SuppressionListAnswer], responses=problems())
def list_suppression_lists(
    advertiser_id: str, manage: CurrentManage, caller: CurrentCaller, paging: Annotated[Paging, Query()]
) -> Response:
    owner = key_from("adv", advertiser_id)
    return page(
        paging,
        lambda after, limit: manage.suppressions.suppression_lists(caller.reach, owner, after, limit),
        lambda lists: list(map(show_list, lists, manage.suppressions.sizes(lists))),
    )


@router.post("", status_code=201, response_model=SuppressionListAnswer, responses=problems(409))
def create_suppression_list(
    advertiser_id: str,
    draft: SuppressionListDraft,
    manage: CurrentManage,
    caller: CurrentCaller,
    once: CurrentOnce,
) -> Response:
    """Make a list; put visitors on it by sending a file to its `visitors`."""
    wished = draft.suppression_list(key_from("adv", advertiser_id))
    return once.create(
        lambda receipt_of: manage.suppressions.create(caller.reach, wished, receipt_of),
        lambda made: show_list(made, 0),
    )


@router.get("/{list_id}", response_model=SuppressionListAnswer, responses=problems())
def get_suppression_list(
    advertiser_id: str, list_id: str, manage: CurrentManage, caller: CurrentCaller
) -> Response:
    return _show(manage, _list(manage, caller, advertiser_id, list_id))


@router.patch("/{list_id}", response_model=SuppressionListAnswer, responses=problems(409))
def change_suppression_list(
    advertiser_id: str,
    list_id: str,
    change: SuppressionListChange,
    manage: CurrentManage,
    caller: CurrentCaller,
) -> Response:
    """Change for which campaigns it holds, from the next request on; `active: false` lifts it."""
    owner, key = key_from("adv", advertiser_id), key_from("sup", list_id)
    return _show(manage, found(manage.suppressions.change(caller.reach, owner, key, change.edit)))


@router.post(
    "/{list_id}/visitors",
    response_model=ListedAnswer,
    responses=problems(413, 503),
    openapi_extra=_FILES,
)
async def add_suppressed_visitors(
    advertiser_id: str, list_id: str, request: Request, flows: CurrentFlows, caller: CurrentCaller
) -> Response:
    """Put visitors on a list, by the ids that `/m/id` tells the shop's pages: CSV, or JSON lines.

    The same file once more changes nothing, so no Idempotency-Key is needed.
    """
    return await _take(request, flows, caller, (advertiser_id, list_id), replaces=False)


@router.put(
    "/{list_id}/visitors",
    response_model=ListedAnswer,
    responses=problems(413, 503),
    openapi_extra=_FILES,
)
async def replace_suppressed_visitors(
    advertiser_id: str, list_id: str, request: Request, flows: CurrentFlows, caller: CurrentCaller
) -> Response:
    """Have a list name those of the file and nobody else."""
    return await _take(request, flows, caller, (advertiser_id, list_id), replaces=True)


@router.delete("/{list_id}/visitors", response_model=ListedAnswer, responses=problems(503))
def empty_suppression_list(
    advertiser_id: str, list_id: str, manage: CurrentManage, caller: CurrentCaller
) -> Response:
    """Take everybody off a list."""
    emptied = manage.suppressions.empty(_list(manage, caller, advertiser_id, list_id))
    return answer(show_listed(found(emptied), 0))


async def _take(
    request: Request, flows: Flows, caller: Caller, of: tuple[str, str], *, replaces: bool
) -> Response:
    """The file lies on disk while it is read line by line."""
    known = await run_in_threadpool(_list, flows.manage, caller, *of)
    with tempfile.TemporaryFile() as file:
        async for chunk in request.stream():
            await run_in_threadpool(file.write, chunk)
        file.seek(0)
        return await run_in_threadpool(_upload, flows, known, file, replaces)


def _upload(flows: Flows, known: SuppressionList, file: IO[bytes], replaces: bool) -> Response:
    suppressions = flows.manage.suppressions
    listed = found(suppressions.upload(known, names_in(file), flows.relay.visitor, replaces=replaces))
    return answer(show_listed(listed, *suppressions.sizes([known])))


def _list(manage: Manage, caller: Caller, advertiser_id: str, list_id: str) -> SuppressionList:
    owner, key = key_from("adv", advertiser_id), key_from("sup", list_id)
    return found(manage.suppressions.suppression_list(caller.reach, owner, key))


def _show(manage: Manage, known: SuppressionList) -> Response:
    return answer(show_list(known, *manage.suppressions.sizes([known])))
