"""/api/v1/slots/{id}/preview: what a slot shows whom, to look at before and after it stands on a page."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.domain.slot import Slot
from adserver.flows.preview import Shown
from adserver.flows.serve.try_slot import Eyes
from adserver.web.api.answers import found, key_from, problems
from adserver.web.auth import PUBLISHERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.routes import api_router
from creatives.formats import FORMATS

router = api_router("/slots", tags=["slots"], dependencies=[PUBLISHERS_ONLY])

_SANDBOX = "sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox; frame-ancestors 'self'"


@router.get(
    "/{slot_id}/preview",
    response_class=Response,
    responses={200: {"content": {"text/html": {}}}, **problems()},
)
def preview_slot(
    slot_id: str,
    flows: CurrentFlows,
    caller: CurrentCaller,
    eyes: Annotated[Eyes, Query(alias="as")] = Eyes.SHOPPER,
) -> Response:
    """The document that the slot would hold, for a `shopper`, a `stranger`, or `nobody`: there is no ad.

    Decided by the code that serves, as for a test visitor; nothing is counted or billed. `X-Slot` says
    whether it is an ad (`filled`) or the house's (`empty`).
    """
    slot = found(flows.manage.inventory.slot(caller.reach, key_from("slot", slot_id)))
    return seen_with(flows, slot, eyes)


def seen_with(flows: Flows, slot: Slot, eyes: Eyes) -> Response:
    """The slot's document as these eyes see it."""
    try_slot = flows.decisions.try_slot
    tried = try_slot.look(slot, eyes)
    if tried is None:
        house = try_slot.house(slot)
        body, policy = house.body, f"{house.content_security_policy}; {_SANDBOX}"
    else:
        shown = Shown(tried.look, tried.products)
        body, policy = flows.preview.document(shown, FORMATS[slot.format_name])
    headers = {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "origin",
        "Cache-Control": "no-store",
        "X-Slot": "empty" if tried is None else "filled",
    }
    return Response(body, media_type="text/html", headers=headers)
