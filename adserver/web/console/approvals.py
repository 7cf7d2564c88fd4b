"""Ads that wait for somebody's word: the network's on each creative, and a publisher's on each advertiser."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Annotated

import msgspec
from fastapi import Query
from fastapi.responses import Response
from msgspec.structs import replace
from pydantic import TypeAdapter, ValidationError

from adserver.domain.admission import Admission
from adserver.domain.approval import content_hash, last_review
from adserver.domain.campaign import Advertiser, Approval, Campaign, Creative
from adserver.domain.identity import read_id, write_id
from adserver.domain.slot import Publisher, Slot
from adserver.flows.manage import Asking, Reach, Refused
from adserver.flows.preview import NoPreview, Wish
from adserver.web.api.previews import drawn
from adserver.web.console.owners import Id, publisher_of, reach_of
from adserver.web.console.page import HEADERS, unkept_frame
from adserver.web.console.publisher_words import admission_in_words, name_of, no_in_words
from adserver.web.console.sites import lines_of, root_of, sites_of
from adserver.web.console.visit import OPERATORS_ONLY, CurrentDesk, CurrentVisit, OwnForm, Visit, see
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.routes import page_router
from adserver.web.schemas.accounts import PublisherChange
from adserver.web.schemas.blocks import show_blocks
from adserver.web.schemas.fields import Line
from adserver.writes import Scope
from creatives.formats import FORMATS, RESPONSIVE

AT_ONCE = 20
MOST_SLOTS = 500
MOST_LOOKS = 2  # sizes in which an ad is looked at
USUAL = ("300x250", "728x90")
NETWORK = "/console/network/approvals"
OPERATOR = Reach(Scope.OPERATOR)
_reason = TypeAdapter(Line)

router = page_router("/console")
Place = Annotated[str, Query()]


class Waiting(msgspec.Struct, frozen=True):
    """A creative as the queue shows it: of whom, and where it leads."""

    id: str
    creative: Creative
    hash: str
    campaign: Campaign
    advertiser: Advertiser
    reason: str
    is_shown_before: bool


# ---- the network's ----


@router.get("/network/approvals", dependencies=[OPERATORS_ONLY])
def queue(
    visit: CurrentVisit, flows: CurrentFlows, standing: Place = Approval.PENDING, after: Place = ""
) -> Response:
    return _queue(visit, flows, standing, after, 200)


@router.post("/network/approvals", dependencies=[OPERATORS_ONLY])
def judge(visit: CurrentVisit, flows: CurrentFlows, form: OwnForm) -> Response:
    """Of each that is ticked, the very content that was looked at is approved or refused."""
    standing, word = _standing(form.get("standing", "")), form.get("word", "")
    chosen = {read_id("crv", name): form[name] for name in form if name.startswith("crv_")}
    if not chosen:
        return _queue(visit, flows, standing, "", 422, "chosen")
    judged: list[Creative | Refused] = []
    reviews = flows.manage.reviews
    if word == "approve":
        judged = [reviews.approve(OPERATOR, key or 0, seen) for key, seen in chosen.items()]
    else:
        try:
            reason = _reason.validate_python(form.get("reason", ""))
        except ValidationError:
            return _queue(visit, flows, standing, "", 422, "reason", form)
        refuse = partial(reviews.reject, OPERATOR, reason=reason, withdraw=word == "withdraw")
        judged = [refuse(key or 0, seen) for key, seen in chosen.items()]
    no = next((name_of(one) for one in judged if isinstance(one, Refused)), "")
    if no:
        return _queue(visit, flows, standing, "", 409, no, form)
    return see(f"{NETWORK}?standing={standing}&done=saved")


@router.get("/network/approvals/{creative}/{size}", dependencies=[OPERATORS_ONLY])
def look(creative: Id, size: Id, visit: CurrentVisit, flows: CurrentFlows) -> Response:
    """How its newest version looks, approved or not."""
    found = flows.manage.campaigns.creative(OPERATOR, read_id("crv", creative) or 0)
    if isinstance(found, Refused):
        return see(NETWORK)
    campaign = flows.manage.campaigns.campaign(OPERATOR, found.campaign_key)
    if isinstance(campaign, Refused):
        return see(NETWORK)
    return _looked_at(flows, visit, found, campaign.advertiser_key, size)


def _queue(
    visit: Visit,
    flows: Flows,
    standing: str,
    after: str,
    status: int,
    no: str = "",
    form: Mapping[str, str] | None = None,
) -> Response:
    asked = _standing(standing)
    place = read_id("cur", after) or 0
    found = flows.manage.reviews.creatives(OPERATOR, asked, None, place, AT_ONCE + 1)
    waiting = [] if isinstance(found, Refused) else found
    typed = form or {}
    return visit.page(
        "approvals.html",
        status=status,
        standing=asked,
        waiting=[line for one in waiting[:AT_ONCE] if (line := _waiting(flows, one)) is not None],
        more=write_id("cur", waiting[AT_ONCE - 1].key) if len(waiting) > AT_ONCE else "",
        sizes=_sizes(flows.manage.inventory.slots_of_all(OPERATOR, MOST_SLOTS)),
        ticked=frozenset(name for name in typed if name.startswith("crv_")),
        reason=typed.get("reason", ""),
        no=no,
        no_words=no_in_words(no, visit.language) if no else "",
    )


def _standing(text: str) -> Approval:
    return Approval(text) if text in frozenset(Approval) else Approval.PENDING


def _waiting(flows: Flows, creative: Creative) -> Waiting | None:
    campaign = flows.manage.campaigns.campaign(OPERATOR, creative.campaign_key)
    if isinstance(campaign, Refused):
        return None
    advertiser = flows.manage.accounts.advertiser(OPERATOR, campaign.advertiser_key)
    if isinstance(advertiser, Refused):
        return None
    said = last_review(creative, Approval.REJECTED)
    return Waiting(
        write_id("crv", creative.key),
        creative,
        content_hash(creative),
        campaign,
        advertiser,
        said.reason if said else "",
        creative.approved is not None,
    )


# ---- a publisher's ----


@router.get("/publisher/{publisher}/approvals")
def asking(
    publisher: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, after: Place = ""
) -> Response:
    return _asking(visit, flows, publisher_of(desk, visit, publisher), after, 200)


@router.post("/publisher/{publisher}/approvals")
def say(
    publisher: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, form: OwnForm
) -> Response:
    """Let those that are ticked in, or keep them out."""
    owner = publisher_of(desk, visit, publisher)
    chosen = [key for name in form if (key := read_id("adv", name)) is not None]
    if not chosen:
        return _asking(visit, flows, owner, "", 422, "chosen")
    wanted = form.get("word") == "approve"
    said = flows.manage.inventory.admissions.say(reach_of(owner), owner.key, chosen, wanted=wanted)
    if isinstance(said, Refused):
        return _asking(visit, flows, owner, "", 409, name_of(said))
    return see(f"{root_of(owner)}/approvals", "saved")


@router.post("/publisher/{publisher}/approvals/blocks")
def block(
    publisher: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, form: OwnForm
) -> Response:
    """What holds on all the publisher's sites."""
    owner = publisher_of(desk, visit, publisher)
    try:
        change = PublisherChange.model_validate(
            {
                "blocked_categories": lines_of(form.get("blocked_categories", "")),
                "blocked_advertisers": lines_of(form.get("blocked_advertisers", "")),
                "approve_advertisers": form.get("approve_advertisers") == "on",
                "separate_competitors": form.get("separate_competitors") == "on",
            }
        )
    except ValidationError as flaw:
        return _asking(visit, flows, owner, "", 422, name_of(flaw), form)
    changed = flows.manage.accounts.change_publisher(reach_of(owner), owner.key, partial(_with, change))
    if isinstance(changed, Refused):
        return _asking(visit, flows, owner, "", 409, name_of(changed), form)
    return see(f"{root_of(owner)}/approvals", "saved")


