"""/api/v1/saved-reports: reports that are kept under a name."""

from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.domain.report import ReportQuery, Side
from adserver.domain.report_rules import refusal_of
from adserver.flows.manage import Reach
from adserver.flows.report import side_of
from adserver.web.api.answers import Page, each, found, key_from, page, problems
from adserver.web.api.reports import account_of
from adserver.web.auth import CurrentCaller
from adserver.web.flows import CurrentFlows, CurrentManage, Flows
from adserver.web.once import CurrentOnce, answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.saved_reports import (
    OwnerAsked,
    SavedReportAnswer,
    SavedReportChange,
    SavedReportDraft,
    SavedReportList,
    asked_of,
    show_saved_report,
)

router = api_router(tags=["reports"])


def _owner(flows: Flows, reach: Reach, asked: OwnerAsked) -> tuple[Side, int]:
    of = account_of(flows.manage, reach, asked.advertiser_id, asked.publisher_id)
    return side_of(of), 0 if of is None else of.key


def check(flows: Flows, side: Side, query: str) -> None:
    """A report that means nothing, or is told to others, is not kept."""
    asked: ReportQuery = asked_of(query).query(flows.books.reports.today(None))
    refused = refusal_of(asked, side)
    if refused is not None:
        raise Problem(f"report_{refused.reason}", what=refused.what)


@router.get("/saved-reports", response_model=Page[SavedReportAnswer], responses=problems())
def list_saved_reports(
    flows: CurrentFlows, caller: CurrentCaller, asked: Annotated[SavedReportList, Query()]
) -> Response:
    """The account's; the operator's without an account are the network's."""
    owner = _owner(flows, caller.reach, asked)
    listed = flows.manage.saved_reports.saved_reports
    return page(
        asked,
        lambda after, limit: listed(caller.reach, *owner, after, limit),
        each(show_saved_report),
    )


@router.post("/saved-reports", status_code=201, response_model=SavedReportAnswer, responses=problems(409))
def create_saved_report(
    draft: SavedReportDraft, flows: CurrentFlows, caller: CurrentCaller, once: CurrentOnce
) -> Response:
    """Keep a question under a name; the days that it leaves out move on with the calendar."""
    side, owner_key = _owner(flows, caller.reach, draft)
    check(flows, side, draft.query)
    return once.create(
        lambda receipt_of: flows.manage.saved_reports.create(
            caller.reach, draft.saved_report(side, owner_key), receipt_of
        ),
        show_saved_report,
    )


@router.get("/saved-reports/{saved_report_id}", response_model=SavedReportAnswer, responses=problems())
def get_saved_report(saved_report_id: str, manage: CurrentManage, caller: CurrentCaller) -> Response:
    found_report = found(manage.saved_reports.saved_report(caller.reach, key_from("rep", saved_report_id)))
    return answer(show_saved_report(found_report))


@router.patch("/saved-reports/{saved_report_id}", response_model=SavedReportAnswer, responses=problems(409))
def change_saved_report(
    saved_report_id: str, change: SavedReportChange, flows: CurrentFlows, caller: CurrentCaller
) -> Response:
    """Its name, or what it asks."""
    key, saved = key_from("rep", saved_report_id), flows.manage.saved_reports
    known = found(saved.saved_report(caller.reach, key))
    if change.query is not None:
        check(flows, known.side, change.query)
    return answer(show_saved_report(found(saved.change(caller.reach, key, change.edit))))


@router.delete(
    "/saved-reports/{saved_report_id}", status_code=204, response_class=Response, responses=problems(409)
)
def remove_saved_report(saved_report_id: str, manage: CurrentManage, caller: CurrentCaller) -> Response:
    """Take it away; reports themselves stay."""
    found(manage.saved_reports.remove(caller.reach, key_from("rep", saved_report_id)))
    return Response(status_code=204)
