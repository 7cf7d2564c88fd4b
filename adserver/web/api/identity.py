"""/api/v1/.../identity: by what browsers were known, for how long, and what it costs where they were not."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.web.api.answers import found, key_from, problems
from adserver.web.auth import ADVERTISERS_ONLY, OPERATORS_ONLY, PUBLISHERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.once import answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.identity import (
    AdvertiserIdentity,
    NetworkIdentity,
    PeriodQuery,
    PublisherIdentity,
    show_pixel_identity,
    show_slot_identity,
)

router = api_router(tags=["identity"])

Asked = Annotated[PeriodQuery, Query()]


def _period(asked: PeriodQuery, flows: Flows) -> tuple[int, int]:
    period = asked.period(flows.manage.clock())
    if period is None:
        raise Problem("bad_period")
    return period


@router.get("/identity", response_model=NetworkIdentity, responses=problems(), dependencies=[OPERATORS_ONLY])
def identity_of_network(flows: CurrentFlows, asked: Asked) -> Response:
    """Of all advertisers' pages and all publishers' slots; the operator's."""
    since_ms, until_ms = _period(asked, flows)
    pixel = show_pixel_identity(flows.recognise.on_pages(since_ms, until_ms))
    slots = show_slot_identity(flows.recognise.in_slots(since_ms, until_ms))
    return answer(NetworkIdentity(**{"from": since_ms}, to=until_ms, pixel=pixel, slots=slots))


@router.get(
    "/advertisers/{advertiser_id}/identity",
    response_model=AdvertiserIdentity,
    responses=problems(),
    dependencies=[ADVERTISERS_ONLY],
)
def identity_of_advertiser(
    advertiser_id: str, flows: CurrentFlows, caller: CurrentCaller, asked: Asked
) -> Response:
    """Of an advertiser's own pages."""
    since_ms, until_ms = _period(asked, flows)
    advertiser = found(flows.manage.accounts.advertiser(caller.reach, key_from("adv", advertiser_id)))
    report = flows.recognise.on_pages(since_ms, until_ms, advertiser.key)
    return answer(AdvertiserIdentity(**{"from": since_ms}, to=until_ms, pixel=show_pixel_identity(report)))


@router.get(
    "/publishers/{publisher_id}/identity",
    response_model=PublisherIdentity,
    responses=problems(),
    dependencies=[PUBLISHERS_ONLY],
)
def identity_of_publisher(
    publisher_id: str, flows: CurrentFlows, caller: CurrentCaller, asked: Asked
) -> Response:
    """Of all slots of a publisher."""
    key = key_from("pub", publisher_id)
    return _of_slots(flows, asked, found(flows.manage.accounts.publisher(caller.reach, key)).key)


@router.get(
    "/slots/{slot_id}/identity",
    response_model=PublisherIdentity,
    responses=problems(),
    dependencies=[PUBLISHERS_ONLY],
)
def identity_of_slot(slot_id: str, flows: CurrentFlows, caller: CurrentCaller, asked: Asked) -> Response:
    slot = found(flows.manage.inventory.slot(caller.reach, key_from("slot", slot_id)))
    return _of_slots(flows, asked, slot.key)


def _of_slots(flows: Flows, asked: PeriodQuery, owner_key: int) -> Response:
    since_ms, until_ms = _period(asked, flows)
    report = flows.recognise.in_slots(since_ms, until_ms, owner_key)
    return answer(PublisherIdentity(**{"from": since_ms}, to=until_ms, slots=show_slot_identity(report)))
