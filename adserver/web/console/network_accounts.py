"""Advertisers and publishers: found, opened and changed by whoever runs the network."""

import re
import secrets
from collections.abc import Mapping
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from babel import Locale
from babel.numbers import get_currency_name
from fastapi import Request
from fastapi.responses import Response
from msgspec.structs import replace
from pydantic import ValidationError

from adserver.domain.campaign import Advertiser, Status
from adserver.domain.identity import read_id, write_id
from adserver.domain.money import MICROS_PER_UNIT
from adserver.domain.slot import Publisher
from adserver.flows.manage import Refused
from adserver.web.console.campaigns import Changed
from adserver.web.console.figures import BadAmount, amount_of, typed
from adserver.web.console.network import EVERYTHING, told
from adserver.web.console.owners import Id
from adserver.web.console.visit import OPERATORS_ONLY, CurrentVisit, Elsewhere, OwnForm, Visit, see
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.routes import page_router
from adserver.web.schemas.accounts import (
    AdvertiserChange,
    AdvertiserDraft,
    PublisherChange,
    PublisherDraft,
    show_advertiser,
    show_publisher,
)
from adserver.web.schemas.conversions import Reference
from adserver.web.schemas.fields import Text
from adserver.writes import Receipt, Result
from creatives.price import locale_for
from pixel.amounts import CURRENCIES

ACCOUNTS = "/console/network/accounts"
AT_ONCE = 500
MOST_SHOWN = 100
SHARE_PERCENT = 100  # basis points of one
_MICROS_OF_POINT = MICROS_PER_UNIT // SHARE_PERCENT
_SHARE = re.compile(r"([0-9]{1,3})(?:[.,]([0-9]{1,2}))?")

REFERENCE = Text(Reference)  # the chain keeps it for ever: as the API, no e-mail address

router = page_router(ACCOUNTS, dependencies=[OPERATORS_ONLY])

Fields = Mapping[str, str]


@router.get("")
def accounts(request: Request, flows: CurrentFlows, visit: CurrentVisit) -> Response:
    return _list(flows, visit, 200, search=request.query_params.get("search", "")[:100])


@router.post("/advertisers")
def open_advertiser(flows: CurrentFlows, visit: CurrentVisit, form: OwnForm) -> Response:
    try:
        draft = AdvertiserDraft.model_validate(_advertiser_fields(form))
    except ValidationError as error:
        return _list(flows, visit, 422, no=_flaw(error), opening="advertiser", form=form)
    opened = flows.manage.accounts.open_advertiser(EVERYTHING, draft.advertiser())
    if isinstance(opened, Refused):
        return _list(flows, visit, 422, no=str(opened.reason), opening="advertiser", form=form)
    return see(f"{ACCOUNTS}/{write_id('adv', opened.key)}")


@router.post("/publishers")
def open_publisher(flows: CurrentFlows, visit: CurrentVisit, form: OwnForm) -> Response:
    try:
        draft = PublisherDraft.model_validate(_publisher_fields(form))
    except ValidationError as error:
        return _list(flows, visit, 422, no=_flaw(error), opening="publisher", form=form)
    opened = flows.manage.accounts.open_publisher(EVERYTHING, draft.publisher())
    if isinstance(opened, Refused):
        return _list(flows, visit, 422, no=str(opened.reason), opening="publisher", form=form)
    return see(f"{ACCOUNTS}/{write_id('pub', opened.key)}")


@router.get("/{account}")
def account(account: Id, flows: CurrentFlows, visit: CurrentVisit) -> Response:
    return _one(flows, visit, account, 200)


