"""/api/v1/hooks: shops' own signed order webhooks, and the secrets they are signed with."""

from fastapi import Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from adserver.domain.identity import read_id
from adserver.domain.shop_hook import ShopSoftware
from adserver.flows.shops import Unproved
from adserver.web.api.answers import found, key_from, problems
from adserver.web.auth import ADVERTISERS_ONLY, CurrentCaller
from adserver.web.flows import CurrentFlows, CurrentManage, Flows
from adserver.web.once import answer
from adserver.web.problems import Problem
from adserver.web.routes import api_router
from adserver.web.schemas.hooks import HeardAnswer, HookAnswer, HookBody, show_heard, show_hook
from adserver.writes import Result
from pixel.shop_order import ShopRejection

HEADERS = {  # topic, signature
    ShopSoftware.SHOPIFY: ("x-shopify-topic", "x-shopify-hmac-sha256"),
    ShopSoftware.WOOCOMMERCE: ("x-wc-webhook-topic", "x-wc-webhook-signature"),
}
SIGNED = {"security": [], "requestBody": {"content": {"application/json": {}}}}
SECRETS = "/advertisers/{advertiser_id}/hooks/{shop}"

router = api_router(tags=["hooks"])


@router.post(
    "/hooks/shopify/{advertiser_id}",
    response_model=HeardAnswer,
    responses=problems(413, 503),
    openapi_extra=SIGNED,
)
async def hear_shopify(advertiser_id: str, request: Request, flows: CurrentFlows) -> Response:
    """An order webhook of Shopify, proved by `X-Shopify-Hmac-Sha256`; see docs/shops.md."""
    return await _hear(ShopSoftware.SHOPIFY, advertiser_id, request, flows)


@router.post(
    "/hooks/woocommerce/{advertiser_id}",
    response_model=HeardAnswer,
    responses=problems(413, 503),
    openapi_extra=SIGNED,
)
async def hear_woocommerce(advertiser_id: str, request: Request, flows: CurrentFlows) -> Response:
    """An order webhook of WooCommerce, proved by `X-WC-Webhook-Signature`; see docs/shops.md."""
    return await _hear(ShopSoftware.WOOCOMMERCE, advertiser_id, request, flows)


async def _hear(shop: ShopSoftware, advertiser_id: str, request: Request, flows: Flows) -> Response:
    """A sound webhook is answered 200, whatever becomes of it: shops give up on an address that refuses."""
    body = await request.body()
    topic, signature = (request.headers.get(name, "") for name in HEADERS[shop])
    key = read_id("adv", advertiser_id)
    heard = await run_in_threadpool(flows.shops.hear, shop, key, topic, signature, body)
    if isinstance(heard, Unproved):
        raise Problem(heard.value)
    if isinstance(heard, ShopRejection):
        raise Problem("hook_malformed", reason=heard.value)
    if any(change.result == Result.UNRECORDED for change in heard):
        raise Problem("unrecorded")  # Shopify sends it again, and what was recorded of it stays once
    return answer(show_heard(heard))


@router.get(SECRETS, response_model=HookAnswer, responses=problems(), dependencies=[ADVERTISERS_ONLY])
def get_hook(advertiser_id: str, shop: str, flows: CurrentFlows, caller: CurrentCaller) -> Response:
    """Whether a secret is set, since when, the address to paste, and what became of its webhooks."""
    key, which = key_from("adv", advertiser_id), _shop_from(shop)
    hook = found(flows.manage.hooks.hook(caller.reach, key, which))
    return answer(show_hook(which, key, hook, flows.base_url, flows.shops.counts(which, key)))


@router.put(SECRETS, response_model=HookAnswer, responses=problems(409), dependencies=[ADVERTISERS_ONLY])
def set_hook(
    advertiser_id: str, shop: str, body: HookBody, flows: CurrentFlows, caller: CurrentCaller
) -> Response:
    """Set the secret that the shop signs with, in place of the one before. It is shown only if we made it."""
    key, which = key_from("adv", advertiser_id), _shop_from(shop)
    new = found(flows.manage.hooks.put(caller.reach, key, which, body.secret))
    counts = flows.shops.counts(which, key)
    return answer(show_hook(which, key, new.hook, flows.base_url, counts, new.minted))


@router.delete(
    SECRETS,
    status_code=204,
    response_class=Response,
    responses=problems(409),
    dependencies=[ADVERTISERS_ONLY],
)
def remove_hook(advertiser_id: str, shop: str, manage: CurrentManage, caller: CurrentCaller) -> Response:
    """Take the secret away: the shop's webhooks are refused from now on."""
    found(manage.hooks.remove(caller.reach, key_from("adv", advertiser_id), _shop_from(shop)))
    return Response(status_code=204)


def _shop_from(text: str) -> ShopSoftware:
    if text not in tuple(ShopSoftware):
        raise Problem("not_found")
    return ShopSoftware(text)
