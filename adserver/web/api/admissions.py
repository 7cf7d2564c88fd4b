"""/api/v1/publishers/{id}/advertisers: who wants to be on a publisher's pages, with what ads."""

from functools import partial
from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.flows.preview import NoPreview, Shown, Wish
from adserver.web.api.answers import Page, each, found, key_from, page, problems
from adserver.web.api.previews import pictured
from adserver.web.auth import PUBLISHERS_ONLY, Caller, CurrentCaller
from adserver.web.flows import CurrentFlows, CurrentManage, Flows
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.admissions import AskingAnswer, show_asking
from adserver.web.schemas.fields import Paging

router = api_router("/publishers", tags=["publishers"], dependencies=[PUBLISHERS_ONLY])


@router.get("/{publisher_id}/advertisers", response_model=Page[AskingAnswer], responses=problems())
def list_asking(
    publisher_id: str, manage: CurrentManage, caller: CurrentCaller, paging: Annotated[Paging, Query()]
) -> Response:
    """Advertisers whose ads are shown now, and how each stands with you; say yes or no by your blocks."""
    key = key_from("pub", publisher_id)
    return page(
        paging,
        lambda after, limit: manage.inventory.admissions.asking(caller.reach, key, after, limit),
        each(partial(show_asking, publisher_id)),
    )


@router.get(
    "/{publisher_id}/creatives/{creative_id}/preview/{name}",
    response_class=Response,
    responses={200: {"content": {"image/gif": {}, "image/png": {}, "text/html": {}}}, **problems(409, 503)},
)
async def preview_asking(
    publisher_id: str, creative_id: str, name: str, flows: CurrentFlows, caller: CurrentCaller
) -> Response:
    """How one of these ads looks: `300x250.html`, `.gif`, `.png`, ..., or `sheet.png`."""
    return await pictured(flows, lambda: _shown(flows, caller, publisher_id, creative_id), name)


def _shown(flows: Flows, caller: Caller, publisher_id: str, creative_id: str) -> Shown:
    key, creative_key = key_from("pub", publisher_id), key_from("crv", creative_id)
    asked = flows.manage.inventory.admissions.creative(caller.reach, key, creative_key)
    live, advertiser_key = found(asked)
    shown = flows.preview.shown(live, advertiser_key, Wish())
    if isinstance(shown, NoPreview):
        raise Problem(shown.value)
    return shown
