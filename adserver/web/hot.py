"""The few hot addresses, as functions from a request to its answer: pixel, slots, beacons and clicks."""

import asyncio
import logging
from collections.abc import Callable

import msgspec

from adserver.domain.identity import read_id
from adserver.domain.pricing import AdEvent
from adserver.domain.slot import Slot
from adserver.flows.bill import Bill
from adserver.flows.collect import Collect
from adserver.flows.draw import PNG, Draw, Drawn
from adserver.flows.serve import CARDS_OF_IMAGE, Serve, ServedImage
from adserver.flows.serve.explain import Explain
from adserver.ports import FrameNotDrawn
from adserver.web import answers, metrics
from adserver.web.answers import Answer, Headers
from adserver.web.caller import Callers, Head, read_head
from adserver.web.gallery import Gallery
from adserver.web.hot_answers import (
    Ask,
    Reply,
    Request,
    charged,
    document_of,
    explained,
    kind_of,
    name_of,
    picture_of,
    preflight,
    shared,
    slot_request,
    stored,
    token_of,
    told_why,
    waits_for_disk,
    with_cookie,
)
from adserver.web.pending import in_time, waited
from adserver.writes import Result
from creatives.formats import FORMATS, Format
from pixel.parse import MAX_BODY_BYTES, Hit, from_body, from_query
from pixel.urgent import is_urgent

log = logging.getLogger("adserver.web")

MOST_BODY_BYTES = MAX_BODY_BYTES + 1  # of which is kept: one too many says that it was longer
SHOPPER_SECONDS = 1.0  # a click or picture waits no longer for its charge
ADDRESSES = (
    "GET /m/tag.js",
    "GET /m/e",
    "POST /m/e",
    "GET /m/id",
    "GET /slot.js",
    "GET /slot/{slot_id}",
    "GET /slot/{slot_id}.gif",
    "GET /slot/{slot_id}.png",
    "GET /slot/{slot_id}/click",
    "GET /i",
    "POST /i",
    "GET /v",
    "POST /v",
    "GET /c",
    "GET /media/{name}",
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
)
METHODS = frozenset({"GET", "POST", "HEAD", "OPTIONS"})
_BEACONS = {"/i": AdEvent.IMPRESSION, "/v": AdEvent.VIEWABLE_IMPRESSION}


Handler = Callable[[Ask], Reply]


class Flows(msgspec.Struct, frozen=True):
    """What the hot addresses set in motion."""

    collect: Collect
    serve: Serve
    bill: Bill
    draw: Draw
    explain: Explain


class Files(msgspec.Struct, frozen=True):
    """Our pictures, and the two scripts that other people's pages load."""

    gallery: Gallery
    tag: bytes
    slot: bytes


class Checks(msgspec.Struct, frozen=True):
    """What an answer depends on besides the request: health, load, staff keys, and whether anyone may debug.

    `measured` tells an operator's key the figures, where they are told here at all.
    """

    is_ready: Callable[[], bool]
    is_staff_key: Callable[[str], bool]
    is_overloaded: Callable[..., bool]  # asked with `waits`: whether the answer would, for a write
    debug_headers: bool
    measured: metrics.Measured | None = None


