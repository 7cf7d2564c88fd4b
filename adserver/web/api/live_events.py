"""/api/v1/advertisers/{id}/live-events: what comes in at a shop, as it comes in."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.web.api.answers import found, key_from, problems
from adserver.web.auth import ADVERTISERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentFlows
from adserver.web.once import answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.live_events import LiveAnswer, LiveAsked, show_looked

router = api_router(tags=["pixel"], dependencies=[ADVERTISERS_ONLY])


@router.get("/advertisers/{advertiser_id}/live-events", response_model=LiveAnswer, responses=problems(503))
def watch_live_events(
    advertiser_id: str,
    flows: CurrentFlows,
    caller: CurrentCaller,
    asked: Annotated[LiveAsked, Query()],
) -> Response:
    """What came in since somebody looked first, kept or refused and why. Ask again within five minutes.

    Nothing is noted of a shop at which nobody looks, and nothing at all of the visitor.
    """
    advertiser = found(flows.manage.accounts.advertiser(caller.reach, key_from("adv", advertiser_id)))
    looked = flows.live_view.look(advertiser, asked.after, asked.limit)
    if not looked.watched_until_ms:
        raise Problem("unrecorded")
    return answer(show_looked(looked))
