"""The form of a new campaign: what it holds at first, and what becomes of it."""

from collections.abc import Mapping
from urllib.parse import urlencode

from adserver.domain.audience_presets import Preset
from adserver.domain.campaign import Advertiser, Campaign, Creative, Status
from adserver.domain.identity import write_id
from adserver.domain.pricing import PricingModel
from adserver.domain.situation import Situation
from adserver.web.console.campaign_words import preset_in_words
from adserver.web.console.figures import typed
from adserver.web.console.reading import Reading, country_names, date_in, end_of, first_of
from adserver.web.prospects import READY_MADE
from adserver.web.schemas.audiences import AudienceDraft
from adserver.web.schemas.campaigns import MOST_NAMED, CampaignDraft
from adserver.web.schemas.creatives import CreativeBody
from adserver.web.schemas.launches import LaunchDraft, OutlookQuery
from creatives.card import Brand

MESSAGE = "message"
LOOK = (
    "template", "brand", "primary", "accent", "theme", "headline", "button", "body", "link", "offer", "off",
    "code", "pool",
)  # fmt: skip
OFFERS = ("", "percent", "amount", "pool")


def empty_form(advertiser: Advertiser, brand: Brand | None) -> dict[str, str]:
    look = look_fields(Brand(advertiser.name) if brand is None else brand)
    return {"model": PricingModel.CPC, "template": "cards", "preset.cart_abandoners": "on"} | look


def look_fields(brand: Brand) -> dict[str, str]:
    return {"brand": brand.name, "primary": brand.primary, "accent": brand.accent, "theme": brand.theme}


def form_like(campaign: Campaign, creative: Creative | None, language: str) -> dict[str, str]:
    """Another campaign as the form would have been filled in; its days are its own."""
    terms = campaign.terms
    form = {
        "name": campaign.name,
        "model": str(terms.pricing_model),
        "event": str(terms.conversion_event),
        "rate": typed(terms.rate_micros, language) if terms.rate_micros else "",
        "countries": country_names(campaign.targeting.countries.included, language),
    }
    for name, budget in (("daily", campaign.daily_budget_micros), ("total", campaign.total_budget_micros)):
        form[name] = "" if budget is None else typed(budget, language)
    if campaign.product_set_key is not None:
        form["product_set"] = write_id("set", campaign.product_set_key)
    for named in terms.audience_rates:
        form["audience." + write_id("aud", named.audience_key)] = "on"
    return form | ({} if creative is None else creative_fields(creative, language))


def creative_fields(creative: Creative, language: str) -> dict[str, str]:
    """A creative as the form holds it; of its words those for everybody."""
    said = next((one for one in creative.copies if one.situation is one.language is None), None)
    message, offer = creative.message, creative.offer
    form = {"template": creative.template, "link": creative.link or ""} | look_fields(creative.brand)
    form["headline"] = message.headline if message else (said.headline if said else "") or ""
    form["button"] = message.button if message else (said.button if said else "") or ""
    form["body"] = message.body if message else ""
    if offer is None:
        return form
    form["offer"] = "percent" if offer.percent is not None else "amount"
    form["off"] = (
        str(offer.percent) if offer.percent is not None else typed(offer.amount_micros or 0, language)
    )
    form["code"] = offer.code or ""
    form["pool"] = "" if creative.pool_key is None else write_id("pool", creative.pool_key)
    return form


def look_address(form: Mapping[str, str]) -> str:
    """The look's fields as the query of a preview's address."""
    return urlencode({name: form[name] for name in LOOK if form.get(name)})


def look_in(reading: Reading) -> CreativeBody | None:
    """The creative that the form describes."""
    return reading.body(CreativeBody, _look(reading))


def _look(reading: Reading) -> dict[str, object]:
    text = reading.text
    colours = {name: text(name) for name in ("primary", "accent") if text(name)}
    brand = {"name": text("brand"), "colors": colours, "theme": text("theme") or "light"}
    look: dict[str, object] = {"template": text("template") or "cards", "brand": brand}
    headline, button = text("headline"), text("button")
    if look["template"] == MESSAGE:
        message = {"headline": headline, "body": text("body"), "button": button}
        return look | {
            "message": message,
            "link": text("link"),
            "language": reading.language,
            "situations": [str(one) for one in Situation],
        }
    if headline or button:
        look["copies"] = [{"headline": headline or None, "button": button or None}]
    return look | {"offer": _offer(reading)}


