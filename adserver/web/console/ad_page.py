"""An ad of a campaign: made and changed beside a preview of every size."""

from collections.abc import Mapping
from typing import Any

from fastapi.responses import Response
from msgspec.structs import replace

from adserver.domain.campaign import Advertiser, Campaign, Creative
from adserver.domain.identity import read_id, write_id
from adserver.domain.user import Role
from adserver.flows.manage import Refused
from adserver.web.console.campaign_words import problem_in_words
from adserver.web.console.campaigns import Changed, campaign_of
from adserver.web.console.launch_form import creative_fields, empty_form, look_address, look_in
from adserver.web.console.launching import pools_of
from adserver.web.console.owners import Id, reach_of, shop_of
from adserver.web.console.reading import Reading
from adserver.web.console.visit import CurrentDesk, CurrentVisit, Elsewhere, OwnForm, Visit, see
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.routes import page_router
from creatives.formats import FORMATS

NEW = "new"

router = page_router("/console/shop/{shop}/campaigns/{campaign}/ads")


@router.get("/{ad}")
def ad_form(
    shop: Id, campaign: Id, ad: Id, flows: CurrentFlows, desk: CurrentDesk, visit: CurrentVisit
) -> Response:
    """An empty form for `new`, else the ad as it was changed last."""
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    found = campaign_of(flows, reach_of(advertiser), shop, campaign)
    if ad == NEW:
        return _page(flows, advertiser, visit, found, ad, empty_form(advertiser, None))
    known = _known(flows, advertiser, found, ad)
    form = creative_fields(known, visit.language) | {"version": str(known.version)}
    return _page(flows, advertiser, visit, found, ad, form)


@router.post("/{ad}")
def save(
    shop: Id, campaign: Id, ad: Id, flows: CurrentFlows, desk: CurrentDesk, visit: CurrentVisit,
    form: OwnForm,
) -> Response:  # fmt: skip
    """Show it, or save it: it waits for approval then, unless whoever saves it may approve."""
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    found = campaign_of(flows, reach_of(advertiser), shop, campaign)
    if form.get("deed") == "show":
        return _page(flows, advertiser, visit, found, ad, form)
    reading = Reading(form, visit.language)
    body = look_in(reading)
    if body is None:
        return _page(flows, advertiser, visit, found, ad, form, status=422, flaws=reading.flaws)
    wished = body.creative_of(found.key)
    try:
        saved = _saved(flows, advertiser, found, ad, wished, form)
    except Changed:
        problem = problem_in_words("changed_meanwhile", visit.language)
        return _page(flows, advertiser, visit, found, ad, form, status=409, problem=problem)
    if isinstance(saved, Refused):
        problem = problem_in_words(str(saved.reason), visit.language)
        return _page(flows, advertiser, visit, found, ad, form, status=409, problem=problem)
    return see(f"/console/shop/{shop}/campaigns/{campaign}", "saved")


def _saved(
    flows: Flows, advertiser: Advertiser, campaign: Campaign, ad: str, wished: Creative,
    form: Mapping[str, str],
) -> Creative | Refused:  # fmt: skip
    reach, campaigns = reach_of(advertiser), flows.manage.campaigns
    if ad == NEW:
        return campaigns.create_creative(reach, wished)

    def edit(known: Creative) -> Creative:
        if str(known.version) != form.get("version"):
            raise Changed
        return edited(known, wished)

    return campaigns.change_creative(reach, _known(flows, advertiser, campaign, ad).key, edit)


def _known(flows: Flows, advertiser: Advertiser, campaign: Campaign, ad: str) -> Creative:
    found = flows.manage.campaigns.creative(reach_of(advertiser), read_id("crv", ad) or 0)
    if isinstance(found, Refused) or found.campaign_key != campaign.key:
        shop = write_id("adv", advertiser.key)
        raise Elsewhere(f"/console/shop/{shop}/campaigns/{write_id('cmp', campaign.key)}")
    return found


def edited(known: Creative, wished: Creative) -> Creative:
    """What the form says; what it has no fields for stays: logo, picture, an offer's end, words for some."""
    message, offer = wished.message, wished.offer
    if message is not None and known.message is not None:
        message = replace(message, picture=known.message.picture)
    if offer is not None and known.offer is not None:
        offer = replace(offer, ends_at_ms=known.offer.ends_at_ms)
    of_some = [one for one in known.copies if one.situation is not None or one.language is not None]
    return replace(
        known,
        template=wished.template,
        brand=replace(wished.brand, logo=known.brand.logo),
        offer=offer,
        pool_key=wished.pool_key,
        message=message,
        link=wished.link,
        situations=known.situations if message and known.message else wished.situations,
        language=known.language if message and known.message else wished.language,
        copies=(*of_some, *wished.copies),
    )


def _page(
    flows: Flows,
    advertiser: Advertiser,
    visit: Visit,
    campaign: Campaign,
    ad: str,
    form: Mapping[str, str],
    **told: Any,
) -> Response:
    return visit.page(
        "campaign_ad.html",
        status=told.pop("status", 200),
        shop=write_id("adv", advertiser.key),
        advertiser=advertiser,
        campaign=campaign,
        id=write_id("cmp", campaign.key),
        ad=ad,
        form=form,
        pools_named=pools_of(flows, advertiser),
        formats=FORMATS,
        look=look_address(form),
        **({"flaws": {}, "problem": ""} | told),
    )
