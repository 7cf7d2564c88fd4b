"""/api/v1/postback: an order or lead told by a signed address, and the secret it is signed with."""

from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.responses import Response

from adserver.domain.identity import read_id
from adserver.flows.postback import Unproved
from adserver.web.api.answers import found, key_from, known, problems
from adserver.web.auth import ADVERTISERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentFlows
from adserver.web.once import answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.postback import (
    PostbackAnswer,
    PostbackQuery,
    PostbackSetUp,
    read_postback,
    show_postback,
    show_set_up,
)
from adserver.writes import Result

_PARAMETERS = [
    {"name": name, "in": "query", "schema": {"type": "string"}, "required": name in ("ts", "nonce", "sig")}
    for name in PostbackQuery.model_fields
    if name != "advertiser_id"
]
SIGNED = {"security": [], "parameters": _PARAMETERS}

router = api_router(tags=["postback"])


@router.get(
    "/advertisers/{advertiser_id}/postback",
    response_model=PostbackSetUp,
    responses=problems(),
    dependencies=[ADVERTISERS_ONLY],
)
def get_postback(advertiser_id: str, flows: CurrentFlows, caller: CurrentCaller) -> Response:
    """The address of its postbacks, and the secret that signs them."""
    advertiser = found(flows.manage.accounts.advertiser(caller.reach, key_from("adv", advertiser_id)))
    return answer(show_set_up(flows.base_url, advertiser.key, flows.postback.secret(advertiser.key)))


@router.get(
    "/postback/{advertiser_id}",
    response_model=PostbackAnswer,
    responses=problems(409, 503),
    openapi_extra=SIGNED,
)
def hear_postback(advertiser_id: str, request: Request, flows: CurrentFlows) -> Response:
    """An order or lead, proved by its signature: valid once, and for five minutes. See docs/api.md."""
    pairs = parse_qsl(request.url.query, keep_blank_values=True)
    parameters = dict(pairs)
    signed = flows.postback.is_signed(read_id("adv", advertiser_id), parameters)
    if not signed or len(parameters) < len(pairs):
        raise Problem(Unproved.BAD_SIGNATURE.value)
    query = read_postback(advertiser_id, parameters)
    visitor_key = known(flows.relay.visitor(query.advertiser_id, query.visitor, query.rtclid))
    heard = flows.postback.hear(query.posted(flows.postback.clock(), visitor_key))
    if isinstance(heard, Unproved):
        raise Problem(heard.value)
    if heard.outcome.result is Result.UNRECORDED:
        raise Problem("unrecorded")
    return answer(show_postback(heard))


@router.post(
    "/postback/{advertiser_id}",
    response_model=PostbackAnswer,
    responses=problems(409, 503),
    openapi_extra=SIGNED,
)
def hear_posted_postback(advertiser_id: str, request: Request, flows: CurrentFlows) -> Response:
    """The same for callers that post; the parameters are the address's still."""
    return hear_postback(advertiser_id, request, flows)
