"""The few hot addresses, as functions from a request to its answer: pixel, slots, beacons and clicks."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from urllib.parse import parse_qsl

import msgspec

from adserver.domain.caller import Caller
from adserver.domain.identity import read_id
from adserver.domain.pricing import AdEvent
from adserver.domain.slot import Slot
from adserver.flows.bill import Bill
from adserver.flows.collect import Collect, Collected
from adserver.flows.draw import GIF, PNG, Draw, Drawn
from adserver.flows.serve import CARDS_OF_IMAGE, Serve, Served, ServedImage, SlotRequest
from adserver.ports import Deferred, FrameNotDrawn
from adserver.web import answers, metrics
from adserver.web.answers import Answer, Headers
from adserver.web.caller import Callers, Head, read_head
from adserver.web.gallery import Gallery
from adserver.web.pending import Pending, in_time, waited
from adserver.writes import Outcome, Result
from creatives.formats import FORMATS, Format
from pixel.parse import MAX_BODY_BYTES, UNHEARD, Hit, from_body, from_query, said_in
from pixel.urgent import is_urgent

log = logging.getLogger("adserver.web")

MOST_QUERY_BYTES = 8_192
MOST_BODY_BYTES = MAX_BODY_BYTES + 1  # of which is kept: one too many says that it was longer
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
_READ_BY_PAGES = frozenset({"/m/e", "/m/id"})
_BEACONS = {"/i": AdEvent.IMPRESSION, "/v": AdEvent.VIEWABLE_IMPRESSION}


class Request(msgspec.Struct):
    """One request as it came in at a door; of a longer body, MOST_BODY_BYTES."""

    method: str
    path: str
    query: bytes
    headers: Headers
    client: str
    body: bytes = b""


class Ask(msgspec.Struct):
    """A request to a hot address, once its head was read."""

    method: str
    path: str
    query: bytes
    body: bytes
    head: Head
    caller: Caller
    explain: bool  # whether the answer may say what became of it


Reply = Answer | Pending  # what is at hand, else what waits for its batch or picture
Handler = Callable[[Ask], Reply]


class Flows(msgspec.Struct, frozen=True):
    """What the hot addresses set in motion."""

    collect: Collect
    serve: Serve
    bill: Bill
    draw: Draw


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
            return _preflight(request.path, head)
        try:
            if self._checks.is_overloaded(waits=_waits_for_disk(request.path)):
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
        return _shared(answers.try_again(), path, read_head(request.headers))

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
            return _shared(answers.try_again(), path, head)
        if path in _BEACONS:
            self._bill.shed()
            return answers.try_again()
        if path.startswith("/slot/") and not path.endswith("/click"):
            return self._house(path.removeprefix("/slot/"))
        return None

    def _house(self, name: str) -> Answer:
        """A place without its ad: nothing is decided, and nobody's profile is read."""
        kind = _kind_of(name)
        slot_key = read_id("slot", name.removesuffix(f".{kind}"))
        slot = None if slot_key is None else self._serve.shed(slot_key)
        if slot is None or (kind and slot.is_responsive):
            return answers.plain(404, "no such slot")
        if kind:
            return answers.picture(*self._draw.house(FORMATS[slot.format_name], kind), kind)
        return _document(self._serve.house(slot))

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
                return _shared(answers.try_again(), ask.path, ask.head)
            answer = _with_cookie(answers.no_content() if is_post else answers.gif(), collected.set_cookie)
            if explain:
                answer.headers.append((b"x-event", name.encode()))
            return _shared(answer, ask.path, ask.head)

        waits_for = [*collected.stored, collected.withdrawal] if collected.withdrawal else collected.stored
        return _stored(collected, waits_for, told) if waits_for else told(_name_of(collected, []))

    def _visitor_id(self, ask: Ask) -> Reply:
        """What the merchant's server may call this visitor in `/api/v1/events`; null without consent."""
        told = answers.json({"visitor": self._collect.party_id(from_query(ask.query), ask.caller)})
        return _shared(told, ask.path, ask.head)

    # ---- to publishers' pages ----

    def _slot(self, ask: Ask) -> Reply:
        name = ask.path.removeprefix("/slot/")
        if name.endswith("/click"):
            return self._image_click(ask, name.removesuffix("/click"))
        kind = _kind_of(name)
        if kind:
            return self._image(ask, name.removesuffix(f".{kind}"), kind)
        request = _slot_request(ask, name)
        served = self._serve.document(request, ask.caller) if request else None
        if served is None:
            return answers.plain(404, "no such slot")
        return _with_cookie(_document(served), served.set_cookie)

    def _image(self, ask: Ask, slot_id: str, kind: str) -> Reply:
        request = _slot_request(ask, slot_id, cards=1 if kind == PNG else CARDS_OF_IMAGE)
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
        return _picture(self._draw.house(format_, kind), ask, kind)

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
                return _explained(self._house_picture(ask, image.format, kind), ask, name)
            return _explained(_with_cookie(_picture(drawn, ask, kind), image.set_cookie), ask, name)

        return _charged(self._bill.image_shown(image.token, ask.caller), told, SHOPPER_SECONDS)

    def _image_click(self, ask: Ask, slot_id: str) -> Reply:
        request = _slot_request(ask, slot_id)
        token = self._serve.image_token(request, ask.caller) if request and request.embed_key else None
        return self._land(ask, token or "")

    def _beacon(self, ask: Ask) -> Reply:
        def told(name: str) -> Answer:
            if name == Result.UNRECORDED:
                return answers.try_again()
            return _explained(answers.no_content() if ask.method == "POST" else answers.gif(), ask, name)

        return _charged(self._bill.beacon(_BEACONS[ask.path], _token(ask.query), ask.caller), told)

    def _click(self, ask: Ask) -> Reply:
        return self._land(ask, _token(ask.query))

    def _land(self, ask: Ask, token: str) -> Reply:
        landing = self._bill.click(token, ask.caller)

        def told(name: str) -> Answer:  # by now the location has the code that the click was handed
            return _explained(answers.redirect(landing.location), ask, name)

        return _charged(landing.charge, told, SHOPPER_SECONDS)

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


