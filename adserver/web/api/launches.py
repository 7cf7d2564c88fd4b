"""/api/v1/campaigns/launch and what to know before: ready-made audiences, and what to expect of a day."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.flows.manage import Launch, Launched
from adserver.web.api.answers import Page, found, key_from, problems
from adserver.web.auth import ADVERTISERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentFlows, CurrentManage
from adserver.web.once import CurrentOnce, answer
from adserver.web.prospects import Narrowed, outlook_of, outlook_of_draft, preset_sizes
from adserver.web.routes import api_router
from adserver.web.schemas.launches import (
    LaunchAnswer,
    LaunchDraft,
    OutlookAnswer,
    OutlookQuery,
    PresetAnswer,
    PresetQuery,
    TodayAnswer,
    show_launch,
    show_outlook,
    show_preset,
    show_today,
)

router = api_router(tags=["campaigns"], dependencies=[ADVERTISERS_ONLY])


@router.post("/campaigns/launch", status_code=201, response_model=LaunchAnswer, responses=problems(409))
def launch_campaign(
    draft: LaunchDraft, manage: CurrentManage, caller: CurrentCaller, once: CurrentOnce
) -> Response:
    """A campaign, its first creative and audiences made for it: all of it, or nothing."""
    retention = manage.audiences.retention
    wish = Launch(
        draft.campaign.advertiser_id,
        draft.campaign.campaign_for,
        draft.creative.creative_of(0),
        [one.audience(retention) for one in draft.audiences],
    )

    def show(made: Launched) -> LaunchAnswer:
        return show_launch(made, manage.campaigns.standings([made.campaign], [made.creative])[0])

    return once.create(lambda receipt_of: manage.launches.launch(caller.reach, wish, receipt_of), show)


@router.get("/advertisers/{advertiser_id}/outlook", response_model=OutlookAnswer, responses=problems())
def get_outlook(
    advertiser_id: str, flows: CurrentFlows, caller: CurrentCaller, asked: Annotated[OutlookQuery, Query()]
) -> Response:
    """What a campaign that is not saved may be expected to show and spend in a day."""
    advertiser = found(flows.manage.accounts.advertiser(caller.reach, key_from("adv", advertiser_id)))
    draft = asked.campaign_for(advertiser)
    told, size = found(outlook_of_draft(flows, caller.reach, draft, asked.presets))
    return answer(show_outlook(told, size, advertiser.currency))


@router.get("/advertisers/{advertiser_id}/presets", response_model=Page[PresetAnswer], responses=problems())
def list_presets(
    advertiser_id: str, flows: CurrentFlows, caller: CurrentCaller, asked: Annotated[PresetQuery, Query()]
) -> Response:
    """How many visitors each ready-made audience would hold now; all on one page."""
    advertiser = found(flows.manage.accounts.advertiser(caller.reach, key_from("adv", advertiser_id)))
    narrowed = Narrowed(asked.retention_days, asked.items())
    shown = [show_preset(preset, size) for preset, size in preset_sizes(flows, advertiser.key, narrowed)]
    return answer(Page[PresetAnswer](items=shown, next_cursor=None))


@router.get("/campaigns/{campaign_id}/outlook", response_model=OutlookAnswer, responses=problems())
def get_campaign_outlook(campaign_id: str, flows: CurrentFlows, caller: CurrentCaller) -> Response:
    """What the campaign may be expected to show and spend in a day, were it active."""
    campaign = found(flows.manage.campaigns.campaign(caller.reach, key_from("cmp", campaign_id)))
    return answer(show_outlook(*outlook_of(flows, campaign), campaign.terms.currency))


@router.get("/campaigns/{campaign_id}/today", response_model=TodayAnswer, responses=problems())
def get_campaign_today(campaign_id: str, flows: CurrentFlows, caller: CurrentCaller) -> Response:
    """What it did today, to the last few seconds, and when it was last shown."""
    campaign = found(flows.manage.campaigns.campaign(caller.reach, key_from("cmp", campaign_id)))
    advertiser = found(flows.manage.accounts.advertiser(caller.reach, campaign.advertiser_key))
    days = flows.decisions.days
    (day,) = days.today([campaign.key], advertiser.timezone)
    return answer(show_today(day, days.last_shown_ms(campaign.key)))
