"""/api/v1/decisions/explain: what a slot would show somebody, and what became of every campaign."""

from fastapi.responses import Response

from adserver.web.api.answers import found, problems
from adserver.web.auth import ADVERTISERS_ONLY, Caller, CurrentCaller
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.once import answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.decisions import (
    ExplainedAnswer,
    ProfileBody,
    QuestionBody,
    VisitorBody,
    show_explained,
)

router = api_router("/decisions", tags=["decisions"], dependencies=[ADVERTISERS_ONLY])


@router.post("/explain", response_model=ExplainedAnswer, responses=problems())
def explain_decision(asked: QuestionBody, flows: CurrentFlows, caller: CurrentCaller) -> Response:
    """The decision that the slot would get, by the same code, with a verdict on each candidate.

    Nothing is shown, counted or charged. Operators are told of all candidates, an advertiser's key of its
    own; it describes no doings at another's shop, so that nobody tries out how others' campaigns stand.
    """
    if asked.profile is not None:
        _own(flows, caller, asked.profile)
    visitor_key = 0 if asked.visitor is None else _visitor(flows, caller, asked.visitor)
    account = caller.reach.owner_key if not caller.reach.is_operator else asked.advertiser_id
    if asked.advertiser_id is not None:
        found(flows.manage.accounts.advertiser(caller.reach, asked.advertiser_id))
    explain = flows.decisions.explain
    explained = explain.ask(asked.question(explain.now_ms(), visitor_key, account))
    if explained is None:
        raise Problem("not_found")
    return answer(show_explained(explained, explain.advertisers, caller.reach.advertiser))


def _own(flows: Flows, caller: Caller, profile: ProfileBody) -> None:
    """Whether all accounts and campaigns that are named exist for the caller."""
    for key in {one.advertiser_id for one in profile.events}:
        found(flows.manage.accounts.advertiser(caller.reach, key))
    for key in {one.campaign_id for one in profile.shown}:
        found(flows.manage.campaigns.campaign(caller.reach, key))


def _visitor(flows: Flows, caller: Caller, told: VisitorBody) -> int:
    """The visitor behind an advertiser's own id; nobody learns of another's."""
    advertiser = found(flows.manage.accounts.advertiser(caller.reach, told.advertiser_id))
    visitor_key = flows.decisions.explain.visitor(advertiser.key, told.id)
    if visitor_key is None:
        raise Problem("not_found")
    return visitor_key
