"""What a publisher earns: the month so far, the months before, and a statement of each."""

from collections.abc import Iterator
from functools import partial

import msgspec
from fastapi.responses import Response

from adserver.domain.identity import read_id, write_id
from adserver.domain.slot import Publisher
from adserver.domain.statement import Month, month_of, month_with, months_until, read_month
from adserver.domain.visitor import DAY_MS
from adserver.flows.manage import Refused
from adserver.flows.statement import PublisherStatements
from adserver.web.api.answers import sheet_of
from adserver.web.console.owners import Id, publisher_of, reach_of
from adserver.web.console.page import unkept
from adserver.web.console.publisher_words import not_billed_in_words, written
from adserver.web.console.sites import root_of, this_month
from adserver.web.console.visit import CurrentDesk, CurrentVisit, Elsewhere
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.routes import page_router
from adserver.web.schemas.statements import (
    PayoutAnswer,
    PayoutLineAnswer,
    SlotPartAnswer,
    show_payout,
    show_payout_line,
    slot_rows,
)

YEAR_MS = 365 * DAY_MS

router = page_router("/console/publisher/{publisher}/earnings")


class Told(msgspec.Struct, frozen=True):
    """A month's statement, and where the API tells it."""

    month: Month
    text: str
    payout: PayoutAnswer
    api: str


@router.get("")
def earnings(publisher: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows) -> Response:
    owner = publisher_of(desk, visit, publisher)
    now_ms, zone = desk.clock(), flows.books.publishers.timezone
    current = month_with(now_ms, zone)
    earlier = months_until(max(owner.created_at_ms, now_ms - YEAR_MS), current, zone)
    return visit.page(
        "earnings.html",
        publisher=owner,
        root=root_of(owner),
        timezone=zone,
        current=_told(flows, owner, current),
        earlier=[_told(flows, owner, month) for month in reversed(earlier)],
        reasons=not_billed_in_words(visit.language),
        **this_month(flows, desk, owner),
        **written(visit.language),
    )


@router.get("/{month}")
def statement(
    publisher: Id, month: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows
) -> Response:
    owner = publisher_of(desk, visit, publisher)
    year, number = _read(owner, month)
    zone = flows.books.publishers.timezone
    told = _told(flows, owner, month_of(year, number, zone))
    return visit.page(
        "payout_statement.html",
        publisher=owner,
        root=root_of(owner),
        timezone=zone,
        told=told,
        slot_names={one.slot_id: _slot_name(flows, owner, one.slot_id) for one in told.payout.holds},
        **written(visit.language),
    )


@router.get("/{month}/slots.csv")
def slots_sheet(
    publisher: Id, month: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows
) -> Response:
    owner = publisher_of(desk, visit, publisher)
    rows = slot_rows(flows.books.publishers.statement(owner, *_read(owner, month)), to_operator=False)
    return unkept(sheet_of(SlotPartAnswer, [rows], f"{write_id('pub', owner.key)}-{month}"))


@router.get("/{month}/events.csv")
def events_sheet(
    publisher: Id, month: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows
) -> Response:
    """Each share that was earned or went back, as the API's own file has it."""
    owner = publisher_of(desk, visit, publisher)
    shown = _lines(flows.books.publishers, owner, *_read(owner, month))
    return unkept(sheet_of(PayoutLineAnswer, shown, f"{write_id('pub', owner.key)}-{month}-events"))


def _lines(
    statements: PublisherStatements, owner: Publisher, year: int, number: int
) -> Iterator[list[PayoutLineAnswer]]:
    show = partial(show_payout_line, to_operator=False)
    for piece in statements.pieces(owner, year, number):
        yield [show(line) for line in piece]


def _read(owner: Publisher, text: str) -> tuple[int, int]:
    """The month that an address names; whoever names none is sent to the list."""
    month = read_month(text)
    if month is None:
        raise Elsewhere(f"{root_of(owner)}/earnings")
    return month


def _told(flows: Flows, owner: Publisher, month: Month) -> Told:
    made = flows.books.publishers.statement(owner, month.year, month.number)
    payout = show_payout(owner, made, flows.books.publishers.timezone, to_operator=False)
    return Told(made.month, payout.month, payout, _api(owner, payout))


def _slot_name(flows: Flows, owner: Publisher, slot_id: str | None) -> str:
    found = flows.manage.inventory.slot(reach_of(owner), read_id("slot", slot_id or "") or 0)
    return "" if isinstance(found, Refused) else found.name


def _api(owner: Publisher, payout: PayoutAnswer) -> str:
    return f"/api/v1/publishers/{write_id('pub', owner.key)}/statements/{payout.month}"
