"""The few hot addresses, answered before the framework: pixel, slots, beacons and clicks."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from adserver.domain.caller import Caller
from adserver.domain.identity import read_id
from adserver.domain.pricing import AdEvent
from adserver.domain.slot import Slot
from adserver.flows.bill import Bill
from adserver.flows.collect import Collect, Collected
from adserver.flows.draw import Draw
from adserver.flows.serve import Serve, ServedImage, SlotRequest
from adserver.ports import Deferred, FrameNotDrawn, Media
from adserver.web import answers, metrics
from adserver.web.answers import Answer
from adserver.web.caller import Callers, Head, read_head
from adserver.writes import Outcome, Result
from creatives.formats import FORMATS, Format
from pixel.parse import MAX_BODY_BYTES, Hit, from_body, from_query, said_in

log = logging.getLogger("adserver.web")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_QUERY_BYTES = 8_192
SHOPPER_SECONDS = 1.0  # a click or picture waits no longer for its charge
LATE = "late"  # a charge that nobody waited for any longer; it may still be taken
ADDRESSES = (
    "GET /m/tag.js",
    "GET /m/e",
    "POST /m/e",
    "GET /m/id",
    "GET /slot.js",
    "GET /slot/{slot_id}",
    "GET /slot/{slot_id}.gif",
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
_READ_BY_PAGES = ("/m/e", "/m/id")
_BEACONS = {"/i": AdEvent.IMPRESSION, "/v": AdEvent.VIEWABLE_IMPRESSION}
_MEDIA_TYPES = {"jpg": b"image/jpeg", "png": b"image/png", "webp": b"image/webp", "gif": b"image/gif"}


class Ask(msgspec.Struct):
    """One request to a hot address."""

    method: str
    path: str
    query: bytes
    head: Head
    caller: Caller
    explain: bool  # whether the answer may say what became of it


Handler = Callable[[Ask, Receive], Awaitable[Answer]]


class Flows(msgspec.Struct, frozen=True):
    """What the hot addresses set in motion."""

    collect: Collect
    serve: Serve
    bill: Bill
    draw: Draw


class Files(msgspec.Struct, frozen=True):
    """Our pictures, and the two scripts that other people's pages load."""

    media: Media
    tag: bytes
    slot: bytes


class Checks(msgspec.Struct, frozen=True):
    """What an answer depends on besides the request: health, staff keys, and whether anyone may debug.

    `measured` tells an operator's key the figures, where they are told here at all.
    """

    is_ready: Callable[[], bool]
    is_staff_key: Callable[[str], bool]
    debug_headers: bool
    measured: metrics.Measured | None = None


