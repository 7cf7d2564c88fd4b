"""Conversions to approve or decline, by hand or by file, and all of them with what became of each."""

from collections.abc import Iterable, Iterator
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import ValidationError

from adserver.domain.attribution import Asked, Told
from adserver.domain.campaign import Advertiser
from adserver.domain.identity import read_id, write_id
from adserver.domain.user import Role
from adserver.flows.manage import Refused
from adserver.web import sheet
from adserver.web.console.account_figures import figures_of
from adserver.web.console.figures import typed
from adserver.web.console.order_words import OrderWords
from adserver.web.console.owners import Id, reach_of, shop_of
from adserver.web.console.page import HEADERS
from adserver.web.console.visit import (
    CurrentDesk,
    CurrentVisit,
    Desk,
    Elsewhere,
    OwnForm,
    Visit,
    bytes_of,
    see,
)
from adserver.web.flows import CurrentFlows
from adserver.web.problems import Problem
from adserver.web.routes import page_router
from adserver.web.schemas.fields import write_time
from adserver.web.schemas.orders import OrdersAnswer, OrdersQuery, approves_ms, show_orders
from adserver.web.schemas.settlements import (
    BESIDE,
    MOST_ROWS,
    BadFile,
    Row,
    Rows,
    answer_rows,
    read_row,
    read_rows,
    wishes_of,
)

PICK = "pick-"
HEADER = ("conversion_id", "decision", "reason")
AT_ONCE = 500
MOST_SHOWN = 500
SETTLED = ("taken", "declined")

router = page_router("/console/shop/{shop}/conversions")
Cursor = Annotated[str, Query()]


@router.get("")
def waiting(
    shop: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, request: Request
) -> Response:
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    given = request.query_params
    done = {name: given.get(name, "") for name in ("done", "count")}
    return _waiting(flows, desk, advertiser, visit, 200, cursor=given.get("cursor", ""), **done)


@router.post("/decide")
def decide(shop: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, form: OwnForm) -> Response:
    """One word on all that are ticked."""
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    picked = frozenset(name.removeprefix(PICK) for name in form if name.startswith(PICK))
    decision, reason = form.get("decision", ""), form.get("reason", "")
    told = {"picked": picked, "reason": reason, "cursor": form.get("cursor", "")}
    if not picked:
        return _waiting(flows, desk, advertiser, visit, 422, no="nothing_ticked", **told)
    rows: Rows = [read_row(0, HEADER, (one, decision, reason)) for one in sorted(picked)]
    if not all(isinstance(row, Row) for row in rows):
        no = "no_reason" if decision == "decline" else "bad_choice"
        return _waiting(flows, desk, advertiser, visit, 422, no=no, **told)
    settled = desk.manage.conversions.settle_many(reach_of(advertiser), advertiser.key, wishes_of(rows))
    if isinstance(settled, Refused):
        raise Elsewhere("/console")
    undone = [one for one in settled if one.value not in SETTLED]
    if undone:
        left = dict(told, picked=frozenset(), undone=len(undone))
        return _waiting(flows, desk, advertiser, visit, 409, no=undone[0].value, **left)
    return see(f"/console/shop/{shop}/conversions?done={decision}&count={len(settled)}")


