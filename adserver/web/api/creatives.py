"""/api/v1/creatives: how campaigns' ads look."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.domain.campaign import Creative
from adserver.flows.manage import Manage, Refused
from adserver.web.api.answers import Page, each, found, key_from, page, problems
from adserver.web.auth import ADVERTISERS_ONLY, OPERATORS_ONLY, Caller, CurrentCaller
from adserver.web.flows import CurrentManage
from adserver.web.once import CurrentOnce, answer
from adserver.web.routes import api_router
from adserver.web.schemas.creatives import (
    ApprovalBody,
    CreativeAnswer,
    CreativeChange,
    CreativeDraft,
    CreativeList,
    RejectionBody,
    show_creative,
)

router = api_router("/creatives", tags=["creatives"], dependencies=[ADVERTISERS_ONLY])


@router.get("", response_model=Page[CreativeAnswer], responses=problems())
def list_creatives(
    manage: CurrentManage, caller: CurrentCaller, asked: Annotated[CreativeList, Query()]
) -> Response:
    """Those of a campaign; with `approval=pending` the queue: for the operator, of every advertiser."""
    return page(asked, lambda *part: _creatives(manage, caller, asked, *part), each(show_creative))


def _creatives(
    manage: Manage, caller: Caller, asked: CreativeList, after: int, limit: int
) -> list[Creative] | Refused:
    if asked.approval is not None:
        return manage.reviews.creatives(caller.reach, asked.approval, asked.campaign_id, after, limit)
    assert asked.campaign_id is not None, "one of the two is given"
    return manage.campaigns.creatives(caller.reach, asked.campaign_id, after, limit)


@router.post("", status_code=201, response_model=CreativeAnswer, responses=problems(409))
def create_creative(
    draft: CreativeDraft, manage: CurrentManage, caller: CurrentCaller, once: CurrentOnce
) -> Response:
    return once.create(
        lambda receipt_of: manage.campaigns.create_creative(caller.reach, draft.creative(), receipt_of),
        show_creative,
    )


@router.get("/{creative_id}", response_model=CreativeAnswer, responses=problems())
def get_creative(creative_id: str, manage: CurrentManage, caller: CurrentCaller) -> Response:
    key = key_from("crv", creative_id)
    return answer(show_creative(found(manage.campaigns.creative(caller.reach, key))))


@router.patch("/{creative_id}", response_model=CreativeAnswer, responses=problems(409))
def change_creative(
    creative_id: str, change: CreativeChange, manage: CurrentManage, caller: CurrentCaller
) -> Response:
    """Change what is named; `brand`, `offer`, `message`, `situations` and `copies` are replaced whole.

    An advertiser's change waits for approval; what was approved before is shown meanwhile.
    """
    key = key_from("crv", creative_id)
    return answer(show_creative(found(manage.campaigns.change_creative(caller.reach, key, change.edit))))


@router.post(
    "/{creative_id}/approve",
    response_model=CreativeAnswer,
    responses=problems(409),
    dependencies=[OPERATORS_ONLY],
)
def approve_creative(
    creative_id: str, manage: CurrentManage, caller: CurrentCaller, body: ApprovalBody | None = None
) -> Response:
    """Let it be shown from the next request on; the operator's to say. Once more changes nothing."""
    key, seen_hash = key_from("crv", creative_id), None if body is None else body.content_hash
    return answer(show_creative(found(manage.reviews.approve(caller.reach, key, seen_hash))))


@router.post(
    "/{creative_id}/reject",
    response_model=CreativeAnswer,
    responses=problems(409),
    dependencies=[OPERATORS_ONLY],
)
def reject_creative(
    creative_id: str, body: RejectionBody, manage: CurrentManage, caller: CurrentCaller
) -> Response:
    """Refuse it with a reason; one that was approved is shown no more from the next request on."""
    key = key_from("crv", creative_id)
    rejected = manage.reviews.reject(
        caller.reach, key, body.content_hash, body.reason, withdraw=body.withdraw
    )
    return answer(show_creative(found(rejected)))
