"""/api/v1/.../statements: an advertiser's and a publisher's month, down to the event, as JSON and CSV."""

from functools import partial
from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from adserver.domain.campaign import Advertiser
from adserver.domain.slot import Publisher
from adserver.domain.statement import FIRST_PLACE, read_month
from adserver.flows.statement.advertiser import FIRST
from adserver.web.api.answers import found, key_from, problems, sheet_of
from adserver.web.auth import ADVERTISERS_ONLY, PUBLISHERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.once import answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.statements import (
    CampaignRow,
    ChargeAnswer,
    LineAnswer,
    Lines,
    LinesQuery,
    PayoutAnswer,
    PayoutLineAnswer,
    SlotPartAnswer,
    StatementAnswer,
    StatementQuery,
    campaign_rows,
    line_places,
    payout_line_places,
    read_place,
    show_charge,
    show_line,
    show_payout,
    show_payout_line,
    show_statement,
    slot_rows,
    write_place,
)

router = api_router(tags=["statements"])

_OF_ADVERTISER = "/advertisers/{advertiser_id}/statements/{month}"
_OF_PUBLISHER = "/publishers/{publisher_id}/statements/{month}"


def _advertiser(flows: Flows, caller: CurrentCaller, advertiser_id: str) -> Advertiser:
    return found(flows.manage.accounts.advertiser(caller.reach, key_from("adv", advertiser_id)))


def _publisher(flows: Flows, caller: CurrentCaller, publisher_id: str) -> Publisher:
    return found(flows.manage.accounts.publisher(caller.reach, key_from("pub", publisher_id)))


def read_month_of(text: str) -> tuple[int, int]:
    month = read_month(text)
    if month is None:
        raise Problem("bad_month")
    return month


@router.get(
    _OF_ADVERTISER, response_model=StatementAnswer, responses=problems(), dependencies=[ADVERTISERS_ONLY]
)
def get_statement(
    advertiser_id: str,
    month: str,
    flows: CurrentFlows,
    caller: CurrentCaller,
    asked: Annotated[StatementQuery, Query()],
) -> Response:
    """A month (`yyyy-mm`, in the advertiser's zone) by campaign; `format=csv` has its campaigns as rows."""
    advertiser = _advertiser(flows, caller, advertiser_id)
    statement = flows.books.advertisers.statement(advertiser, *read_month_of(month))
    if asked.format == "csv":
        return sheet_of(CampaignRow, [campaign_rows(advertiser, statement)], f"{advertiser_id}-{month}")
    return answer(show_statement(advertiser, statement, flows.books.prove.public_key))


@router.get(
    f"{_OF_ADVERTISER}/events",
    response_model=Lines[LineAnswer],
    responses=problems(),
    dependencies=[ADVERTISERS_ONLY],
)
def list_statement_lines(
    advertiser_id: str,
    month: str,
    flows: CurrentFlows,
    caller: CurrentCaller,
    asked: Annotated[LinesQuery, Query()],
) -> Response:
    """Each charge and refund of the month with what it came from; `format=csv` has them all."""
    advertiser, (year, number) = _advertiser(flows, caller, advertiser_id), read_month_of(month)
    statements = flows.books.advertisers
    if asked.format == "csv":
        pieces = statements.pieces(advertiser, year, number)
        shown = (map(show_line, piece) for piece in pieces)
        return sheet_of(LineAnswer, shown, f"{advertiser_id}-{month}-events")
    after = read_place(asked.cursor, line_places, FIRST)
    lines, place = statements.page(advertiser, year, number, after, asked.limit)
    return answer(Lines[LineAnswer](items=list(map(show_line, lines)), next_cursor=write_place(place)))


@router.get(
    "/advertisers/{advertiser_id}/charges/{charge_id}",
    response_model=ChargeAnswer,
    responses=problems(),
    dependencies=[ADVERTISERS_ONLY],
)
def get_charge(advertiser_id: str, charge_id: str, flows: CurrentFlows, caller: CurrentCaller) -> Response:
    """One charge with its refunds: what it came from, its entries in the chain, the head that holds them."""
    advertiser = _advertiser(flows, caller, advertiser_id)
    proven = flows.books.advertisers.charge(advertiser, key_from("chg", charge_id))
    if proven is None:
        raise Problem("not_found")
    return answer(show_charge(proven))


@router.get(_OF_PUBLISHER, response_model=PayoutAnswer, responses=problems(), dependencies=[PUBLISHERS_ONLY])
def get_payout(
    publisher_id: str,
    month: str,
    flows: CurrentFlows,
    caller: CurrentCaller,
    asked: Annotated[StatementQuery, Query()],
) -> Response:
    """A month (`yyyy-mm`, in the network's zone) by slot, and what is to be paid out."""
    publisher = _publisher(flows, caller, publisher_id)
    statement = flows.books.publishers.statement(publisher, *read_month_of(month))
    to_operator = caller.reach.is_operator
    if asked.format == "csv":
        rows = slot_rows(statement, to_operator=to_operator)
        return sheet_of(SlotPartAnswer, [rows], f"{publisher_id}-{month}")
    timezone = flows.books.publishers.timezone
    return answer(show_payout(publisher, statement, timezone, to_operator=to_operator))


@router.get(
    f"{_OF_PUBLISHER}/events",
    response_model=Lines[PayoutLineAnswer],
    responses=problems(),
    dependencies=[PUBLISHERS_ONLY],
)
def list_payout_lines(
    publisher_id: str,
    month: str,
    flows: CurrentFlows,
    caller: CurrentCaller,
    asked: Annotated[LinesQuery, Query()],
) -> Response:
    """Each share that was earned or went back in the month, by time; `format=csv` has them all."""
    publisher, (year, number) = _publisher(flows, caller, publisher_id), read_month_of(month)
    show = partial(show_payout_line, to_operator=caller.reach.is_operator)
    payouts = flows.books.publishers
    if asked.format == "csv":
        shown = (map(show, piece) for piece in payouts.pieces(publisher, year, number))
        return sheet_of(PayoutLineAnswer, shown, f"{publisher_id}-{month}-events")
    after = read_place(asked.cursor, payout_line_places, FIRST_PLACE)
    lines, place = payouts.page(publisher, year, number, after, asked.limit)
    return answer(Lines[PayoutLineAnswer](items=list(map(show, lines)), next_cursor=write_place(place)))
