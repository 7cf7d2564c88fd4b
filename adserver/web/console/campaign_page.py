"""One campaign: how it stands, why it is not showing, how it looks, and all that may be changed of it."""

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi.responses import Response
from msgspec.structs import replace

from adserver.domain.approval import last_review
from adserver.domain.campaign import Advertiser, Approval, Campaign, Creative, Status
from adserver.domain.delivery import Delivery
from adserver.domain.identity import read_id, write_id
from adserver.domain.user import Role
from adserver.flows.manage import Refused
from adserver.web.console.ad_frames import frame, unseen
from adserver.web.console.campaign_change import change_in, fields_of
from adserver.web.console.campaign_words import model_in_words, problem_in_words
from adserver.web.console.campaigns import Changed, campaign_of, lines_of, raise_step
from adserver.web.console.figures import day, moment, price
from adserver.web.console.owners import Id, reach_of, shop_of
from adserver.web.console.reading import Reading, country_names
from adserver.web.console.visit import CurrentDesk, CurrentVisit, OwnForm, Visit, see
from adserver.web.console.why_not import likeliest, reasons_of
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.prospects import outlook_of
from adserver.web.routes import page_router
from adserver.web.schemas.fields import write_time
from adserver.web.schemas.launches import show_outlook
from creatives.formats import FORMATS

MOST_CREATIVES = 50
BESIDE = ("300x250", "320x100", "728x90")  # sizes in which each creative is shown

router = page_router("/console/shop/{shop}/campaigns")


class Ad(msgspec.Struct, frozen=True):
    """A creative as its campaign's page lists it."""

    id: str
    creative: Creative
    reason: str  # why it was refused


@router.get("/{campaign}")
def one(shop: Id, campaign: Id, flows: CurrentFlows, desk: CurrentDesk, visit: CurrentVisit) -> Response:
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    found = campaign_of(flows, reach_of(advertiser), shop, campaign)
    return _page(flows, advertiser, visit, found)


@router.post("/{campaign}/change")
def change(
    shop: Id, campaign: Id, flows: CurrentFlows, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm
) -> Response:
    """What differs from what the form held is changed; all of it, or nothing."""
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    found = campaign_of(flows, reach_of(advertiser), shop, campaign)
    reading = Reading(form, visit.language)
    wished = change_in(reading, found, advertiser)
    if wished is None:
        return _page(flows, advertiser, visit, found, status=422, form=form, flaws=reading.flaws)

    def edit(known: Campaign) -> Campaign:
        if str(known.version) != form.get("version"):
            raise Changed
        return wished.edit(known)

    if wished.given():
        try:
            changed = flows.manage.campaigns.change(reach_of(advertiser), found.key, edit)
        except Changed:
            return _refused(flows, advertiser, visit, found, form, "changed_meanwhile")
        if isinstance(changed, Refused):
            return _refused(flows, advertiser, visit, found, form, str(changed.reason), changed.figure)
    return see(f"/console/shop/{shop}/campaigns/{campaign}", "saved")


@router.get("/{campaign}/end")
def ask_to_end(
    shop: Id, campaign: Id, flows: CurrentFlows, desk: CurrentDesk, visit: CurrentVisit
) -> Response:
    """There is no way back, so one is asked."""
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    found = campaign_of(flows, reach_of(advertiser), shop, campaign)
    return visit.page("campaign_end.html", shop=shop, id=campaign, campaign=found, problem="")


@router.post("/{campaign}/end")
def end(
    shop: Id, campaign: Id, flows: CurrentFlows, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm
) -> Response:
    reach = reach_of(shop_of(desk, visit, shop, Role.ADVERTISER))
    found = campaign_of(flows, reach, shop, campaign)
    ended = flows.manage.campaigns.change(reach, found.key, lambda known: replace(known, status=Status.ENDED))
    if isinstance(ended, Refused):
        problem = problem_in_words(str(ended.reason), visit.language)
        told = {"shop": shop, "id": campaign, "campaign": found, "problem": problem}
        return visit.page("campaign_end.html", status=409, **told)
    return see(f"/console/shop/{shop}/campaigns/{campaign}", "saved")


