"""An advertiser's money: what is paid in, spent and reserved, refunds, and the months' statements."""

from collections.abc import Iterable
from hashlib import sha256
from secrets import token_hex
from typing import Annotated

import msgspec
from fastapi import Query
from fastapi.responses import Response
from pydantic import ValidationError

from adserver.domain.campaign import Advertiser
from adserver.domain.identity import minted_ms, read_id, write_id
from adserver.domain.statement import Month, month_with, months_before, read_month
from adserver.domain.user import Role
from adserver.flows.manage import Reach, Refused
from adserver.flows.statement import AdvertiserStatement
from adserver.web.api.answers import sheet_of
from adserver.web.auth import Caller
from adserver.web.console.account_figures import figures_of
from adserver.web.console.figures import BadAmount, amount_of, price
from adserver.web.console.owners import Id, reach_of, shop_of
from adserver.web.console.page import unkept
from adserver.web.console.visit import (
    OPERATORS_ONLY,
    CurrentDesk,
    CurrentVisit,
    Desk,
    Elsewhere,
    OwnForm,
    Visit,
    see,
)
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.once import Once
from adserver.web.problems import Problem
from adserver.web.routes import page_router
from adserver.web.schemas.money import DepositBody, cursor_of, show_deposit, show_refund
from adserver.web.schemas.statements import (
    CampaignRow,
    LineAnswer,
    campaign_rows,
    show_line,
    show_statement,
)
from adserver.writes import Answered, Result, Scope

AT_ONCE = 500
REFUNDS_AT_ONCE = 50
MOST_MONTHS = 60
OPERATOR = Reach(Scope.OPERATOR)

router = page_router("/console/shop/{shop}/money")


class MonthLine(msgspec.Struct, frozen=True):
    """A month as the list of statements names it."""

    name: str  # as in its address
    start_ms: int
    is_closed: bool


@router.get("")
def money(
    shop: Id,
    desk: CurrentDesk,
    visit: CurrentVisit,
    flows: CurrentFlows,
    done: Annotated[str, Query()] = "",
    refunds: Annotated[str, Query()] = "",
) -> Response:
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    return _money(flows, desk, advertiser, visit, 200, done=done, refunds_after=refunds)


@router.post("/deposits", dependencies=[OPERATORS_ONLY])
def deposit(shop: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, form: OwnForm) -> Response:
    """Note a payment, once: for its reference, and for the form that it was typed into."""
    advertiser = shop_of(desk, visit, shop)
    typed = {name: form.get(name, "").strip() for name in ("amount", "reference", "way", "once")}
    try:
        body = _deposit_of(advertiser, typed, visit.language)
    except BadAmount:
        return _money(flows, desk, advertiser, visit, 422, no="bad_amount", typed=typed)
    except ValidationError:
        return _money(flows, desk, advertiser, visit, 422, no="bad_reference", typed=typed)
    try:
        return _once(desk, visit, body, typed["once"]).settle(
            lambda receipt: desk.manage.money.deposit(
                OPERATOR, body.advertiser_id, body.amount_micros, body.reference, receipt
            ),
            lambda answered: _deposited(flows, desk, advertiser, visit, typed, answered),
        )
    except Problem as problem:
        return _money(flows, desk, advertiser, visit, 409, no=problem.code, typed=typed)


@router.get("/{month}")
def statement(shop: Id, month: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows) -> Response:
    """A month, fit to be printed."""
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    made = _statement(flows, advertiser, month)
    return visit.page(
        "statement.html",
        status=200,
        shop=shop,
        advertiser=advertiser,
        statement=show_statement(advertiser, made, flows.books.prove.public_key),
        api=f"/api/v1/advertisers/{shop}/statements/{month}",
        **figures_of(advertiser, visit.language),
    )


@router.get("/{month}/campaigns.csv")
def campaigns_sheet(
    shop: Id, month: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows
) -> Response:
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    rows = campaign_rows(advertiser, _statement(flows, advertiser, month))
    return unkept(sheet_of(CampaignRow, [rows], f"{shop}-{month}"))


