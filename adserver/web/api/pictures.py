"""/api/v1/advertisers/{id}/pictures: which products show their picture, why others do not, and what to do."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.web.api.answers import Page, found, key_from, page, problems
from adserver.web.auth import ADVERTISERS_ONLY, Caller, CurrentCaller
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.once import answer
from adserver.web.routes import api_router
from adserver.web.schemas.pictures import (
    PicturesAnswer,
    RetryAnswer,
    TroubleAnswer,
    TroublePaging,
    show_pictures,
    show_troubles,
)

router = api_router(
    "/advertisers/{advertiser_id}/pictures", tags=["pictures"], dependencies=[ADVERTISERS_ONLY]
)


@router.get("", response_model=PicturesAnswer, responses=problems())
def get_pictures(advertiser_id: str, flows: CurrentFlows, caller: CurrentCaller) -> Response:
    owner = _owner(flows, caller, advertiser_id)
    return answer(show_pictures(flows.pictures.counts(owner)))


@router.get("/troubles", response_model=Page[TroubleAnswer], responses=problems())
def list_picture_troubles(
    advertiser_id: str,
    flows: CurrentFlows,
    caller: CurrentCaller,
    paging: Annotated[TroublePaging, Query()],
) -> Response:
    """Products whose own picture is not shown, each with the reason and what to do."""
    owner = _owner(flows, caller, advertiser_id)
    return page(
        paging,
        lambda after, limit: flows.pictures.troubles(owner, paging.reason, after, limit),
        show_troubles,
    )


@router.post("/retry", response_model=RetryAnswer, responses=problems())
def retry_pictures(advertiser_id: str, flows: CurrentFlows, caller: CurrentCaller) -> Response:
    """Try all pictures that are in trouble again now, once you have repaired something."""
    owner = _owner(flows, caller, advertiser_id)
    return answer(RetryAnswer(retried=flows.pictures.retry(owner)))


def _owner(flows: Flows, caller: Caller, advertiser_id: str) -> int:
    return found(flows.manage.accounts.advertiser(caller.reach, key_from("adv", advertiser_id))).key
