"""/api/v1/advertisers/{id}/media: pictures and logos that an advertiser brings itself."""

import anyio
from fastapi import Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from adserver.flows.upload import Uploaded
from adserver.web.api.answers import found, key_from, problems
from adserver.web.auth import ADVERTISERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentFlows
from adserver.web.once import answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.creatives import UploadAnswer, show_upload

router = api_router("/advertisers/{advertiser_id}/media", tags=["creatives"], dependencies=[ADVERTISERS_ONLY])


@router.post(
    "",
    status_code=201,
    response_model=UploadAnswer,
    responses=problems(413),
    openapi_extra={"requestBody": {"content": {"image/*": {}}}},
)
async def upload_picture(
    advertiser_id: str, request: Request, flows: CurrentFlows, caller: CurrentCaller
) -> Response:
    """The body is a PNG, JPEG, GIF or WebP; `address` goes into a `brand` or a `message`.

    It is drawn anew, set on a plain ground, without plain borders. The same picture once more has the same
    address, so no Idempotency-Key is needed.
    """
    owner = key_from("adv", advertiser_id)
    found(await run_in_threadpool(flows.manage.accounts.advertiser, caller.reach, owner))
    body = await request.body()
    taken = await anyio.to_thread.run_sync(flows.upload.take, body, limiter=flows.upload_turns)
    if not isinstance(taken, Uploaded):
        raise Problem("picture_refused", reason=taken.value)
    return answer(show_upload(taken), 201)
