"""A publisher's sites with their slots: listed, added, and changed."""

from collections.abc import Mapping
from typing import Any

from fastapi.responses import Response
from pydantic import ValidationError

from adserver.domain.identity import read_id, write_id
from adserver.domain.slot import Publisher, Site, Slot
from adserver.domain.statement import month_with
from adserver.flows.manage import Refused
from adserver.web.console.owners import Id, publisher_of, reach_of
from adserver.web.console.publisher_words import name_of, no_in_words, written
from adserver.web.console.visit import CurrentDesk, CurrentVisit, Desk, Elsewhere, OwnForm, Visit, see
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.routes import page_router
from adserver.web.schemas.earnings import show_earnings
from adserver.web.schemas.inventory import SiteChange, SiteDraft, show_site

AT_ONCE = 500
LISTS = ("domains", "categories", "click_prefixes", "blocked_categories", "blocked_advertisers")

router = page_router("/console/publisher/{publisher}")


@router.get("/sites")
def sites(publisher: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows) -> Response:
    owner = publisher_of(desk, visit, publisher)
    found = sites_of(flows, owner)
    return visit.page(
        "sites.html",
        publisher=owner,
        root=root_of(owner),
        sites=[(write_id("site", one.key), one, _slots(flows, owner, one)) for one in found],
        **this_month(flows, desk, owner),
        **written(visit.language),
    )


@router.get("/sites/new")
def new_site(publisher: Id, desk: CurrentDesk, visit: CurrentVisit) -> Response:
    return _page(visit, publisher_of(desk, visit, publisher), None, {}, 200)


@router.post("/sites")
def create_site(
    publisher: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, form: OwnForm
) -> Response:
    owner = publisher_of(desk, visit, publisher)
    try:
        draft = SiteDraft.model_validate({"publisher_id": write_id("pub", owner.key), **_wish(form)})
    except ValidationError as flaw:
        return _page(visit, owner, None, form, 422, name_of(flaw))
    made = flows.manage.inventory.create_site(reach_of(owner), draft.site())
    if isinstance(made, Refused):
        return _page(visit, owner, None, form, 422, name_of(made))
    return see(f"{root_of(owner)}/sites/{write_id('site', made.key)}/slots/new", "made")


@router.get("/sites/{site}")
def edit_site(
    publisher: Id, site: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows
) -> Response:
    owner = publisher_of(desk, visit, publisher)
    return _page(visit, owner, site_of(flows, owner, site), {}, 200)


@router.post("/sites/{site}")
def change_site(
    publisher: Id, site: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, form: OwnForm
) -> Response:
    owner = publisher_of(desk, visit, publisher)
    known = site_of(flows, owner, site)
    try:
        change = SiteChange.model_validate(_wish(form))
    except ValidationError as flaw:
        return _page(visit, owner, known, form, 422, name_of(flaw))
    changed = flows.manage.inventory.change_site(reach_of(owner), known.key, change.edit)
    if isinstance(changed, Refused):
        return _page(visit, owner, known, form, 422, name_of(changed))
    return see(f"{root_of(owner)}/sites", "saved")


def root_of(publisher: Publisher) -> str:
    return f"/console/publisher/{write_id('pub', publisher.key)}"


def sites_of(flows: Flows, publisher: Publisher) -> list[Site]:
    found = flows.manage.inventory.sites(reach_of(publisher), publisher.key, -1, AT_ONCE)
    return [] if isinstance(found, Refused) else found


def site_of(flows: Flows, publisher: Publisher, site: str) -> Site:
    """One of the publisher's own; whoever asks for another's is sent to the list."""
    found = flows.manage.inventory.site(reach_of(publisher), read_id("site", site) or 0)
    if isinstance(found, Refused) or found.publisher_key != publisher.key:
        raise Elsewhere(f"{root_of(publisher)}/sites")
    return found


def lines_of(text: str) -> list[str]:
    """What was typed, a line each."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def this_month(flows: Flows, desk: Desk, publisher: Publisher) -> dict[str, Any]:
    """What the API tells of the month so far, where it tells it, and each slot's place in that."""
    zone = flows.books.publishers.timezone
    span = month_with(desk.clock(), zone)
    told = show_earnings(publisher, flows.books.earnings.month(publisher, span.year, span.number), zone)
    return {
        "month": told,
        "month_api": f"/api/v1/publishers/{told.publisher_id}/earnings/{told.month}",
        "slot_months": {one.slot_id: (place, one) for place, one in enumerate(told.slots)},
    }


def _slots(flows: Flows, publisher: Publisher, site: Site) -> list[tuple[str, Slot]]:
    found = flows.manage.inventory.slots(reach_of(publisher), site.key, -1, AT_ONCE)
    return [] if isinstance(found, Refused) else [(write_id("slot", one.key), one) for one in found]


def _wish(form: Mapping[str, str]) -> dict[str, Any]:
    lists = {name: lines_of(form.get(name, "")) for name in LISTS}
    return {"name": form.get("name", ""), **lists}


def _page(
    visit: Visit, publisher: Publisher, site: Site | None, form: Mapping[str, str], status: int, no: str = ""
) -> Response:
    """The form, as it was filled in where it was refused."""
    known = {} if site is None else show_site(site).model_dump(include={"name", *LISTS})
    filled = {name: "\n".join(known.get(name, [])) for name in LISTS} | {"name": known.get("name", "")}
    return visit.page(
        "site.html",
        status=status,
        publisher=publisher,
        root=root_of(publisher),
        site=site,
        site_id="" if site is None else write_id("site", site.key),
        typed=filled | {name: form[name] for name in filled if name in form},
        no=no,
        no_words=no_in_words(no, visit.language) if no else "",
    )
