"""/api/v1/advertisers/{id}/arrivals: how many clicks landed, how soon, and who was gone again at once."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.web.api.answers import found, key_from, problems, sheet_of
from adserver.web.auth import ADVERTISERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentFlows
from adserver.web.once import answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.arrivals import (
    ArrivalRowAnswer,
    ArrivalsAnswer,
    ArrivalsQuery,
    show_arrivals,
    show_row,
)

router = api_router(tags=["arrivals"], dependencies=[ADVERTISERS_ONLY])


@router.get("/advertisers/{advertiser_id}/arrivals", response_model=ArrivalsAnswer, responses=problems())
def report_arrivals(
    advertiser_id: str,
    flows: CurrentFlows,
    caller: CurrentCaller,
    asked: Annotated[ArrivalsQuery, Query()],
) -> Response:
    """What became of a period's clicks, by campaign, landing page, day or site; `format=csv` has the rows."""
    advertiser = found(flows.manage.accounts.advertiser(caller.reach, key_from("adv", advertiser_id)))
    report = flows.arrivals.report(advertiser, asked.first, asked.last, asked.group_by)
    if report is None:
        raise Problem("bad_period")
    if asked.format == "csv":
        return sheet_of(ArrivalRowAnswer, [map(show_row, report.rows)], f"{advertiser_id}-arrivals")
    return answer(show_arrivals(advertiser_id, report, asked.group_by))
