"""/api/v1/.../proof and .../entries: what lets anyone check a balance without trusting us."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Query
from fastapi.responses import Response, StreamingResponse

from adserver.domain.campaign import Advertiser, Campaign
from adserver.domain.identity import write_id
from adserver.web.api.answers import found, key_from, problems
from adserver.web.auth import ADVERTISERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.once import answer
from adserver.web.routes import api_router
from adserver.web.schemas.proofs import (
    EntriesAnswer,
    EntriesQuery,
    ProofAnswer,
    ProofKeyAnswer,
    ProofQuery,
    show_proof,
)

NDJSON = "application/x-ndjson"

router = api_router(tags=["proof"])


def _campaign(flows: Flows, caller: CurrentCaller, campaign_id: str) -> Campaign:
    return found(flows.manage.campaigns.campaign(caller.reach, key_from("cmp", campaign_id)))


def _advertiser(flows: Flows, caller: CurrentCaller, advertiser_id: str) -> Advertiser:
    return found(flows.manage.accounts.advertiser(caller.reach, key_from("adv", advertiser_id)))


@router.get("/proof-key", response_model=ProofKeyAnswer, responses=problems())
def get_proof_key(flows: CurrentFlows) -> Response:
    """The key that the signed heads of all days are checked with."""
    public_key = flows.books.prove.public_key.hex()
    return answer(ProofKeyAnswer(algorithm="Ed25519", public_key=public_key))


@router.get(
    "/campaigns/{campaign_id}/proof",
    response_model=ProofAnswer,
    responses=problems(),
    dependencies=[ADVERTISERS_ONLY],
)
def get_campaign_proof(
    campaign_id: str, flows: CurrentFlows, caller: CurrentCaller, asked: Annotated[ProofQuery, Query()]
) -> Response:
    """A campaign's caps and balance, the head of its chain, and the signed heads of its days."""
    campaign = _campaign(flows, caller, campaign_id)
    return _proof(flows, campaign.key, campaign_id, campaign.terms.currency, asked)


@router.get(
    "/advertisers/{advertiser_id}/proof",
    response_model=ProofAnswer,
    responses=problems(),
    dependencies=[ADVERTISERS_ONLY],
)
def get_advertiser_proof(
    advertiser_id: str, flows: CurrentFlows, caller: CurrentCaller, asked: Annotated[ProofQuery, Query()]
) -> Response:
    """The same of an account, whose chain holds its budgets, its deposits and each day's campaign heads."""
    advertiser = _advertiser(flows, caller, advertiser_id)
    return _proof(flows, advertiser.key, advertiser_id, advertiser.currency, asked)


@router.get(
    "/campaigns/{campaign_id}/entries",
    response_model=EntriesAnswer,
    responses=problems(),
    dependencies=[ADVERTISERS_ONLY],
)
def list_campaign_entries(
    campaign_id: str, flows: CurrentFlows, caller: CurrentCaller, asked: Annotated[EntriesQuery, Query()]
) -> Response:
    """Every charge, refund and change of budgets of a campaign, numbered from 1."""
    return _entries(flows, _campaign(flows, caller, campaign_id).key, campaign_id, asked)


@router.get(
    "/advertisers/{advertiser_id}/entries",
    response_model=EntriesAnswer,
    responses=problems(),
    dependencies=[ADVERTISERS_ONLY],
)
def list_advertiser_entries(
    advertiser_id: str, flows: CurrentFlows, caller: CurrentCaller, asked: Annotated[EntriesQuery, Query()]
) -> Response:
    """Every change of budgets, deposit and sealed day of an account, numbered from 1."""
    return _entries(flows, _advertiser(flows, caller, advertiser_id).key, advertiser_id, asked)


def _proof(flows: Flows, key: int, owner: str, currency: str, asked: ProofQuery) -> Response:
    prove = flows.books.prove
    return answer(show_proof(owner, currency, prove.proof(key, asked.since), prove.public_key))


def _entries(flows: Flows, key: int, owner: str, asked: EntriesQuery) -> Response:
    if asked.format == "ndjson":
        return export_of(flows, key, owner)
    entries, until = flows.books.prove.entries(key, asked.cursor, asked.limit)
    cursor = b"null" if until is None else b'"%s"' % write_id("cur", until).encode()
    body = b'{"items":[%s],"next_cursor":%s}' % (b",".join(entries), cursor)
    return Response(body, media_type="application/json")


def export_of(flows: Flows, key: int, owner: str) -> StreamingResponse:
    """The chain as it stands now, and in the headers the head that it must come to."""
    export = flows.books.prove.export(key)

    def written() -> Iterator[bytes]:
        for entries in export.pieces:
            yield b"".join(b"%s\n" % entry for entry in entries)

    headers = {
        "X-Chain-Entries": str(export.standing.entries),
        "X-Chain-Head": export.standing.head.hex(),
        "Content-Disposition": f'attachment; filename="{owner}.ndjson"',
    }
    return StreamingResponse(written(), headers=headers, media_type=NDJSON)
