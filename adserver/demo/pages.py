"""The demo's own pages: the shop, the service, the news page and the story."""

import secrets
from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from jinja2 import DictLoader, Environment, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from adserver.demo.catalogue import (
    BY_ID,
    CODE,
    CODE_CAMPAIGN,
    OFF_PERCENT,
    PAPER_NAME,
    SERVICE_NAME,
    SHOP_NAME,
    WARES,
    Ware,
)
from adserver.demo.hosts import Hosts, hosts_for, room_of
from adserver.demo.seed import World
from adserver.demo.server import DemoServer
from adserver.domain.identity import write_id
from pixel.cookie import expire_visitor, names_for

CART = "demo-cart"
MOST_FORM_BYTES = 20_000
MOST_IN_CART = 20
_MEDIA_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}

Tell = Callable[[Any], dict[str, Any]]
Forget = Callable[[Any], None]


class Pages:
    """Draws the pages; each knows whether it stands on one host or on three."""

    def __init__(self, server: DemoServer, world: World, tell: Tell, forget: Forget) -> None:
        self._server = server
        self._world = world
        self._tell = tell
        self._forget = forget

    def routes(self) -> list[Route]:
        return [
            Route("/", self.begin),
            Route("/demo", self.begin),
            Route("/demo/story", _guarded(self.story)),
            Route("/demo/story.json", self.story_json),
            Route("/demo/start-over", self.start_over, methods=["POST"]),
            Route("/demo/shop", _guarded(self.shop)),
            Route("/demo/shop/cart", _guarded(self.cart)),
            Route("/demo/shop/cart", self.change_cart, methods=["POST"]),
            Route("/demo/shop/order", self.order, methods=["POST"]),
            Route("/demo/shop/thanks", _guarded(self.thanks)),
            Route("/demo/shop/{item_id}", _guarded(self.product)),
            Route("/demo/service", _guarded(self.service)),
            Route("/demo/service/quote", self.quote, methods=["POST"]),
            Route("/demo/service/thanks", _guarded(self.service_thanks)),
            Route("/demo/news", _guarded(self.news)),
            Route("/demo/pictures/{name}", self.picture),
            Route("/demo/assets/{name}", self.asset),
            Route("/favicon.ico", self.icon),
        ]

    # ---- the story ----

    async def begin(self, request: Request) -> Response:
        return RedirectResponse("/demo/story", 302)

    async def story(self, request: Request) -> Response:
        port = urlsplit(self._server.settings.base_url).port
        return self._page(request, "story.html.j2", server_port=port)

    async def story_json(self, request: Request) -> Response:
        """The story of the browser that asks; the demo's other hosts may ask too."""
        answer = JSONResponse(self._tell(request.scope), headers={"Cache-Control": "no-store"})
        origin = request.headers.get("origin", "")
        if (urlsplit(origin).hostname or "").endswith(".localhost"):
            answer.headers["Access-Control-Allow-Origin"] = origin
            answer.headers["Access-Control-Allow-Credentials"] = "true"
            answer.headers["Vary"] = "Origin"
        return answer

    async def start_over(self, request: Request) -> Response:
        """Become a new visitor: our cookie and the basket go."""
        self._forget(request.scope)
        answer = RedirectResponse("/demo/story", 303)
        names = names_for(_hosts(request).three)
        answer.headers.append("set-cookie", expire_visitor(names).decode())
        answer.delete_cookie(CART, path="/demo")
        return answer

    # ---- the shop ----

    async def shop(self, request: Request) -> Response:
        kinds = list(dict.fromkeys(ware.kind for ware in WARES))
        return self._page(request, "shop.html.j2", wares=WARES, kinds=kinds, cart=_cart_of(request))

    async def product(self, request: Request) -> Response:
        ware = BY_ID.get(request.path_params["item_id"])
        if ware is None:
            return PlainTextResponse("no such product", 404)
        others = [other for other in WARES if other.kind == ware.kind and other is not ware][:3]
        from_offer = request.query_params.get("utm_campaign") == CODE_CAMPAIGN
        told = {
            "ware": ware,
            "others": others,
            "code": CODE if from_offer else "",
            "total": _total([ware], CODE),
        }
        return self._page(request, "product.html.j2", cart=_cart_of(request), **told)

    async def cart(self, request: Request) -> Response:
        wares = _cart_of(request)
        return self._page(request, "cart.html.j2", wares=wares, total=_total(wares), cart=wares)

    async def change_cart(self, request: Request) -> Response:
        form = await _form(request)
        ids = [ware.item_id for ware in _cart_of(request)]
        if form.get("add") in BY_ID and len(ids) < MOST_IN_CART:
            ids.append(form["add"])
        if form.get("remove") in ids:
            ids.remove(form["remove"])
        answer = RedirectResponse("/demo/shop/cart", 303)
        answer.set_cookie(CART, ".".join(ids), path="/demo", samesite="lax", httponly=True)
        return answer

    async def order(self, request: Request) -> Response:
        """Take the order; its thank-you page tells the tag, with the order's id."""
        form = await _form(request)
        wares = [BY_ID[form["item"]]] if form.get("item") in BY_ID else _cart_of(request)
        if not wares:
            return RedirectResponse("/demo/shop/cart", 303)
        items, code = ".".join(ware.item_id for ware in wares), form.get("code", "")
        query = urlencode({"order": f"FO-{secrets.token_hex(4)}", "items": items, "code": code})
        answer = RedirectResponse(f"/demo/shop/thanks?{query}", 303)
        answer.delete_cookie(CART, path="/demo")
        return answer

    async def thanks(self, request: Request) -> Response:
        wares = _wares(request.query_params.get("items", ""))
        order_id = request.query_params.get("order", "")[:40]
        total = _total(wares, request.query_params.get("code", ""))
        return self._page(request, "thanks.html.j2", wares=wares, total=total, order_id=order_id, cart=[])

    # ---- the service and the news ----

    async def service(self, request: Request) -> Response:
        return self._page(request, "service.html.j2")

    async def quote(self, request: Request) -> Response:
        """Nobody reads the form: the demo only makes a lead's id, and the thank-you page tells the tag."""
        return RedirectResponse(f"/demo/service/thanks?lead=BS-{secrets.token_hex(4)}", 303)

    async def service_thanks(self, request: Request) -> Response:
        lead_id = request.query_params.get("lead", "")[:40]
        return self._page(request, "service_thanks.html.j2", lead_id=lead_id)

    async def news(self, request: Request) -> Response:
        slots = {size: write_id("slot", key) for size, key in self._world.slots.items()}
        return self._page(request, "news.html.j2", slots=slots)

    # ---- files ----

    async def picture(self, request: Request) -> Response:
        """The picture's address in the catalogue, as a feed would name it."""
        name = request.path_params["name"].removesuffix(".jpg")
        if name not in self._world.pictures:
            return PlainTextResponse("no such picture", 404)
        return RedirectResponse(f"/media/{self._world.pictures[name]}.jpg", 302)

    async def asset(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _texts() or name.endswith(".j2"):
            return PlainTextResponse("no such file", 404)
        media_type = _MEDIA_TYPES[name.rsplit(".", 1)[1]]
        return Response(_texts()[name], media_type=media_type, headers={"Cache-Control": "no-cache"})

    async def icon(self, request: Request) -> Response:
        return RedirectResponse("/demo/assets/icon.svg", 302)

    def _page(self, request: Request, name: str, **given: object) -> Response:
        hosts = _hosts(request)
        html = (
            _environment()
            .get_template(name)
            .render(
                at=hosts,
                room=room_of(request.url.path),
                merchant=self._world.merchant,
                service_merchant=self._world.service_merchant,
                picture=lambda item_id: f"/media/{self._world.pictures[item_id]}.jpg",
                names={"shop": SHOP_NAME, "service": SERVICE_NAME, "news": PAPER_NAME},
                port=hosts.port,
                now_ms=self._server.clock(),
                **given,
            )
        )
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return HTMLResponse(html, headers=headers)


def demo_pages(server: DemoServer, world: World, tell: Tell, forget: Forget) -> Starlette:
    return Starlette(routes=Pages(server, world, tell, forget).routes())


def _guarded(page: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """On three hosts, each page stands on its own."""

    async def guard(request: Request) -> Response:
        home = _hosts(request).of(room_of(request.url.path))
        if home and request.headers.get("host") != urlsplit(home).netloc:
            return RedirectResponse(f"{home}{request.url.path}{_query(request)}", 307)
        return await page(request)

    return guard


def _hosts(request: Request) -> Hosts:
    return hosts_for(request.headers.get("host", "")) or Hosts()


def _query(request: Request) -> str:
    return f"?{request.url.query}" if request.url.query else ""


def _wares(text: str) -> list[Ware]:
    return [BY_ID[item_id] for item_id in text.split(".")[:MOST_IN_CART] if item_id in BY_ID]


def _cart_of(request: Request) -> list[Ware]:
    return _wares(request.cookies.get(CART, ""))


def _total(wares: list[Ware], code: str = "") -> str:
    """What the wares cost together, in euros, with the ad's offer taken off where its code is given."""
    cents = sum(ware.price * 100 for ware in wares)
    cents -= cents * OFF_PERCENT // 100 if code == CODE else 0
    return f"{cents // 100}" if cents % 100 == 0 else f"{cents / 100:.2f}"


async def _form(request: Request) -> dict[str, str]:
    """A small urlencoded form; what is larger is none of ours."""
    body = await request.body()
    if len(body) > MOST_FORM_BYTES:
        return {}
    return {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}


@cache
def _texts() -> dict[str, str]:
    return {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in (files("adserver.demo") / "templates").iterdir()
        if entry.is_file()
    }


@cache
def _environment() -> Environment:
    return Environment(
        loader=DictLoader(_texts()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