@router.get("/{month}/events.csv")
def events_sheet(
    shop: Id, month: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows
) -> Response:
    """Each charge and refund of the month."""
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    pieces = flows.books.advertisers.pieces(advertiser, *_read(advertiser, month))
    shown: Iterable[Iterable[LineAnswer]] = (map(show_line, piece) for piece in pieces)
    return unkept(sheet_of(LineAnswer, shown, f"{shop}-{month}-events"))


def _read(advertiser: Advertiser, month: str) -> tuple[int, int]:
    found = read_month(month)
    if found is None:
        raise Elsewhere(f"/console/shop/{write_id('adv', advertiser.key)}/money")
    return found


def _statement(flows: Flows, advertiser: Advertiser, month: str) -> AdvertiserStatement:
    return flows.books.advertisers.statement(advertiser, *_read(advertiser, month))


def _deposit_of(advertiser: Advertiser, typed: dict[str, str], language: str) -> DepositBody:
    amount = amount_of(typed["amount"], language)
    if amount is None:
        raise BadAmount
    return DepositBody.model_validate(
        {
            "advertiser_id": write_id("adv", advertiser.key),
            "amount_micros": -amount if typed["way"] == "back" else int(amount),
            "reference": typed["reference"],
        }
    )


def _once(desk: Desk, visit: Visit, body: DepositBody, key: str) -> Once:
    """As the API does it with an Idempotency-Key; it is the form's own here."""
    caller = Caller(OPERATOR, f"console user {visit.signed_in.user.key}")
    digest = sha256(body.model_dump_json().encode()).hexdigest()
    return Once(desk.manage, caller, key[:100] or token_hex(16), digest)


def _deposited(
    flows: Flows, desk: Desk, advertiser: Advertiser, visit: Visit, typed: dict[str, str], answered: Answered
) -> Response:
    outcome = answered.outcome
    if outcome.result is Result.SAVED:
        return see(f"/console/shop/{write_id('adv', advertiser.key)}/money?done=deposit")
    figure = price(outcome.figure, advertiser.currency, visit.language)
    return _money(flows, desk, advertiser, visit, 409, no=str(outcome.result), figure=figure, typed=typed)


def _money(
    flows: Flows, desk: Desk, advertiser: Advertiser, visit: Visit, status: int, **words: object
) -> Response:
    shop, reach = write_id("adv", advertiser.key), reach_of(advertiser)
    deposits = desk.manage.money.deposits(reach, advertiser.key, -1, AT_ONCE)
    after = str(words.pop("refunds_after", ""))
    refunds = desk.manage.money.refunds(reach, advertiser.key, None, _after(after), REFUNDS_AT_ONCE + 1)
    if isinstance(deposits, Refused) or isinstance(refunds, Refused):
        raise Elsewhere("/console")
    (funds,) = desk.manage.money.funds([advertiser])
    typed = {"amount": "", "reference": "", "way": "in"}
    told: dict[str, object] = {"no": None, "figure": "", "done": "", "typed": typed}
    return visit.page(
        "account_money.html",
        status=status,
        shop=shop,
        advertiser=advertiser,
        funds=funds,
        standing=flows.books.prove.standing(advertiser.key),
        deposits=[show_deposit(one) for one in deposits],
        refunds=[show_refund(one) for one in refunds[:REFUNDS_AT_ONCE]],
        refunds_query=f"&cursor={after}" if after else "",
        next_refunds=cursor_of(refunds[REFUNDS_AT_ONCE - 1]) if len(refunds) > REFUNDS_AT_ONCE else None,
        months=_months(advertiser, desk.clock()),
        once=token_hex(16),
        **(told | words),
        **figures_of(advertiser, visit.language),
    )


def _after(cursor: str) -> tuple[int, int]:
    """Where the page of refunds begins; at the first for what is no cursor."""
    campaign, _, entry = cursor.partition(".")
    return read_id("cur", campaign) or 0, read_id("cur", entry) or 0


def _months(advertiser: Advertiser, now_ms: int) -> list[MonthLine]:
    """Since the account was opened, newest first."""
    month = month_with(now_ms, advertiser.timezone)
    listed = months_before(minted_ms(advertiser.key), month, MOST_MONTHS, advertiser.timezone)
    return [MonthLine(_name(one), one.start_ms, one.end_ms <= now_ms) for one in listed]


def _name(month: Month) -> str:
    return f"{month.year:04}-{month.number:02}"
