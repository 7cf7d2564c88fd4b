"""By what browsers are known, what people agreed to, and whose word for consent is believed."""

from fastapi import Request
from fastapi.responses import Response
from msgspec.structs import replace

from adserver.domain.campaign import Advertiser
from adserver.domain.consent_hold import ConsentHold
from adserver.domain.identity import read_id, write_id
from adserver.domain.slot import Site
from adserver.flows.manage import Refused, Why
from adserver.web.console.network import EVERYTHING, told
from adserver.web.console.network_words import family_names, recognition_names
from adserver.web.console.visit import OPERATORS_ONLY, CurrentVisit, Elsewhere, OwnForm, Visit, see
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.routes import page_router
from adserver.web.schemas.consents import show_consents
from adserver.web.schemas.fields import write_time
from adserver.web.schemas.identity import show_pixel_identity, show_slot_identity

CONSENT = "/console/network/consent"
AT_ONCE = 500
PERIODS = (1, 7, 28)
DAY_MS, HOUR_MS = 86_400_000, 3_600_000
MOST_LETTERS = 200

router = page_router("/console/network", dependencies=[OPERATORS_ONLY])


@router.get("/identity")
def identity(request: Request, flows: CurrentFlows, visit: CurrentVisit) -> Response:
    """Of whole hours, the one that runs with them."""
    given = request.query_params.get("days", "")
    days = int(given) if given in {str(one) for one in PERIODS} else 7
    now_ms = flows.manage.clock()
    until_ms = now_ms - now_ms % HOUR_MS + HOUR_MS
    span = (until_ms - days * DAY_MS, until_ms)
    return visit.page(
        "network_identity.html",
        pixel=show_pixel_identity(flows.recognise.on_pages(*span)),
        slots=show_slot_identity(flows.recognise.in_slots(*span)),
        api=f"/api/v1/identity?from={write_time(span[0])}&to={write_time(span[1])}",
        days=days,
        periods=PERIODS,
        names=recognition_names(visit.language),
        families=family_names(visit.language),
        **told(visit, flows),
    )


@router.get("/consent")
def consent(flows: CurrentFlows, visit: CurrentVisit) -> Response:
    return _consent(flows, visit, 200)


@router.post("/consent")
def prove(flows: CurrentFlows, visit: CurrentVisit, form: OwnForm) -> Response:
    """What is proven of a shop's visitor; a form's, since an address stays in histories and logs."""
    shop = form.get("shop", "")[:MOST_LETTERS]
    visitor = form.get("visitor", "").strip()[:MOST_LETTERS]
    key = read_id("adv", shop)
    records = flows.consents.given(key, visitor) if key is not None and visitor else None
    is_asked = bool(shop and visitor)
    return _consent(
        flows,
        visit,
        200 if records is not None or not is_asked else 404,
        shop=shop,
        visitor=visitor,
        is_asked=is_asked,
        proofs=None if records is None else show_consents(records).items,
    )


@router.post("/consent/{account}")
def believe(account: str, flows: CurrentFlows, visit: CurrentVisit, form: OwnForm) -> Response:
    """Whether a shop's or site's word for consent is believed, by hand."""
    word = form.get("hold", "")
    if word not in frozenset(ConsentHold):
        return _consent(flows, visit, 422)
    held = ConsentHold(word)
    done: Advertiser | Site | Refused = Refused(Why.NOT_FOUND)
    if (key := read_id("adv", account)) is not None:
        done = flows.manage.accounts.change_advertiser(
            EVERYTHING, key, lambda one: replace(one, consent_hold=held)
        )
    elif (key := read_id("site", account)) is not None:
        done = flows.manage.inventory.change_site(
            EVERYTHING, key, lambda one: replace(one, consent_hold=held)
        )
    if isinstance(done, Refused):
        return _consent(flows, visit, 409, no=str(done.reason))
    return see(CONSENT)


def _consent(flows: Flows, visit: Visit, status: int, **words: object) -> Response:
    shops: list[Advertiser] = []
    while page := flows.manage.accounts.advertisers(EVERYTHING, shops[-1].key if shops else -1, AT_ONCE):
        shops += page
    sites: list[Site] = []
    while some := flows.manage.inventory.sites(EVERYTHING, None, sites[-1].key if sites else -1, AT_ONCE):
        if isinstance(some, Refused):
            raise Elsewhere(CONSENT)
        sites += some
    named: list[tuple[str, Advertiser | Site]] = [
        (write_id("adv", one.key), one) for one in sorted(shops, key=lambda one: one.name.casefold())
    ]
    places: list[tuple[str, Advertiser | Site]] = [
        (write_id("site", one.key), one) for one in sorted(sites, key=lambda one: one.name.casefold())
    ]
    watched = [*named, *places]
    about: dict[str, object] = {
        "shops": named,
        "held": [pair for pair in watched if pair[1].consent_hold is not ConsentHold.NONE],
        "others": [pair for pair in watched if pair[1].consent_hold is ConsentHold.NONE],
        "shop": "",
        "visitor": "",
        "is_asked": False,
        "proofs": None,
    }
    return visit.page("network_consent.html", status=status, **told(visit, flows) | about | words)
