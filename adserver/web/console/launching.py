"""A new campaign on one page: whom it addresses, how it looks and what to expect, before anybody sees it."""

from collections.abc import Mapping
from hashlib import sha256
from secrets import token_hex
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from msgspec.structs import replace

from adserver.domain.audience import Audience
from adserver.domain.campaign import Advertiser, Campaign, Status
from adserver.domain.identity import read_id, write_id
from adserver.domain.pricing import AudienceRate, PricingModel
from adserver.domain.user import Role
from adserver.flows.manage import Launch, Launched, Refused
from adserver.web.console.ad_frames import frame, unseen
from adserver.web.console.campaign_words import model_in_words, preset_in_words, problem_in_words
from adserver.web.console.campaigns import all_campaigns
from adserver.web.console.launch_form import (
    empty_form,
    form_like,
    launch_in,
    look_address,
    look_in,
    outlook_address,
    outlook_in,
)
from adserver.web.console.owners import Id, reach_of, shop_of
from adserver.web.console.reading import Reading
from adserver.web.console.visit import CurrentDesk, CurrentVisit, OwnForm, Visit, see
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.prospects import audience_of, outlook_of_draft, preset_sizes
from adserver.web.routes import page_router
from adserver.web.schemas.launches import LaunchDraft, show_outlook
from adserver.writes import Receipt, Result
from creatives.card import Brand
from creatives.formats import FORMATS

AT_ONCE = 200  # audiences, product sets and pools to choose from
LOOKED_AT = 5  # campaigns, for the brand of the newest ad

router = page_router("/console/shop/{shop}/campaigns")


@router.get("/new")
def new(request: Request, shop: Id, flows: CurrentFlows, desk: CurrentDesk, visit: CurrentVisit) -> Response:
    """Empty, or filled in like another campaign."""
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    like = request.query_params.get("like", "")
    form = _like(flows, advertiser, like, visit.language) if like else None
    return _page(flows, advertiser, visit, form or empty_form(advertiser, _brand(flows, advertiser)))


