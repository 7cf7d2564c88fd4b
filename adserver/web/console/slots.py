"""A slot: how it looks to whom, the codes to paste, and what may stand there."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from fastapi import Query
from fastapi.responses import Response
from msgspec.structs import replace
from pydantic import ValidationError

from adserver.domain.identity import read_id, write_id
from adserver.domain.slot import OnEmpty, Publisher, Site, Slot
from adserver.flows.manage import Refused
from adserver.flows.serve.try_slot import Eyes
from adserver.web.api.slot_trials import seen_with
from adserver.web.console.figures import BadAmount, amount_of, typed
from adserver.web.console.owners import Id, publisher_of, reach_of
from adserver.web.console.page import unkept_frame
from adserver.web.console.publisher_words import (
    eyes_in_words,
    name_of,
    no_in_words,
    on_empty_in_words,
    written,
)
from adserver.web.console.sites import lines_of, root_of, site_of, this_month
from adserver.web.console.visit import CurrentDesk, CurrentVisit, Elsewhere, OwnForm, Visit, see
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.routes import page_router
from adserver.web.schemas.inventory import EmbedAnswer, SlotChange, SlotDraft, show_slot
from creatives.formats import FORMATS, RESPONSIVE

AD_MANAGER_CLICKS = "https://adclick.g.doubleclick.net/"
CURRENCIES = ("EUR", "USD", "GBP", "CHF", "CAD", "AUD", "JPY", "SEK", "NOK", "DKK", "PLN", "CZK")
LISTS = ("blocked_categories", "blocked_advertisers")
WIDTHS = {"telephone": 358, "desk": 728}  # in which a slot without a size of its own is looked at

router = page_router("/console/publisher/{publisher}")


class Place(msgspec.Struct, frozen=True):
    """Whose slot on which site it is."""

    publisher: Publisher
    site: Site
    slot: Slot | None = None


@router.get("/sites/{site}/slots/new")
def new_slot(
    publisher: Id, site: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows
) -> Response:
    owner = publisher_of(desk, visit, publisher)
    return _form(visit, Place(owner, site_of(flows, owner, site)), {}, 200)


@router.post("/sites/{site}/slots")
def create_slot(
    publisher: Id, site: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, form: OwnForm
) -> Response:
    owner = publisher_of(desk, visit, publisher)
    place = Place(owner, site_of(flows, owner, site))
    size = FORMATS.get(form.get("size", ""))
    if size is None:
        return _form(visit, place, form, 422, "width")
    try:
        wish = {"site_id": site, "width": size.width or None, "height": size.height or None}
        draft = SlotDraft.model_validate(wish | _wish(form, visit.language))
    except BadAmount:
        return _form(visit, place, form, 422, "floor_cpm_micros")
    except ValidationError as flaw:
        return _form(visit, place, form, 422, name_of(flaw))
    made = flows.manage.inventory.create_slot(reach_of(owner), draft.slot())
    if isinstance(made, Refused):
        return _form(visit, place, form, 422, name_of(made))
    return see(f"{root_of(owner)}/sites/slots/{write_id('slot', made.key)}", "made")


@router.get("/sites/slots/{slot}")
def slot_page(
    publisher: Id,
    slot: Id,
    desk: CurrentDesk,
    visit: CurrentVisit,
    flows: CurrentFlows,
    eyes: Annotated[str, Query(alias="as")] = Eyes.SHOPPER,
) -> Response:
    place = _place(flows, publisher_of(desk, visit, publisher), slot)
    assert place.slot is not None
    known = this_month(flows, desk, place.publisher)
    slot_place, told = known["slot_months"].get(slot, (0, None))
    is_counted = place.site.click_prefixes and AD_MANAGER_CLICKS in place.site.click_prefixes
    return visit.page(
        "slot.html",
        publisher=place.publisher,
        root=root_of(place.publisher),
        site=place.site,
        site_id=write_id("site", place.site.key),
        slot=place.slot,
        slot_id=slot,
        eyes=Eyes(eyes) if eyes in frozenset(Eyes) else Eyes.SHOPPER,
        all_eyes=eyes_in_words(visit.language),
        widths=WIDTHS,
        codes=_codes(flows, place.slot),
        vendor_id=flows.tcf_vendor_id,
        counts_clicks=bool(is_counted),
        on_empty=on_empty_in_words(visit.language)[place.slot.on_empty],
        told=told,
        told_path=f"slots/{slot_place}",
        month_api=known["month_api"],
        **written(visit.language),
    )


@router.get("/sites/slots/{slot}/seen/{eyes}")
def seen(
    publisher: Id, slot: Id, eyes: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows
) -> Response:
    """The slot's document for the frame of its page, as the API has it."""
    place = _place(flows, publisher_of(desk, visit, publisher), slot)
    assert place.slot is not None
    as_ = Eyes(eyes) if eyes in frozenset(Eyes) else Eyes.SHOPPER
    return unkept_frame(seen_with(flows, place.slot, as_))


