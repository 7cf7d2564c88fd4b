"""/api/v1/advertisers/{id}/webhook: how an advertiser's own server is told, and whether it was."""

import anyio
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from adserver.domain.campaign import Advertiser
from adserver.web.api.answers import found, key_from, problems
from adserver.web.auth import ADVERTISERS_ONLY, Caller, CurrentCaller
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.once import answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.webhooks import PingAnswer, WebhookAnswer, show_ping, show_webhook

MOST_RECENT = 50

router = api_router(
    "/advertisers/{advertiser_id}/webhook", tags=["webhooks"], dependencies=[ADVERTISERS_ONLY]
)


@router.get("", response_model=WebhookAnswer, responses=problems())
def get_webhook(advertiser_id: str, flows: CurrentFlows, caller: CurrentCaller) -> Response:
    """The secret for checking signatures, and the last 50 notices with what became of each."""
    advertiser = _advertiser(flows, caller, advertiser_id)
    recent = flows.notify.recent(advertiser.key, MOST_RECENT)
    return answer(show_webhook(advertiser, flows.notify.secret(advertiser.key), recent))


@router.post("/test", response_model=PingAnswer, responses=problems(409))
async def ping_webhook(advertiser_id: str, flows: CurrentFlows, caller: CurrentCaller) -> Response:
    """Post a `ping` to `webhook_url`, and say what came back. It is neither kept nor tried again."""
    advertiser = await run_in_threadpool(_advertiser, flows, caller, advertiser_id)
    delivery = await anyio.to_thread.run_sync(flows.notify.ping, advertiser, limiter=flows.ping_turns)
    if delivery is None:
        raise Problem("no_webhook")
    return answer(show_ping(delivery))


def _advertiser(flows: Flows, caller: Caller, advertiser_id: str) -> Advertiser:
    return found(flows.manage.accounts.advertiser(caller.reach, key_from("adv", advertiser_id)))
