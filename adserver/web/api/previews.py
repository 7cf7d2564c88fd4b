"""/api/v1/creatives/{id}/preview: how a creative looks in every size, before anybody is shown it."""

from collections.abc import Callable
from typing import Annotated

import anyio
from fastapi import Query
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from adserver.flows.preview import NoPreview, Preview, Shown
from adserver.ports import FrameNotDrawn
from adserver.web.api.answers import found, key_from, problems
from adserver.web.auth import ADVERTISERS_ONLY, Caller, CurrentCaller
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.once import answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.previews import PreviewAnswer, PreviewWish, show_preview
from creatives.formats import FORMATS

router = api_router("/creatives", tags=["creatives"], dependencies=[ADVERTISERS_ONLY])

SHEET = "sheet.png"
_TYPES = {"gif": "image/gif", "png": "image/png"}


@router.get("/{creative_id}/preview", response_model=PreviewAnswer, responses=problems(409, 503))
async def list_previews(
    creative_id: str, flows: CurrentFlows, caller: CurrentCaller, wish: Annotated[PreviewWish, Query()]
) -> Response:
    """What there is to look at, of which products, and what could not be drawn for want of a font."""
    shown = await run_in_threadpool(_shown, flows, caller, creative_id, wish)
    try:
        undrawn = await anyio.to_thread.run_sync(flows.preview.undrawn, shown, limiter=flows.preview_turns)
    except FrameNotDrawn:
        raise Problem("not_drawn") from None
    return answer(show_preview(creative_id, shown, undrawn))


@router.get(
    "/{creative_id}/preview/{name}",
    response_class=Response,
    responses={200: {"content": {"image/gif": {}, "image/png": {}, "text/html": {}}}, **problems(409, 503)},
)
async def get_preview(
    creative_id: str,
    name: str,
    flows: CurrentFlows,
    caller: CurrentCaller,
    wish: Annotated[PreviewWish, Query()],
) -> Response:
    """`{format}.html`, `.gif` or `.png`, such as 300x250.gif; or `sheet.png`: all sizes in one picture.

    It is what a slot would send, except that it reports to nobody, and that cards lead to their products.
    """
    return await pictured(flows, lambda: _shown(flows, caller, creative_id, wish), name)


async def pictured(flows: Flows, shown_of: Callable[[], Shown], name: str) -> Response:
    """What is shown, as the file that `name` asks for."""
    format_name, _, kind = name.rpartition(".")
    if name != SHEET and (format_name not in FORMATS or kind not in ("html", *_TYPES)):
        raise Problem("not_found")
    shown = await run_in_threadpool(shown_of)
    try:
        return await anyio.to_thread.run_sync(
            drawn, flows.preview, shown, format_name, kind, limiter=flows.preview_turns
        )
    except FrameNotDrawn:
        raise Problem("not_drawn") from None


def _shown(flows: Flows, caller: Caller, creative_id: str, wish: PreviewWish) -> Shown:
    creative = found(flows.manage.campaigns.creative(caller.reach, key_from("crv", creative_id)))
    campaign = found(flows.manage.campaigns.campaign(caller.reach, creative.campaign_key))
    shown = flows.preview.shown(creative, campaign.advertiser_key, wish.wish())
    if isinstance(shown, NoPreview):
        raise Problem(shown.value)
    return shown


def drawn(preview: Preview, shown: Shown, format_name: str, kind: str) -> Response:
    """In one size, or as the sheet of all where the size is none."""
    if format_name not in FORMATS:
        return Response(preview.sheet(shown), media_type="image/png")
    format_ = FORMATS[format_name]
    if kind in _TYPES:
        return Response(preview.picture(shown, format_, kind), media_type=_TYPES[kind])
    document = preview.document(shown, format_)
    headers = {"Content-Security-Policy": document.content_security_policy, "Referrer-Policy": "origin"}
    return Response(document.body, media_type="text/html", headers=headers)