def _with(change: PublisherChange, publisher: Publisher) -> Publisher:
    """Refused by a tick stays refused: the form has the domains only."""
    wished = change.edit(publisher)
    keys = dict.fromkeys((*publisher.blocks.advertisers, *wished.blocks.advertisers))
    return replace(wished, blocks=replace(wished.blocks, advertisers=tuple(keys)))


@router.get("/publisher/{publisher}/approvals/{creative}/{size}")
def look_as_publisher(
    publisher: Id, creative: Id, size: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows
) -> Response:
    owner = publisher_of(desk, visit, publisher)
    key = read_id("crv", creative) or 0
    found = flows.manage.inventory.admissions.creative(reach_of(owner), owner.key, key)
    if isinstance(found, Refused):
        return see(f"{root_of(owner)}/approvals")
    live, advertiser_key = found
    return _looked_at(flows, visit, live, advertiser_key, size)


def _asking(
    visit: Visit,
    flows: Flows,
    owner: Publisher,
    after: str,
    status: int,
    no: str = "",
    form: Mapping[str, str] | None = None,
) -> Response:
    place = read_id("cur", after)
    found = flows.manage.inventory.admissions.asking(
        reach_of(owner), owner.key, -1 if place is None else place, AT_ONCE + 1
    )
    listed = [] if isinstance(found, Refused) else found
    first = {Admission.WAITING: 0, Admission.REFUSED: 2, Admission.CATEGORY: 2}
    shown = sorted(listed[:AT_ONCE], key=lambda one: first.get(one.admission, 1))
    blocks = show_blocks(replace(owner.blocks, advertisers=()))
    return visit.page(
        "admissions.html",
        status=status,
        publisher=owner,
        root=root_of(owner),
        asking=[(write_id("adv", one.key), one, _pictures(one)) for one in shown],
        more=write_id("cur", listed[AT_ONCE - 1].key) if len(listed) > AT_ONCE else "",
        sizes=_sizes(_slots_of(flows, owner)),
        admissions=admission_in_words(visit.language),
        blocks={**blocks, **_typed(form)},
        no=no,
        no_words=no_in_words(no, visit.language) if no else "",
    )


