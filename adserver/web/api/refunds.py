"""/api/v1/refunds: charges given back, in whole or in part, each refund once."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.flows.manage import Manage, Refused
from adserver.web.api.answers import Page, found, problems
from adserver.web.auth import ADVERTISERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentManage
from adserver.web.once import CurrentOnce, answer
from adserver.web.problems import refuse
from adserver.web.routes import api_router
from adserver.web.schemas.money import RefundAnswer, RefundBody, RefundList, cursor_of, show_refund
from adserver.writes import Answered, Outcome, Receipt, Result

router = api_router("/refunds", tags=["refunds"], dependencies=[ADVERTISERS_ONLY])


@router.get("", response_model=Page[RefundAnswer], responses=problems())
def list_refunds(
    manage: CurrentManage, caller: CurrentCaller, asked: Annotated[RefundList, Query()]
) -> Response:
    """An advertiser's refunds, campaign by campaign."""
    refunds = found(
        manage.money.refunds(
            caller.reach, asked.advertiser_id, asked.campaign_id, asked.after, asked.limit + 1
        )
    )
    shown = refunds[: asked.limit]
    cursor = cursor_of(shown[-1]) if len(refunds) > asked.limit else None
    return answer(Page[RefundAnswer](items=[show_refund(one) for one in shown], next_cursor=cursor))


@router.post("", response_model=RefundAnswer, responses=problems(400, 409, 503))
def refund(body: RefundBody, manage: CurrentManage, caller: CurrentCaller, once: CurrentOnce) -> Response:
    """Give a charge back to the budgets and from the parties it came from, never more than was billed.

    The operator refunds any charge; an advertiser its own orders and leads, within its `refund_days`.
    """

    money = manage.money

    def submit(receipt: Receipt) -> Outcome | Refused:
        if body.charge_id is not None:
            return money.refund(caller.reach, body.charge_id, body.wish(), receipt)
        return money.refund_order(caller.reach, body.order(), body.wish(), receipt)

    return once.settle(submit, lambda answered: _show(manage, answered))


def _show(manage: Manage, answered: Answered) -> Response:
    if answered.outcome.result is not Result.REFUNDED:
        raise refuse(Refused(answered.outcome.result, answered.outcome.figure))
    return answer(show_refund(manage.money.refunded(answered.context)))
