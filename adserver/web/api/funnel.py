"""/api/v1/advertisers/{id}/funnel: how far visitors come, by whom ads had reached, and where they leave."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.web.api.answers import found, key_from, problems
from adserver.web.auth import ADVERTISERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentFlows
from adserver.web.once import answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.funnel import FunnelAnswer, FunnelQuery, show_funnel

router = api_router(tags=["funnel"], dependencies=[ADVERTISERS_ONLY])


@router.get("/advertisers/{advertiser_id}/funnel", response_model=FunnelAnswer, responses=problems())
def report_funnel(
    advertiser_id: str,
    flows: CurrentFlows,
    caller: CurrentCaller,
    asked: Annotated[FunnelQuery, Query()],
) -> Response:
    """From a visit to the order, and from a form's beginning to its sending: visitors, events and exits."""
    advertiser = found(flows.manage.accounts.advertiser(caller.reach, key_from("adv", advertiser_id)))
    report = flows.funnel.report(advertiser.key, asked.first, asked.last)
    if report is None:
        raise Problem("bad_period")
    return answer(show_funnel(advertiser_id, report))
