"""/api/v1/advertisers/{id}/conversions: an advertiser's orders and leads, and what became of each."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.web.api.answers import found, key_from, problems
from adserver.web.auth import ADVERTISERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentManage
from adserver.web.once import answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.orders import OrdersAnswer, OrdersQuery, show_orders

router = api_router(tags=["conversions"], dependencies=[ADVERTISERS_ONLY])


@router.get("/advertisers/{advertiser_id}/conversions", response_model=OrdersAnswer, responses=problems())
def list_orders(
    advertiser_id: str, manage: CurrentManage, caller: CurrentCaller, asked: Annotated[OrdersQuery, Query()]
) -> Response:
    """Newest first; with `state=pending` those first that approve themselves first."""
    advertiser = found(manage.accounts.advertiser(caller.reach, key_from("adv", advertiser_id)))
    if asked.first and asked.last and asked.first > asked.last:
        raise Problem("bad_period")
    key = None
    if asked.order_id is not None:
        key = manage.conversions.key_of(advertiser.key, asked.event, asked.order_id)
    told = found(manage.conversions.told(caller.reach, advertiser.key, asked.asked(advertiser.timezone, key)))
    return answer(show_orders(advertiser, told, asked.limit))
