"""What may be changed of a campaign by a form: only what differs from what it held is."""

from collections.abc import Callable

from msgspec.structs import replace

from adserver.domain.campaign import Advertiser, Campaign, Period
from adserver.domain.targeting import Condition, Targeting
from adserver.domain.visitor import MOST_SHOWN
from adserver.web.console.figures import typed
from adserver.web.console.launch_form import dates_of
from adserver.web.console.reading import Reading, country_names, end_of, first_of
from adserver.web.schemas.campaigns import CampaignChange
from adserver.web.schemas.targeting import show_targeting
from pixel.events import Device

DEVICES = tuple(str(one) for one in Device)


def fields_of(campaign: Campaign, advertiser: Advertiser, language: str) -> dict[str, str]:
    """The form as it stands before anything is changed."""
    terms, cap = campaign.terms, campaign.frequency_cap
    daily, total = campaign.daily_budget_micros, campaign.total_budget_micros
    starts, ends = dates_of(campaign, advertiser.timezone)
    fields = {
        "version": str(campaign.version),
        "name": campaign.name,
        "rate": typed(terms.rate_micros, language) if terms.rate_micros else "",
        "daily": "" if daily is None else typed(daily, language),
        "total": "" if total is None else typed(total, language),
        "starts": starts,
        "ends": ends,
        "pacing": str(campaign.pacing),
        "cap": "" if cap is None else str(cap.impressions),
        "cap_per": str(Period.DAY if cap is None else cap.per),
        "countries": country_names(campaign.targeting.countries.included, language),
    }
    return fields | {f"device.{one}": "on" for one in campaign.targeting.devices.included}


def change_in(reading: Reading, campaign: Campaign, advertiser: Advertiser) -> CampaignChange | None:
    """None where the reading's flaws say why not."""
    known, zone = fields_of(campaign, advertiser, reading.language), advertiser.timezone
    read: dict[str, tuple[str, Callable[[], object]]] = {
        "name": ("name", lambda: reading.text("name")),
        "rate": ("rate_micros", lambda: _rate(reading)),
        "daily": ("daily_budget_micros", lambda: reading.amount("daily")),
        "total": ("total_budget_micros", lambda: reading.amount("total")),
        "starts": ("starts_at", lambda: first_of(reading.day("starts", zone))),
        "ends": ("ends_at", lambda: end_of(reading.day("ends", zone))),
        "pacing": ("pacing", lambda: reading.text("pacing")),
        "cap": ("frequency_cap", lambda: _cap(reading)),
        "cap_per": ("frequency_cap", lambda: _cap(reading)),
    }
    given = {
        field: value()
        for name, (field, value) in read.items()
        if name in reading.form and reading.text(name) != known[name]
    }
    targeting = _targeting(reading, campaign.targeting, known["countries"])
    if targeting != campaign.targeting:
        shown = show_targeting(targeting)
        given["targeting"] = None if shown is None else shown.model_dump(exclude_unset=True)
    return reading.body(CampaignChange, given)


def _rate(reading: Reading) -> int:
    rate = reading.amount("rate")
    if rate is None:
        reading.flaws.setdefault("rate", reading.said("rate"))
    return rate or 0


def _cap(reading: Reading) -> dict[str, object] | None:
    times = reading.whole("cap", MOST_SHOWN)
    return None if times is None else {"impressions": times, "per": reading.text("cap_per")}


def _targeting(reading: Reading, known: Targeting, countries_told: str) -> Targeting:
    """What it includes of countries and devices; all else that it asks for stays."""
    if reading.form.get("countries", countries_told) != countries_told:
        countries = Condition(tuple(reading.countries("countries")), known.countries.excluded)
        known = replace(known, countries=countries)
    if "devices" in reading.form:
        wanted = [one for one in reading.ticked("device.") if one in DEVICES]
        same = set(wanted) == set(known.devices.included)
        included = known.devices.included if same else tuple(wanted)
        known = replace(known, devices=Condition(included, known.devices.excluded))
    return known
