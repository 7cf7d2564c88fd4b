"""/api/v1/conversions: orders and leads told by an advertiser's own server, billed at once."""

from fastapi import APIRouter
from fastapi.responses import Response

from adserver.domain.attribution import may_have_occurred
from adserver.flows.bill import Credited
from adserver.web.api.answers import found, problems
from adserver.web.auth import ADVERTISERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentFlows
from adserver.web.once import CurrentOnce, answer
from adserver.web.problems import Problem
from adserver.web.schemas.conversions import ConversionAnswer, ConversionBody, show_credited
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
