"""What is measured: for each case its requests, what an answer must be, and which rows must come of it."""

import io
import json
import re
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from random import Random
from typing import NamedTuple

from PIL import Image

from adserver.domain.pricing import PricingModel
from tests.bench.world import CONSENT_TOOL, NEWS_PAGE, SHOP_PAGE, Visitor, World
from tests.pixel.consent_strings import VENDOR, make_tc
from tests.simulation.browser import USER_AGENT, Answer

CARDS = 4
SHOPS_WITH_FRAMES = 10  # whose products' frames are drawn before the slot's GIF is measured
CLICKED_EVERY = 12  # ads, in the mixed traffic


class Ask(NamedTuple):
    """One request as a browser sends it."""

    target: str
    page: str
    cookie: str | None = None
    body: bytes | None = None

    @property
    def method(self) -> str:
        return "GET" if self.body is None else "POST"

    @property
    def headers(self) -> dict[str, str]:
        said = {
            "User-Agent": USER_AGENT,
            "Accept": "*/*",
            "Accept-Language": "en-GB,en;q=0.5",
            "Accept-Encoding": "gzip, deflate, br",
            "Referer": f"https://{self.page}/",
        }
        return said if self.cookie is None else {**said, "Cookie": self.cookie}

    def to_bytes(self, host: str) -> bytes:
        """Whole, for wrk to send as it is."""
        lines = [f"{self.method} {self.target} HTTP/1.1", f"Host: {host}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.body is not None:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join((*lines, "", "")).encode() + (self.body or b"")

    def explained(self) -> "Ask":
        """The same, with the wish to hear what became of it."""
        return self._replace(target=f"{self.target}{'&' if '?' in self.target else '?'}debug=1")


class Case(NamedTuple):
    """`rows`: each group of tables must have grown by one row for each answer.

    `follow`: ads that are shown are told of, and every so many clicked (0: none); None: neither.
    `folds`: the visitor's profile is written too. `answers_of_one`: how many answers make one of what the
    case is named after.
    """

    name: str
    asks: Callable[[World], Iterator[Ask]]
    fault: Callable[[Answer], str | None]
    rows: tuple[tuple[str, ...], ...]
    folds: bool = False
    follow: int | None = None
    answers_of_one: int = 1
    workers: tuple[int, ...] = (1,)
    must: float | None = None  # of the bare callable's requests per second, by the issue on speed
    aim: float | None = None


# ---- what is asked ----


def consent(world: World) -> str:
    return f"consent=1&consent_cmp={CONSENT_TOOL}&consent_time={world.consented_seconds}"


def in_turn(world: World, shops: int | None = None) -> Iterator[Visitor]:
    """All visitors in an order of their own, again and again; or only those of the first shops."""
    chosen = [one for one in world.visitors if shops is None or max(one.shops) < shops]
    Random(2).shuffle(chosen)
    return cycle(chosen)


def _view(world: World, visitor: Visitor, said: str) -> str:
    """The visitor looks at a product of their first shop; each view has an id of its own."""
    key, shop = world.mint_key(), visitor.shops[0]
    return (
        f"/m/e?m={world.public_id(shop)}&e=view_item&id={world.item(shop, key >> 20)}&q=1&p=89.90"
        f"&value=89.90&currency=EUR&event_id=e{key}&{said}"
    )


def pixel(world: World) -> Iterator[Ask]:
    said = consent(world)
    for visitor in in_turn(world):
        yield Ask(_view(world, visitor, said), SHOP_PAGE, visitor.cookie)


def pixel_tcf(world: World) -> Iterator[Ask]:
    now_ms, vendors = int(time.time() * 1_000), [*range(1, 900, 2), VENDOR]
    text = make_tc(updated_ms=now_ms - 3_600_000, vendors=vendors, disclosed=range(1, VENDOR + 1))
    for visitor in in_turn(world):
        yield Ask(_view(world, visitor, f"gdpr=1&gdpr_consent={text}"), SHOP_PAGE, visitor.cookie)


def pixel_new(world: World) -> Iterator[Ask]:
    said = consent(world)
    for visitor in in_turn(world):
        yield Ask(_view(world, visitor, said), SHOP_PAGE)


def beacon(world: World) -> Iterator[Ask]:
    given = {"granted": True, "cmp": CONSENT_TOOL, "time": world.consented_seconds}
    for visitor in in_turn(world):
        key, shop = world.mint_key(), visitor.shops[0]
        item = {"item_id": world.item(shop, key >> 20), "price": 89.9, "quantity": 1}
        event = {
            "name": "view_item",
            "event_id": f"e{key}",
            "items": [item],
            "value": 89.9,
            "currency": "EUR",
        }
        body = {"m": world.public_id(shop), "events": [event], "consent": given}
        yield Ask("/m/e", SHOP_PAGE, visitor.cookie, json.dumps(body).encode())


def slot(world: World) -> Iterator[Ask]:
    target = f"/slot/{world.slot_id}?{consent(world)}"
    for visitor in in_turn(world):
        yield Ask(target, NEWS_PAGE, visitor.cookie)


def slot_gif(world: World) -> Iterator[Ask]:
    said = consent(world)
    for number, visitor in enumerate(in_turn(world, SHOPS_WITH_FRAMES)):
        yield Ask(f"/slot/{world.slot_id}.gif?n=k{number}&{said}", NEWS_PAGE, visitor.cookie)


def slot_stranger(world: World) -> Iterator[Ask]:
    target = f"/slot/{world.slot_id}?{consent(world)}"
    while True:
        yield Ask(target, NEWS_PAGE)


def impression(world: World) -> Iterator[Ask]:
    for visitor in in_turn(world):
        yield Ask(f"/i?t={world.token(visitor, PricingModel.CPM)}", NEWS_PAGE, visitor.cookie)


def click(world: World) -> Iterator[Ask]:
    for visitor in in_turn(world):
        yield Ask(f"/c?t={world.token(visitor, PricingModel.CPC)}", NEWS_PAGE, visitor.cookie)


def mixed(world: World) -> Iterator[Ask]:
    """140 views for 25 slots, whose 25 ads are told of, and two of them clicked: 70 %, 25 % and 1 % or so."""
    views, slots = pixel(world), slot(world)
    while True:
        for place in range(165):
            yield next(slots) if place * 25 // 165 != (place + 1) * 25 // 165 else next(views)


# ---- what must be answered ----

_CLICK = re.compile(rb"/c\?t=([\w-]+)")


def stored(answer: Answer) -> str | None:
    return (
        None if answer.status in (200, 204) and answer.event == "accepted" else "the event was not accepted"
    )


def stored_with_cookie(answer: Answer) -> str | None:
    return stored(answer) or (None if "set-cookie" in answer.headers else "no cookie was set")


def personalised(answer: Answer) -> str | None:
    links = set(_CLICK.findall(answer.body))
    if answer.headers.get("x-slot") == "filled" and len(links) == CARDS:
        return None
    return f"{len(links)} cards with links of their own, {CARDS} are due"


def empty(answer: Answer) -> str | None:
    return None if answer.headers.get("x-slot") == "empty" else "a visitor without a cookie got an ad"


def charged(answer: Answer) -> str | None:
    return (
        None if answer.status in (200, 302) and answer.charge == "taken" else f"the charge is {answer.charge}"
    )


def charged_picture(answer: Answer) -> str | None:
    """A frame for each card, and the one that rests on the first."""
    frames = getattr(Image.open(io.BytesIO(answer.body)), "n_frames", 1)
    return charged(answer) or (None if frames == CARDS + 1 else f"{frames} frames, {CARDS + 1} are due")


def viewed_or_personalised(answer: Answer) -> str | None:
    return personalised(answer) if "x-slot" in answer.headers else stored(answer)


CASES = (
    Case("pixel", pixel, stored, (("events",),), folds=True, workers=(1, 2), must=0.6, aim=1.0),
    Case("pixel-tcf", pixel_tcf, stored, (("events",),), folds=True),
    Case("pixel-new", pixel_new, stored_with_cookie, (("events",),)),
    Case("beacon", beacon, stored, (("events",),), folds=True),
    Case("slot", slot, personalised, (("decisions",),), workers=(1, 2), must=0.5, aim=0.7),
    Case("slot-gif", slot_gif, charged_picture, (("decisions",), ("charges",)), must=0.35, aim=0.5),
    Case("slot-stranger", slot_stranger, empty, (("requests",),)),
    Case("impression", impression, charged, (("impressions",), ("charges",)), folds=True, workers=(1, 2),
         must=0.5, aim=0.8),
    Case("click", click, charged, (("clicks",), ("charges",)), folds=True, must=0.5, aim=0.8),
    Case("whole", slot, personalised, (("decisions", "impressions"), ("decisions", "charges")),
         follow=0, answers_of_one=2),
    Case("mixed", mixed, viewed_or_personalised, (("events", "decisions", "impressions", "clicks"),),
         follow=CLICKED_EVERY, workers=(1, 2)),
)  # fmt: skip