@router.post("/{account}")
def change(account: Id, flows: CurrentFlows, visit: CurrentVisit, form: OwnForm) -> Response:
    owner, manage = _owner(flows, account), flows.manage.accounts
    try:
        if isinstance(owner, Advertiser):
            wish = AdvertiserChange.model_validate(_advertiser_fields(form) | _caps(form, visit.language))

            def edit(known: Advertiser) -> Advertiser:
                """All fields are sent: what somebody else has changed meanwhile would be undone."""
                if form.get("version") not in (None, str(known.version)):
                    raise Changed
                return wish.edit(known)

            done: object = manage.change_advertiser(EVERYTHING, owner.key, edit)
        else:
            other = PublisherChange.model_validate(_publisher_fields(form))
            done = manage.change_publisher(EVERYTHING, owner.key, other.edit)
    except (ValidationError, BadAmount) as error:
        no = "bad_amount" if isinstance(error, BadAmount) else _flaw(error)
        return _one(flows, visit, account, 422, no=no, form=form)
    except Changed:
        return _one(flows, visit, account, 409, no="conflict")
    if isinstance(done, Refused):
        return _one(flows, visit, account, 409, no=str(done.reason), form=form)
    return see(f"{ACCOUNTS}/{account}")


@router.post("/{account}/pause")
def pause(account: Id, flows: CurrentFlows, visit: CurrentVisit, form: OwnForm) -> Response:
    """Every live campaign of the advertiser, one by one: each is a change of its own."""
    campaigns = flows.manage.campaigns
    for key in _live(flows, _owner(flows, account)):
        paused = campaigns.change(EVERYTHING, key, lambda one: replace(one, status=Status.PAUSED))
        if isinstance(paused, Refused):
            return _one(flows, visit, account, 409, no=str(paused.reason))
    return see(f"{ACCOUNTS}/{account}")


@router.post("/{account}/deposits")
def deposit(account: Id, flows: CurrentFlows, visit: CurrentVisit, form: OwnForm) -> Response:
    """Once for its reference, however often the form is sent."""
    owner = _owner(flows, account)
    reference = REFERENCE.read(form.get("reference", "").strip())
    try:
        amount = amount_of(form.get("amount", ""), visit.language)
    except BadAmount:
        amount = None
    if amount is None or reference is None:
        no = "bad_amount" if amount is None else "bad_reference"
        return _one(flows, visit, account, 422, no=no, payment=form)
    receipt = Receipt("console", secrets.token_hex(16), "", 0, b"", flows.manage.clock())
    done = flows.manage.money.deposit(EVERYTHING, owner.key, amount, reference, receipt)
    if isinstance(done, Refused) or done.result is not Result.SAVED:
        no = str(done.reason if isinstance(done, Refused) else done.result)
        return _one(flows, visit, account, 409, no=no, payment=form)
    return see(f"{ACCOUNTS}/{account}")


# ---- what a form says ----


def _advertiser_fields(form: Fields) -> dict[str, Any]:
    domains = form.get("domains", "").replace(",", " ").split()
    named = {name: form.get(name, "").strip() for name in ("name", "currency", "timezone", "country")}
    return named | {"domains": domains, "prepaid": "prepaid" in form}


def _caps(form: Fields, language: str) -> dict[str, Any]:
    """An empty field lifts a budget."""
    return {
        f"{name}_budget_micros": amount_of(form.get(name, ""), language)
        for name in ("daily", "total")
        if name in form
    }


def _publisher_fields(form: Fields) -> dict[str, Any]:
    found = _SHARE.fullmatch(form.get("share", "").strip())
    share = int(found[1]) * SHARE_PERCENT + int((found[2] or "").ljust(2, "0")) if found else -1
    return {"name": form.get("name", ""), "revenue_share_bps": share}


def _flaw(error: ValidationError) -> str:
    """The field that is wrong first."""
    return f"bad_{error.errors()[0]['loc'][0]}"


# ---- pages ----


