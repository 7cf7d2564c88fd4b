"""The first run: five steps that set a network up, each kept at once, and a list that ticks itself."""

from collections.abc import Callable
from functools import cache
from zoneinfo import available_timezones

import msgspec
from babel import Locale
from fastapi import Request
from fastapi.responses import JSONResponse, Response
from msgspec.structs import replace

from adserver.domain.countries import COUNTRIES
from adserver.domain.network import (
    Check,
    ConsentTool,
    Network,
    consent_lines,
    identity_lines,
    region_lines,
)
from adserver.flows.network import NotTold
from adserver.web.caller import read_head
from adserver.web.console import first_accounts
from adserver.web.console.page import HEADERS, translations
from adserver.web.console.visit import (
    OPERATORS_ONLY,
    CurrentDesk,
    CurrentVisit,
    Desk,
    OwnForm,
    Visit,
    is_secure,
    see,
)
from adserver.web.routes import page_router
from creatives.price import locale_for
from pixel.amounts import CURRENCIES
from pixel.consent import Region
from pixel.cookie import expire_test, names_for, set_test
from pixel.region import region_of

START = "/console/start"
MOST_VENDOR_ID = 65_535

router = page_router(START, dependencies=[OPERATORS_ONLY])


class Choice(msgspec.Struct, frozen=True):
    value: str
    label: str


@router.get("")
def start(request: Request, desk: CurrentDesk, visit: CurrentVisit) -> Response:
    return _page(request, desk, visit, 200)


@router.get("/checks")
def checks(desk: CurrentDesk, visit: CurrentVisit) -> Response:
    """For the script that ticks the list; without it the page does, when it is loaded again."""
    reached = desk.network.progress().reached
    return JSONResponse({check: check in reached for check in Check}, headers=HEADERS)


