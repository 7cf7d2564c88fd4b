"""/api/v1/conversions: orders told by the advertiser's own server, and its word on those of browsers."""

from typing import Annotated

from fastapi import Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from adserver.domain.attribution import may_have_occurred
from adserver.flows.convert import credited
from adserver.flows.manage import Manage, Refused
from adserver.web.api.answers import Page, each, found, key_from, known, page, problems
from adserver.web.auth import ADVERTISERS_ONLY, Caller, CurrentCaller
from adserver.web.flows import CurrentFlows, CurrentManage
from adserver.web.once import CurrentOnce, answer
from adserver.web.problems import Problem, refuse
from adserver.web.routes import api_router
from adserver.web.schemas.conversions import (
    CANCELLED,
    CancelAnswer,
    CancelBody,
    ConversionAnswer,
    ConversionBody,
    DeclineBody,
    PendingAnswer,
    PendingPaging,
    SettledAnswer,
    show_cancelled,
    show_credited,
    show_pending,
)
from adserver.web.schemas.settlements import (
    BadFile,
    FileAnswer,
    SettleQuery,
    answer_rows,
    read_rows,
    wishes_of,
)
from adserver.writes import Answered, Outcome, Receipt

router = api_router("/conversions", tags=["conversions"], dependencies=[ADVERTISERS_ONLY])


@router.post("", response_model=ConversionAnswer, responses=problems(400, 503))
def report_conversion(
    body: ConversionBody, flows: CurrentFlows, caller: CurrentCaller, once: CurrentOnce
) -> Response:
    """Report an order or lead once; the answer says which campaign was credited, or why none."""

    def submit(receipt: Receipt) -> Outcome:
        found(flows.manage.accounts.advertiser(caller.reach, body.advertiser_id))
        now_ms = flows.manage.clock()
        visitor_key = known(flows.relay.visitor(body.advertiser_id, body.visitor, body.rtclid))
        order = body.order(now_ms, visitor_key)
        if not may_have_occurred(order.occurred_at_ms, now_ms):
            raise Problem("occurred_at_out_of_range")
        return flows.convert.convert(order, receipt).outcome

    return once.settle(submit, _credited)


def _credited(answered: Answered) -> Response:
    return answer(show_credited(credited(answered.outcome, answered.context)))


@router.post("/cancel", response_model=CancelAnswer, responses=problems(400, 409, 503))
def cancel(body: CancelBody, flows: CurrentFlows, caller: CurrentCaller, once: CurrentOnce) -> Response:
    """Take an order or lead back, as a whole or some of its goods: declined while it waits, else refunded.

    A price in basis points falls with each return; a fixed one is given back with the whole order.
    """

    def submit(receipt: Receipt) -> Outcome:
        found(flows.manage.accounts.advertiser(caller.reach, body.advertiser_id))
        return flows.convert.cancel(body.cancellation(), receipt)

    return once.settle(submit, _cancelled)


def _cancelled(answered: Answered) -> Response:
    if answered.outcome.result not in CANCELLED:
        raise refuse(Refused(answered.outcome.result, answered.outcome.figure))
    return answer(show_cancelled(answered.outcome))


@router.post(
    "/settle",
    response_model=FileAnswer,
    responses=problems(413),
    openapi_extra={"requestBody": {"content": {"text/csv": {}}}},
)
async def settle_file(
    asked: Annotated[SettleQuery, Query()], request: Request, manage: CurrentManage, caller: CurrentCaller
) -> Response:
    """Approve and decline what is pending, by a file; each row is answered on its own.

    The same file once more is answered the same, so no Idempotency-Key is needed.
    """
    body = await request.body()
    return await run_in_threadpool(_settle_file, manage, caller, asked.advertiser_id, body)


def _settle_file(manage: Manage, caller: Caller, advertiser_key: int, body: bytes) -> Response:
    found(manage.accounts.advertiser(caller.reach, advertiser_key))
    rows = read_rows(body)
    if isinstance(rows, BadFile):
        raise Problem(rows.code, line=rows.line)
    settled = found(manage.conversions.settle_many(caller.reach, advertiser_key, wishes_of(rows)))
    return answer(answer_rows(rows, settled))


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