def _stored(collected: Collected, waits_for: Sequence[Deferred], told: Callable[[str], Answer]) -> Pending:
    """The answer once all of them are durable, or are not."""
    answer = Pending(told)
    if len(waits_for) == 1 and collected.rejection is None:  # nearly always
        waits_for[0].then(answer.hear)
        return answer
    results: list[Result] = []

    def hear(outcome: Outcome) -> None:
        results.append(outcome.result)
        if len(results) == len(waits_for):
            answer.tell(_name_of(collected, results))

    for deferred in waits_for:
        deferred.then(hear)
    return answer


def _name_of(collected: Collected, results: list[Result]) -> str:
    """The worst of what became of a hit's events, and of what it withdrew."""
    if Result.UNRECORDED in results:
        return Result.UNRECORDED
    if collected.rejection is not None:
        return collected.rejection
    return Result.DUPLICATE if Result.DUPLICATE in results else results[0]


def _charged(
    charge: Deferred | str, told: Callable[[str], Answer], most_seconds: float | None = None
) -> Reply:
    """The answer once it is known what became of a charge, or LATE where that is not known in time."""
    if isinstance(charge, str):
        return told(charge)
    answer = Pending(told)
    if most_seconds is not None:
        late = asyncio.get_running_loop().call_later(most_seconds, answer.tell, LATE)
        charge.then(lambda _: late.cancel())
    charge.then(answer.hear)
    return answer


def _explained(answer: Answer, ask: Ask, name: str) -> Answer:
    if ask.explain:
        answer.headers.append((b"x-charge", name.encode()))
    return answer


def _shared(answer: Answer, path: str, head: Head) -> Answer:
    """Lets a merchant's page read what became of its event: it sent its cookie, so it is not `*`.

    Only there: an ad is personal, and no page may read what its visitor is shown.
    """
    origin = head.values.get(b"origin")
    if origin and path in _READ_BY_PAGES:
        answer.headers += [
            (b"access-control-allow-origin", origin.strip()),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", b"X-Event"),
            (b"vary", b"Origin"),
        ]
    return answer


def _with_cookie(answer: Answer, set_cookie: bytes | None) -> Answer:
    if set_cookie is not None:
        answer.headers.append((b"set-cookie", set_cookie))
    return answer


def _document(served: Served) -> Answer:
    answer = answers.document(served.body, served.content_security_policy, _ancestors(served.domains))
    answer.headers.append((b"x-slot", b"filled" if served.filled else b"empty"))
    return answer


def _waits_for_disk(path: str) -> bool:
    """A document's decision is recorded behind its back; anything else is answered once it is durable."""
    return not path.startswith("/slot/") or path.endswith((".gif", ".png"))


def _kind_of(name: str) -> str:
    """The ending of an image slot's address; "" where a document is asked for."""
    return name[-3:] if name.endswith((f".{GIF}", f".{PNG}")) else ""


def _picture(drawn: Drawn, ask: Ask, kind: str) -> Answer:
    return answers.picture(drawn.body, drawn.tag, kind, ask.head.values.get(b"if-none-match", b""))


def _token(query: bytes) -> str:
    """The token is always the first parameter; whatever follows it is ignored."""
    first = query.split(b"&", 1)[0]
    return first[2:].decode("latin-1") if first.startswith(b"t=") else ""


def _slot_request(ask: Ask, slot_id: str, cards: int = CARDS_OF_IMAGE) -> SlotRequest | None:
    """The question of a slot; None where the id is not one of a slot's. `still=1`: an image that rests."""
    slot_key = read_id("slot", slot_id)
    if slot_key is None:
        return None
    if not ask.query:
        return SlotRequest(slot_key, cards=cards)
    fields = fields_of(ask.query)
    if fields.get("still") == "1":
        cards = 1
    return SlotRequest(slot_key, fields.get("click"), fields.get("n"), said_in(fields), cards)


def fields_of(query: bytes) -> dict[str, str]:
    """What a slot's query says; of a name that is repeated, the last."""
    if len(query) > MOST_QUERY_BYTES:
        return {"consent": UNHEARD}  # what is not read may be a no, and must not pass for silence
    text = query.decode("latin-1")
    if "%" in text or "+" in text:
        return dict(parse_qsl(text, max_num_fields=None))
    # The same in a third of the time: in most queries every sign stands for itself.
    return {name: said for name, _, said in [pair.partition("=") for pair in text.split("&")] if said}


def _ancestors(domains: tuple[str, ...]) -> str:
    """Who may frame the slot: the site's domains and their sub-domains, on any port while on loopback."""
    sources = []
    for domain in domains:
        port = ":*" if domain in ("localhost", "127.0.0.1") or domain.endswith(".localhost") else ""
        sources.append(f"{domain}{port}")
        if not domain.replace(".", "").isdigit():
            sources.append(f"*.{domain}{port}")
    return " ".join(sources) or "'none'"


def _preflight(path: str, head: Head) -> Answer:
    answer = answers.no_content()
    answer.headers += [
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", b"content-type"),
        (b"access-control-max-age", b"86400"),
    ]
    return _shared(answer, path, head)
