"""Suspicious traffic, and earnings that are held because of it."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from fastapi.responses import Response

from adserver.domain.identity import read_id, write_id
from adserver.domain.payout_hold import PayoutHold
from adserver.domain.suspects import DAY_MS, Suspect
from adserver.flows.manage import Refused
from adserver.web.console.network import EVERYTHING, told
from adserver.web.console.network_words import reason_names
from adserver.web.console.owners import Id
from adserver.web.console.visit import OPERATORS_ONLY, CurrentVisit, Elsewhere, OwnForm, Visit, see
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.routes import page_router
from adserver.web.schemas.fields import Reason, Text
from adserver.web.schemas.payout_holds import show_held

TRAFFIC = "/console/network/traffic"
MOST_SHOWN = 20  # of each kind: the oddest
AT_ONCE = 500
REASON = Text(Reason)

router = page_router(TRAFFIC, dependencies=[OPERATORS_ONLY])


class Row(msgspec.Struct, frozen=True):
    """Somebody with suspect traffic; `most` is the highest of its days, for the bars."""

    id: str
    place: int  # among its kind, as the API lists them
    name: str
    suspect: Suspect
    most: int
    holdable: str  # the publisher whose earnings a hold would withhold; "" of a campaign
    since: str  # the day from which it would


@router.get("")
def traffic(flows: CurrentFlows, visit: CurrentVisit) -> Response:
    return _page(flows, visit, 200)


@router.post("/holds")
def place(flows: CurrentFlows, visit: CurrentVisit, form: OwnForm) -> Response:
    """Of a slot or of a whole publisher, from a day on."""
    publisher, slot = read_id("pub", form.get("publisher", "")), form.get("slot", "")
    since_ms, reason = _day(form.get("since", "")), REASON.read(form.get("reason", ""))
    if publisher is None or since_ms is None or reason is None:
        return _page(flows, visit, 422, no="bad_hold", form=form)
    hold = PayoutHold(
        key=0,
        publisher_key=publisher,
        slot_key=read_id("slot", slot) or 0 if slot else None,
        since_ms=since_ms,
        reason=reason,
        placed_ms=0,
    )
    placed = flows.manage.holds.place(EVERYTHING, hold)
    if isinstance(placed, Refused):
        return _page(flows, visit, 409, no=str(placed.reason), form=form)
    return see(f"{TRAFFIC}/holds/{write_id('hold', placed.key)}")


@router.get("/holds/{hold}")
def hold(hold: Id, flows: CurrentFlows, visit: CurrentVisit) -> Response:
    return _hold(flows, visit, hold, 200)


@router.post("/holds/{hold}/release")
def release(hold: Id, flows: CurrentFlows, visit: CurrentVisit, form: OwnForm) -> Response:
    return _ended(flows, visit, hold, flows.manage.holds.release(EVERYTHING, read_id("hold", hold) or 0))


@router.post("/holds/{hold}/refund")
def refund(hold: Id, flows: CurrentFlows, visit: CurrentVisit, form: OwnForm) -> Response:
    """Only with the tick that says so: it moves money, and nothing takes it back."""
    if "sure" not in form:
        return _hold(flows, visit, hold, 422, no="not_sure")
    return _ended(flows, visit, hold, flows.manage.holds.refund(EVERYTHING, read_id("hold", hold) or 0))


def _ended(flows: Flows, visit: Visit, hold: str, done: object) -> Response:
    if isinstance(done, Refused):
        return _hold(flows, visit, hold, 409, no=str(done.reason))
    return see(f"{TRAFFIC}/holds/{hold}")


def _hold(flows: Flows, visit: Visit, id_: str, status: int, **words: object) -> Response:
    found = flows.manage.holds.hold(EVERYTHING, read_id("hold", id_) or 0)
    if isinstance(found, Refused):
        raise Elsewhere(TRAFFIC)
    about = {
        "hold": found,
        "held": show_held(flows.manage.holds.withheld(found)),
        "name": _publisher_name(flows, found.publisher_key),
        "publisher": write_id("pub", found.publisher_key),
        "slot": "" if found.slot_key is None else _slot_name(flows, found.slot_key)[0],
    }
    return visit.page("network_hold.html", status=status, **told(visit, flows) | about | words)


def _page(flows: Flows, visit: Visit, status: int, **words: object) -> Response:
    found = flows.operations.suspects.report()
    campaigns = [
        _row("cmp", at, one, _campaign_name(flows, one.owner_key), "")
        for at, one in enumerate(found.campaigns[:MOST_SHOWN])
    ]
    slots = [
        _row("slot", at, one, *_slot_name(flows, one.owner_key))
        for at, one in enumerate(found.slots[:MOST_SHOWN])
    ]
    publishers = [
        _row("pub", at, one, _publisher_name(flows, one.owner_key), write_id("pub", one.owner_key))
        for at, one in enumerate(found.publishers[:MOST_SHOWN])
    ]
    about: dict[str, Any] = {
        "tables": {"publishers": publishers, "slots": slots, "campaigns": campaigns},
        "reasons": reason_names(visit.language),
        "holds": [(write_id("hold", one.key), one, _publisher_name(flows, one.publisher_key))
                  for one in _holds(flows)],
        "everybody": [(write_id("pub", one.key), one.name) for one in _publishers(flows)],
        "form": {},
    }  # fmt: skip
    return visit.page("network_traffic.html", status=status, **told(visit, flows) | about | words)


def _row(prefix: str, place: int, suspect: Suspect, name: str, holdable: str) -> Row:
    odd = [*suspect.much_suspect, *suspect.many_clicks]
    since = datetime.fromtimestamp(min(odd, default=suspect.days[0].start_ms) / 1000, UTC)
    most = max(day.suspect for day in suspect.days) or 1
    id_ = write_id(prefix, suspect.owner_key)
    return Row(id_, place, name, suspect, most, holdable, since.date().isoformat())


def _day(text: str) -> int | None:
    try:
        at = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    at_ms = int(at.timestamp()) * 1000
    return at_ms if at_ms >= DAY_MS else None


def _campaign_name(flows: Flows, key: int) -> str:
    found = flows.manage.campaigns.campaign(EVERYTHING, key)
    return "" if isinstance(found, Refused) else found.name


def _slot_name(flows: Flows, key: int) -> tuple[str, str]:
    """With its site's; and the publisher's id."""
    inventory = flows.manage.inventory
    slot = inventory.slot(EVERYTHING, key)
    site = slot if isinstance(slot, Refused) else inventory.site(EVERYTHING, slot.site_key)
    if isinstance(slot, Refused) or isinstance(site, Refused):
        return "", ""
    return f"{site.name} · {slot.name}", write_id("pub", site.publisher_key)


def _publisher_name(flows: Flows, key: int) -> str:
    found = flows.manage.accounts.publisher(EVERYTHING, key)
    return "" if isinstance(found, Refused) else found.name


def _publishers(flows: Flows) -> list[Any]:
    found: list[Any] = []
    while page := flows.manage.accounts.publishers(EVERYTHING, found[-1].key if found else -1, AT_ONCE):
        found += page
    return found


def _holds(flows: Flows) -> list[PayoutHold]:
    """Open ones first, then the newest."""
    found: list[PayoutHold] = []
    while page := flows.manage.holds.holds(EVERYTHING, None, found[-1].key if found else -1, AT_ONCE):
        if isinstance(page, Refused):
            raise Elsewhere(TRAFFIC)
        found += page
    return sorted(found, key=lambda one: (not one.is_open, -one.placed_ms))