def _list(flows: Flows, visit: Visit, status: int, **words: object) -> Response:
    advertisers, publishers = _advertisers(flows), _publishers(flows)
    search = str(words.get("search", ""))
    found = [one for one in advertisers if _matches(search, one.name, one.public_id, *one.domains)]
    others = [one for one in publishers if _matches(search, one.name)]
    newest = max(advertisers, key=lambda one: one.created_at_ms, default=None)
    usual = {
        "currency": newest.currency if newest else "EUR",
        "timezone": newest.timezone if newest else flows.books.publishers.timezone,
        "country": newest.country if newest else "",
        "share": "70",
    }
    about: dict[str, object] = {
        "advertisers": [(write_id("adv", one.key), one) for one in found[:MOST_SHOWN]],
        "publishers": [(write_id("pub", one.key), one) for one in others[:MOST_SHOWN]],
        "hidden": max(0, len(found) - MOST_SHOWN) + max(0, len(others) - MOST_SHOWN),
        "is_empty": not advertisers and not publishers,
        "search": search,
        "opening": "",
        "form": usual,
        **choices(visit.language),
    }
    return visit.page("network_accounts.html", status=status, **told(visit, flows) | about | words)


def _one(flows: Flows, visit: Visit, account: str, status: int, **words: object) -> Response:
    owner = _owner(flows, account)
    about: dict[str, object] = {"id": account, "owner": owner, "payment": {}, **choices(visit.language)}
    if isinstance(owner, Advertiser):
        (funds,) = flows.manage.money.funds([owner])
        caps = {"daily": owner.daily_budget_micros, "total": owner.total_budget_micros}
        about |= {
            "shown": show_advertiser(owner, funds),
            "live": len(_live(flows, owner)),
            "form": {
                "name": owner.name,
                "domains": " ".join(owner.domains),
                "currency": owner.currency,
                "timezone": owner.timezone,
                "country": owner.country,
                **({"prepaid": "1"} if owner.prepaid else {}),
                **{name: "" if cap is None else typed(cap, visit.language) for name, cap in caps.items()},
            },
        }
    else:
        share = typed(owner.revenue_share_bps * _MICROS_OF_POINT, visit.language)
        about |= {"shown": show_publisher(owner), "form": {"name": owner.name, "share": share}}
    return visit.page("network_account.html", status=status, **told(visit, flows) | about | words)


def _owner(flows: Flows, account: str) -> Advertiser | Publisher:
    manage = flows.manage.accounts
    found: Advertiser | Publisher | Refused
    if (key := read_id("adv", account)) is not None:
        found = manage.advertiser(EVERYTHING, key)
    else:
        found = manage.publisher(EVERYTHING, read_id("pub", account) or 0)
    if isinstance(found, Refused):
        raise Elsewhere(ACCOUNTS)
    return found


def _live(flows: Flows, owner: Advertiser | Publisher) -> list[int]:
    found: list[int] = []
    after = -1
    if isinstance(owner, Publisher):
        return found
    while page := flows.manage.campaigns.campaigns(EVERYTHING, owner.key, after, AT_ONCE):
        if isinstance(page, Refused):
            raise Elsewhere(ACCOUNTS)
        found += [one.key for one in page if one.status is Status.ACTIVE]
        after = page[-1].key
    return found


def _advertisers(flows: Flows) -> list[Advertiser]:
    found: list[Advertiser] = []
    while page := flows.manage.accounts.advertisers(EVERYTHING, found[-1].key if found else -1, AT_ONCE):
        found += page
    return sorted(found, key=lambda one: one.name.casefold())


def _publishers(flows: Flows) -> list[Publisher]:
    found: list[Publisher] = []
    while page := flows.manage.accounts.publishers(EVERYTHING, found[-1].key if found else -1, AT_ONCE):
        found += page
    return sorted(found, key=lambda one: one.name.casefold())


def _matches(search: str, *texts: str) -> bool:
    return not search.strip() or any(search.strip().casefold() in text.casefold() for text in texts)


@cache
def choices(language: str) -> dict[str, list[tuple[str, str]] | list[str]]:
    """Currencies and countries by their names in the language, and the time zones."""
    locale = Locale.parse(locale_for(language))
    countries = [
        (code, name) for code, name in locale.territories.items() if len(code) == 2 and code.isalpha()
    ]
    currencies = [(code, f"{code} · {get_currency_name(code, locale=locale)}") for code in sorted(CURRENCIES)]
    return {
        "countries": sorted(countries, key=lambda one: one[1].casefold()),
        "currencies": currencies,
        "timezones": sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC"),
    }
