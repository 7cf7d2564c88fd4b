"""Replays real shoppers' histories over HTTP into a running server, and checks each answer of its slots.

By hand: `python -m tests.simulation.replay --data ../shared/data/clickstream/taobao_journeys`; without
`--url` and `--key` it starts a server of its own, reads its database and has it audited.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.simulation.browser import Answer, Browser, Connection
from tests.simulation.journeys import Journey, Model, Step, items_of, now_ms, read_journeys
from tests.simulation.running_server import RunningServer
from tests.simulation.shop import (
    CPA,
    CPC,
    CPM,
    NEWS_PAGE,
    SHOP_PAGE,
    AnyServer,
    Shop,
    Shown,
    consent,
    event_id,
    make_shop,
    shown_in,
)

EVENTS_PER_SLOT = 10
CONNECTIONS = 24
CARDS = {"300x250": 2, "728x90": 3, "300x600": 4}
# Nine days pass in a minute: nobody's peace may empty a slot, which other tests look at.
NO_PEACE = {"annoyance_budget": "0", "advertiser_cap": "0", "fatigue_views": "0"}
CAPS = {"cpm": 1_000_000, "cpc": 40_000_000, "cpa": 50_000_000}
CAMPAIGNS = {
    "cpm": {**CPM, "total_budget_micros": CAPS["cpm"]},
    "cpc": {**CPC, "total_budget_micros": CAPS["cpc"]},
    "cpa": {**CPA, "total_budget_micros": CAPS["cpa"]},
    "uncapped": {"pricing_model": "cpm", "rate_micros": 10_000},  # so that only the visitor empties a slot
}


class ServerElsewhere(NamedTuple):
    """A server that somebody else started, with an operator's key for it."""

    url: str
    key: str

    def api(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=120)


@dataclass
class Report:
    """What was sent and what came back; `faults` is empty where every answer was right."""

    visitors: int = 0
    events: Counter[str] = field(default_factory=Counter)
    acknowledged: dict[str, Step] = field(default_factory=dict)  # by event id
    filled: int = 0
    house: int = 0
    cards: int = 0
    charges: Counter[str] = field(default_factory=Counter)  # "/i taken", "/c cap_reached", ...
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_json(self) -> dict[str, object]:
        requests = sum(self.events.values()) + self.filled + self.house + sum(self.charges.values())
        return {
            "visitors": self.visitors,
            "events": dict(self.events),
            "slots": {"filled": self.filled, "house": self.house, "cards": self.cards},
            "charges": dict(sorted(self.charges.items())),
            "requests": requests,
            "seconds": round(self.seconds, 1),
            "requests_per_second": round(requests / self.seconds),
            "faults": self.faults[:20],
            "fault_count": len(self.faults),
        }


class Replay:
    """Many visitors at once, each one's steps in order."""

    def __init__(self, url: str, shop: Shop) -> None:
        self._url = url
        self._shop = shop
        self.progress: Callable[[int], None] = lambda steps: None
        self._slots = list(shop.slots)
        self.report = Report()

    async def run(self, journeys: list[Journey]) -> Report:
        waiting = list(reversed(journeys))
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(self._live(waiting))
        self.report.seconds = time.monotonic() - began
        return self.report

    async def _live(self, waiting: list[Journey]) -> None:
        """Shop and news page over a connection each: of many workers, often not the same one."""
        async with Connection(self._url) as shop, Connection(self._url) as news:
            while waiting:
                await self._travel(shop, news, waiting.pop())

    async def _travel(self, shop: Connection, news: Connection, journey: Journey) -> None:
        browser, model = Browser(), Model()
        self.report.visitors += 1
        await self._look(news, browser, model)  # nothing is known yet: the house ad
        for number, step in enumerate(journey, start=1):
            await self._tell(shop, browser, model, step, by_post=number % 2 == 0)
            if number % EVENTS_PER_SLOT == 0:
                await self._look(news, browser, model)
            self.progress(1)

    async def _tell(
        self, connection: Connection, browser: Browser, model: Model, step: Step, *, by_post: bool
    ) -> None:
        known = event_id()
        sent_ms = now_ms()
        if by_post:
            answer = await browser.post(connection, "/m/e?debug=1", SHOP_PAGE, self._beacon(step, known))
        else:
            answer = await browser.get(connection, self._pixel(step, known), SHOP_PAGE)
        if answer.event == "accepted":
            model.learn(step, sent_ms, now_ms())
            self.report.events[step.name] += 1
            self.report.acknowledged[known] = step
        else:
            self.report.faults.append(f"{step}: {answer.status} {answer.event}")

    def _pixel(self, step: Step, known: str) -> str:
        order = f"&transaction_id={known}&value=10&currency=EUR" if step.name == "purchase" else ""
        return (
            f"/m/e?m={self._shop.public_id}&e={step.name}&id={step.item}&event_id={known}&debug=1"
            f"&{consent()}{order}"
        )

    def _beacon(self, step: Step, known: str) -> bytes:
        event: dict[str, object] = {"name": step.name, "event_id": known, "items": [{"item_id": step.item}]}
        if step.name == "purchase":
            event |= {"transaction_id": known, "value": 10, "currency": "EUR"}
        given = {"granted": True, "cmp": "testcmp", "time": int(time.time())}
        return json.dumps({"m": self._shop.public_id, "events": [event], "consent": given}).encode()

    async def _look(self, connection: Connection, browser: Browser, model: Model) -> None:
        """Ask a slot, check what it shows, and do what a reader's browser does with it."""
        looked = self.report.filled + self.report.house
        size = self._slots[looked % len(self._slots)]
        answer = await browser.get(connection, f"/slot/{self._shop.slots[size]}?{consent()}", NEWS_PAGE)
        shown = shown_in(answer)
        fault = model.fault_of(shown.items if shown else None, CARDS[size])
        if fault is not None:
            self.report.faults.append(fault)
        if shown is None:
            self.report.house += 1
            return
        self.report.filled += 1
        self.report.cards += len(shown.items)
        await self._react(connection, browser, shown, clicks=looked % 3 == 0)

    async def _react(self, connection: Connection, browser: Browser, shown: Shown, *, clicks: bool) -> None:
        for path in ("/i", "/v"):
            answer = await browser.get(connection, f"{path}?t={shown.token}&debug=1", NEWS_PAGE)
            self._charged(path, answer, 200)
        if clicks:
            answer = await browser.get(connection, f"{shown.links[0]}&debug=1", NEWS_PAGE)
            self._charged("/c", answer, 302)
            landed = answer.headers.get("location", "")
            if not landed.startswith(f"https://{SHOP_PAGE}/p/{shown.items[0]}?rtclid="):
                self.report.faults.append(f"a click on {shown.items[0]} led to {landed}")

    def _charged(self, path: str, answer: Answer, status: int) -> None:
        self.report.charges[f"{path} {answer.charge}"] += 1
        if answer.status != status:
            self.report.faults.append(f"{path}: {answer.status}")


