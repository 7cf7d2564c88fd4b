"""/api/v1/advertisers: merchants' manage.accounts."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from adserver.web.api.answers import Page, each, found, key_from, page, problems
from adserver.web.auth import ADVERTISERS_ONLY, OPERATORS_ONLY, CurrentCaller
from adserver.web.flows import CurrentManage
from adserver.web.once import CurrentOnce, answer
from adserver.web.schemas.accounts import (
    AdvertiserAnswer,
    AdvertiserChange,
    AdvertiserDraft,
    show_advertiser,
)
from adserver.web.schemas.fields import Paging

router = APIRouter(prefix="/advertisers", tags=["advertisers"], dependencies=[ADVERTISERS_ONLY])


@router.get("", response_model=Page[AdvertiserAnswer], responses=problems())
def list_advertisers(
    manage: CurrentManage, caller: CurrentCaller, paging: Annotated[Paging, Query()]
) -> Response:
    return page(
        paging,
        lambda after, limit: manage.accounts.advertisers(caller.reach, after, limit),
        each(show_advertiser),
    )


@router.post(
    "",
    status_code=201,
    response_model=AdvertiserAnswer,
    responses=problems(),
    dependencies=[OPERATORS_ONLY],
)
def open_advertiser(
    draft: AdvertiserDraft, manage: CurrentManage, caller: CurrentCaller, once: CurrentOnce
) -> Response:
    """Open an account; the operator's to do."""
    return once.create(
        lambda receipt_of: manage.accounts.open_advertiser(caller.reach, draft.advertiser(), receipt_of),
        show_advertiser,
    )


@router.get("/{advertiser_id}", response_model=AdvertiserAnswer, responses=problems())
def get_advertiser(advertiser_id: str, manage: CurrentManage, caller: CurrentCaller) -> Response:
    key = key_from("adv", advertiser_id)
    return answer(show_advertiser(found(manage.accounts.advertiser(caller.reach, key))))


@router.patch("/{advertiser_id}", response_model=AdvertiserAnswer, responses=problems(409))
def change_advertiser(
    advertiser_id: str, change: AdvertiserChange, manage: CurrentManage, caller: CurrentCaller
) -> Response:
    """Change an account. `domains`, `currency`, `country`, `validation_days`: the operator only."""
    key = key_from("adv", advertiser_id)
    return answer(show_advertiser(found(manage.accounts.change_advertiser(caller.reach, key, change.edit))))
