"""/api/v1/offers: a shop asks what a code is worth, and says which order was made with it."""

from fastapi.responses import Response

from adserver.flows.redeem import Judged
from adserver.web.api.answers import found, problems
from adserver.web.auth import ADVERTISERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentFlows
from adserver.web.once import answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.offers import CheckBody, JudgedAnswer, RedeemBody, show_judged

router = api_router("/offers", tags=["offers"], dependencies=[ADVERTISERS_ONLY])


@router.post("/check", response_model=JudgedAnswer, responses=problems())
def check_code(body: CheckBody, flows: CurrentFlows, caller: CurrentCaller) -> Response:
    """What a code is worth now to a shopper who came by this click; nothing is changed."""
    found(flows.manage.accounts.advertiser(caller.reach, body.advertiser_id))
    return answer(show_judged(flows.redeem.check(body.advertiser_id, body.code, body.rtclid)))


@router.post("/redeem", response_model=JudgedAnswer, responses=problems(503))
def redeem_code(body: RedeemBody, flows: CurrentFlows, caller: CurrentCaller) -> Response:
    """Bind a code to the order that was made with it, once; the same order is answered the same."""
    found(flows.manage.accounts.advertiser(caller.reach, body.advertiser_id))
    judged = flows.redeem.redeem(body.advertiser_id, body.code, body.order_id, body.rtclid)
    if not isinstance(judged, Judged):
        raise Problem("unrecorded")
    return answer(show_judged(judged))
