"""An advertiser's campaigns: how each stands, and what it may spend; paused and resumed in a click."""

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlencode

import msgspec
from babel.numbers import get_currency_precision
from fastapi import Request
from fastapi.responses import Response
from msgspec.structs import replace

from adserver.domain.audience_reach import GroupSize
from adserver.domain.campaign import Advertiser, Campaign, Status
from adserver.domain.delivery import Delivery
from adserver.domain.identity import read_id, write_id
from adserver.domain.money import LARGEST, MICROS_PER_UNIT, Micros
from adserver.domain.user import Role
from adserver.flows.campaign_days import CampaignDay
from adserver.flows.manage import Reach, Refused, Standing
from adserver.web.console.campaign_words import ASKS, ENDED, is_empty, problem_in_words, state_in_words
from adserver.web.console.figures import BadAmount, amount_of, price, typed
from adserver.web.console.overview import Overview, overview_of
from adserver.web.console.owners import Id, reach_of, shop_of
from adserver.web.console.page import translations
from adserver.web.console.visit import CurrentDesk, CurrentVisit, Elsewhere, OwnForm, Visit, see
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.routes import page_router
from adserver.writes import Result

AT_ONCE = 500  # read
SHOWN = 25  # on a page
LONGEST_SEARCH = 100
BUDGETS = {"daily": "daily_budget_micros", "total": "total_budget_micros"}

router = page_router("/console/shop/{shop}/campaigns")


class Changed(Exception):
    """Somebody else was faster: what was asked for was meant for another state."""


class Bar(msgspec.Struct, frozen=True):
    """What is spent of a budget; `share` in [0, 1]."""

    budget: str
    typed: str  # as it stands in the field in which it is changed
    share: float


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
    daily: Bar | None
    total: Bar | None
    size: GroupSize | None
    day: CampaignDay


class View(msgspec.Struct, frozen=True):
    """Which of the campaigns are looked at."""

    show: str = "all"
    search: str = ""
    page: int = 1

    def address(self, shop: str, **other: object) -> str:
        told = {"show": self.show, "q": self.search, "page": self.page} | other
        usual = {"show": "all", "q": "", "page": 1}
        query = urlencode({name: value for name, value in told.items() if value != usual[name]})
        return f"/console/shop/{shop}/campaigns" + (f"?{query}" if query else "")


Kept = Callable[[Delivery, GroupSize | None], bool]
SHOWS: Mapping[str, Kept] = {
    "all": lambda delivery, size: True,
    "serving": lambda delivery, size: delivery is Delivery.SERVING,
    "paused": lambda delivery, size: delivery is Delivery.PAUSED,
    "asks": lambda delivery, size: delivery in ASKS or (delivery is Delivery.SERVING and is_empty(size)),
    "ended": lambda delivery, size: delivery in ENDED,
}


@router.get("")
def campaigns(
    request: Request, shop: Id, flows: CurrentFlows, desk: CurrentDesk, visit: CurrentVisit
) -> Response:
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    overview = overview_of(advertiser, flows, visit.language)
    return _page(advertiser, flows, visit, 200, view_of(request.query_params), overview=overview)


@router.post("/{campaign}/pause")
def pause(
    shop: Id, campaign: Id, flows: CurrentFlows, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm
) -> Response:
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    return _change(flows, visit, advertiser, campaign, form, lambda one: replace(one, status=Status.PAUSED))


@router.post("/{campaign}/resume")
def resume(
    shop: Id, campaign: Id, flows: CurrentFlows, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm
) -> Response:
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    return _change(flows, visit, advertiser, campaign, form, lambda one: replace(one, status=Status.ACTIVE))


@router.post("/{campaign}/budgets")
def budgets(
    shop: Id, campaign: Id, flows: CurrentFlows, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm
) -> Response:
    """Those that are told, an empty field lifting one; or one of them raised by a button."""
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    try:
        edit = _raised(form) if "raise" in form else _typed(form, visit.language)
    except BadAmount:
        return _page(advertiser, flows, visit, 422, view_of(form), no="bad_amount")
    return _change(flows, visit, advertiser, campaign, form, edit)


def view_of(told: Mapping[str, str]) -> View:
    """What an address or form says of it; of what means nothing, the usual."""
    show, page = told.get("show", ""), told.get("page", "")
    is_page = page.isascii() and page.isdigit() and len(page) < 5
    return View(
        show if show in SHOWS else "all",
        told.get("q", "")[:LONGEST_SEARCH].strip(),
        int(page) if is_page else 1,
    )


def _typed(form: Mapping[str, str], language: str) -> Callable[[Campaign], Campaign]:
    """What the fields say of the campaign that stood beside them: not of one changed meanwhile."""
    amounts = {field: amount_of(form[name], language) for name, field in BUDGETS.items() if name in form}
    seen = form.get("version")

    def edit(campaign: Campaign) -> Campaign:
        if seen not in (None, str(campaign.version)):
            raise Changed
        return replace(campaign, **amounts)

    return edit


