"""/api/v1/sites: publishers' pages."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.web.api.answers import Page, each, found, key_from, page, problems
from adserver.web.auth import PUBLISHERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentManage
from adserver.web.once import CurrentOnce, answer
from adserver.web.routes import api_router
from adserver.web.schemas.inventory import SiteAnswer, SiteChange, SiteDraft, SiteList, show_site

router = api_router("/sites", tags=["sites"], dependencies=[PUBLISHERS_ONLY])


@router.get("", response_model=Page[SiteAnswer], responses=problems())
def list_sites(manage: CurrentManage, caller: CurrentCaller, asked: Annotated[SiteList, Query()]) -> Response:
    return page(
        asked,
        lambda after, limit: manage.inventory.sites(caller.reach, asked.publisher_id, after, limit),
        each(show_site),
    )


@router.post("", status_code=201, response_model=SiteAnswer, responses=problems())
def create_site(
    draft: SiteDraft, manage: CurrentManage, caller: CurrentCaller, once: CurrentOnce
) -> Response:
    return once.create(
        lambda receipt_of: manage.inventory.create_site(caller.reach, draft.site(), receipt_of), show_site
    )


@router.get("/{site_id}", response_model=SiteAnswer, responses=problems())
def get_site(site_id: str, manage: CurrentManage, caller: CurrentCaller) -> Response:
    return answer(show_site(found(manage.inventory.site(caller.reach, key_from("site", site_id)))))


@router.patch("/{site_id}", response_model=SiteAnswer, responses=problems(409))
def change_site(site_id: str, change: SiteChange, manage: CurrentManage, caller: CurrentCaller) -> Response:
    """Change a site. `consent_hold`: the operator only."""
    key = key_from("site", site_id)
    return answer(show_site(found(manage.inventory.change_site(caller.reach, key, change.edit))))