class Hot:
    """An ASGI application in front of another: answers its own addresses, passes the rest on."""

    def __init__(
        self, behind: Application, callers: Callers, flows: Flows, files: Files, checks: Checks
    ) -> None:
        self._behind = behind
        self._callers = callers
        self._collect = flows.collect
        self._serve = flows.serve
        self._bill = flows.bill
        self._draw = flows.draw
        self._files = files
        self._checks = checks
        self._named: dict[str, Handler] = {
            "/healthz": self._health,
            "/readyz": self._health,
            metrics.PATH: self._metrics,
            "/m/tag.js": self._script,
            "/slot.js": self._script,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._behind(scope, receive, send)
        head = read_head(scope["headers"])
        if not self._callers.knows_host(head):
            return await _send(
                send, answers.plain(400, "unknown host: set ADSERVER_HOSTS or ADSERVER_BASE_URL")
            )
        answer = self._route(scope["path"])
        if answer is None or scope["method"] not in ("GET", "POST", "HEAD", "OPTIONS"):
            return await self._behind(scope, receive, send)
        ask = self._ask(scope, head)
        asked_first = ask.method == "OPTIONS"  # a question about a request is not yet one, and bills nothing
        given = _preflight() if asked_first else await self._whatever_happens(answer, ask, receive)
        shared = self._shared(given, ask) if ask.path in _READ_BY_PAGES else given
        await _send(send, shared, ask.method == "HEAD")
        return None

    async def _whatever_happens(self, answer: Handler, ask: Ask, receive: Receive) -> Answer:
        """A shopper never sees an error: a fault of ours is logged, and the page gets what it can bear."""
        try:
            return await answer(ask, receive)
        except Exception:
            log.exception("a fault at %s", ask.path.split("/", 2)[1])
            if ask.path == "/c" or ask.path.endswith("/click"):
                return answers.redirect(self._bill.house_url)
            if ask.path.startswith("/slot/"):
                return answers.nothing()
            return answers.try_again()

    def _route(self, path: str) -> Handler | None:
        if path in _READ_BY_PAGES:
            return self._pixel if path == "/m/e" else self._visitor_id
        if path in _BEACONS:
            return self._beacon
        if path == "/c":
            return self._click
        if path.startswith("/slot/"):
            return self._slot
        if path.startswith("/media/"):
            return self._picture
        return self._named.get(path)

    def _ask(self, scope: Scope, head: Head) -> Ask:
        client = scope["client"][0] if scope.get("client") else ""
        query = scope["query_string"]
        caller = self._callers.caller(head, client, asks_only=scope["method"] == "HEAD")
        explain = (self._checks.debug_headers and b"debug=1" in query) or self._has_staff_key(head)
        return Ask(scope["method"], scope["path"], query, head, caller, explain)

    def _has_staff_key(self, head: Head) -> bool:
        scheme, _, key = head.text(b"authorization").partition(" ")
        return scheme.lower() == "bearer" and self._checks.is_staff_key(key)

    def _shared(self, answer: Answer, ask: Ask) -> Answer:
        """Lets a merchant's page read what became of its event: it sent its cookie, so it is not `*`.

        Only there: an ad is personal, and no page may read what its visitor is shown.
        """
        origin = ask.head.values.get(b"origin")
        if origin:
            answer.headers += [
                (b"access-control-allow-origin", origin.strip()),
                (b"access-control-allow-credentials", b"true"),
                (b"access-control-expose-headers", b"X-Event"),
                (b"vary", b"Origin"),
            ]
        return answer

    # ---- from merchants' pages ----

    async def _pixel(self, ask: Ask, receive: Receive) -> Answer:
        if ask.method == "POST":
            body = await _body(receive, MAX_BODY_BYTES)
            hit, answer = from_body(body), answers.no_content()
        else:
            hit, answer = from_query(ask.query), answers.gif()
        collected = self._collect.take(hit, ask.caller)
        name = await self._recorded(collected)
        if name == Result.UNRECORDED:
            return answers.try_again()
        _with_cookie(answer, collected.set_cookie)
        if ask.explain or (self._checks.debug_headers and isinstance(hit, Hit) and hit.debug):
            answer.headers.append((b"x-event", name.encode()))
        return answer

    async def _visitor_id(self, ask: Ask, receive: Receive) -> Answer:
        """What the merchant's server may call this visitor in `/api/v1/events`; null without consent."""
        return answers.json({"visitor": self._collect.party_id(from_query(ask.query), ask.caller)})

    async def _recorded(self, collected: Collected) -> str:
        """The worst of what became of a hit's events, once they are durable, and of what it withdrew."""
        if collected.withdrawal is not None:
            withdrawn = await settled(collected.withdrawal)
            if withdrawn.result is Result.UNRECORDED:
                return Result.UNRECORDED
        if collected.rejection is not None:
            return collected.rejection
        results = [(await settled(deferred)).result for deferred in collected.stored]
        for bad in (Result.UNRECORDED, Result.DUPLICATE):
            if bad in results:
                return bad
        return results[0]

    # ---- to publishers' pages ----

    async def _slot(self, ask: Ask, receive: Receive) -> Answer:
        name = ask.path.removeprefix("/slot/")
        if name.endswith("/click"):
            return await self._image_click(ask, name.removesuffix("/click"))
        if name.endswith(".gif"):
            return await self._image(ask, name.removesuffix(".gif"))
        request = _slot_request(ask, name)
        served = self._serve.document(request, ask.caller) if request else None
        if served is None:
            return answers.plain(404, "no such slot")
        answer = answers.document(served.body, served.content_security_policy, _ancestors(served.domains))
        answer.headers.append((b"x-slot", b"filled" if served.filled else b"empty"))
        return _with_cookie(answer, served.set_cookie)

    async def _image(self, ask: Ask, slot_id: str) -> Answer:
        request = _slot_request(ask, slot_id)
        image = self._serve.image(request, ask.caller) if request else None
        if image is None:
            return answers.plain(404, "no such slot")
        if isinstance(image, Slot):
            return await self._house(FORMATS[image.format_name])
        return await self._charged_image(ask, image)

    async def _charged_image(self, ask: Ask, image: ServedImage) -> Answer:
        """The picture is its own impression, sent once its charge is durable; the house's if it was refused.

        A late charge may yet be taken, so its picture is sent: nobody pays for what was not shown.
        """
        try:
            body = await asyncio.to_thread(self._draw.gif, image.cards, image.look, image.format)
        except FrameNotDrawn as fault:
            log.error("a frame could not be drawn: %s", fault)
            return await self._house(image.format)
        name = await _charge_name(self._bill.image_shown(image.token, ask.caller), SHOPPER_SECONDS)
        if name in (Result.CAP_REACHED, Result.UNRECORDED):
            return self._explained(await self._house(image.format), ask, name)
        picture = _with_cookie(answers.picture(body), image.set_cookie)
        return self._explained(picture, ask, name)

    async def _house(self, format_: Format) -> Answer:
        return answers.picture(await asyncio.to_thread(self._draw.house, format_))

    async def _image_click(self, ask: Ask, slot_id: str) -> Answer:
        request = _slot_request(ask, slot_id)
        token = self._serve.image_token(request, ask.caller) if request and request.embed_key else None
        return await self._land(ask, token or "")

    async def _beacon(self, ask: Ask, receive: Receive) -> Answer:
        charge = self._bill.beacon(_BEACONS[ask.path], _token(ask.query), ask.caller)
        name = await _charge_name(charge)
        if name == Result.UNRECORDED:
            return answers.try_again()
        return self._explained(answers.no_content() if ask.method == "POST" else answers.gif(), ask, name)

    async def _click(self, ask: Ask, receive: Receive) -> Answer:
        return await self._land(ask, _token(ask.query))

    async def _land(self, ask: Ask, token: str) -> Answer:
        landing = self._bill.click(token, ask.caller)
        name = await _charge_name(landing.charge, SHOPPER_SECONDS)
        return self._explained(answers.redirect(landing.location), ask, name)

    def _explained(self, answer: Answer, ask: Ask, name: str) -> Answer:
        if ask.explain:
            answer.headers.append((b"x-charge", name.encode()))
        return answer

    # ---- files ----

    async def _picture(self, ask: Ask, receive: Receive) -> Answer:
        name = ask.path.removeprefix("/media/")
        body = self._files.media.get(name)
        if body is None:
            return answers.plain(404, "no such picture")
        return answers.media(body, _MEDIA_TYPES[name.rsplit(".", 1)[1]])

    async def _script(self, ask: Ask, receive: Receive) -> Answer:
        return answers.script(self._files.tag if ask.path == "/m/tag.js" else self._files.slot)

    async def _health(self, ask: Ask, receive: Receive) -> Answer:
        if ask.path == "/readyz" and not self._checks.is_ready():
            return answers.plain(503, "not ready: the database cannot be read")
        return answers.plain(200, "ok")

    async def _metrics(self, ask: Ask, receive: Receive) -> Answer:
        measured = self._checks.measured
        if measured is None or not self._has_staff_key(ask.head):
            return answers.plain(404, "no such address")
        return answers.figures(await asyncio.to_thread(lambda: metrics.exposition(measured())))


async def settled(deferred: Deferred) -> Outcome:
    """Wait for a batch's outcome on the event loop."""
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def resolve(outcome: Outcome) -> None:
        if not future.done():  # the client may have gone
            future.set_result(outcome)

    deferred.then(resolve)
    return await future


async def _charge_name(charge: Deferred | str, most_seconds: float | None = None) -> str:
    """What became of a charge; LATE where that is not known in time."""
    if isinstance(charge, str):
        return charge
    try:
        return (await asyncio.wait_for(settled(charge), most_seconds)).result
    except TimeoutError:
        return LATE


async def _body(receive: Receive, most_bytes: int) -> bytes:
    """The body, or one byte too many of it: the rest is read and dropped, so that the answer arrives."""
    kept = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(kept)
        if len(kept) <= most_bytes:
            kept += message.get("body", b"")
        if not message.get("more_body"):
            return bytes(kept[: most_bytes + 1])


async def _send(send: Send, answer: Answer, head_only: bool = False) -> None:
    headers = [*answer.headers, (b"content-length", str(len(answer.body)).encode())]
    if answer.status == 204:
        headers.pop()
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head_only else answer.body})