def _raised(form: Mapping[str, str]) -> Callable[[Campaign], Campaign]:
    """Exactly from what the button was beside: a second click on a stale page raises nothing."""
    name, _, by = form["raise"].partition(".")
    seen = form.get("version", "")
    if name not in BUDGETS or by not in ("step", "a_quarter"):
        raise BadAmount

    def edit(campaign: Campaign) -> Campaign:
        budget: Micros | None = getattr(campaign, BUDGETS[name])
        if str(campaign.version) != seen or budget is None:
            raise Changed
        more = raise_step(campaign.terms.currency) if by == "step" else -(-budget // 4)
        return replace(campaign, **{BUDGETS[name]: Micros(min(LARGEST, budget + more))})

    return edit


def raise_step(currency: str) -> Micros:
    """Ten of what has cents, a thousand of what has none."""
    return Micros((10 if get_currency_precision(currency) else 1000) * MICROS_PER_UNIT)


def _change(
    flows: Flows,
    visit: Visit,
    advertiser: Advertiser,
    campaign: str,
    form: Mapping[str, str],
    edit: Callable[[Campaign], Campaign],
) -> Response:
    shop, view = write_id("adv", advertiser.key), view_of(form)
    key = read_id("cmp", campaign)
    try:
        changed = flows.manage.campaigns.change(reach_of(advertiser), key or 0, edit)
    except Changed:
        return _page(advertiser, flows, visit, 409, view, no="changed_meanwhile")
    if isinstance(changed, Refused):
        figure = ""
        if changed.reason is Result.BELOW_SPENT:
            figure = price(changed.figure, advertiser.currency, visit.language)
        return _page(advertiser, flows, visit, 409, view, no=str(changed.reason), figure=figure)
    if form.get("back") == "campaign":
        return see(f"/console/shop/{shop}/campaigns/{write_id('cmp', changed.key)}")
    return see(view.address(shop))


def all_campaigns(flows: Flows, advertiser: Advertiser) -> list[Campaign]:
    """The newest first."""
    reach, found = reach_of(advertiser), list[Campaign]()
    while page := flows.manage.campaigns.campaigns(
        reach, advertiser.key, found[-1].key if found else -1, AT_ONCE
    ):
        if isinstance(page, Refused):
            raise Elsewhere("/console")
        found += page
    return sorted(found, key=lambda one: -one.created_at_ms)


def _page(
    advertiser: Advertiser,
    flows: Flows,
    visit: Visit,
    status: int,
    view: View,
    overview: Overview | None = None,
    **told: str,
) -> Response:
    found = all_campaigns(flows, advertiser)
    wanted = [one for one in found if view.search.casefold() in one.name.casefold()]
    kept = _kept(flows, wanted, view)
    first = (view.page - 1) * SHOWN
    no = told.get("no")
    return visit.page(
        "campaigns.html",
        status=status,
        shop=write_id("adv", advertiser.key),
        advertiser=advertiser,
        lines=lines_of(flows, advertiser, kept[first : first + SHOWN], visit.language),
        has_any=bool(found),
        has_more=len(kept) > first + SHOWN,
        view=view,
        shows=_shows(visit.language),
        step=price(raise_step(advertiser.currency), advertiser.currency, visit.language),
        no=no,
        problem="" if no in (None, "bad_amount") else problem_in_words(no, visit.language),
        figure=told.get("figure", ""),
        overview=overview,
    )


def _kept(flows: Flows, campaigns: Sequence[Campaign], view: View) -> list[tuple[Campaign, Standing]]:
    standings = flows.manage.campaigns.standings(campaigns)
    both = list(zip(campaigns, standings, strict=True))
    if view.show == "all":
        return both
    sizes = flows.audience_sizes.of_campaigns(campaigns) if view.show == "asks" else [None] * len(both)
    keep = SHOWS[view.show]
    return [one for one, size in zip(both, sizes, strict=True) if keep(one[1].delivery, size)]


def _shows(language: str) -> dict[str, str]:
    words = translations(language).gettext
    return {
        "all": words("All"),
        "serving": words("Serving"),
        "paused": words("Paused"),
        "asks": words("Needs something from you"),
        "ended": words("Ended"),
    }


def lines_of(
    flows: Flows, advertiser: Advertiser, shown: Sequence[tuple[Campaign, Standing]], language: str
) -> list[Line]:
    found = [campaign for campaign, _ in shown]
    days = flows.decisions.days.today([one.key for one in found], advertiser.timezone)
    sizes = flows.audience_sizes.of_campaigns(found)
    return [
        _line(advertiser, *both, size, day, language)
        for both, size, day in zip(shown, sizes, days, strict=True)
    ]


def _line(
    advertiser: Advertiser,
    campaign: Campaign,
    standing: Standing,
    size: GroupSize | None,
    day: CampaignDay,
    language: str,
) -> Line:
    currency = campaign.terms.currency

    def bar(budget: int | None, spent: int) -> Bar | None:
        if budget is None:
            return None
        share = min(1.0, spent / budget) if budget else 1.0
        return Bar(price(budget, currency, language), typed(budget, language), share)

    key = write_id("cmp", campaign.key)
    is_serving = standing.delivery is Delivery.SERVING
    state = state_in_words(standing.delivery, language, advertiser.timezone)
    if is_serving and is_empty(size):
        is_serving, state = False, translations(language).gettext("Nobody in this audience yet")
    return Line(
        id=key,
        api=f"/api/v1/campaigns/{key}",
        campaign=campaign,
        standing=standing,
        state=state,
        is_serving=is_serving,
        spent=price(standing.spend_micros, currency, language),
        spent_today=price(standing.spend_today_micros, currency, language),
        daily=bar(campaign.daily_budget_micros, standing.spend_today_micros),
        total=bar(campaign.total_budget_micros, standing.spend_micros),
        size=size,
        day=day,
    )


def campaign_of(flows: Flows, reach: Reach, shop: str, campaign: str) -> Campaign:
    """The shop's campaign; whoever asks for another's is sent to the list."""
    found = flows.manage.campaigns.campaign(reach, read_id("cmp", campaign) or 0)
    if isinstance(found, Refused):
        raise Elsewhere(f"/console/shop/{shop}/campaigns")
    return found