@router.get("/sites/slots/{slot}/change")
def edit_slot(
    publisher: Id, slot: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows
) -> Response:
    return _form(visit, _place(flows, publisher_of(desk, visit, publisher), slot), {}, 200)


@router.post("/sites/slots/{slot}")
def change_slot(
    publisher: Id, slot: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, form: OwnForm
) -> Response:
    """All but its size: its code stands on pages that were laid out for it."""
    place = _place(flows, publisher_of(desk, visit, publisher), slot)
    assert place.slot is not None
    try:
        change = SlotChange.model_validate(_wish(form, visit.language))
    except BadAmount:
        return _form(visit, place, form, 422, "floor_cpm_micros")
    except ValidationError as flaw:
        return _form(visit, place, form, 422, name_of(flaw))
    reach = reach_of(place.publisher)
    changed = flows.manage.inventory.change_slot(reach, place.slot.key, change.edit)
    if isinstance(changed, Refused):
        return _form(visit, place, form, 422, name_of(changed))
    return see(f"{root_of(place.publisher)}/sites/slots/{slot}", "saved")


@router.post("/sites/slots/{slot}/ad-manager")
def count_clicks(
    publisher: Id, slot: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, form: OwnForm
) -> Response:
    """Google Ad Manager's click counter is let in front of the site's clicks."""
    place = _place(flows, publisher_of(desk, visit, publisher), slot)

    def edit(site: Site) -> Site:
        return replace(site, click_prefixes=(*site.click_prefixes, AD_MANAGER_CLICKS))

    if AD_MANAGER_CLICKS not in place.site.click_prefixes:
        flows.manage.inventory.change_site(reach_of(place.publisher), place.site.key, edit)
    return see(f"{root_of(place.publisher)}/sites/slots/{slot}", "saved")


def _place(flows: Flows, publisher: Publisher, slot: str) -> Place:
    found = flows.manage.inventory.slot(reach_of(publisher), read_id("slot", slot) or 0)
    if isinstance(found, Refused):
        raise Elsewhere(f"{root_of(publisher)}/sites")
    return Place(publisher, site_of(flows, publisher, write_id("site", found.site_key)), found)


def _codes(flows: Flows, slot: Slot) -> EmbedAnswer:
    """As the API has them; a slot that passes back has a place for the publisher's own tag."""
    codes = show_slot(slot, flows.base_url, flows.tcf_vendor_id).embed
    if slot.on_empty is OnEmpty.PASSBACK:
        own = "\n  <template data-passback>\n    <!-- your own tag -->\n  </template>\n"
        codes = codes.model_copy(update={"script": codes.script.replace("></div>", f">{own}</div>", 1)})
    return codes


def _wish(form: Mapping[str, str], language: str) -> dict[str, Any]:
    """What the form asks for; BadAmount where its lowest price is none."""
    floor = amount_of(form.get("floor", ""), language)
    lists = {name: lines_of(form.get(name, "")) for name in LISTS}
    return {
        "name": form.get("name", ""),
        "floor_cpm_micros": floor or 0,
        "currency": (form.get("currency") or None) if floor else None,
        "on_empty": form.get("on_empty", OnEmpty.HOUSE),
        "separate_competitors": form.get("separate_competitors") == "on",
        **lists,
    }


def _form(visit: Visit, place: Place, form: Mapping[str, str], status: int, no: str = "") -> Response:
    """The form, as it was filled in where it was refused."""
    owner, site, slot = place.publisher, place.site, place.slot
    return visit.page(
        "slot_form.html",
        status=status,
        publisher=owner,
        root=root_of(owner),
        site=site,
        site_id=write_id("site", site.key),
        slot=slot,
        slot_id="" if slot is None else write_id("slot", slot.key),
        sizes=list(FORMATS),
        responsive=RESPONSIVE,
        currencies=CURRENCIES,
        all_on_empty=on_empty_in_words(visit.language),
        typed=_known(slot, visit.language) | ({"separate_competitors": "", **form} if form else {}),
        no=no,
        no_words=no_in_words(no, visit.language) if no else "",
    )


def _known(slot: Slot | None, language: str) -> dict[str, str]:
    """What the fields hold before anybody typed."""
    if slot is None:
        return {
            "name": "", "size": "300x250", "floor": "", "currency": "", "on_empty": OnEmpty.HOUSE,
            "separate_competitors": "", **dict.fromkeys(LISTS, ""),
        }  # fmt: skip
    shown = show_slot(slot, "").model_dump()
    return {
        "name": slot.name,
        "size": slot.format_name,
        "floor": typed(slot.floor_cpm_micros, language) if slot.floor_cpm_micros else "",
        "currency": slot.currency or "",
        "on_empty": slot.on_empty,
        "separate_competitors": "on" if slot.blocks.separate_competitors else "",
        **{name: "\n".join(shown[name]) for name in LISTS},
    }
