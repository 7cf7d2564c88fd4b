"""/api/v1/campaigns: what advertisers order, and how it stands."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.domain.campaign import Campaign
from adserver.flows.manage import Manage
from adserver.flows.replay import Replayed
from adserver.web.api.answers import Page, found, key_from, page, problems
from adserver.web.auth import ADVERTISERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentFlows, CurrentManage
from adserver.web.once import CurrentOnce, answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.audience_sizes import SizeAnswer, show_size
from adserver.web.schemas.campaigns import (
    CampaignAnswer,
    CampaignChange,
    CampaignDraft,
    CampaignList,
    show_campaign,
)
from adserver.web.schemas.refusals import RefusalsAnswer, RefusalsQuery, show_refusals
from adserver.web.schemas.replays import ReplayAnswer, ReplayBody, show_replay

router = api_router("/campaigns", tags=["campaigns"], dependencies=[ADVERTISERS_ONLY])


def _show_all(manage: Manage, campaigns: Sequence[Campaign]) -> list[CampaignAnswer]:
    return [
        show_campaign(*both) for both in zip(campaigns, manage.campaigns.standings(campaigns), strict=True)
    ]


def _show(manage: Manage, campaign: Campaign) -> CampaignAnswer:
    return _show_all(manage, [campaign])[0]


@router.get("", response_model=Page[CampaignAnswer], responses=problems())
def list_campaigns(
    manage: CurrentManage, caller: CurrentCaller, asked: Annotated[CampaignList, Query()]
) -> Response:
    return page(
        asked,
        lambda after, limit: manage.campaigns.campaigns(caller.reach, asked.advertiser_id, after, limit),
        partial(_show_all, manage),
    )


@router.post("", status_code=201, response_model=CampaignAnswer, responses=problems(409))
def create_campaign(
    draft: CampaignDraft, manage: CurrentManage, caller: CurrentCaller, once: CurrentOnce
) -> Response:
    return once.create(
        lambda receipt_of: manage.campaigns.create(
            caller.reach, draft.advertiser_id, draft.campaign_for, receipt_of
        ),
        partial(_show, manage),
    )


@router.get("/{campaign_id}", response_model=CampaignAnswer, responses=problems())
def get_campaign(campaign_id: str, manage: CurrentManage, caller: CurrentCaller) -> Response:
    return answer(_show(manage, found(manage.campaigns.campaign(caller.reach, key_from("cmp", campaign_id)))))


@router.get("/{campaign_id}/refusals", response_model=RefusalsAnswer, responses=problems())
def count_refusals(
    campaign_id: str,
    flows: CurrentFlows,
    caller: CurrentCaller,
    asked: Annotated[RefusalsQuery, Query()],
) -> Response:
    """Why it is not shown: requests that could have shown it, hour by hour, and each no by its name."""
    campaign = found(flows.manage.campaigns.campaign(caller.reach, key_from("cmp", campaign_id)))
    report = flows.decisions.refusals.report(campaign.key, asked.since, asked.until)
    if report is None:
        raise Problem("bad_hours")
    return answer(show_refusals(campaign.key, report))


@router.post("/{campaign_id}/replay", response_model=ReplayAnswer, responses=problems(409))
def replay_campaign(
    campaign_id: str, asked: ReplayBody, flows: CurrentFlows, caller: CurrentCaller
) -> Response:
    """What a change would have delivered and cost on a recorded day; nothing is changed."""
    campaign = found(flows.manage.campaigns.campaign(caller.reach, key_from("cmp", campaign_id)))
    replayed = flows.decisions.replay.run(campaign.key, asked.change.edit, asked.day)
    if not isinstance(replayed, Replayed):
        raise Problem(replayed.value)
    return answer(show_replay(replayed))


@router.patch("/{campaign_id}", response_model=CampaignAnswer, responses=problems(409))
def change_campaign(
    campaign_id: str, change: CampaignChange, manage: CurrentManage, caller: CurrentCaller
) -> Response:
    """Change what is named; null lifts a cap. A cap below what is spent and pending is a 409."""
    return answer(
        _show(manage, found(manage.campaigns.change(caller.reach, key_from("cmp", campaign_id), change.edit)))
    )


@router.get("/{campaign_id}/reach", response_model=SizeAnswer, responses=problems())
def get_campaign_reach(campaign_id: str, flows: CurrentFlows, caller: CurrentCaller) -> Response:
    """How many visitors its audiences hold together, each once; without any, all that the shop has."""
    campaign = found(flows.manage.campaigns.campaign(caller.reach, key_from("cmp", campaign_id)))
    return answer(show_size(flows.audience_sizes.of_campaign(campaign), "for this campaign"))
