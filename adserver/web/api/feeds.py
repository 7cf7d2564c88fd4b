"""/api/v1/advertisers/{id}/feeds: where products come from, and what came of each import."""

import tempfile
from collections.abc import AsyncIterator
from typing import IO, Annotated

import anyio
from fastapi import Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from adserver.domain.campaign import Advertiser
from adserver.domain.catalogue import Feed, ImportReport
from adserver.flows.manage import Manage
from adserver.web.api.answers import Page, each, found, key_from, page, problems
from adserver.web.auth import ADVERTISERS_ONLY, Caller, CurrentCaller
from adserver.web.flows import CurrentFlows, CurrentManage, Flows
from adserver.web.once import CurrentOnce, answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.catalogue import (
    FeedAnswer,
    FeedChange,
    FeedDraft,
    ImportAnswer,
    show_feed,
    show_import,
)
from adserver.web.schemas.fields import Paging
from adserver.web.schemas.imports import ImportChoice, ImportProgress, show_progress

router = api_router("/advertisers/{advertiser_id}/feeds", tags=["feeds"], dependencies=[ADVERTISERS_ONLY])


@router.get("", response_model=Page[FeedAnswer], responses=problems())
def list_feeds(
    advertiser_id: str, manage: CurrentManage, caller: CurrentCaller, paging: Annotated[Paging, Query()]
) -> Response:
    owner = key_from("adv", advertiser_id)
    return page(
        paging, lambda after, limit: manage.products.feeds(caller.reach, owner, after, limit), each(show_feed)
    )


@router.post("", status_code=201, response_model=FeedAnswer, responses=problems())
def create_feed(
    advertiser_id: str, draft: FeedDraft, manage: CurrentManage, caller: CurrentCaller, once: CurrentOnce
) -> Response:
    owner = key_from("adv", advertiser_id)
    return once.create(
        lambda receipt_of: manage.products.create_feed(caller.reach, draft.feed(owner), receipt_of), show_feed
    )


@router.get("/{feed_id}", response_model=FeedAnswer, responses=problems())
def get_feed(advertiser_id: str, feed_id: str, manage: CurrentManage, caller: CurrentCaller) -> Response:
    _, feed = _feed_of(manage, caller, advertiser_id, feed_id)
    return answer(show_feed(feed))


@router.patch("/{feed_id}", response_model=FeedAnswer, responses=problems())
def change_feed(
    advertiser_id: str, feed_id: str, change: FeedChange, manage: CurrentManage, caller: CurrentCaller
) -> Response:
    """Change where a feed lies, how it is read and how often; where it has a schedule, it is fetched now."""
    owner, key = key_from("adv", advertiser_id), key_from("feed", feed_id)
    return answer(show_feed(found(manage.products.change_feed(caller.reach, owner, key, change.edit))))


@router.delete("/{feed_id}", status_code=204, response_class=Response, responses=problems(409))
def remove_feed(advertiser_id: str, feed_id: str, flows: CurrentFlows, caller: CurrentCaller) -> Response:
    """The feed is gone, and its products with it; refused while an import of it is under way."""
    _, feed = _feed_of(flows.manage, caller, advertiser_id, feed_id)
    if not flows.imports.remove(feed):
        raise Problem("import_under_way")
    return Response(status_code=204)


@router.post(
    "/{feed_id}/import",
    response_model=ImportAnswer,
    responses={202: {"model": ImportProgress}, **problems(413)},
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}}},
)
async def import_feed(
    advertiser_id: str,
    feed_id: str,
    choice: Annotated[ImportChoice, Query()],
    request: Request,
    flows: CurrentFlows,
    caller: CurrentCaller,
) -> Response:
    """Import the file that is the body; without a body, what lies at the feed's `url` now.

    `wait=false` answers 202 at once, with an import whose progress is at `imports/{import_id}`. The same
    file once more leaves the same catalogue, so no Idempotency-Key is needed.
    """
    owner, feed = await run_in_threadpool(_feed_of, flows.manage, caller, advertiser_id, feed_id)
    with tempfile.TemporaryFile() as file:
        size_bytes = await _receive(request.stream(), file)
        if not size_bytes and feed.url is None:
            raise Problem("nothing_to_import")
        sent = file if size_bytes else None
        if not choice.wait:
            return await run_in_threadpool(_queue, flows, feed, sent, choice)
        report = await anyio.to_thread.run_sync(
            _import, flows, owner, feed, sent, choice, limiter=flows.import_turns
        )
    shown = show_import(report)
    if report.fatal is not None:
        raise Problem("feed_refused", **shown.model_dump(mode="json"))
    return answer(shown)


def _feed_of(manage: Manage, caller: Caller, advertiser_id: str, feed_id: str) -> tuple[Advertiser, Feed]:
    owner = found(manage.accounts.advertiser(caller.reach, key_from("adv", advertiser_id)))
    return owner, found(manage.products.feed(caller.reach, owner.key, key_from("feed", feed_id)))


async def _receive(body: AsyncIterator[bytes], file: IO[bytes]) -> int:
    """Write a body to disk as it comes; how large it was."""
    size_bytes = 0
    async for chunk in body:
        size_bytes += len(chunk)
        await run_in_threadpool(file.write, chunk)
    file.seek(0)
    return size_bytes


def _import(
    flows: Flows, owner: Advertiser, feed: Feed, file: IO[bytes] | None, choice: ImportChoice
) -> ImportReport:
    return flows.imports.run(owner, feed, file, allow_shrink=choice.allow_shrink)


def _queue(flows: Flows, feed: Feed, file: IO[bytes] | None, choice: ImportChoice) -> Response:
    queued = flows.imports.queue(feed, file, allow_shrink=choice.allow_shrink)
    if queued is None:
        raise Problem("unrecorded")
    return answer(show_progress(queued), 202)
