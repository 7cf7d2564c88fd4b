"""/api/v1/advertisers: merchants' manage.accounts."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.domain.campaign import Advertiser
from adserver.flows.manage import Manage
from adserver.web.api.answers import Page, found, key_from, page, problems
from adserver.web.auth import ADVERTISERS_ONLY, OPERATORS_ONLY, CurrentCaller
from adserver.web.flows import CurrentManage
from adserver.web.once import CurrentOnce, answer
from adserver.web.routes import api_router
from adserver.web.schemas.accounts import (
    AdvertiserAnswer,
    AdvertiserChange,
    AdvertiserDraft,
    show_advertiser,
)
from adserver.web.schemas.fields import Paging

router = api_router("/advertisers", tags=["advertisers"], dependencies=[ADVERTISERS_ONLY])


def _show_all(manage: Manage, advertisers: Sequence[Advertiser]) -> list[AdvertiserAnswer]:
    return [show_advertiser(*both) for both in zip(advertisers, manage.money.funds(advertisers), strict=True)]


def _show(manage: Manage, advertiser: Advertiser) -> AdvertiserAnswer:
    return _show_all(manage, [advertiser])[0]


@router.get("", response_model=Page[AdvertiserAnswer], responses=problems())
def list_advertisers(
    manage: CurrentManage, caller: CurrentCaller, paging: Annotated[Paging, Query()]
) -> Response:
    return page(
        paging,
        lambda after, limit: manage.accounts.advertisers(caller.reach, after, limit),
        partial(_show_all, manage),
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
        partial(_show, manage),
    )


@router.get("/{advertiser_id}", response_model=AdvertiserAnswer, responses=problems())
def get_advertiser(advertiser_id: str, manage: CurrentManage, caller: CurrentCaller) -> Response:
    key = key_from("adv", advertiser_id)
    return answer(_show(manage, found(manage.accounts.advertiser(caller.reach, key))))


@router.patch("/{advertiser_id}", response_model=AdvertiserAnswer, responses=problems(409))
def change_advertiser(
    advertiser_id: str, change: AdvertiserChange, manage: CurrentManage, caller: CurrentCaller
) -> Response:
    """Change an account. The operator alone changes what it vouches for: `domains`, `currency`, `country`,
    `validation_days` and `prepaid`; and whether its pages' word for consent is believed: `consent_hold`."""
    key = key_from("adv", advertiser_id)
    changed = found(manage.accounts.change_advertiser(caller.reach, key, change.edit))
    return answer(_show(manage, changed))