# ---- what the server made of it ----


def spending(server: AnyServer, shop: Shop) -> dict[str, int]:
    """What each capped campaign has spent, as the API tells it."""
    with server.api() as api:
        return {name: api.get(f"/campaigns/{shop.campaigns[name]}").json()["spend_micros"] for name in CAPS}


def check_database(server: RunningServer, report: Report) -> list[str]:
    """Every acknowledged event is there, once, as it was sent; as many charges as answers said."""
    stored: Counter[tuple[str, Step]] = Counter()
    for (body,) in server.rows("SELECT body FROM events"):
        name, known, items, *_ = msgspec.msgpack.decode(body)
        stored[known, Step(name, items[0][0])] += 1
    faults = [
        f"event {known} {step} is there {stored[known, step]} times"
        for known, step in report.acknowledged.items()
        if stored[known, step] != 1
    ]
    if len(stored) != len(report.acknowledged):
        faults.append(f"{len(stored)} events stored, {len(report.acknowledged)} acknowledged")
    for kind, path in enumerate(("/i", "/v", "/c")):
        ((charged,),) = server.rows("SELECT COUNT(*) FROM charges WHERE charge_id & 3 = ?", kind)
        if charged != report.charges[f"{path} taken"]:
            faults.append(f"{charged} charges of {path}, {report.charges[f'{path} taken']} answered")
    return faults


def make_replay_shop(server: AnyServer, journeys: list[Journey]) -> Shop:
    wishes = {"trust_pixel_conversions": True, "rest_after_purchase_days": 0}
    return make_shop(server, items_of(journeys), CAMPAIGNS, tuple(CARDS), **wishes)


# ---- by hand ----


def main() -> int:
    """The command; exit status 1 where an answer was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder with events.csv")
    parser.add_argument("--url", help="a running server; without it, one is started for the time")
    parser.add_argument("--key", help="an operator's API key of that server")
    parser.add_argument("--workers", type=int, default=1, help="of the server that is started")
    parser.add_argument("--visitors", type=int, help="replay only so many")
    chosen = parser.parse_args()
    journeys = read_journeys(chosen.data)[: chosen.visitors]
    if chosen.url:
        report = replay_with_bar(ServerElsewhere(chosen.url, chosen.key), journeys)
    else:
        with (
            tempfile.TemporaryDirectory() as folder,
            RunningServer(Path(folder), chosen.workers, **NO_PEACE) as server,
        ):
            report = replay_with_bar(server, journeys)
            report.faults += check_database(server, report)
            server.assert_audit_is_clean()
    print(json.dumps(report.as_json(), indent=2))
    return 1 if report.faults else 0


def replay_with_bar(server: AnyServer, journeys: list[Journey]) -> Report:
    columns = (MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[faults]} faults"))
    with Progress(*Progress.get_default_columns(), *columns, console=Console(file=sys.stderr)) as bar:
        bar.console.print("importing the catalogue")
        shop = make_replay_shop(server, journeys)
        task = bar.add_task("events", total=sum(map(len, journeys)), faults=0)
        replay = Replay(server.url, shop)
        replay.progress = lambda steps: bar.update(task, advance=steps, faults=len(replay.report.faults))
        report = asyncio.run(replay.run(journeys))
    for name, spent in spending(server, shop).items():
        if not 0 <= spent <= CAPS[name]:
            report.faults.append(f"campaign {name} spent {spent} of {CAPS[name]}")
    return report


if __name__ == "__main__":
    sys.exit(main())
