"""/api/v1/advertisers/{id}/consents: what a visitor of the shop agreed to, when, and what ended it."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.web.api.answers import found, key_from, problems
from adserver.web.auth import ADVERTISERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentFlows
from adserver.web.once import answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.consents import ConsentsAnswer, show_consents

router = api_router(tags=["pixel"], dependencies=[ADVERTISERS_ONLY])


@router.get("/advertisers/{advertiser_id}/consents", response_model=ConsentsAnswer, responses=problems())
def prove_consents(
    advertiser_id: str,
    visitor: Annotated[str, Query(description="the id that `GET /m/id` told the shop's page")],
    flows: CurrentFlows,
    caller: CurrentCaller,
) -> Response:
    """Proofs of a visitor's consent, also of one who was erased; `not_found` for an id of another's."""
    advertiser = found(flows.manage.accounts.advertiser(caller.reach, key_from("adv", advertiser_id)))
    records = flows.consents.given(advertiser.key, visitor)
    if records is None:
        raise Problem("not_found")
    return answer(show_consents(records))
