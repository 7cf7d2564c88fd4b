"""Proof of charges: how the chains stand, their signed days, one charge, and how to check it all oneself."""

from importlib.resources import files
from typing import Annotated

import msgspec
from fastapi import Query
from fastapi.responses import Response, StreamingResponse

from adserver.domain.campaign import Advertiser, Campaign
from adserver.domain.identity import read_id, write_id
from adserver.domain.user import Role
from adserver.flows.manage import Refused
from adserver.web.api.proofs import export_of
from adserver.web.console.account_figures import figures_of
from adserver.web.console.figures import date_of
from adserver.web.console.owners import Id, reach_of, shop_of
from adserver.web.console.page import HEADERS
from adserver.web.console.visit import CurrentDesk, CurrentVisit, Desk, Elsewhere
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.once import answer
from adserver.web.routes import page_router
from adserver.web.schemas.proofs import ProofAnswer, show_proof
from adserver.web.schemas.statements import ChargeAnswer, show_charge

CAMPAIGNS_AT_ONCE = 500
DAYS_SHOWN = 14

router = page_router("/console/shop/{shop}/proof")
scripts = page_router("/console")
Asked = Annotated[str, Query()]


class Chain(msgspec.Struct, frozen=True):
    """A chain that may be looked at: the account's own or a campaign's."""

    id: str
    name: str


@router.get("")
def proof(
    shop: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, of: Asked = "", charge: Asked = ""
) -> Response:
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    campaigns = _campaigns(desk, advertiser)
    chains = [Chain(shop, advertiser.name)]
    chains += [Chain(write_id("cmp", one.key), one.name) for one in campaigns]
    chain = next((one for one in chains if one.id == of), chains[0])
    shown = _proof(flows, advertiser, chain.id)
    charge = charge.strip()
    found = _charge(flows, advertiser, charge) if charge else None
    kind = "advertisers" if chain.id == shop else "campaigns"
    return visit.page(
        "proof.html",
        status=404 if charge and found is None else 200,
        shop=shop,
        advertiser=advertiser,
        chains=chains,
        chain=chain,
        proof=shown,
        heads=list(enumerate(shown.heads))[::-1][:DAYS_SHOWN],
        api=f"/api/v1/{kind}/{chain.id}/proof",
        charge=charge,
        found=found,
        base_url=desk.base_url,
        date_of=lambda day: date_of(day, visit.language),
        **figures_of(advertiser, visit.language),
    )


@scripts.get("/replay.py")
def replay() -> Response:
    """What recomputes a chain, for everybody."""
    return _script("replay")


@scripts.get("/signatures.py")
def signatures() -> Response:
    """What checks the signatures of a proof, for everybody."""
    return _script("signatures")


def _script(name: str) -> Response:
    """As the documentation has it; no .py file, since it is none of ours to import."""
    body = (files("adserver.web") / "templates" / "console" / f"{name}.txt").read_bytes()
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.py"',
        "X-Content-Type-Options": "nosniff",
    }
    return Response(body, media_type="text/x-python; charset=utf-8", headers=headers)


@router.get("/{owner}/proof.json")
def proof_file(shop: Id, owner: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows) -> Response:
    """What the API answers, to keep."""
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    _key(desk, advertiser, owner)
    made = answer(_proof(flows, advertiser, owner))
    made.headers.update(HEADERS | {"Content-Disposition": f'attachment; filename="{owner}-proof.json"'})
    return made


@router.get("/{owner}/entries.ndjson")
def entries_file(
    shop: Id, owner: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows
) -> StreamingResponse:
    """The whole chain, each line the very bytes that were hashed."""
    advertiser = shop_of(desk, visit, shop, Role.ADVERTISER)
    made = export_of(flows, _key(desk, advertiser, owner), owner)
    made.headers.update(HEADERS)
    return made


def _key(desk: Desk, advertiser: Advertiser, owner: str) -> int:
    """Of the account or of one of its campaigns; others are sent to the page."""
    if owner == write_id("adv", advertiser.key):
        return advertiser.key
    key = read_id("cmp", owner)
    campaign = None if key is None else desk.manage.campaigns.campaign(reach_of(advertiser), key)
    if campaign is None or isinstance(campaign, Refused) or campaign.advertiser_key != advertiser.key:
        raise Elsewhere(f"/console/shop/{write_id('adv', advertiser.key)}/proof")
    return campaign.key


def _proof(flows: Flows, advertiser: Advertiser, owner: str) -> ProofAnswer:
    prove = flows.books.prove
    key = read_id(owner[:3], owner) or advertiser.key
    return show_proof(owner, advertiser.currency, prove.proof(key, None), prove.public_key)


def _charge(flows: Flows, advertiser: Advertiser, text: str) -> ChargeAnswer | None:
    key = read_id("chg", text)
    proven = None if key is None else flows.books.advertisers.charge(advertiser, key)
    return None if proven is None else show_charge(proven)


def _campaigns(desk: Desk, advertiser: Advertiser) -> list[Campaign]:
    found: list[Campaign] = []
    while page := desk.manage.campaigns.campaigns(
        reach_of(advertiser), advertiser.key, found[-1].key if found else -1, CAMPAIGNS_AT_ONCE
    ):
        if isinstance(page, Refused):
            raise Elsewhere("/console")
        found += page
    return found
