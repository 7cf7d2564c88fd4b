"""/api/v1/network, /jobs and /audit-log: what only the operator looks at."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.web.api.answers import problems
from adserver.web.auth import OPERATORS_ONLY
from adserver.web.flows import CurrentFlows
from adserver.web.once import answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.network_totals import (
    AuditAnswer,
    AuditQuery,
    HealthAnswer,
    JobsAnswer,
    SettingAnswer,
    SettingsAnswer,
    SuspectsAnswer,
    TotalsAnswer,
    show_audit,
    show_health,
    show_jobs,
    show_suspects,
    show_totals,
)
from adserver.web.settings import in_english

router = api_router(tags=["network"], dependencies=[OPERATORS_ONLY])


@router.get("/network/totals", response_model=TotalsAnswer, responses=problems())
def get_totals(flows: CurrentFlows) -> Response:
    """Today, yesterday and the last seven days of the network's zone, and what waits for somebody."""
    return answer(show_totals(flows.operations.totals.totals()))


@router.get("/network/suspects", response_model=SuspectsAnswer, responses=problems())
def get_suspects(flows: CurrentFlows) -> Response:
    """What was suspect of campaigns, slots and publishers on each of the last 28 days, and what is odd."""
    return answer(show_suspects(flows.operations.suspects.report()))


@router.get("/network/health", response_model=HealthAnswer, responses=problems())
def get_health(flows: CurrentFlows) -> Response:
    """What `adserver doctor` finds; it asks the base URL, which may take seconds."""
    return answer(show_health(flows.operations.health.now()))


@router.get("/network/settings", response_model=SettingsAnswer, responses=problems())
def get_settings(flows: CurrentFlows) -> Response:
    """Every setting as the server has read it; secrets are not shown."""
    shown = in_english(flows.operations.settings)
    return answer(SettingsAnswer(items=[SettingAnswer(**one) for one in shown]))


@router.get("/jobs", response_model=JobsAnswer, responses=problems())
def list_jobs(flows: CurrentFlows) -> Response:
    """How each job ran, as of a few seconds ago."""
    return answer(show_jobs(flows.operations.totals.jobs(), flows.manage.clock()))


@router.get("/audit-log", response_model=AuditAnswer, responses=problems())
def read_audit_log(flows: CurrentFlows, asked: Annotated[AuditQuery, Query()]) -> Response:
    """Who changed what, the newest first."""
    wanted = asked.asked()
    if wanted is None:
        flaw = {"field": "query.entity_id", "code": "not_an_id", "message": "This is not an id"}
        raise Problem("invalid_request", errors=[flaw])
    entries = flows.operations.audit_log.entries(wanted, asked.limit + 1)
    return answer(show_audit(entries, asked.limit, flows.operations.audit_log.log_ins()))