def _with_cookie(answer: Answer, set_cookie: bytes | None) -> Answer:
    if set_cookie is not None:
        answer.headers.append((b"set-cookie", set_cookie))
    return answer


def _token(query: bytes) -> str:
    """The token is always the first parameter; whatever follows it is ignored."""
    first = query.split(b"&", 1)[0]
    return first[2:].decode("latin-1") if first.startswith(b"t=") else ""


def _slot_request(ask: Ask, slot_id: str) -> SlotRequest | None:
    """The question of a slot; None where the id is not one of a slot's."""
    slot_key = read_id("slot", slot_id)
    if slot_key is None:
        return None
    if not ask.query:
        return SlotRequest(slot_key)
    fields = _fields(ask.query)
    return SlotRequest(slot_key, fields.get("click"), fields.get("n"), said_in(fields))


def _fields(query: bytes) -> dict[str, str]:
    if len(query) > MOST_QUERY_BYTES:
        return {"consent": "0"}  # what is not read may be a no, and must not pass for silence
    return dict(parse_qsl(query.decode("latin-1"), max_num_fields=None))


def _ancestors(domains: tuple[str, ...]) -> str:
    """Who may frame the slot: the site's domains and their sub-domains, on any port while on loopback."""
    sources = []
    for domain in domains:
        port = ":*" if domain in ("localhost", "127.0.0.1") or domain.endswith(".localhost") else ""
        sources.append(f"{domain}{port}")
        if not domain.replace(".", "").isdigit():
            sources.append(f"*.{domain}{port}")
    return " ".join(sources) or "'none'"


def _preflight() -> Answer:
    answer = answers.no_content()
    answer.headers += [
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", b"content-type"),
        (b"access-control-max-age", b"86400"),
    ]
    return answer
