"""An advertiser's audiences: how many people each holds, and one made from what most shops want."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi.responses import Response

from adserver.domain.audience import Audience
from adserver.domain.audience_presets import Preset
from adserver.domain.campaign import Advertiser
from adserver.domain.identity import write_id
from adserver.domain.user import Role
from adserver.flows.manage import Refused
from adserver.web.console.campaign_words import preset_in_words, problem_in_words
from adserver.web.console.owners import Id, reach_of, shop_of
from adserver.web.console.page import translations
from adserver.web.console.reading import Reading
from adserver.web.console.visit import CurrentDesk, CurrentVisit, OwnForm, Visit, see
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.prospects import READY_MADE, Narrowed, audience_of
from adserver.web.routes import page_router
from adserver.web.schemas.launches import PresetQuery

AT_ONCE = 500
MOST_DAYS = 540

router = page_router("/console/shop/{shop}/audiences")


@router.get("")
def audiences(shop: Id, flows: CurrentFlows, desk: CurrentDesk, visit: CurrentVisit) -> Response:
    return _page(flows, shop_of(desk, visit, shop, Role.ADVERTISER), visit, {})


@router.post("")
def make(shop: Id, flows: CurrentFlows, desk: CurrentDesk, visit: CurrentVisit, form: OwnForm) -> Response:
    """Count whom it would hold, or save it."""
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    reading = Reading(form, visit.language)
    wished = _wished(flows, advertiser, reading)
    if wished is None:
        return _page(flows, advertiser, visit, form, status=422, flaws=reading.flaws)
    counts = form.get("deed") == "show"
    done = (
        flows.manage.audiences.sound(reach_of(advertiser), wished)
        if counts
        else flows.manage.audiences.create(reach_of(advertiser), wished)
    )
    if isinstance(done, Refused):
        problem = problem_in_words(str(done.reason), visit.language)
        return _page(flows, advertiser, visit, form, status=409, problem=problem)
    if counts:
        return _page(flows, advertiser, visit, form, counted=done)
    return see(f"/console/shop/{shop}/audiences", "made")


def _wished(flows: Flows, advertiser: Advertiser, reading: Reading) -> Audience | None:
    words = translations(reading.language).gettext
    preset = reading.text("preset")
    days = reading.whole("days", MOST_DAYS)
    named = {name: _list(reading.text(name)) for name in ("item_ids", "categories", "brands")}
    asked = reading.body(PresetQuery, {"retention_days": days, **named})
    name = reading.text("name")
    if not name and reading.text("deed") == "show":
        name = "-"
    if not 1 <= len(name) <= 100:
        reading.flaws["name"] = reading.said("name")
    if preset not in READY_MADE:
        reading.flaws["preset"] = words("Choose who they are.")
    if asked is None or reading.flaws:
        return None
    narrowed = Narrowed(days, asked.items())
    return audience_of(flows, advertiser.key, Preset(preset), narrowed, name)


def _list(text: str) -> list[str]:
    return list(dict.fromkeys(filter(None, (one.strip() for one in text.split(",")))))


def _page(
    flows: Flows,
    advertiser: Advertiser,
    visit: Visit,
    form: Mapping[str, str],
    counted: Audience | None = None,
    **told: Any,
) -> Response:
    found = flows.manage.audiences.audiences(reach_of(advertiser), advertiser.key, -1, AT_ONCE)
    own = [] if isinstance(found, Refused) else sorted(found, key=lambda one: one.name.casefold())
    sizes = flows.audience_sizes.of_audiences(own)
    shop = write_id("adv", advertiser.key)
    return visit.page(
        "audiences.html",
        status=told.pop("status", 200),
        shop=shop,
        advertiser=advertiser,
        audiences=[(write_id("aud", one.key), one, size) for one, size in zip(own, sizes, strict=True)],
        presets=[(str(one), " · ".join(preset_in_words(one, visit.language))) for one in READY_MADE],
        form=form,
        counted=None if counted is None else flows.audience_sizes.preview(counted),
        has_counted=counted is not None,
        counted_api=_counted_api(form, shop),
        counted_at=f"items/{READY_MADE.index(Preset(form['preset']))}/" if counted is not None else "",
        **({"flaws": {}, "problem": ""} | told),
    )


def _counted_api(form: Mapping[str, str], shop: str) -> str:
    """Where the API counts the same."""
    told: dict[str, object] = {
        name: _list(form.get(name, "")) for name in ("item_ids", "categories", "brands")
    }
    if form.get("days"):
        told["retention_days"] = form["days"].strip()
    return f"/api/v1/advertisers/{shop}/presets?{urlencode(told, doseq=True)}"