@router.post("/identity")
def tell_identity(request: Request, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    told = {name: form.get(name, "").strip() for name in ("name", "country", "currency", "timezone")}
    if not all(told.values()):
        return _page(request, desk, visit, 422, no="identity_missing", filled=told)
    return _keep(request, desk, visit, "consent", lambda known: replace(known, **told), told)


@router.post("/consent")
def tell_consent(request: Request, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    tool, vendor = form.get("tool", ""), form.get("vendor", "").strip()
    filled = {"tool": tool, "vendor": vendor}
    if tool not in frozenset(ConsentTool):
        return _page(request, desk, visit, 422, no="consent_missing", filled=filled)
    is_number = vendor.isascii() and vendor.isdigit() and len(vendor) < 6
    if vendor and not (is_number and 0 < int(vendor) <= MOST_VENDOR_ID):
        return _page(request, desk, visit, 422, no="bad_vendor", filled=filled)
    number = int(vendor) if vendor and tool == ConsentTool.TCF else None
    return _keep(
        request,
        desk,
        visit,
        "region",
        lambda known: replace(known, consent_tool=ConsentTool(tool), tcf_vendor_id=number),
    )


@router.post("/region")
def skip_region_file(request: Request, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    skips = form.get("skip") == "yes"
    return _keep(request, desk, visit, "browser", lambda known: replace(known, skips_region_file=skips))


@router.post("/browser")
def exclude_browser(request: Request, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    """The same cookie as on /test-visitor: this browser sees every ad, and bills nothing."""
    names = names_for(is_secure(request))
    answer = see(f"{START}?done=saved#browser")
    value = set_test(names) if form.get("test") == "on" else expire_test(names)
    answer.raw_headers.append((b"set-cookie", value))
    return answer


@router.post("/shop")
def open_shop(request: Request, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    no = first_accounts.open_shop(desk, form)
    filled = {f"shop_{name}": form.get(name, "") for name in ("name", "domain")}
    if no is not None:
        return _page(request, desk, visit, 422, no=no, filled=filled)
    return see(f"{START}?done=made#accounts")


@router.post("/publisher")
def open_publisher(request: Request, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    no = first_accounts.open_publisher(desk, form)
    filled = {f"publisher_{name}": form.get(name, "") for name in ("name", "domain", "size")}
    if no is not None:
        return _page(request, desk, visit, 422, no=no, filled=filled)
    return see(f"{START}?done=made#accounts")


@router.post("/backup")
def tell_backup(request: Request, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    return _keep(request, desk, visit, "checks", lambda known: replace(known, backs_up=True))


@router.post("/hide")
def hide_checks(request: Request, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    hides = form.get("hide") == "yes"
    kept = desk.network.change(lambda known: replace(known, hides_checks=hides))
    if isinstance(kept, NotTold):
        return _page(request, desk, visit, 409, no=str(kept))
    return see("/console", "saved")


# ---- steps ----


def _keep(
    request: Request,
    desk: Desk,
    visit: Visit,
    next_step: str,
    edit: Callable[[Network], Network],
    filled: dict[str, str] | None = None,
) -> Response:
    kept = desk.network.change(edit)
    if isinstance(kept, NotTold):
        status = 409 if kept is NotTold.CONFLICT else 422
        return _page(request, desk, visit, status, no=str(kept), filled=filled)
    return see(f"{START}?done=saved#{next_step}")


def _page(
    request: Request,
    desk: Desk,
    visit: Visit,
    status: int,
    no: str = "",
    filled: dict[str, str] | None = None,
) -> Response:
    """`no` names what was refused; `filled` is what was typed then."""
    network, running = desk.network.network(), desk.network.running
    region = region_of(network.country, Region.STRICT)
    client = request.client.host if request.client else ""
    caller = desk.callers.caller(read_head(request.scope["headers"]), client)
    return visit.page(
        "start.html",
        status=status,
        network=network,
        running=running,
        is_strict=region is Region.STRICT,
        is_test=caller.test,
        found_files=desk.network.region_files(),
        lines={
            "identity": identity_lines(network, running, region),
            "consent": consent_lines(network, running),
            "region": region_lines(running, desk.network.region_files()),
        },
        first=first_accounts.found(desk),
        countries=_countries(visit.language),
        currencies=_currencies(visit.language),
        timezones=_timezones(),
        tools=consent_tools(visit.language),
        progress=desk.network.progress(),
        checks=check_names(visit.language),
        filled=_as_told(network) | (filled or {}),
        no=no,
    )


def _as_told(network: Network) -> dict[str, str]:
    """What the fields hold where nobody has typed anything else."""
    fields = ("shop_name", "shop_domain", "publisher_name", "publisher_domain", "publisher_size")
    return dict.fromkeys(fields, "") | {
        "name": network.name,
        "country": network.country,
        "currency": network.currency,
        "timezone": network.timezone,
        "tool": str(network.consent_tool or ""),
        "vendor": str(network.tcf_vendor_id or ""),
    }


def check_names(language: str) -> dict[str, str]:
    words = translations(language).gettext
    return {
        Check.TAG: words("The tag was heard: somebody looked at a page of the shop"),
        Check.PRODUCTS: words("Products are in the catalogue"),
        Check.CAMPAIGN: words("There is a campaign"),
        Check.AD: words("The first ad was served"),
        Check.CLICK: words("The first click was counted"),
        Check.CONVERSION: words("The first order or lead came in"),
        Check.BACKUP: words("Backups are made"),
    }


def consent_tools(language: str) -> dict[str, tuple[str, str]]:
    """Each tool, and what it means here."""
    words = translations(language).gettext
    return {
        ConsentTool.TCF: (
            words("A consent platform of IAB Europe's TCF"),
            words("It must list you as a vendor: your number on the Global Vendor List is needed."),
        ),
        ConsentTool.CONSENT_MODE: (
            words("Google's Consent Mode"),
            words("Its signals are read from the page by the tag; nothing else to do."),
        ),
        ConsentTool.OWN: (
            words("The pages' own question"),
            words("The page calls rt('consent', ...) when somebody has answered."),
        ),
        ConsentTool.NONE: (
            words("No tool"),
            words(
                "Where silence is a no, nobody is remembered: only ads that need no memory are shown there."
            ),
        ),
    }


@cache
def _countries(language: str) -> list[Choice]:
    names = Locale.parse(locale_for(language)).territories
    return sorted((Choice(code, names.get(code, code)) for code in COUNTRIES), key=lambda one: one.label)


@cache
def _currencies(language: str) -> list[Choice]:
    names = Locale.parse(locale_for(language)).currencies
    return [Choice(code, f"{code} · {names.get(code, code)}") for code in sorted(CURRENCIES)]


@cache
def _timezones() -> list[str]:
    """Those of places; what is named by hours or by former names is left out."""
    aside = ("Etc/", "SystemV/", "US/", "posix", "right", "Brazil/", "Canada/", "Chile/", "Mexico/")
    return ["UTC", *sorted(one for one in available_timezones() if "/" in one and not one.startswith(aside))]
