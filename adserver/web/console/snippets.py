"""The tag and its events as they are pasted, with a shop's own id and one of its products."""

import json
from decimal import Decimal
from functools import cache

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from adserver.domain.campaign import Advertiser
from adserver.domain.catalogue import Product


class Snippet(msgspec.Struct, frozen=True):
    """Text to copy; `name` is unique on its page."""

    name: str
    text: str


_EVENTS = ("view.html", "cart.js", "order.html")
PLATFORMS: dict[str, tuple[str, ...]] = {
    "site": ("plain.html", *_EVENTS, "lead.js", "form.html", "yes.js", "no.js"),
    "gtm": ("plain.html", *_EVENTS),
    "shopify": ("theme.liquid", "shopify.js"),
    "woocommerce": ("woocommerce.php",),
    "prestashop": ("prestashop.tpl", "prestashop_order.tpl"),
    "server": ("server.sh", "python.txt"),
}


@cache
def _environment() -> Environment:
    """No page is made here: the page that shows a snippet escapes it, and what goes in is JSON or an id."""
    return Environment(
        loader=PackageLoader("adserver.web", "templates/console/snippets"),
        autoescape=False,  # noqa: S701
        undefined=StrictUndefined,
    )


def snippets(
    platform: str, advertiser: Advertiser, product: Product | None, base_url: str, now_ms: int
) -> dict[str, Snippet]:
    """What is pasted on a platform, by the beginning of its name."""
    price = Decimal("59.90") if product is None else Decimal(product.price_micros).scaleb(-6).normalize()
    words = {
        "public_id": advertiser.public_id,
        "base_url": base_url,
        "item_id": _code("sku-1" if product is None else product.item_id),
        "price": f"{price:f}",
        "currency": _code(advertiser.currency),
        "now_seconds": now_ms // 1000,
    }
    return {
        name.partition(".")[0]: Snippet(name, _environment().get_template(name).render(words))
        for name in PLATFORMS[platform]
    }


def _code(text: str) -> str:
    """A text in JavaScript, Python and JSON; it ends no script, and no shell's quotes."""
    return json.dumps(text).replace("<", "\\u003c").replace("'", "\\u0027")
