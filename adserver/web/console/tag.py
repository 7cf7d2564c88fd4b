"""The tag as a webmaster pastes it, and what arrives from it as it arrives."""

from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
from babel.dates import format_time
from fastapi import Query
from fastapi.responses import Response

from adserver.domain.campaign import Advertiser
from adserver.domain.identity import write_id
from adserver.domain.user import Role
from adserver.flows.live_view import Looked, Seen
from adserver.web.console.event_words import basis_in_words, event_in_words, refusal_in_words
from adserver.web.console.figures import price
from adserver.web.console.owners import Id, reach_of, shop_of
from adserver.web.console.page import translations
from adserver.web.console.snippets import PLATFORMS, snippets
from adserver.web.console.visit import CurrentDesk, CurrentVisit, Visit
from adserver.web.flows import CurrentFlows
from adserver.web.routes import page_router
from creatives.price import locale_for
from pixel.events import Flaw

ROLES = (Role.ADVERTISER, Role.WEBMASTER)
MOST_SHOWN = 50

router = page_router("/console/shop/{shop}")
After = Annotated[int, Query(ge=0, le=2**53)]


class Line(msgspec.Struct, frozen=True):
    """An event as its row shows it."""

    number: int
    api: str
    at: str  # for programs
    time: str
    name: str
    event: str
    products: list[tuple[str, str | None, str | None]]  # item id, title, picture
    items: int
    value_micros: int | None
    value: str
    consent: str
    refusal: str | None
    notes: list[str]


@router.get("/tag")
def tag(shop: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, on: str = "site") -> Response:
    advertiser = shop_of(desk, visit, shop, *ROLES)
    platform = on if on in PLATFORMS else "site"
    products = flows.manage.products.products(reach_of(advertiser), advertiser.key, -1, 1)
    product = products[0] if isinstance(products, list) and products else None
    return visit.page(
        "tag.html",
        shop=shop,
        advertiser=advertiser,
        platform=platform,
        platforms=_platforms(visit.language),
        snippets=snippets(platform, advertiser, product, desk.base_url, desk.clock()),
        product=product,
        **_live(advertiser, flows.live_view.look(advertiser, 0, MOST_SHOWN), visit),
    )


@router.get("/events")
def live_events(shop: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows) -> Response:
    advertiser = shop_of(desk, visit, shop, *ROLES)
    looked = flows.live_view.look(advertiser, 0, MOST_SHOWN)
    return visit.page("events.html", shop=shop, advertiser=advertiser, **_live(advertiser, looked, visit))


@router.get("/events/news")
def news(shop: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, after: After = 0) -> Response:
    """The rows that came since, for the page's script; the newest one's number in a header."""
    advertiser = shop_of(desk, visit, shop, *ROLES)
    told = _live(advertiser, flows.live_view.look(advertiser, after, MOST_SHOWN), visit)
    answer = visit.page("live_rows.html", advertiser=advertiser, **told)
    answer.headers["X-Newest"] = str(max(after, told["newest"]))
    return answer


def _platforms(language: str) -> dict[str, str]:
    words = translations(language).gettext
    return {
        "site": words("Any site"),
        "gtm": "Google Tag Manager",
        "shopify": "Shopify",
        "woocommerce": "WooCommerce",
        "prestashop": "PrestaShop",
        "server": words("From your server"),
    }


def _live(advertiser: Advertiser, looked: Looked, visit: Visit) -> dict[str, Any]:
    lines = [_line(advertiser, one, visit.language) for one in looked.seen]
    return {
        "lines": lines,
        "newest": lines[0].number if lines else 0,
        "is_watched": looked.watched_until_ms > 0,
    }


def _line(advertiser: Advertiser, seen: Seen, language: str) -> Line:
    event = seen.event
    at = datetime.fromtimestamp(event.at_ms / 1000, UTC)
    api = f"/api/v1/advertisers/{write_id('adv', advertiser.key)}/live-events"
    refusal = event.reason and refusal_in_words(event.reason, event.basis, event.site, language)
    currency = event.currency or advertiser.currency
    return Line(
        seen.number,
        f"{api}?after={seen.number - 1}&limit=200",
        at.isoformat(),
        format_time(at, "medium", tzinfo=ZoneInfo(advertiser.timezone), locale=locale_for(language)),
        event.name or "",
        event_in_words(event.name, language),
        [(one, *_known(seen, one)) for one in event.item_ids],
        event.items,
        event.value_micros,
        "" if event.value_micros is None else price(event.value_micros, currency, language),
        basis_in_words(event.basis, language),
        refusal,
        _notes(seen, language),
    )


def _known(seen: Seen, item_id: str) -> tuple[str | None, str | None]:
    product = seen.products.get(item_id)
    if product is None:
        return None, None
    return product.title, None if product.picture is None else f"/media/{product.picture}.jpg"


def _notes(seen: Seen, language: str) -> list[str]:
    """What is odd about an event that was kept."""
    words = translations(language).gettext
    event = seen.event
    notes = [words("Sent by your server")] if event.by_server else []
    if event.again:
        notes.append(words("Sent twice: it counts once"))
    if Flaw.MISSING_CURRENCY in event.flaws:
        notes.append(words("A price without a currency was left out: send currency too"))
    other = ", ".join(sorted(set(event.flaws) - {Flaw.MISSING_CURRENCY}))
    if other:
        notes.append(words("Left out, since it could not be read: %(fields)s") % {"fields": other})
    return notes
