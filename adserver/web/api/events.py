"""/api/v1/events: what a merchant's own server tells of its visitors."""

from fastapi import Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from adserver.web.api.answers import found, problems
from adserver.web.auth import ADVERTISERS_ONLY, Caller, CurrentCaller
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.once import answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.events import EventsAnswer, EventsBody, read_events, show_told

_BODY = {"requestBody": {"content": {"application/json": {"schema": EventsBody.model_json_schema()}}}}

router = api_router(tags=["events"], dependencies=[ADVERTISERS_ONLY])


@router.post("/events", response_model=EventsAnswer, responses=problems(413), openapi_extra=_BODY)
async def tell_events(request: Request, flows: CurrentFlows, caller: CurrentCaller) -> Response:
    """Up to 1,000 events, each answered on its own; told again, they are duplicates."""
    body = await request.body()
    return await run_in_threadpool(_tell, flows, caller, body)


def _tell(flows: Flows, caller: Caller, body: bytes) -> Response:
    letter = read_events(body)
    key = caller.reach.owner_key if letter.advertiser_id is None else letter.advertiser_id
    if key is None:
        flaw = {"field": "advertiser_id", "code": "missing", "message": "an operator's key has no advertiser"}
        raise Problem("invalid_request", errors=[flaw])
    advertiser = found(flows.manage.accounts.advertiser(caller.reach, key))
    return answer(show_told(flows.relay.hear(advertiser, letter.events, letter.consent)))