class Hot:
    """What the hot addresses answer; web/doors.py brings the requests. Nothing here waits."""

    def __init__(self, callers: Callers, flows: Flows, files: Files, checks: Checks) -> None:
        self._callers = callers
        self._collect = flows.collect
        self._serve = flows.serve
        self._bill = flows.bill
        self._draw = flows.draw
        self._explain = flows.explain
        self._files = files
        self._checks = checks
        self._handlers: dict[str, Handler] = {
            "/m/e": self._pixel,
            "/m/id": self._visitor_id,
            "/m/tag.js": self._script,
            "/slot.js": self._script,
            "/i": self._beacon,
            "/v": self._beacon,
            "/c": self._click,
            "/healthz": self._health,
            "/readyz": self._health,
            metrics.PATH: self._metrics,
        }

    def handler(self, method: str, path: str) -> Handler | None:
        """What answers here; None where the address is the framework's."""
        if method not in METHODS:
            return None
        handler = self._handlers.get(path)
        if handler is None and path.startswith("/slot/"):
            return self._slot
        if handler is None and path.startswith("/media/"):
            return self._picture
        return handler

    def stranger(self, headers: Headers) -> Answer | None:
        """The answer to whoever names a host that is not ours: it may come of a poisoned cache or link."""
        return self._stranger(read_head(headers))

    def _stranger(self, head: Head) -> Answer | None:
        if self._callers.knows_host(head):
            return None
        return answers.plain(400, "unknown host: set ADSERVER_HOSTS or ADSERVER_BASE_URL")

    def answer(self, handler: Handler, request: Request) -> Reply:
        """A shopper never sees an error: a fault of ours is logged, and the page gets what it can bear."""
        head = read_head(request.headers)
        stranger = self._stranger(head)
        if stranger is not None:
            return stranger
        if request.method == "OPTIONS":  # a question about a request is not yet one, and bills nothing
            return preflight(request.path, head)
        try:
            if self._checks.is_overloaded(waits=waits_for_disk(request.path)):
                refused = self._refused(request, head)
                if refused is not None:
                    return refused
            return handler(self._ask(request, head))
        except Exception:
            return self.instead(request)

    def instead(self, request: Request) -> Answer:
        """The answer where a fault of ours is being handled."""
        path = request.path
        log.exception("a fault at %s", path.split("/", 2)[1])
        if path == "/c" or path.endswith("/click"):
            return answers.redirect(self._bill.house_url)
        if path.startswith("/slot/"):
            return answers.nothing()
        return shared(answers.try_again(), path, read_head(request.headers))

    def _refused(self, request: Request, head: Head) -> Answer | None:
        """What is said while there are too many, before any work; None to whom is answered all the same.

        A click leads on whatever happens, and a page that loads our scripts would be broken without them.
        """
        path = request.path
        if path == "/m/e":
            said = request.body if request.method == "POST" else request.query
            if is_urgent(said, is_known=b"cookie" in head.values):
                return None
            self._collect.shed()
            return shared(answers.try_again(), path, head)
        if path in _BEACONS:
            self._bill.shed()
            return answers.try_again()
        if path.startswith("/slot/") and not path.endswith("/click"):
            return self._house(path.removeprefix("/slot/"))
        return None

    def _house(self, name: str) -> Answer:
        """A place without its ad: nothing is decided, and nobody's profile is read."""
        kind = kind_of(name)
        slot_key = read_id("slot", name.removesuffix(f".{kind}"))
        slot = None if slot_key is None else self._serve.shed(slot_key)
        if slot is None or (kind and slot.is_responsive):
            return answers.plain(404, "no such slot")
        if kind:
            return answers.picture(*self._draw.house(FORMATS[slot.format_name], kind), kind)
        return document_of(self._serve.house(slot))

    def _ask(self, request: Request, head: Head) -> Ask:
        caller = self._callers.caller(head, request.client, asks_only=request.method == "HEAD")
        explain = (self._checks.debug_headers and b"debug=1" in request.query) or self._has_staff_key(head)
        return Ask(request.method, request.path, request.query, request.body, head, caller, explain)

    def _has_staff_key(self, head: Head) -> bool:
        if b"authorization" not in head.values:
            return False
        scheme, _, key = head.text(b"authorization").partition(" ")
        return scheme.lower() == "bearer" and self._checks.is_staff_key(key)

    # ---- from merchants' pages ----

    def _pixel(self, ask: Ask) -> Reply:
        is_post = ask.method == "POST"
        hit = from_body(ask.body) if is_post else from_query(ask.query)
        collected = self._collect.take(hit, ask.caller)
        explain = ask.explain or (self._checks.debug_headers and isinstance(hit, Hit) and hit.debug)

        def told(name: str) -> Answer:
            if name == Result.UNRECORDED:
                return shared(answers.try_again(), ask.path, ask.head)
            answer = with_cookie(answers.no_content() if is_post else answers.gif(), collected.set_cookie)
            if explain:
                answer.headers.append((b"x-event", name.encode()))
            return shared(answer, ask.path, ask.head)

        waits_for = [*collected.stored, collected.withdrawal] if collected.withdrawal else collected.stored
        return stored(collected, waits_for, told) if waits_for else told(name_of(collected, []))

    def _visitor_id(self, ask: Ask) -> Reply:
        """What the merchant's server may call this visitor in `/api/v1/events`; null without consent."""
        told = answers.json({"visitor": self._collect.party_id(from_query(ask.query), ask.caller)})
        return shared(told, ask.path, ask.head)

    # ---- to publishers' pages ----

    def _slot(self, ask: Ask) -> Reply:
        name = ask.path.removeprefix("/slot/")
        if name.endswith("/click"):
            return self._image_click(ask, name.removesuffix("/click"))
        kind = kind_of(name)
        if kind:
            return self._image(ask, name.removesuffix(f".{kind}"), kind)
        request = slot_request(ask, name)
        if request and b"debug=1" in ask.query and self._has_staff_key(ask.head):
            return told_why(self._explain.ask_as(request, ask.caller), self._explain.advertisers)
        served = self._serve.document(request, ask.caller) if request else None
        if served is None:
            return answers.plain(404, "no such slot")
        return with_cookie(document_of(served), served.set_cookie)

    def _image(self, ask: Ask, slot_id: str, kind: str) -> Reply:
        request = slot_request(ask, slot_id, cards=1 if kind == PNG else CARDS_OF_IMAGE)
        image = self._serve.image(request, ask.caller) if request else None
        if image is None:
            return answers.plain(404, "no such slot")
        if isinstance(image, Slot):
            return self._house_picture(ask, FORMATS[image.format_name], kind)
        drawn = self._draw.at_hand(image.cards, image.look, image.format, kind)
        if drawn is None:
            return in_time(self._drawn_image(ask, image, kind))
        return self._charged_image(ask, image, drawn, kind)

    def _house_picture(self, ask: Ask, format_: Format, kind: str) -> Answer:
        return picture_of(self._draw.house(format_, kind), ask, kind)

    async def _drawn_image(self, ask: Ask, image: ServedImage, kind: str) -> Answer:
        try:
            drawn = await asyncio.to_thread(self._draw.image, image.cards, image.look, image.format, kind)
        except FrameNotDrawn as fault:
            log.error("a frame could not be drawn: %s", fault)
            return self._house_picture(ask, image.format, kind)
        reply = self._charged_image(ask, image, drawn, kind)
        return reply if isinstance(reply, Answer) else await waited(reply)

    def _charged_image(self, ask: Ask, image: ServedImage, drawn: Drawn, kind: str) -> Reply:
        """The picture is its own impression, sent once its charge is durable; the house's if it was refused.

        A late charge may yet be taken, so its picture is sent: nobody pays for what was not shown.
        """

        def told(name: str) -> Answer:
            if name in (Result.CAP_REACHED, Result.UNRECORDED):
                return explained(self._house_picture(ask, image.format, kind), ask, name)
            return explained(with_cookie(picture_of(drawn, ask, kind), image.set_cookie), ask, name)

        return charged(self._bill.image_shown(image.token, ask.caller), told, SHOPPER_SECONDS)

    def _image_click(self, ask: Ask, slot_id: str) -> Reply:
        request = slot_request(ask, slot_id)
        token = self._serve.image_token(request, ask.caller) if request and request.embed_key else None
        return self._land(ask, token or "")

    def _beacon(self, ask: Ask) -> Reply:
        def told(name: str) -> Answer:
            if name == Result.UNRECORDED:
                return answers.try_again()
            return explained(answers.no_content() if ask.method == "POST" else answers.gif(), ask, name)

        return charged(self._bill.beacon(_BEACONS[ask.path], token_of(ask.query), ask.caller), told)

    def _click(self, ask: Ask) -> Reply:
        return self._land(ask, token_of(ask.query))

    def _land(self, ask: Ask, token: str) -> Reply:
        landing = self._bill.click(token, ask.caller)

        def told(name: str) -> Answer:  # by now the location has the code that the click was handed
            return explained(answers.redirect(landing.location), ask, name)

        return charged(landing.charge, told, SHOPPER_SECONDS)

    # ---- files ----

    def _picture(self, ask: Ask) -> Reply:
        known = ask.head.text(b"if-none-match")
        return self._files.gallery.picture(ask.path.removeprefix("/media/"), known)

    def _script(self, ask: Ask) -> Reply:
        return answers.script(self._files.tag if ask.path == "/m/tag.js" else self._files.slot)

    def _health(self, ask: Ask) -> Reply:
        if ask.path == "/readyz" and not self._checks.is_ready():
            return answers.plain(503, "not ready: the database cannot be read")
        return answers.plain(200, "ok")

    def _metrics(self, ask: Ask) -> Reply:
        measured = self._checks.measured
        if measured is None or not self._has_staff_key(ask.head):
            return answers.plain(404, "no such address")
        return in_time(_figures(measured))


async def _figures(measured: metrics.Measured) -> Answer:
    return answers.figures(await asyncio.to_thread(lambda: metrics.exposition(measured())))
