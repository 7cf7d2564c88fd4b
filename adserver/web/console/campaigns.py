"""An advertiser's campaigns: how each stands, and what it may spend; paused and resumed in a click."""

import re
from decimal import Decimal
from functools import partial
from typing import Annotated

import msgspec
from babel.numbers import NumberFormatError, format_decimal, parse_decimal
from fastapi import APIRouter, Path
from fastapi.responses import Response
from msgspec.structs import replace

from adserver.domain.campaign import Advertiser, Campaign, Status
from adserver.domain.delivery import Delivery
from adserver.domain.identity import read_id, write_id
from adserver.domain.money import LARGEST, MICROS_PER_UNIT, Micros
from adserver.domain.user import Role
from adserver.flows.manage import Reach, Refused, Standing
from adserver.web.console.page import translations
from adserver.web.console.visit import CurrentDesk, CurrentVisit, Desk, Elsewhere, OwnForm, Visit, see
from adserver.web.problems import PROBLEMS
from adserver.writes import Result, Scope
from creatives.price import format_price, locale_for

AT_ONCE = 500
_NUMBER = re.compile("[0-9][0-9.,]{0,30}")

router = APIRouter(prefix="/console/shop/{shop}/campaigns", include_in_schema=False)
Id = Annotated[str, Path()]


class Line(msgspec.Struct, frozen=True):
    """A campaign as its row shows it; money as people write it."""

    id: str
    campaign: Campaign
    state: str
    is_serving: bool
    spent: str
    spent_today: str
    daily: "Bar | None"
    total: "Bar | None"


class Bar(msgspec.Struct, frozen=True):
    """What is spent of a budget; `share` in [0, 1]."""

    budget: str
    typed: str  # as it stands in the field in which it is changed
    share: float


class BadAmount(Exception):
    """What was typed is no amount of money."""


@router.get("")
def campaigns(shop: Id, desk: CurrentDesk, visit: CurrentVisit) -> Response:
    return _page(_advertiser(desk, visit, shop), desk, visit, 200)


@router.post("/{campaign}/pause")
def pause(shop: Id, campaign: Id, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    return _change(desk, visit, shop, campaign, status=Status.PAUSED)


@router.post("/{campaign}/resume")
def resume(shop: Id, campaign: Id, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    return _change(desk, visit, shop, campaign, status=Status.ACTIVE)


@router.post("/{campaign}/budgets")
def budgets(shop: Id, campaign: Id, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    """Both budgets; an empty field lifts one."""
    try:
        daily, total = (amount_of(form.get(name, ""), visit.language) for name in ("daily", "total"))
    except BadAmount:
        return _page(_advertiser(desk, visit, shop), desk, visit, 422, no="bad_amount")
    return _change(desk, visit, shop, campaign, daily_budget_micros=daily, total_budget_micros=total)


def amount_of(text: str, language: str) -> Micros | None:
    """Whole micros of what was typed, as the language writes numbers; None for nothing. BadAmount else."""
    typed = "".join(text.split())
    if not typed:
        return None
    if not _NUMBER.fullmatch(typed):
        raise BadAmount
    try:
        micros = parse_decimal(typed, locale=locale_for(language), strict=True) * MICROS_PER_UNIT
    except NumberFormatError:
        micros = _plainly(typed) * MICROS_PER_UNIT
    if micros != micros.to_integral_value() or not 0 < micros <= LARGEST:
        raise BadAmount
    return Micros(int(micros))


def _plainly(text: str) -> Decimal:
    """A number with a point, which every language's keyboards have."""
    if not text.replace(".", "", 1).isdigit():
        raise BadAmount
    return Decimal(text)


def _advertiser(desk: Desk, visit: Visit, shop: str) -> Advertiser:
    """The account, where its campaigns are the visitor's to see."""
    key = read_id("adv", shop)
    found = None if key is None else desk.accounts.advertiser(key)
    if found is None or not visit.may(Role.ADVERTISER, owner_key=found.key):
        raise Elsewhere("/console")
    return found


def _change(desk: Desk, visit: Visit, shop: str, campaign: str, **fields: object) -> Response:
    advertiser = _advertiser(desk, visit, shop)
    key = read_id("cmp", campaign)
    reach = Reach(Scope.ADVERTISER, advertiser.key)
    changed = desk.manage.campaigns.change(reach, key or 0, partial(_with, fields))
    if isinstance(changed, Refused):
        figure = ""
        if changed.reason is Result.BELOW_SPENT:
            figure = format_price(changed.figure, advertiser.currency, visit.language)
        return _page(advertiser, desk, visit, 409, no=str(changed.reason), figure=figure)
    return see(f"/console/shop/{shop}/campaigns")


def _with(fields: dict[str, object], campaign: Campaign) -> Campaign:
    return replace(campaign, **fields)


def _page(advertiser: Advertiser, desk: Desk, visit: Visit, status: int, **words: object) -> Response:
    reach = Reach(Scope.ADVERTISER, advertiser.key)
    found: list[Campaign] = []
    while page := desk.manage.campaigns.campaigns(
        reach, advertiser.key, found[-1].key if found else -1, AT_ONCE
    ):
        if isinstance(page, Refused):
            raise Elsewhere("/console")
        found += page
    standings = desk.manage.campaigns.standings(found)
    lines = [_line(one, how, visit.language) for one, how in zip(found, standings, strict=True)]
    shop = write_id("adv", advertiser.key)
    problem = PROBLEMS.get(str(words.get("no")))
    told: dict[str, object] = {"no": None, "figure": "", "problem": problem}
    return visit.page(
        "campaigns.html", status=status, shop=shop, advertiser=advertiser, lines=lines, **(told | words)
    )


def _line(campaign: Campaign, standing: Standing, language: str) -> Line:
    def price(micros: int) -> str:
        return format_price(micros, campaign.terms.currency, language)

    def bar(budget: int | None, spent: int) -> Bar | None:
        if budget is None:
            return None
        typed = format_decimal(Decimal(budget).scaleb(-6), locale=locale_for(language), group_separator=False)
        return Bar(price(budget), typed, min(1.0, spent / budget) if budget else 1.0)

    return Line(
        write_id("cmp", campaign.key),
        campaign,
        state_in_words(standing.delivery, language),
        standing.delivery is Delivery.SERVING,
        price(standing.spend_micros),
        price(standing.spend_today_micros),
        bar(campaign.daily_budget_micros, standing.spend_today_micros),
        bar(campaign.total_budget_micros, standing.spend_micros),
    )


def state_in_words(delivery: Delivery, language: str) -> str:
    """What becomes of a campaign now, and why not."""
    words = translations(language).gettext
    return {
        Delivery.SERVING: words("Serving"),
        Delivery.DRAFT: words("Draft: not started yet"),
        Delivery.PAUSED: words("Paused by you"),
        Delivery.ENDED: words("Ended"),
        Delivery.OVER: words("Over: its last day has passed"),
        Delivery.SCHEDULED: words("Waiting for its first day"),
        Delivery.NO_CREATIVE: words("Not served: it has no creative yet"),
        Delivery.CREATIVE_PENDING: words("Waiting for approval of its creative"),
        Delivery.CREATIVE_REJECTED: words("Not served: its creative was refused"),
        Delivery.EXHAUSTED: words("Out of budget: raise it to go on"),
        Delivery.NO_DEPOSIT: words("Out of deposit: pay in to go on"),
        Delivery.EXHAUSTED_TODAY: words("Out of today's budget: it goes on at midnight, or raise it"),
    }[delivery]
