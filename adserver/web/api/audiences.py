"""/api/v1/audiences: who of an advertiser's visitors belongs together."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from adserver.web.api.answers import Page, each, found, key_from, page, problems
from adserver.web.auth import ADVERTISERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentManage
from adserver.web.once import CurrentOnce, answer
from adserver.web.schemas.audiences import (
    AudienceAnswer,
    AudienceChange,
    AudienceDraft,
    AudienceList,
    show_audience,
)

router = APIRouter(prefix="/audiences", tags=["audiences"], dependencies=[ADVERTISERS_ONLY])


@router.get("", response_model=Page[AudienceAnswer], responses=problems())
def list_audiences(
    manage: CurrentManage, caller: CurrentCaller, asked: Annotated[AudienceList, Query()]
) -> Response:
    return page(
        asked,
        lambda after, limit: manage.audiences.audiences(caller.reach, asked.advertiser_id, after, limit),
        each(show_audience),
    )


@router.post("", status_code=201, response_model=AudienceAnswer, responses=problems(409))
def create_audience(
    draft: AudienceDraft, manage: CurrentManage, caller: CurrentCaller, once: CurrentOnce
) -> Response:
    return once.create(
        lambda receipt_of: manage.audiences.create(caller.reach, draft.audience(), receipt_of),
        show_audience,
    )


@router.get("/{audience_id}", response_model=AudienceAnswer, responses=problems())
def get_audience(audience_id: str, manage: CurrentManage, caller: CurrentCaller) -> Response:
    key = key_from("aud", audience_id)
    return answer(show_audience(found(manage.audiences.audience(caller.reach, key))))


@router.patch("/{audience_id}", response_model=AudienceAnswer, responses=problems(409))
def change_audience(
    audience_id: str, change: AudienceChange, manage: CurrentManage, caller: CurrentCaller
) -> Response:
    """Change who belongs to it from now on; `inclusions` and `exclusions` are replaced whole."""
    key = key_from("aud", audience_id)
    return answer(show_audience(found(manage.audiences.change(caller.reach, key, change.edit))))
