"""/api/v1/publishers/{id}/advertisers: who wants to be on a publisher's pages, with what ads."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from adserver.flows.preview import NoPreview, Wish
from adserver.web.api.answers import Page, each, found, key_from, page, problems
from adserver.web.api.previews import drawn
from adserver.web.auth import PUBLISHERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentFlows, CurrentManage
from adserver.web.problems import Problem
from adserver.web.schemas.admissions import AskingAnswer, show_asking
from adserver.web.schemas.fields import Paging
from creatives.formats import FORMATS

router = APIRouter(prefix="/publishers", tags=["publishers"], dependencies=[PUBLISHERS_ONLY])


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
    responses={200: {"content": {"text/html": {}}}, **problems(409)},
)
def preview_asking(
    publisher_id: str, creative_id: str, name: str, flows: CurrentFlows, caller: CurrentCaller
) -> Response:
    """`{format}.html`, such as 300x250.html: how one of these ads looks; it reports to nobody."""
    format_name = name.removesuffix(".html")
    if format_name == name or format_name not in FORMATS:
        raise Problem("not_found")
    key, creative_key = key_from("pub", publisher_id), key_from("crv", creative_id)
    live, advertiser_key = found(flows.manage.inventory.admissions.creative(caller.reach, key, creative_key))
    shown = flows.preview.shown(live, advertiser_key, Wish())
    if isinstance(shown, NoPreview):
        raise Problem(shown.value)
    return drawn(flows.preview, shown, format_name, "html")
