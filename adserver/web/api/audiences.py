"""/api/v1/audiences: who of an advertiser's visitors belongs together."""

from functools import partial
from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.domain.audience import Audience
from adserver.web.api.answers import Page, found, key_from, page, problems
from adserver.web.auth import ADVERTISERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.once import CurrentOnce, answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.audience_sizes import (
    OverlapAnswer,
    OverlapQuery,
    SizeAnswer,
    SizedAudienceAnswer,
    show_overlap,
    show_size,
    show_sized,
)
from adserver.web.schemas.audiences import (
    AudienceChange,
    AudienceDraft,
    AudienceList,
)

router = api_router("/audiences", tags=["audiences"], dependencies=[ADVERTISERS_ONLY])


def _show(flows: Flows, audience: Audience) -> SizedAudienceAnswer:
    return show_sized(audience, flows.audience_sizes.of_audience(audience))


@router.get("", response_model=Page[SizedAudienceAnswer], responses=problems())
def list_audiences(
    flows: CurrentFlows, caller: CurrentCaller, asked: Annotated[AudienceList, Query()]
) -> Response:
    """Sizes are those of the last count; one that was changed since has none yet."""
    return page(
        asked,
        lambda after, limit: flows.manage.audiences.audiences(
            caller.reach, asked.advertiser_id, after, limit
        ),
        lambda audiences: list(map(show_sized, audiences, flows.audience_sizes.of_audiences(audiences))),
    )


@router.post("", status_code=201, response_model=SizedAudienceAnswer, responses=problems(409))
def create_audience(
    draft: AudienceDraft, flows: CurrentFlows, caller: CurrentCaller, once: CurrentOnce
) -> Response:
    return once.create(
        lambda receipt_of: flows.manage.audiences.create(
            caller.reach, draft.audience(flows.manage.audiences.retention), receipt_of
        ),
        partial(_show, flows),
    )


@router.post("/preview", response_model=SizeAnswer, responses=problems())
def preview_audience(draft: AudienceDraft, flows: CurrentFlows, caller: CurrentCaller) -> Response:
    """Count whom such an audience would hold; nothing is saved."""
    wished = found(
        flows.manage.audiences.sound(caller.reach, draft.audience(flows.manage.audiences.retention))
    )
    return answer(show_size(flows.audience_sizes.preview(wished)))


@router.get("/{audience_id}", response_model=SizedAudienceAnswer, responses=problems())
def get_audience(audience_id: str, flows: CurrentFlows, caller: CurrentCaller) -> Response:
    """One audience, with how many visitors belong to it and how many of them may be reached."""
    key = key_from("aud", audience_id)
    return answer(_show(flows, found(flows.manage.audiences.audience(caller.reach, key))))


@router.get("/{audience_id}/overlap", response_model=OverlapAnswer, responses=problems())
def get_overlap(
    audience_id: str, flows: CurrentFlows, caller: CurrentCaller, asked: Annotated[OverlapQuery, Query()]
) -> Response:
    """How many visitors are in this audience and in another of the same advertiser."""
    one = found(flows.manage.audiences.audience(caller.reach, key_from("aud", audience_id)))
    other = found(flows.manage.audiences.audience(caller.reach, asked.other))
    if one.advertiser_key != other.advertiser_key:  # nobody learns whether two shops know the same people
        raise Problem("unknown_audience")
    return answer(show_overlap(flows.audience_sizes.overlap(one, other)))


@router.patch("/{audience_id}", response_model=SizedAudienceAnswer, responses=problems(409))
def change_audience(
    audience_id: str, change: AudienceChange, flows: CurrentFlows, caller: CurrentCaller
) -> Response:
    """Change who belongs to it from now on; `inclusions`, `exclusions` and `rules` are replaced whole."""
    key = key_from("aud", audience_id)
    return answer(_show(flows, found(flows.manage.audiences.change(caller.reach, key, change.edit))))
