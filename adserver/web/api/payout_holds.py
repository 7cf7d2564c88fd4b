"""/api/v1/payout-holds: earnings that are withheld while their traffic is looked into."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.web.api.answers import Page, each, found, key_from, page, problems
from adserver.web.auth import OPERATORS_ONLY, PUBLISHERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentManage
from adserver.web.once import CurrentOnce, answer
from adserver.web.routes import api_router
from adserver.web.schemas.payout_holds import (
    HeldAnswer,
    HoldAnswer,
    HoldDraft,
    HoldList,
    show_held,
    show_hold,
)

router = api_router("/payout-holds", tags=["payout holds"], dependencies=[PUBLISHERS_ONLY])


@router.get("", response_model=Page[HoldAnswer], responses=problems())
def list_holds(manage: CurrentManage, caller: CurrentCaller, asked: Annotated[HoldList, Query()]) -> Response:
    """A publisher's, or everybody's for the operator."""
    publisher_key = asked.publisher_id
    if publisher_key is None and not caller.reach.is_operator:
        publisher_key = caller.reach.owner_key
    return page(
        asked,
        lambda after, limit: manage.holds.holds(caller.reach, publisher_key, after, limit),
        each(show_hold),
    )


@router.post(
    "",
    status_code=201,
    response_model=HoldAnswer,
    responses=problems(409),
    dependencies=[OPERATORS_ONLY],
)
def place_hold(draft: HoldDraft, manage: CurrentManage, caller: CurrentCaller, once: CurrentOnce) -> Response:
    """Withhold what was earned in a time from statements that are not closed; the operator's to do."""
    return once.create(
        lambda receipt_of: manage.holds.place(caller.reach, draft.hold(), receipt_of), show_hold
    )


@router.get("/{hold_id}", response_model=HeldAnswer, responses=problems())
def get_hold(hold_id: str, manage: CurrentManage, caller: CurrentCaller) -> Response:
    """With how much it withholds, and what a refund of it would give back."""
    hold = found(manage.holds.hold(caller.reach, key_from("hold", hold_id)))
    return answer(show_held(manage.holds.withheld(hold)))


@router.post(
    "/{hold_id}/release", response_model=HoldAnswer, responses=problems(409), dependencies=[OPERATORS_ONLY]
)
def release_hold(hold_id: str, manage: CurrentManage, caller: CurrentCaller) -> Response:
    """The publisher is paid after all, with this month's statement."""
    return answer(show_hold(found(manage.holds.release(caller.reach, key_from("hold", hold_id)))))


@router.post(
    "/{hold_id}/refund", response_model=HeldAnswer, responses=problems(409), dependencies=[OPERATORS_ONLY]
)
def refund_hold(hold_id: str, manage: CurrentManage, caller: CurrentCaller) -> Response:
    """Give every charge under it back to the advertisers; again where it was interrupted, without harm."""
    return answer(show_held(found(manage.holds.refund(caller.reach, key_from("hold", hold_id)))))