def _typed(form: Mapping[str, str] | None) -> dict[str, object]:
    """What was typed into the blocks, where it was refused."""
    if form is None:
        return {}
    return {
        "blocked_categories": lines_of(form.get("blocked_categories", "")),
        "blocked_advertisers": lines_of(form.get("blocked_advertisers", "")),
        "approve_advertisers": form.get("approve_advertisers") == "on",
        "separate_competitors": form.get("separate_competitors") == "on",
    }


def _pictures(one: Asking) -> list[tuple[str, Creative]]:
    return [(write_id("crv", creative.key), creative) for creative in one.creatives[:MOST_LOOKS]]


def _slots_of(flows: Flows, owner: Publisher) -> list[Slot]:
    found: list[Slot] = []
    for site in sites_of(flows, owner):
        slots = flows.manage.inventory.slots(reach_of(owner), site.key, -1, MOST_SLOTS)
        found += [] if isinstance(slots, Refused) else slots
    return found


def _sizes(slots: list[Slot]) -> list[tuple[str, int, int]]:
    """The sizes that most of the slots have; a slot without one is looked at in the usual ones."""
    counted = Counter(slot.format_name for slot in slots if not slot.is_responsive)
    names = [name for name, _ in counted.most_common(MOST_LOOKS)] or list(USUAL)
    return [(name, FORMATS[name].width, FORMATS[name].height) for name in names]


def _looked_at(flows: Flows, visit: Visit, creative: Creative, advertiser_key: int, size: str) -> Response:
    if size not in FORMATS or size == RESPONSIVE:
        size = USUAL[0]
    shown = flows.preview.shown(creative, advertiser_key, Wish())
    if isinstance(shown, NoPreview):
        answer = visit.page("no_look.html", status=409)
        policy = HEADERS["Content-Security-Policy"]
        answer.headers["Content-Security-Policy"] = policy.replace("ancestors 'none'", "ancestors 'self'")
        answer.headers["X-Frame-Options"] = "SAMEORIGIN"
        return answer
    return unkept_frame(drawn(flows.preview, shown, size, "html"))
