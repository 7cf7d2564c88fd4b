"""/api/v1/advertisers/{id}/feeds/{id}/imports: how far each has come, what it left out, somebody's yes."""

from collections import Counter
from typing import Annotated

import anyio
from fastapi import Query
from fastapi.responses import Response

from adserver.domain.catalogue import Feed
from adserver.domain.identity import write_id
from adserver.domain.imports import Import
from adserver.flows.manage import Manage
from adserver.web.api.answers import found, key_from, problems, sheet_of
from adserver.web.auth import ADVERTISERS_ONLY, Caller, CurrentCaller
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.once import answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.imports import (
    ImportProgress,
    ImportsAnswer,
    LeftOutAnswer,
    LeftOutAsked,
    LeftOutPage,
    Waiting,
    show_left_out,
    show_progress,
)

router = api_router(
    "/advertisers/{advertiser_id}/feeds/{feed_id}/imports",
    tags=["feeds"],
    dependencies=[ADVERTISERS_ONLY],
)


@router.get("", response_model=ImportsAnswer, responses=problems())
def list_imports(advertiser_id: str, feed_id: str, flows: CurrentFlows, caller: CurrentCaller) -> Response:
    """The feed's last 20 imports, newest first; those under way say how far they have come."""
    feed = feed_of(flows.manage, caller, advertiser_id, feed_id)
    return answer(ImportsAnswer(items=[show_progress(one) for one in flows.imports.recent(feed)]))


@router.get("/{import_id}", response_model=ImportProgress, responses=problems())
def get_import(
    advertiser_id: str, feed_id: str, import_id: str, flows: CurrentFlows, caller: CurrentCaller
) -> Response:
    _, import_ = _import_of(flows, caller, advertiser_id, feed_id, import_id)
    return answer(show_progress(import_))


@router.get("/{import_id}/rejected", response_model=LeftOutPage, responses=problems())
def list_rejected(
    advertiser_id: str,
    feed_id: str,
    import_id: str,
    asked: Annotated[LeftOutAsked, Query()],
    flows: CurrentFlows,
    caller: CurrentCaller,
) -> Response:
    """The first 10,000 rows that were left out: line, item id, reason, what to do. `format=csv` has all."""
    _, import_ = _import_of(flows, caller, advertiser_id, feed_id, import_id)
    rows = flows.imports.left_out(import_)
    if asked.format == "csv":
        return sheet_of(LeftOutAnswer, [map(show_left_out, rows)], f"rejected-{import_id}")
    end = asked.cursor + asked.limit
    cursor = write_id("cur", end) if end < len(rows) else None
    shown = [show_left_out(row) for row in rows[asked.cursor : end]]
    reasons = dict(Counter(row.reason for row in rows))
    return answer(LeftOutPage(items=shown, reasons=reasons, next_cursor=cursor))


@router.post("/{import_id}/approve", response_model=ImportProgress, responses=problems(409))
async def approve_import(
    advertiser_id: str,
    feed_id: str,
    import_id: str,
    choice: Annotated[Waiting, Query()],
    flows: CurrentFlows,
    caller: CurrentCaller,
) -> Response:
    """Publish what an import that waits for a yes has read, as of then. `wait=false` answers 202."""

    def approve() -> Import | None:
        feed, import_ = _import_of(flows, caller, advertiser_id, feed_id, import_id)
        return flows.imports.approve(feed, import_, wait=choice.wait)

    return _settled(await anyio.to_thread.run_sync(approve, limiter=flows.import_turns), choice.wait)


@router.post("/{import_id}/reject", response_model=ImportProgress, responses=problems(409))
async def reject_import(
    advertiser_id: str, feed_id: str, import_id: str, flows: CurrentFlows, caller: CurrentCaller
) -> Response:
    """Drop what an import has read that waits for a yes; what is live stays live."""

    def reject() -> Import | None:
        feed, import_ = _import_of(flows, caller, advertiser_id, feed_id, import_id)
        return flows.imports.reject(feed, import_)

    return _settled(await anyio.to_thread.run_sync(reject, limiter=flows.import_turns), is_done=True)


def _settled(import_: Import | None, is_done: bool) -> Response:
    if import_ is None:
        raise Problem("not_waiting")
    return answer(show_progress(import_), 200 if is_done else 202)


def feed_of(manage: Manage, caller: Caller, advertiser_id: str, feed_id: str) -> Feed:
    owner = found(manage.accounts.advertiser(caller.reach, key_from("adv", advertiser_id)))
    return found(manage.products.feed(caller.reach, owner.key, key_from("feed", feed_id)))


def _import_of(
    flows: Flows, caller: Caller, advertiser_id: str, feed_id: str, import_id: str
) -> tuple[Feed, Import]:
    feed = feed_of(flows.manage, caller, advertiser_id, feed_id)
    import_ = flows.imports.one(feed, key_from("imp", import_id))
    if import_ is None:
        raise Problem("not_found")
    return feed, import_