@router.get("/{campaign}/look/{creative}/{name}")
def look(
    shop: Id, campaign: Id, creative: Id, name: str, flows: CurrentFlows, desk: CurrentDesk,
    visit: CurrentVisit,
) -> Response:  # fmt: skip
    """An ad of the campaign, as a slot of this size would show it."""
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    found = campaign_of(flows, reach_of(advertiser), shop, campaign)
    ad = flows.manage.campaigns.creative(reach_of(advertiser), read_id("crv", creative) or 0)
    if isinstance(ad, Refused) or ad.campaign_key != found.key:
        return unseen(visit, problem_in_words("not_found", visit.language))
    return frame(flows, visit, ad, advertiser.key, name)


def _refused(
    flows: Flows,
    advertiser: Advertiser,
    visit: Visit,
    campaign: Campaign,
    form: Mapping[str, str],
    code: str,
    figure: int = 0,
) -> Response:
    amount = price(figure, advertiser.currency, visit.language) if code == "below_spent" else ""
    problem = problem_in_words(code, visit.language)
    return _page(
        flows, advertiser, visit, campaign, status=409, form=form, problem=problem, below_spent=amount
    )


def _page(
    flows: Flows, advertiser: Advertiser, visit: Visit, campaign: Campaign, *, status: int = 200, **told: Any
) -> Response:
    language, shop = visit.language, write_id("adv", advertiser.key)
    (standing,) = flows.manage.campaigns.standings([campaign])
    (line,) = lines_of(flows, advertiser, [(campaign, standing)], language)
    usual = {
        "form": fields_of(campaign, advertiser, language), "flaws": {}, "problem": "", "below_spent": "",
    }  # fmt: skip
    return visit.page(
        "campaign.html",
        status=status,
        shop=shop,
        advertiser=advertiser,
        line=line,
        ads=_ads(flows, advertiser, campaign),
        sizes={name: FORMATS[name] for name in BESIDE},
        step=price(raise_step(advertiser.currency), advertiser.currency, language),
        model=model_in_words(campaign.terms.pricing_model, language),
        **_facts(flows, advertiser, campaign, language),
        **_why(flows, advertiser, line, language),
        **(usual | told),
    )


def _ads(flows: Flows, advertiser: Advertiser, campaign: Campaign) -> list[Ad]:
    found = flows.manage.campaigns.creatives(reach_of(advertiser), campaign.key, -1, MOST_CREATIVES)
    ads = []
    for creative in [] if isinstance(found, Refused) else found:
        rejection = last_review(creative, Approval.REJECTED)
        reason = "" if rejection is None else rejection.reason
        ads.append(Ad(write_id("crv", creative.key), creative, reason))
    return ads


def _facts(flows: Flows, advertiser: Advertiser, campaign: Campaign, language: str) -> dict[str, Any]:
    """Whom it addresses, when, and what to expect of a day."""
    reach, zone = reach_of(advertiser), advertiser.timezone
    named = (one.audience_key for one in campaign.terms.audience_rates)
    audiences = [flows.manage.audiences.audience(reach, key) for key in named]
    product_set = flows.manage.product_sets.product_set(
        reach, advertiser.key, campaign.product_set_key or 0
    )  # fmt: skip
    starts, ends = campaign.starts_at_ms, campaign.ends_at_ms
    return {
        "audiences": [one.name for one in audiences if not isinstance(one, Refused)],
        "product_set": "" if isinstance(product_set, Refused) else product_set.name,
        "first_day": None if starts is None else (write_time(starts), day(starts, zone, language)),
        "last_day": None if ends is None else (write_time(ends - 1), day(ends - 1, zone, language)),
        "outlook": show_outlook(*outlook_of(flows, campaign), campaign.terms.currency),
        "outlook_api": f"/api/v1/campaigns/{write_id('cmp', campaign.key)}/outlook",
        "currency": campaign.terms.currency,
        "countries": country_names(campaign.targeting.countries.included, language),
    }


def _why(flows: Flows, advertiser: Advertiser, line: Any, language: str) -> dict[str, Any]:
    """The likeliest answer, and what was counted in the last 24 hours."""
    report = flows.decisions.refusals.report(line.campaign.key, None, None)
    assert report is not None, "a day is a period"
    last_ms = flows.decisions.days.last_shown_ms(line.campaign.key)
    delivery: Delivery = line.standing.delivery
    answer, to_do = likeliest(delivery, line.size, report.refused, line.state, language)
    return {
        "answer": answer,
        "to_do": to_do,
        "refused": report.refused,
        "reasons": reasons_of(report.refused, language),
        "last_shown": None
        if last_ms is None
        else (write_time(last_ms), moment(last_ms, advertiser.timezone, language)),
    }
