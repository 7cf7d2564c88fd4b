"""/api/v1/conversions: orders told by the advertiser's own server, and its word on those of browsers."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from adserver.domain.attribution import may_have_occurred
from adserver.flows.bill import Credited
from adserver.web.api.answers import Page, each, found, key_from, page, problems
from adserver.web.auth import ADVERTISERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentFlows, CurrentManage
from adserver.web.once import CurrentOnce, answer
from adserver.web.problems import Problem
from adserver.web.schemas.conversions import (
    ConversionAnswer,
    ConversionBody,
    DeclineBody,
    PendingAnswer,
    PendingPaging,
    SettledAnswer,
    show_credited,
    show_pending,
)
from adserver.writes import Result

router = APIRouter(prefix="/conversions", tags=["conversions"], dependencies=[ADVERTISERS_ONLY])


@router.post("", response_model=ConversionAnswer, responses=problems(400, 503))
def report_conversion(
    body: ConversionBody, flows: CurrentFlows, caller: CurrentCaller, once: CurrentOnce
) -> Response:
    """Report an order or lead once; the answer says which campaign was credited, or why none."""
    once.require_key()
    found(flows.manage.accounts.advertiser(caller.reach, body.advertiser_id))

    def convert() -> Response:
        now_ms = flows.manage.clock()
        order = body.order(now_ms)
        if not may_have_occurred(order.occurred_at_ms, now_ms):
            raise Problem("occurred_at_out_of_range")
        return _answer(flows.bill.convert(order))

    return once.run(convert)


def _answer(credited: Credited) -> Response:
    if credited.outcome.result is Result.UNRECORDED:
        raise Problem("unrecorded")
    return answer(show_credited(credited))


@router.get("", response_model=Page[PendingAnswer], responses=problems())
def list_pending(
    manage: CurrentManage, caller: CurrentCaller, asked: Annotated[PendingPaging, Query()]
) -> Response:
    """Orders that browsers reported: each reserves its price until it is approved, declined or too old."""
    return page(
        asked,
        lambda after, limit: manage.conversions.pending(caller.reach, asked.advertiser_id, after, limit),
        each(show_pending),
    )


@router.post("/{conversion_id}/approve", response_model=SettledAnswer, responses=problems(409, 503))
def approve(conversion_id: str, manage: CurrentManage, caller: CurrentCaller) -> Response:
    """Bill it. Approving twice is harmless."""
    key = key_from("cnv", conversion_id)
    found(manage.conversions.settle(caller.reach, key, approve=True, reason="approved"))
    return answer(SettledAnswer(id=conversion_id, status="taken"))


@router.post("/{conversion_id}/decline", response_model=SettledAnswer, responses=problems(409, 503))
def decline(conversion_id: str, body: DeclineBody, manage: CurrentManage, caller: CurrentCaller) -> Response:
    """Set its reserve free, with the reason, which the publisher may see."""
    key = key_from("cnv", conversion_id)
    found(manage.conversions.settle(caller.reach, key, approve=False, reason=body.reason))
    return answer(SettledAnswer(id=conversion_id, status="declined"))