def _offer(reading: Reading) -> dict[str, object] | None:
    kind = reading.text("offer")
    if kind not in OFFERS[1:]:
        return None
    offer: dict[str, object] = {"code": reading.text("code") or None, "pool": reading.text("pool") or None}
    if kind == "percent":
        return offer | {"percent": reading.whole("off", 90)}
    return offer | {"amount_micros": reading.amount("off")}


def launch_in(reading: Reading, advertiser: Advertiser, status: Status) -> LaunchDraft | None:
    """All that the form orders; None where its flaws say why not."""
    campaign = reading.body(CampaignDraft, _campaign(reading, advertiser) | {"status": status})
    creative = look_in(reading)
    if campaign is None or creative is None:
        return None
    owner = write_id("adv", advertiser.key)
    audiences = [
        AudienceDraft.model_validate({
            "advertiser_id": owner,
            "name": preset_in_words(preset, reading.language)[0],
            "preset": preset,
        })
        for preset in presets_in(reading)
    ]  # fmt: skip
    return LaunchDraft.model_construct(campaign=campaign, creative=creative, audiences=audiences)


def _campaign(reading: Reading, advertiser: Advertiser) -> dict[str, object]:
    given: dict[str, object] = {
        "advertiser_id": write_id("adv", advertiser.key),
        "name": reading.text("name"),
        "pricing_model": reading.text("model"),
        "rate_micros": reading.amount("rate") or 0,
        "daily_budget_micros": reading.amount("daily"),
        "total_budget_micros": reading.amount("total"),
        "starts_at": first_of(reading.day("starts", advertiser.timezone)),
        "ends_at": end_of(reading.day("ends", advertiser.timezone)),
        "audiences": [{"audience_id": one} for one in reading.ticked("audience.")],
        "product_set_id": reading.text("product_set") or None,
    }
    if len(reading.ticked("audience.")) + len(presets_in(reading)) > MOST_NAMED:
        reading.flaws["audiences"] = reading.said("audiences")
    if not given["rate_micros"]:
        reading.flaws.setdefault("rate", reading.said("rate"))
    if reading.text("model") == PricingModel.CPA and reading.text("event"):
        given["conversion_event"] = reading.text("event")
    countries = reading.countries("countries")
    if countries:
        given["targeting"] = {"countries": {"operand": "in", "values": countries}}
    return given


def presets_in(reading: Reading) -> list[Preset]:
    return [preset for preset in READY_MADE if f"preset.{preset}" in reading.form]


def outlook_in(reading: Reading) -> OutlookQuery | None:
    """What an outlook asks of the form; None where it has no price yet."""
    given = {
        "pricing_model": reading.text("model"),
        "rate_micros": reading.amount("rate"),
        "daily_budget_micros": reading.amount("daily"),
        "total_budget_micros": reading.amount("total"),
        "audience_ids": reading.ticked("audience."),
        "presets": presets_in(reading),
        "targeted": bool(reading.countries("countries")),
    }
    return reading.body(OutlookQuery, given)


def outlook_address(reading: Reading, asked: OutlookQuery, shop: str) -> str:
    """Where the API tells the same."""
    told = {
        "pricing_model": str(asked.pricing_model),
        "rate_micros": asked.rate_micros,
        "daily_budget_micros": asked.daily_budget_micros,
        "total_budget_micros": asked.total_budget_micros,
        "audience_ids": reading.ticked("audience."),
        "presets": [str(one) for one in asked.presets],
        "targeted": "true" if asked.targeted else None,
    }
    query = urlencode({name: value for name, value in told.items() if value is not None}, doseq=True)
    return f"/api/v1/advertisers/{shop}/outlook?{query}"


def dates_of(campaign: Campaign, timezone: str) -> tuple[str, str]:
    """The first and the last day, as date fields hold them."""
    last_ms = None if campaign.ends_at_ms is None else campaign.ends_at_ms - 1
    return date_in(campaign.starts_at_ms, timezone), date_in(last_ms, timezone)
