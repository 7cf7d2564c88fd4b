"""The operator's first look, and how the server is: totals, the audit log, jobs, settings and health."""

from functools import partial
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from pydantic import ValidationError

from adserver.domain.audit_log import Asked
from adserver.flows.manage import Reach
from adserver.web.console.figures import day, moment, number, price, share
from adserver.web.console.network_words import (
    action_names,
    attention,
    finding_words,
    job_names,
    kind_names,
    period_names,
)
from adserver.web.console.visit import OPERATORS_ONLY, CurrentVisit, Visit
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.routes import page_router
from adserver.web.schemas.fields import write_time
from adserver.web.schemas.network_totals import (
    AuditQuery,
    entity_id,
    show_audit,
    show_health,
    show_jobs,
    show_totals,
)
from adserver.web.settings import meanings
from adserver.writes import Scope

AT_ONCE = 50
EVERYTHING = Reach(Scope.OPERATOR)

router = page_router("/console/network", dependencies=[OPERATORS_ONLY])


def told(visit: Visit, flows: Flows) -> dict[str, Any]:
    """What the operator's templates write with; times are in the network's zone."""
    language, zone = visit.language, flows.books.publishers.timezone
    return {
        "n": partial(number, language=language),
        "part": partial(share, language=language),
        "money": partial(price, language=language),
        "when": partial(moment, timezone=zone, language=language),
        "on": partial(day, timezone=zone, language=language),
        "on_utc": partial(day, timezone="UTC", language=language),
        "iso": write_time,
        "zone": zone,
        "no": None,
        "figure_text": "",
    }


@router.get("")
def overview(flows: CurrentFlows, visit: CurrentVisit) -> Response:
    totals = flows.operations.totals.totals()
    return visit.page(
        "network.html",
        totals=show_totals(totals).model_dump(),
        periods=period_names(visit.language),
        attention=attention(totals.attention, visit.language),
        **told(visit, flows),
    )


@router.get("/audit")
def audit(request: Request, flows: CurrentFlows, visit: CurrentVisit) -> Response:
    """Empty fields ask for nothing; what is no id is said to be none, and finds nothing."""
    given = {name: text for name, text in request.query_params.items() if text}
    asked, status, no = Asked(), 200, None
    try:
        wanted = AuditQuery.model_validate({"limit": AT_ONCE} | given, strict=False).asked()
    except ValidationError:
        wanted = None
    if wanted is None:
        status, no = 422, "bad_search"
    else:
        asked = wanted
    log = flows.operations.audit_log
    entries = log.entries(asked, AT_ONCE + 1) if no is None else []
    answer = show_audit(entries, AT_ONCE, log.log_ins())
    search = {name: given.get(name, "") for name in ("actor", "entity_id", "kind", "action")}
    return visit.page(
        "network_audit.html",
        status=status,
        lines=[(one, entity_id(one)) for one in entries[:AT_ONCE]],
        log_ins=answer.log_ins,
        next_before=answer.next_before,
        search=search,
        kinds=kind_names(visit.language),
        actions=action_names(visit.language),
        jobs=job_names(visit.language),
        **told(visit, flows) | {"no": no},
    )


@router.get("/jobs")
def jobs(flows: CurrentFlows, visit: CurrentVisit) -> Response:
    runs = show_jobs(flows.operations.totals.jobs(), flows.manage.clock())
    names = job_names(visit.language)
    return visit.page(
        "network_jobs.html",
        jobs=runs.items,
        names=names,
        **told(visit, flows),
    )


@router.get("/settings")
def settings(flows: CurrentFlows, visit: CurrentVisit) -> Response:
    return visit.page(
        "network_settings.html",
        settings=flows.operations.settings,
        meanings=meanings(visit.language),
        **told(visit, flows),
    )


@router.get("/health")
def health(flows: CurrentFlows, visit: CurrentVisit) -> Response:
    now = flows.operations.health.now()
    return visit.page(
        "network_health.html",
        health=show_health(now),
        findings=[(one.severity, *finding_words(one, visit.language)) for one in now.findings],
        **told(visit, flows),
    )