@router.get("/waiting.csv")
def download(shop: Id, desk: CurrentDesk, visit: CurrentVisit) -> Response:
    """What waits, with an empty decision and what it can be decided by; spreadsheets open it as it is."""
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    name = f"{write_id('adv', advertiser.key)}-waiting"
    headers = HEADERS | {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    pieces = _sheet(desk, advertiser, visit.language)
    return StreamingResponse(pieces, headers=headers, media_type=sheet.MEDIA_TYPE)


@router.post("/file")
def settle_file(
    shop: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, form: OwnForm
) -> Response:
    """The file with its decisions; each row is answered, and the same file once more is answered the same."""
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    body = bytes_of(form.get("file", ""))
    rows = read_rows(body)
    if isinstance(rows, BadFile):
        return _waiting(
            flows, desk, advertiser, visit, 422, no=rows.code if body else "no_file", line=rows.line
        )
    settled = desk.manage.conversions.settle_many(reach_of(advertiser), advertiser.key, wishes_of(rows))
    if isinstance(settled, Refused):
        raise Elsewhere("/console")
    answered = answer_rows(rows, settled)
    first_what_is_wrong = sorted(answered.rows, key=lambda row: (row.result in SETTLED, row.line))
    return visit.page(
        "conversions_file.html",
        status=200,
        advertiser=advertiser,
        shop=shop,
        counts=answered.counts,
        rows=first_what_is_wrong[:MOST_SHOWN],
        more=max(0, len(answered.rows) - MOST_SHOWN),
        words=OrderWords(visit.language),
        **figures_of(advertiser, visit.language),
    )


@router.get("/all")
def everything(shop: Id, desk: CurrentDesk, visit: CurrentVisit, request: Request) -> Response:
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    given = {name: text for name, text in request.query_params.items() if text}
    try:
        asked = OrdersQuery.model_validate(given)
        no = None
        if asked.first and asked.last and asked.first > asked.last:
            asked, no = OrdersQuery(), "bad_period"
    except ValidationError as error:
        asked, no = OrdersQuery(), _field_of(error)
    answered = _orders(desk, advertiser, asked)
    query = given if no is None else {}
    return visit.page(
        "conversions_all.html",
        status=200 if no is None else 422,
        advertiser=advertiser,
        shop=shop,
        no=no,
        given=given,
        orders=answered.items,
        api=_api(shop, query),
        next=_next(answered, query),
        campaigns=_campaigns(desk, advertiser, answered),
        words=OrderWords(visit.language),
        **figures_of(advertiser, visit.language),
    )


def _waiting(
    flows: CurrentFlows, desk: Desk, advertiser: Advertiser, visit: Visit, status: int, **words: object
) -> Response:
    shop = write_id("adv", advertiser.key)
    cursor = str(words.get("cursor", ""))
    query = {"state": "pending"} | ({"cursor": cursor} if cursor else {})
    try:
        asked = OrdersQuery.model_validate(query)
    except ValidationError:
        raise Elsewhere(f"/console/shop/{shop}/conversions") from None
    answered = _orders(desk, advertiser, asked)
    told: dict[str, object] = {"no": None, "line": 0, "undone": 0, "picked": frozenset(), "reason": ""}
    told |= {"done": "", "count": ""}
    return visit.page(
        "conversions.html",
        status=status,
        advertiser=advertiser,
        shop=shop,
        orders=answered.items,
        pending_micros=flows.books.prove.standing(advertiser.key).pending,
        api=_api(shop, query),
        next=_next(answered, query),
        campaigns=_campaigns(desk, advertiser, answered),
        words=OrderWords(visit.language),
        **(told | words | {"cursor": cursor}),
        **figures_of(advertiser, visit.language),
    )


def _orders(desk: Desk, advertiser: Advertiser, asked: OrdersQuery) -> OrdersAnswer:
    key = None
    if asked.order_id is not None:
        key = desk.manage.conversions.key_of(advertiser.key, asked.event, asked.order_id)
    try:
        wanted = asked.asked(advertiser.timezone, key)
    except Problem:  # no cursor of ours: the list from its beginning
        raise Elsewhere(f"/console/shop/{write_id('adv', advertiser.key)}/conversions") from None
    told = _told(desk, advertiser, wanted)
    return show_orders(advertiser, told, asked.limit)


def _told(desk: Desk, advertiser: Advertiser, asked: Asked) -> list[Told]:
    told = desk.manage.conversions.told(reach_of(advertiser), advertiser.key, asked)
    if isinstance(told, Refused):
        raise Elsewhere("/console")
    return told


def _campaigns(desk: Desk, advertiser: Advertiser, answered: OrdersAnswer) -> dict[str, str]:
    """The names of those that are named."""
    return _names(desk, advertiser, (one.campaign_id for one in answered.items if one.campaign_id))


def _names(desk: Desk, advertiser: Advertiser, ids: Iterable[str]) -> dict[str, str]:
    named = {}
    for one in set(ids):
        campaign = desk.manage.campaigns.campaign(reach_of(advertiser), read_id("cmp", one) or 0)
        named[one] = "" if isinstance(campaign, Refused) else campaign.name
    return named


def _api(shop: str, query: dict[str, str]) -> str:
    address = f"/api/v1/advertisers/{shop}/conversions"
    return f"{address}?{urlencode(query)}" if query else address


def _next(answered: OrdersAnswer, query: dict[str, str]) -> str | None:
    """What the address of the next page ends with."""
    cursor = answered.next_cursor
    return None if cursor is None else "?" + urlencode(query | {"cursor": cursor})


def _field_of(error: ValidationError) -> str:
    place = error.errors()[0]["loc"]
    return {"from": "bad_day", "to": "bad_day", "order_id": "bad_order"}.get(str(place[0]), "bad_choice")


def _sheet(desk: Desk, advertiser: Advertiser, language: str) -> Iterator[bytes]:
    """A byte order mark, the header, and a row of each; parted by what the language's spreadsheets expect."""
    delimiter = "," if language == "en" else ";"
    yield "\ufeff".encode() + sheet.lines([(*HEADER, *BESIDE)], delimiter)
    names: dict[str, str] = {}
    after, left = None, MOST_ROWS
    while left and (
        told := _told(desk, advertiser, Asked(state="pending", after=after, limit=min(left, AT_ONCE)))
    ):
        ids = {write_id("cmp", one.campaign_key) for one in told} - names.keys()
        names |= _names(desk, advertiser, ids)
        yield sheet.lines((_row(advertiser, one, names, language) for one in told), delimiter)
        after, left = told[-1].place, left - len(told)


def _row(advertiser: Advertiser, one: Told, names: dict[str, str], language: str) -> list[object]:
    value = "" if one.value_micros is None else typed(one.value_micros, language)
    approves = approves_ms(advertiser, one)
    return [
        write_id("cnv", one.key),
        "",
        "",
        names[write_id("cmp", one.campaign_key)],
        one.event.value,
        value,
        one.currency,
        f"{typed(one.amount_micros, language)} {advertiser.currency}",
        "" if one.click_ms is None else write_time(one.click_ms),
        write_time(one.arrived_at_ms),
        "" if approves is None else write_time(approves),
    ]
