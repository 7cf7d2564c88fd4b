"""/api/v1/reports: figures of a period by any group, as JSON and CSV."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response, StreamingResponse

from adserver.domain.campaign import Advertiser
from adserver.domain.report import Report, ReportRefused
from adserver.domain.slot import Publisher
from adserver.flows.manage import Manage, Reach
from adserver.web import sheet
from adserver.web.api.answers import found, problems
from adserver.web.auth import CurrentCaller
from adserver.web.flows import CurrentFlows
from adserver.web.once import answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.reports import ReportAnswer, ReportAsked, sheet_rows, show_report
from adserver.writes import Scope

router = api_router(tags=["reports"])


@router.get("/reports", response_model=ReportAnswer, responses=problems())
def get_report(
    flows: CurrentFlows, caller: CurrentCaller, asked: Annotated[ReportAsked, Query()]
) -> Response:
    """What happened, grouped as asked: money from the ledger, and today up to this second."""
    of = account_of(flows.manage, caller.reach, asked.advertiser_id, asked.publisher_id)
    reports = flows.books.reports
    report = told(reports.report(of, asked.query(reports.today(of))))
    if asked.format == "csv":
        name = f"report-{report.query.first}-{report.query.last}"
        headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
        return StreamingResponse(sheet_rows(report), headers=headers, media_type=sheet.MEDIA_TYPE)
    return answer(show_report(report))


def account_of(
    manage: Manage, reach: Reach, advertiser_key: int | None, publisher_key: int | None
) -> Advertiser | Publisher | None:
    """Whose report it is; an account's key asks for its own, an operator's without a name for all."""
    if advertiser_key is not None and publisher_key is not None:
        raise Problem("not_found")
    if reach.scope is Scope.ADVERTISER and advertiser_key is None and publisher_key is None:
        advertiser_key = reach.owner_key
    if reach.scope is Scope.PUBLISHER and advertiser_key is None and publisher_key is None:
        publisher_key = reach.owner_key
    if advertiser_key is not None:
        return found(manage.accounts.advertiser(reach, advertiser_key))
    if publisher_key is not None:
        return found(manage.accounts.publisher(reach, publisher_key))
    return None


def told(report: Report | ReportRefused) -> Report:
    """The report, unless there is none: `what` names the metric, dimension or days that are in the way."""
    if isinstance(report, ReportRefused):
        more = {"what": report.what} if report.what else {}
        raise Problem(f"report_{report.reason}", **more)
    return report
