"""/api/v1/creatives: how campaigns' ads look."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from adserver.web.api.answers import Page, each, found, key_from, page, problems
from adserver.web.auth import ADVERTISERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentManage
from adserver.web.once import CurrentOnce, answer
from adserver.web.schemas.creatives import (
    CreativeAnswer,
    CreativeChange,
    CreativeDraft,
    CreativeList,
    show_creative,
)

router = APIRouter(prefix="/creatives", tags=["creatives"], dependencies=[ADVERTISERS_ONLY])


@router.get("", response_model=Page[CreativeAnswer], responses=problems())
def list_creatives(
    manage: CurrentManage, caller: CurrentCaller, asked: Annotated[CreativeList, Query()]
) -> Response:
    return page(
        asked,
        lambda after, limit: manage.campaigns.creatives(caller.reach, asked.campaign_id, after, limit),
        each(show_creative),
    )


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
    """Change what is named; a `brand`, `offer` or `message` is replaced whole."""
    key = key_from("crv", creative_id)
    return answer(show_creative(found(manage.campaigns.change_creative(caller.reach, key, change.edit))))
