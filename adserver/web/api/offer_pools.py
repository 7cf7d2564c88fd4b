"""/api/v1/offer-pools: single-use codes, each for one click."""

from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from adserver.domain.offer import OfferPool
from adserver.flows.manage import Manage
from adserver.web.api.answers import Page, found, key_from, page, problems
from adserver.web.auth import ADVERTISERS_ONLY, Caller, CurrentCaller
from adserver.web.flows import CurrentManage
from adserver.web.once import CurrentOnce, answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.offers import (
    BadCodes,
    OfferPoolAnswer,
    OfferPoolChange,
    OfferPoolDraft,
    OfferPoolList,
    UploadAnswer,
    read_codes,
    show_pool,
    show_upload,
)

router = api_router("/offer-pools", tags=["offers"], dependencies=[ADVERTISERS_ONLY])


@router.get("", response_model=Page[OfferPoolAnswer], responses=problems())
def list_offer_pools(
    manage: CurrentManage, caller: CurrentCaller, asked: Annotated[OfferPoolList, Query()]
) -> Response:
    return page(
        asked,
        lambda after, limit: manage.offers.pools(caller.reach, asked.advertiser_id, after, limit),
        lambda pools: list(map(show_pool, pools, manage.offers.stocks(pools))),
    )


@router.post("", status_code=201, response_model=OfferPoolAnswer, responses=problems(409))
def create_offer_pool(
    draft: OfferPoolDraft, manage: CurrentManage, caller: CurrentCaller, once: CurrentOnce
) -> Response:
    """Make a pool; one of the kind `uploaded` needs codes before an offer of it is shown."""
    return once.create(
        lambda receipt_of: manage.offers.create(caller.reach, draft.pool(), receipt_of),
        lambda pool: _show(manage, pool),
    )


@router.get("/{pool_id}", response_model=OfferPoolAnswer, responses=problems())
def get_offer_pool(pool_id: str, manage: CurrentManage, caller: CurrentCaller) -> Response:
    return answer(_show(manage, found(manage.offers.pool(caller.reach, key_from("pool", pool_id)))))


@router.patch("/{pool_id}", response_model=OfferPoolAnswer, responses=problems(409))
def change_offer_pool(
    pool_id: str, change: OfferPoolChange, manage: CurrentManage, caller: CurrentCaller
) -> Response:
    """Change what holds for clicks from now on; codes that were handed keep their time."""
    key = key_from("pool", pool_id)
    return answer(_show(manage, found(manage.offers.change(caller.reach, key, change.edit))))


@router.post(
    "/{pool_id}/codes",
    response_model=UploadAnswer,
    responses=problems(409, 413, 503),
    openapi_extra={"requestBody": {"content": {"application/json": {}, "text/csv": {}}}},
)
async def upload_codes(
    pool_id: str, request: Request, manage: CurrentManage, caller: CurrentCaller
) -> Response:
    """Put codes into a pool: JSON `{"codes": [...]}` or CSV, up to 100,000 at once.

    The same upload once more adds nothing, so no Idempotency-Key is needed.
    """
    body = await request.body()
    return await run_in_threadpool(_upload, manage, caller, pool_id, body)


def _upload(manage: Manage, caller: Caller, pool_id: str, body: bytes) -> Response:
    pool = found(manage.offers.pool(caller.reach, key_from("pool", pool_id)))
    lines = read_codes(body)
    if isinstance(lines, BadCodes):
        raise Problem(lines.code)
    return answer(show_upload(found(manage.offers.upload(caller.reach, pool.key, lines))))


def _show(manage: Manage, pool: OfferPool) -> OfferPoolAnswer:
    return show_pool(pool, *manage.offers.stocks([pool]))