@router.post("/new")
def launch(shop: Id, flows: CurrentFlows, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    """Show it, keep it as a draft, or start it: with its ad and new audiences, or not at all."""
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    if form.get("deed") == "show":
        return _page(flows, advertiser, visit, form)
    reading = Reading(form, visit.language)
    status = Status.ACTIVE if form.get("deed") == "start" else Status.DRAFT
    draft = launch_in(reading, advertiser, status)
    if draft is None:
        return _page(flows, advertiser, visit, form, status=422, flaws=reading.flaws)
    made = _launched_once(flows, advertiser, visit, draft, form)
    if isinstance(made, Refused):
        problem = problem_in_words(str(made.reason), visit.language)
        return _page(flows, advertiser, visit, form, status=409, problem=problem)
    return see(f"/console/shop/{shop}/campaigns/{made}", "made")


@router.get("/new/plan")
def plan(request: Request, shop: Id, flows: CurrentFlows, desk: CurrentDesk, visit: CurrentVisit) -> Response:
    """What to expect of what the form holds now, as a part of its page."""
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    return visit.page("campaign_plan.html", **_plan(flows, advertiser, visit, request.query_params))


@router.get("/look/{name}")
def look(
    request: Request, shop: Id, name: str, flows: CurrentFlows, desk: CurrentDesk, visit: CurrentVisit
) -> Response:
    """The ad that the form describes, as a slot of this size would show it."""
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    reading = Reading(dict(request.query_params), visit.language)
    body = look_in(reading)
    if body is None:
        return unseen(visit, next(iter(reading.flaws.values())))
    return frame(flows, visit, body.creative_of(0), advertiser.key, name)


def _launched_once(
    flows: Flows, advertiser: Advertiser, visit: Visit, draft: LaunchDraft, form: Mapping[str, str]
) -> str | Refused:
    """The campaign's id: the same form sent again, by a second click or on the way back, makes no other."""
    owner, manage = f"console user {visit.signed_in.user.key}", flows.manage
    key = sha256(repr((advertiser.key, sorted(form.items()))).encode()).hexdigest() if "once" in form else ""

    def receipt_of(made: Launched) -> Receipt | None:
        told = write_id("cmp", made.campaign.key).encode()
        return Receipt(owner, key, key, 303, told, manage.clock()) if key else None

    kept = manage.keys.receipt(owner, key)
    if kept is None:
        wish = _wish(flows, advertiser, draft)
        made = manage.launches.launch(reach_of(advertiser), wish, receipt_of)
        if not isinstance(made, Refused):
            return write_id("cmp", made.campaign.key)
        if made.reason is not Result.RECEIPT_EXISTS:
            return made
        kept = manage.keys.receipt(owner, key)
        assert kept is not None, "the receipt was there a moment ago"
    return kept.body.decode()


def _wish(flows: Flows, advertiser: Advertiser, draft: LaunchDraft) -> Launch:
    """An audience that the shop has already is named, not made again."""
    retention, own = flows.manage.audiences.retention, _audiences(flows, advertiser)
    named, new = [one.audience_id for one in draft.campaign.audiences], []
    for wished in (one.audience(retention) for one in draft.audiences):
        same = next((one.key for one in own if is_alike(one, wished)), None)
        if same is None:
            new.append(wished)
        elif same not in named:
            named.append(same)

    def campaign_for(advertiser: Advertiser) -> Campaign:
        campaign = draft.campaign.campaign_for(advertiser)
        return replace(
            campaign, terms=replace(campaign.terms, audience_rates=tuple(map(AudienceRate, named)))
        )

    return Launch(advertiser.key, campaign_for, draft.creative.creative_of(0), new)


def is_alike(one: Audience, other: Audience) -> bool:
    """Whether two hold the same people."""
    return replace(one, key=0, name="", version=1, created_at_ms=0, currency="") == replace(
        other, key=0, name="", version=1, created_at_ms=0, currency=""
    )


def _audiences(flows: Flows, advertiser: Advertiser) -> list[Audience]:
    found = flows.manage.audiences.audiences(reach_of(advertiser), advertiser.key, -1, AT_ONCE)
    return [] if isinstance(found, Refused) else found


def pools_of(flows: Flows, advertiser: Advertiser) -> list[tuple[str, str]]:
    """The shop's pools of codes, to choose from."""
    found = flows.manage.offers.pools(reach_of(advertiser), advertiser.key, -1, AT_ONCE)
    return [] if isinstance(found, Refused) else [(write_id("pool", one.key), one.name) for one in found]


def _brand(flows: Flows, advertiser: Advertiser) -> Brand | None:
    """Of the newest ad."""
    for campaign in all_campaigns(flows, advertiser)[:LOOKED_AT]:
        found = flows.manage.campaigns.creatives(reach_of(advertiser), campaign.key, -1, 1)
        if found and not isinstance(found, Refused):
            return found[0].brand
    return None


def _like(flows: Flows, advertiser: Advertiser, text: str, language: str) -> dict[str, str] | None:
    """None where there is no such campaign of the shop."""
    reach = reach_of(advertiser)
    campaign = flows.manage.campaigns.campaign(reach, read_id("cmp", text) or 0)
    if isinstance(campaign, Refused):
        return None
    creatives = flows.manage.campaigns.creatives(reach, campaign.key, -1, 1)
    creative = None if isinstance(creatives, Refused) or not creatives else creatives[0]
    form = form_like(campaign, creative, language)
    brand = _brand(flows, advertiser)
    return form if creative else empty_form(advertiser, brand) | form


def _page(
    flows: Flows,
    advertiser: Advertiser,
    visit: Visit,
    form: Mapping[str, str],
    *,
    status: int = 200,
    flaws: Mapping[str, str] | None = None,
    problem: str = "",
) -> Response:
    reach, language = reach_of(advertiser), visit.language
    own = _audiences(flows, advertiser)
    ready = [
        (place, preset, *preset_in_words(preset, language), size)
        for place, (preset, size) in enumerate(preset_sizes(flows, advertiser.key))
        if not any(is_alike(one, audience_of(flows, advertiser.key, preset)) for one in own)
    ]
    sets = flows.manage.product_sets.product_sets(reach, advertiser.key, -1, AT_ONCE)
    return visit.page(
        "campaign_new.html",
        status=status,
        shop=write_id("adv", advertiser.key),
        advertiser=advertiser,
        form=form,
        flaws=flaws or {},
        problem=problem,
        audiences=list(zip(own, flows.audience_sizes.of_audiences(own), strict=True)),
        presets=ready,
        models={model: model_in_words(model, language) for model in PricingModel},
        product_sets=[] if isinstance(sets, Refused) else sets,
        pools_named=pools_of(flows, advertiser),
        formats=FORMATS,
        look=look_address(form),
        once=token_hex(16),
        write_id=write_id,
        **_plan(flows, advertiser, visit, form),
    )


def _plan(flows: Flows, advertiser: Advertiser, visit: Visit, form: Mapping[str, str]) -> dict[str, Any]:
    """The outlook, and where the API tells the same; without a price there is none."""
    reading = Reading(form, visit.language)
    asked = outlook_in(reading)
    nothing = {"outlook": None, "outlook_api": "", "currency": advertiser.currency}
    if asked is None:
        return nothing
    draft = asked.campaign_for(advertiser)
    told = outlook_of_draft(flows, reach_of(advertiser), draft, asked.presets)
    if isinstance(told, Refused):
        return nothing
    api = outlook_address(reading, asked, write_id("adv", advertiser.key))
    return nothing | {"outlook": show_outlook(*told, advertiser.currency), "outlook_api": api}
