"""The pixel doctor's findings with the fix in words, and how many of the pages' ids the catalogue has."""

from datetime import UTC, datetime
from functools import partial

import msgspec
from fastapi.responses import Response
from msgspec.structs import replace

from adserver.domain.campaign import Advertiser
from adserver.domain.identity import write_id
from adserver.domain.item_id import ItemIdRule
from adserver.domain.item_mapping import Proposal
from adserver.domain.user import Role
from adserver.flows.manage import Refused
from adserver.web.console.event_words import basis_in_words, event_in_words, refusal_in_words
from adserver.web.console.figures import moment, number, share
from adserver.web.console.owners import Id, reach_of, shop_of
from adserver.web.console.visit import CurrentDesk, CurrentVisit, OwnForm, Visit, see
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.routes import page_router
from adserver.web.schemas.fields import write_time
from adserver.web.schemas.pixel import show_pixel
from pixel.consent import Basis

ROLES = (Role.ADVERTISER, Role.WEBMASTER)

router = page_router("/console/shop/{shop}/doctor")


class Said(msgspec.Struct, frozen=True):
    """An event's name in words, and when it came last."""

    name: str
    at: str
    time: str


@router.get("")
def examine(shop: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows) -> Response:
    return _page(shop_of(desk, visit, shop, *ROLES), flows, visit, 200)


@router.post("/rule")
def use_rule(
    shop: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, form: OwnForm
) -> Response:
    """Take the proposed rule; the one that was looked at, should another be proposed by now."""
    advertiser = shop_of(desk, visit, shop, *ROLES)
    proposal = flows.pixel_doctor.examine(advertiser).proposal
    rule = None if proposal is None else proposal.rule
    if rule is None or form.get("rule") != steps_of(rule):
        return _page(advertiser, flows, visit, 409, no="other_rule")
    return _set(advertiser, rule, flows, visit)


@router.post("/no-rule")
def drop_rule(
    shop: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, form: OwnForm
) -> Response:
    return _set(shop_of(desk, visit, shop, *ROLES), None, flows, visit)


def steps_of(rule: ItemIdRule) -> str:
    """The rule as a form carries it."""
    return msgspec.json.encode(rule).decode()


def _set(advertiser: Advertiser, rule: ItemIdRule | None, flows: Flows, visit: Visit) -> Response:
    changed = flows.manage.accounts.change_advertiser(
        reach_of(advertiser), advertiser.key, partial(_with_rule, rule)
    )
    if isinstance(changed, Refused):
        return _page(advertiser, flows, visit, 409, no="unchanged")
    return see(f"/console/shop/{write_id('adv', advertiser.key)}/doctor")


def _with_rule(rule: ItemIdRule | None, advertiser: Advertiser) -> Advertiser:
    return replace(advertiser, item_id_rule=rule)


def _page(advertiser: Advertiser, flows: Flows, visit: Visit, status: int, no: str | None = None) -> Response:
    examined = flows.pixel_doctor.examine(advertiser)
    told = show_pixel(advertiser.item_id_rule, examined)
    language, shop = visit.language, write_id("adv", advertiser.key)
    return visit.page(
        "doctor.html",
        status=status,
        no=no,
        shop=shop,
        advertiser=advertiser,
        api=f"/api/v1/advertisers/{shop}/pixel",
        told=told,
        events=[
            Said(
                event_in_words(one.event, language),
                write_time(one.last_hour_ms),
                moment(one.last_hour_ms, advertiser.timezone, language),
            )
            for one in examined.diagnosis.events
        ],
        held_since=_instant(advertiser.consent_held_at_ms, advertiser.timezone, language),
        rule=_rule_of(examined.proposal),
        mostly_no_vendor_id=_mostly_no_vendor_id,
        number=partial(number, language=language),
        share=partial(share, language=language),
        event_in_words=partial(event_in_words, language=language),
        refusal_in_words=lambda reason: refusal_in_words(reason, None, None, language),
        basis_in_words=partial(basis_in_words, language=language),
    )


def _mostly_no_vendor_id(figures: dict[str, float]) -> bool:
    """Whether most requests lack consent for want of the operator's own TCF number."""
    bases = {name: n for name, n in figures.items() if name != "share"}
    return max(bases, key=lambda name: bases[name], default="") == Basis.NO_VENDOR_ID


def _rule_of(proposal: Proposal | None) -> str | None:
    return None if proposal is None or proposal.rule is None else steps_of(proposal.rule)


def _instant(at_ms: int | None, timezone: str, language: str) -> tuple[str, str] | None:
    """A time for programs and for people."""
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(), moment(at_ms, timezone, language)
