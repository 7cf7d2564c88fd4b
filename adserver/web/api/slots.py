"""/api/v1/slots: places on publishers' pages, and the codes to paste there."""

from functools import partial
from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.domain.slot import Slot
from adserver.web.api.answers import Page, each, found, key_from, page, problems
from adserver.web.auth import PUBLISHERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.once import CurrentOnce, answer
from adserver.web.routes import api_router
from adserver.web.schemas.inventory import SlotAnswer, SlotChange, SlotDraft, SlotList, show_slot

router = api_router("/slots", tags=["slots"], dependencies=[PUBLISHERS_ONLY])


def _show(flows: Flows, slot: Slot) -> SlotAnswer:
    return show_slot(slot, flows.base_url, flows.tcf_vendor_id)


@router.get("", response_model=Page[SlotAnswer], responses=problems())
def list_slots(flows: CurrentFlows, caller: CurrentCaller, asked: Annotated[SlotList, Query()]) -> Response:
    return page(
        asked,
        lambda after, limit: flows.manage.inventory.slots(caller.reach, asked.site_id, after, limit),
        each(partial(_show, flows)),
    )


@router.post("", status_code=201, response_model=SlotAnswer, responses=problems())
def create_slot(draft: SlotDraft, flows: CurrentFlows, caller: CurrentCaller, once: CurrentOnce) -> Response:
    return once.create(
        lambda receipt_of: flows.manage.inventory.create_slot(caller.reach, draft.slot(), receipt_of),
        partial(_show, flows),
    )


@router.get("/{slot_id}", response_model=SlotAnswer, responses=problems())
def get_slot(slot_id: str, flows: CurrentFlows, caller: CurrentCaller) -> Response:
    return answer(_show(flows, found(flows.manage.inventory.slot(caller.reach, key_from("slot", slot_id)))))


@router.patch("/{slot_id}", response_model=SlotAnswer, responses=problems(409))
def change_slot(slot_id: str, change: SlotChange, flows: CurrentFlows, caller: CurrentCaller) -> Response:
    key = key_from("slot", slot_id)
    return answer(_show(flows, found(flows.manage.inventory.change_slot(caller.reach, key, change.edit))))
