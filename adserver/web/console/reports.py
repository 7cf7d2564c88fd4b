"""Reports: any figures by any groups, as a picture, a table and a sheet; the address is the report."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Annotated, TypeVar

import msgspec
from fastapi import Depends, Request
from fastapi.responses import Response, StreamingResponse
from msgspec.structs import replace

from adserver.domain.report import Report, ReportRefused
from adserver.domain.saved_report import SavedReport
from adserver.web.console.charts import Look, image
from adserver.web.console.owners import Id
from adserver.web.console.page import HEADERS
from adserver.web.console.report_asked import (
    Asked,
    Flaw,
    offered_groups,
    offered_metrics,
    read,
    usual_metrics,
)
from adserver.web.console.report_chart import drawn_of
from adserver.web.console.report_place import CurrentPlace, Place, experiments, narrowings
from adserver.web.console.report_result import result_of, what_in_words
from adserver.web.console.report_saved import keep, saved_of, take_away
from adserver.web.console.report_starts import arms_of, starts_of
from adserver.web.console.report_words import OWN, dimension_words, metric_words, period_words
from adserver.web.console.visit import CurrentDesk, CurrentVisit, Desk, OwnForm, Visit, see
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.routes import page_router
from adserver.web.schemas.reports import sheet_rows
from adserver.web.sheet import MEDIA_TYPE

ROOTS = ("/shop/{shop}/reports", "/publisher/{publisher}/reports", "/network/reports")

router = page_router("/console")
Route = TypeVar("Route", bound=Callable[..., Response])


class Seat(msgspec.Struct, frozen=True):
    """Who looks at whose reports, and with what they are made."""

    place: Place
    desk: Desk
    flows: Flows
    visit: Visit
    params: Mapping[str, str]
    asked: Asked
    flaw: Flaw | None
    today: date

    def made(self) -> Report | ReportRefused | Flaw:
        return self.flaw or self.flows.books.reports.report(self.place.of, self.asked.query())


def _seat(
    request: Request, place: CurrentPlace, desk: CurrentDesk, flows: CurrentFlows, visit: CurrentVisit
) -> Seat:
    """The first of the ready-made where nothing is asked; with other groups, the figures that are usual."""
    today, params = flows.books.reports.today(place.of), request.query_params
    usual = starts_of(place.side, visit.language)[0].asked(today)
    if any(name in params for name in ("group_by", "period", "from")):
        usual = replace(usual, metrics=usual_metrics(place.side), by=())
    asked, flaw = read(params, usual, today)
    return Seat(place, desk, flows, visit, params, asked, flaw, today)


CurrentSeat = Annotated[Seat, Depends(_seat)]


def _everywhere(suffix: str, method: str) -> Callable[[Route], Route]:
    """The same page for advertisers, publishers and the network."""

    def register(route: Route) -> Route:
        for root in ROOTS:
            router.add_api_route(root + suffix, route, methods=[method], response_model=None)
        return route

    return register


@_everywhere("", "GET")
def reports(seat: CurrentSeat) -> Response:
    return _page(seat, seat.made())


@_everywhere("/chart.svg", "GET")
def chart(seat: CurrentSeat) -> Response:
    """Of the same address; `look` says on which screen it is looked at."""
    made = seat.made()
    drawn = drawn_of(made, seat.asked, seat.visit.language) if isinstance(made, Report) else None
    if drawn is None:
        return Response(status_code=404, headers=HEADERS)
    return image(drawn.draw(drawn.chart, _look(seat.params.get("look", ""))))


@_everywhere("/sheet.csv", "GET")
def sheet(seat: CurrentSeat) -> Response:
    """The same file as the API's; of what cannot be told, the page that says so."""
    made, asked = seat.made(), seat.asked
    if not isinstance(made, Report):
        return see(f"{seat.place.root}{asked.link()}")
    name = f'attachment; filename="report-{asked.first}-{asked.last}.csv"'
    headers = HEADERS | {"Content-Disposition": name}
    return StreamingResponse(sheet_rows(made), media_type=MEDIA_TYPE, headers=headers)


@_everywhere("/saved", "POST")
def save(seat: CurrentSeat, form: OwnForm) -> Response:
    """The report of this address, under a name."""
    made, name = seat.made(), form.get("name", "")
    no = keep(seat.place, seat.flows, seat.asked, name) if isinstance(made, Report) else None
    if isinstance(made, Report) and no is None:
        return see(f"{seat.place.root}{seat.asked.link()}&done=saved")
    return _page(seat, made, name=name, no=no)


@_everywhere("/saved/{saved}/delete", "POST")
def delete(saved: Id, seat: CurrentSeat, form: OwnForm) -> Response:
    """One that is gone already is gone."""
    taken = take_away(seat.place, seat.flows, saved)
    return see(seat.place.root, "removed" if isinstance(taken, SavedReport) else "")


def _look(text: str) -> Look:
    """ "low-narrow-dark" and the like; other words change nothing."""
    said = text.split("-")
    return Look(is_dark="dark" in said, is_narrow="narrow" in said, is_low="low" in said)


def _page(
    seat: Seat, made: Report | ReportRefused | Flaw, *, name: str = "", no: str | None = None
) -> Response:
    language, asked, place = seat.visit.language, seat.asked, seat.place
    report = made if isinstance(made, Report) else None
    refused = made if isinstance(made, ReportRefused) else None
    return seat.visit.page(
        "reports.html",
        status=422 if report is None or no else 200,
        place=place,
        asked=asked,
        typed=_typed(seat, name),
        api=asked.api(place.api),
        flaw=made if isinstance(made, Flaw) else None,
        refused=refused,
        is_open=report is None or "report" in seat.params,
        what=what_in_words(refused, language),
        not_saved=no,
        result=None if report is None else result_of(report, asked, place, seat.today, language),
        **_choices(seat, language),
    )


def _choices(seat: Seat, language: str) -> dict[str, object]:
    """What may be asked instead."""
    place, asked, today = seat.place, seat.asked, seat.today
    ready = starts_of(place.side, language)
    starts = [(one.question, one.asked(today).link()) for one in ready]
    starts += [
        (question, arms.link()) for question, arms in arms_of(experiments(place, seat.flows), today, language)
    ]
    saved = saved_of(place, seat.flows, ready[0].asked(today), today)
    return {
        "starts": starts,
        "here": asked.link(),
        "saved": saved,
        "opened": next((one for one in saved if one.question == asked.question()), None),
        "periods": period_words(language),
        "period": asked.period or OWN,
        "metrics": [(one, metric_words(language)[one]) for one in offered_metrics(place.side)],
        "groups": [(one, dimension_words(language)[one]) for one in offered_groups(place.side)],
        "names": dimension_words(language),
        "narrowings": narrowings(place, seat.flows, seat.desk, asked, language),
    }


def _typed(seat: Seat, name: str) -> dict[str, str]:
    """What stands in the fields: dates that could not be read stay as they were typed."""
    told = {"from": str(seat.asked.first), "to": str(seat.asked.last), "name": name}
    return told | {one: seat.params.get(one, "") for one in told if seat.flaw is Flaw.BAD_DATES}
