"""What a hot address is asked, and the bytes it answers with."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from urllib.parse import parse_qsl

import msgspec

from adserver.domain.caller import Caller
from adserver.domain.campaign import Advertiser
from adserver.domain.identity import read_id
from adserver.domain.page_sheet import MOST_OTHERS
from adserver.flows.collect import Collected
from adserver.flows.draw import GIF, PNG, Drawn
from adserver.flows.serve import CARDS_OF_IMAGE, Served, SlotRequest
from adserver.flows.serve.explain import Explained
from adserver.ports import Deferred
from adserver.web import answers
from adserver.web.answers import Answer, Headers
from adserver.web.caller import Head
from adserver.web.pending import Pending
from adserver.web.schemas.decisions import show_explained
from adserver.writes import Outcome, Result
from pixel.parse import UNHEARD, said_in

MOST_QUERY_BYTES = 8_192
LATE = "late"  # a charge that nobody waited for any longer; it may still be taken
_FILLED, _EMPTY = (b"x-slot", b"filled"), (b"x-slot", b"empty")
_MOST_POLICIES = 4_096  # that are remembered: one of each look on each site
_READ_BY_PAGES = frozenset({"/m/e", "/m/id"})
Reply = Answer | Pending  # what is at hand, else what waits for its batch or picture


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


def stored(collected: Collected, waits_for: Sequence[Deferred], told: Callable[[str], Answer]) -> Pending:
    """The answer once all of them are durable, or are not."""
    answer = Pending(told)
    if len(waits_for) == 1 and collected.rejection is None:  # nearly always
        waits_for[0].then(answer.hear)
        return answer
    results: list[Result] = []

    def hear(outcome: Outcome) -> None:
        results.append(outcome.result)
        if len(results) == len(waits_for):
            answer.tell(name_of(collected, results))

    for deferred in waits_for:
        deferred.then(hear)
    return answer


def name_of(collected: Collected, results: list[Result]) -> str:
    """The worst of what became of a hit's events, and of what it withdrew."""
    if Result.UNRECORDED in results:
        return Result.UNRECORDED
    if collected.rejection is not None:
        return collected.rejection
    return Result.DUPLICATE if Result.DUPLICATE in results else results[0]


def charged(
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


def explained(answer: Answer, ask: Ask, name: str) -> Answer:
    if ask.explain:
        answer.headers.append((b"x-charge", name.encode()))
    return answer


def shared(answer: Answer, path: str, head: Head) -> Answer:
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


def with_cookie(answer: Answer, set_cookie: bytes | None) -> Answer:
    if set_cookie is not None:
        answer.headers.append((b"set-cookie", set_cookie))
    return answer


def document_of(served: Served) -> Answer:
    answer = answers.document(served.body, _policy_of(served.content_security_policy, served.domains))
    answer.headers.append(_FILLED if served.filled else _EMPTY)
    return answer


@lru_cache(maxsize=_MOST_POLICIES)
def _policy_of(policy: str, domains: tuple[str, ...]) -> bytes:
    """A document's, with those who may frame it."""
    return f"{policy}; frame-ancestors {_ancestors(domains)}".encode()


def told_why(explained: Explained | None, advertisers: Mapping[int, Advertiser]) -> Answer:
    """The reasons instead of the ad, for whoever may see all accounts'."""
    if explained is None:
        return answers.plain(404, "no such slot")
    told = show_explained(explained, advertisers, lambda advertiser_key: True)
    return answers.json(told.model_dump(mode="json"))


def waits_for_disk(path: str) -> bool:
    """A document's decision is recorded behind its back; anything else is answered once it is durable."""
    return not path.startswith("/slot/") or path.endswith((".gif", ".png"))


def kind_of(name: str) -> str:
    """The ending of an image slot's address; "" where a document is asked for."""
    return name[-3:] if name.endswith((f".{GIF}", f".{PNG}")) else ""


def picture_of(drawn: Drawn, ask: Ask, kind: str) -> Answer:
    return answers.picture(drawn.body, drawn.tag, kind, ask.head.values.get(b"if-none-match", b""))


def token_of(query: bytes) -> str:
    """The token is always the first parameter; whatever follows it is ignored."""
    first = query.split(b"&", 1)[0]
    return first[2:].decode("latin-1") if first.startswith(b"t=") else ""


def slot_request(ask: Ask, slot_id: str, cards: int = CARDS_OF_IMAGE) -> SlotRequest | None:
    """The question of a slot; None where the id is not one of a slot's. `still=1`: an image that rests."""
    slot_key = read_id("slot", slot_id)
    if slot_key is None:
        return None
    if not ask.query:
        return SlotRequest(slot_key, cards=cards)
    fields = fields_of(ask.query)
    if fields.get("still") == "1":
        cards = 1
    said, read = said_in(fields), fields.get
    return SlotRequest(
        slot_key,
        read("click"),
        read("n"),
        said,
        cards,
        read("kw"),
        read("cat"),
        read("page"),
        _others(fields["with"]) if "with" in fields else (),
        int(place) if (place := read("place", "")) and place.isdecimal() and len(place) < 3 else 0,
    )


def _others(named: str) -> tuple[int, ...]:
    """The page's other slots, by their ids and in their order; 0 for what is no id."""
    return tuple(read_id("slot", one) or 0 for one in named.split(",", MOST_OTHERS)[:MOST_OTHERS])


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


def preflight(path: str, head: Head) -> Answer:
    answer = answers.no_content()
    answer.headers += [
        (b"access-control-allow-methods", b"GET, POST"),
        (b"access-control-allow-headers", b"content-type"),
        (b"access-control-max-age", b"86400"),
    ]
    return shared(answer, path, head)
