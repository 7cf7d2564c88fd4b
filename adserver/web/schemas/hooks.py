"""A shop's order webhook: its secret going in, how it stands and what became of its orders coming out."""

from collections.abc import Mapping

from pydantic import Field

from adserver.domain.identity import write_id
from adserver.domain.shop_hook import ShopHook, ShopSoftware
from adserver.flows.shops import TOPICS, Change
from adserver.web.gate import API
from adserver.web.schemas.fields import ShownTime, Strict


class HookBody(Strict):
    """Shopify shows its own secret; for WooCommerce leave it out, and we make one."""

    secret: str | None = Field(
        default=None,
        pattern=r"^[\x21-\x7e](?:[\x20-\x7e]{14,198}[\x21-\x7e])$",
        description="16 to 200 visible ASCII letters, as the shop has it",
    )


class HookAnswer(Strict):
    shop: ShopSoftware
    set: bool
    set_at: ShownTime | None
    address: str = Field(description="to paste in the shop, for each of `topics`")
    topics: list[str]
    results: dict[str, int] = Field(description="what became of its webhooks in the last 7 days")
    secret: str | None = Field(default=None, description="only where we made it, and only now")


class HeardAnswer(Strict):
    """What became of each order and refund in a webhook."""

    results: list[str]
    reasons: list[str] = Field(description="in the same order; empty where there is none")


def show_hook(
    shop: ShopSoftware,
    advertiser_key: int,
    hook: ShopHook | None,
    base_url: str,
    results: Mapping[str, int],
    minted: str | None = None,
) -> HookAnswer:
    return HookAnswer(
        shop=shop,
        set=hook is not None,
        set_at=None if hook is None else hook.set_at_ms,
        address=f"{base_url}{API}/hooks/{shop}/{write_id('adv', advertiser_key)}",
        topics=list(TOPICS[shop]),
        results=dict(sorted(results.items())),
        secret=minted,
    )


def show_heard(changes: list[Change]) -> HeardAnswer:
    return HeardAnswer(
        results=[change.result for change in changes], reasons=[change.reason for change in changes]
    )
