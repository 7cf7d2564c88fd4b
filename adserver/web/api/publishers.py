"""/api/v1/publishers: accounts of those who lend places."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.web.api.answers import Page, each, found, key_from, page, problems
from adserver.web.auth import OPERATORS_ONLY, PUBLISHERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentManage
from adserver.web.once import CurrentOnce, answer
from adserver.web.routes import api_router
from adserver.web.schemas.accounts import PublisherAnswer, PublisherChange, PublisherDraft, show_publisher
from adserver.web.schemas.fields import Paging

router = api_router("/publishers", tags=["publishers"], dependencies=[PUBLISHERS_ONLY])


@router.get("", response_model=Page[PublisherAnswer], responses=problems())
def list_publishers(
    manage: CurrentManage, caller: CurrentCaller, paging: Annotated[Paging, Query()]
) -> Response:
    return page(
        paging,
        lambda after, limit: manage.accounts.publishers(caller.reach, after, limit),
        each(show_publisher),
    )


@router.post(
    "",
    status_code=201,
    response_model=PublisherAnswer,
    responses=problems(),
    dependencies=[OPERATORS_ONLY],
)
def open_publisher(
    draft: PublisherDraft, manage: CurrentManage, caller: CurrentCaller, once: CurrentOnce
) -> Response:
    """Open an account; the operator's to do."""
    return once.create(
        lambda receipt_of: manage.accounts.open_publisher(caller.reach, draft.publisher(), receipt_of),
        show_publisher,
    )


@router.get("/{publisher_id}", response_model=PublisherAnswer, responses=problems())
def get_publisher(publisher_id: str, manage: CurrentManage, caller: CurrentCaller) -> Response:
    key = key_from("pub", publisher_id)
    return answer(show_publisher(found(manage.accounts.publisher(caller.reach, key))))


@router.patch("/{publisher_id}", response_model=PublisherAnswer, responses=problems(409))
def change_publisher(
    publisher_id: str, change: PublisherChange, manage: CurrentManage, caller: CurrentCaller
) -> Response:
    """Change an account. `revenue_share_bps`: the operator only."""
    key = key_from("pub", publisher_id)
    return answer(show_publisher(found(manage.accounts.change_publisher(caller.reach, key, change.edit))))
