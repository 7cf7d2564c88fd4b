"""Reports that an account keeps under names: listed, kept and taken away."""

from collections.abc import Sequence
from datetime import date

import msgspec
from pydantic import ValidationError
from starlette.datastructures import QueryParams

from adserver.domain.identity import read_id, write_id
from adserver.domain.saved_report import SavedReport
from adserver.flows.manage import Refused
from adserver.web.console.report_asked import Asked, read
from adserver.web.console.report_place import Place
from adserver.web.flows import Flows
from adserver.web.schemas.saved_reports import SavedReportDraft

AT_ONCE = 500


class Saved(msgspec.Struct, frozen=True):
    """`link` asks it again, on whatever days its period is by then."""

    id: str
    name: str
    link: str
    question: str


def saved_of(place: Place, flows: Flows, usual: Asked, today: date) -> Sequence[Saved]:
    """The account's, the last first."""
    found: list[SavedReport] = []
    while more := flows.manage.saved_reports.saved_reports(
        place.reach, place.side, _owner_key(place), found[-1].key if found else -1, AT_ONCE
    ):
        if isinstance(more, Refused):
            break
        found += more
    asked = [read(QueryParams(one.query.removeprefix("?")), usual, today)[0] for one in found]
    return [
        Saved(write_id("rep", one.key), one.name, its.link(), its.question())
        for one, its in zip(reversed(found), reversed(asked), strict=True)
    ]


def keep(place: Place, flows: Flows, asked: Asked, name: str) -> str | None:
    """What stands in the way, if anything; the same rules as the API's."""
    try:
        draft = SavedReportDraft(name=name, query=asked.question())
    except ValidationError as wrong:
        return str(wrong.errors()[0]["loc"][0])
    kept = flows.manage.saved_reports.create(place.reach, draft.saved_report(place.side, _owner_key(place)))
    return str(kept.reason) if isinstance(kept, Refused) else None


def take_away(place: Place, flows: Flows, saved_id: str) -> SavedReport | Refused | None:
    """Of this very account; None for what is none of its saved reports."""
    key = read_id("rep", saved_id)
    known = None if key is None else flows.manage.saved_reports.saved_report(place.reach, key)
    if not isinstance(known, SavedReport) or (known.side, known.owner_key) != (place.side, _owner_key(place)):
        return None
    return flows.manage.saved_reports.remove(place.reach, known.key)


def _owner_key(place: Place) -> int:
    return place.of.key if place.of else 0
