"""An advertiser's campaigns: how each stands, and what it may spend; paused and resumed in a click."""

from functools import partial

import msgspec
from fastapi import APIRouter
from fastapi.responses import Response
from msgspec.structs import replace

from adserver.domain.campaign import Advertiser, Campaign, Status
from adserver.domain.delivery import Delivery
from adserver.domain.identity import read_id, write_id
from adserver.domain.user import Role
from adserver.flows.manage import Refused, Standing
from adserver.web.console.figures import BadAmount, amount_of, price, typed
from adserver.web.console.overview import overview_of
from adserver.web.console.owners import Id, reach_of, shop_of
from adserver.web.console.page import translations
from adserver.web.console.visit import CurrentDesk, CurrentVisit, Desk, Elsewhere, OwnForm, Visit, see
from adserver.web.flows import CurrentFlows
from adserver.web.problems import PROBLEMS
from adserver.writes import Result

AT_ONCE = 500

router = APIRouter(prefix="/console/shop/{shop}/campaigns", include_in_schema=False)


class Line(msgspec.Struct, frozen=True):
    """A campaign as its row shows it; money as people write it."""

    id: str
    api: str  # where the API tells of it
    campaign: Campaign
    standing: Standing
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


@router.get("")
def campaigns(shop: Id, desk: CurrentDesk, flows: CurrentFlows, visit: CurrentVisit) -> Response:
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    overview = overview_of(advertiser, flows, visit.language)
    return _page(advertiser, desk, visit, 200, overview=overview)


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
        return _page(shop_of(desk, visit, shop, Role.ADVERTISER), desk, visit, 422, no="bad_amount")
    return _change(desk, visit, shop, campaign, daily_budget_micros=daily, total_budget_micros=total)


def _change(desk: Desk, visit: Visit, shop: str, campaign: str, **fields: object) -> Response:
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    key = read_id("cmp", campaign)
    changed = desk.manage.campaigns.change(reach_of(advertiser), key or 0, partial(_with, fields))
    if isinstance(changed, Refused):
        figure = ""
        if changed.reason is Result.BELOW_SPENT:
            figure = price(changed.figure, advertiser.currency, visit.language)
        return _page(advertiser, desk, visit, 409, no=str(changed.reason), figure=figure)
    return see(f"/console/shop/{shop}/campaigns")


def _with(fields: dict[str, object], campaign: Campaign) -> Campaign:
    return replace(campaign, **fields)


def _page(advertiser: Advertiser, desk: Desk, visit: Visit, status: int, **words: object) -> Response:
    reach = reach_of(advertiser)
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
    told: dict[str, object] = {"overview": None, "no": None, "figure": "", "problem": problem}
    return visit.page(
        "campaigns.html", status=status, shop=shop, advertiser=advertiser, lines=lines, **(told | words)
    )


def _line(campaign: Campaign, standing: Standing, language: str) -> Line:
    currency = campaign.terms.currency

    def bar(budget: int | None, spent: int) -> Bar | None:
        if budget is None:
            return None
        share = min(1.0, spent / budget) if budget else 1.0
        return Bar(price(budget, currency, language), typed(budget, language), share)

    key = write_id("cmp", campaign.key)
    return Line(
        key,
        f"/api/v1/campaigns/{key}",
        campaign,
        standing,
        state_in_words(standing.delivery, language),
        standing.delivery is Delivery.SERVING,
        price(standing.spend_micros, currency, language),
        price(standing.spend_today_micros, currency, language),
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
