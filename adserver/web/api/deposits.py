"""/api/v1/deposits: what advertisers paid in beforehand, each payment once."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.flows.manage import Manage, Refused
from adserver.web.api.answers import Page, each, page, problems
from adserver.web.auth import ADVERTISERS_ONLY, OPERATORS_ONLY, CurrentCaller
from adserver.web.flows import CurrentManage
from adserver.web.once import CurrentOnce, answer
from adserver.web.problems import refuse
from adserver.web.routes import api_router
from adserver.web.schemas.money import DepositAnswer, DepositBody, DepositList, show_deposit
from adserver.writes import Answered, Result

router = api_router("/deposits", tags=["deposits"], dependencies=[ADVERTISERS_ONLY])


@router.get("", response_model=Page[DepositAnswer], responses=problems())
def list_deposits(
    manage: CurrentManage, caller: CurrentCaller, asked: Annotated[DepositList, Query()]
) -> Response:
    """What an advertiser paid in and got back, in the order it was noted."""
    return page(
        asked,
        lambda after, limit: manage.money.deposits(caller.reach, asked.advertiser_id, after, limit),
        each(show_deposit),
        place=lambda payment: payment.entry,
    )


@router.post(
    "",
    response_model=DepositAnswer,
    responses=problems(400, 409, 503),
    dependencies=[OPERATORS_ONLY],
)
def deposit(body: DepositBody, manage: CurrentManage, caller: CurrentCaller, once: CurrentOnce) -> Response:
    """Note a payment, once for its `reference`; the operator's to do. Below zero, it is paid back."""
    return once.settle(
        lambda receipt: manage.money.deposit(
            caller.reach, body.advertiser_id, body.amount_micros, body.reference, receipt
        ),
        lambda answered: _show(manage, body, answered),
    )


def _show(manage: Manage, body: DepositBody, answered: Answered) -> Response:
    if answered.outcome.result is not Result.SAVED:
        raise refuse(Refused(answered.outcome.result, answered.outcome.figure))
    return answer(show_deposit(manage.money.deposited(body.advertiser_id, body.reference)))
