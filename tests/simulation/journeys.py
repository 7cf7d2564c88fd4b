"""Real shoppers' histories, and what a visitor who lived one may be shown: written without the server's code."""

import csv
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

EVENT_OF = {"pv": "view_item", "cart": "add_to_cart", "fav": "add_to_wishlist", "buy": "purchase"}
WARMTH = {"view_item": 1, "add_to_wishlist": 2, "add_to_cart": 3}
MOST_REMEMBERED = 50  # of one shop; the coolest and oldest are forgotten, and are new when touched again


class Step(NamedTuple):
    """One thing a shopper did to an item."""

    name: str
    item: str


Journey = list[Step]


def read_journeys(folder: Path) -> list[Journey]:
    """Each visitor's steps in order of time; the longest history first, so that the last to end is short."""
    journeys: dict[str, Journey] = defaultdict(list)
    with (folder / "events.csv").open(newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: int(row["timestamp"]))
    for row in rows:
        journeys[row["user_id"]].append(Step(EVENT_OF[row["behavior"]], row["item_id"]))
    return sorted(journeys.values(), key=len, reverse=True)


def items_of(journeys: list[Journey]) -> list[str]:
    return sorted({step.item for journey in journeys for step in journey})


class Touched(NamedTuple):
    """How near an item is to being bought; the server's clock read it between sending and answer."""

    warmth: int
    sent_ms: int
    answered_ms: int


@dataclass
class Model:
    """What a visitor touched and bought, as far as the replay knows."""

    touched: dict[str, Touched] = field(default_factory=dict)
    bought: set[str] = field(default_factory=set)

    def learn(self, step: Step, sent_ms: int, answered_ms: int) -> None:
        if step.name == "purchase":
            self.bought.add(step.item)
            self.touched.pop(step.item, None)
            return
        known = self.touched.get(step.item)
        warmth = max(WARMTH[step.name], known.warmth if known else 0)
        self.touched[step.item] = Touched(warmth, sent_ms, answered_ms)
        if len(self.touched) > MOST_REMEMBERED:
            del self.touched[min(self.touched, key=lambda item: self.touched[item][:2])]

    def fault_of(self, items: list[str] | None, most_cards: int) -> str | None:
        """Why a slot's answer is wrong (None is the house ad), or None where it is right."""
        allowed = {item: touch for item, touch in self.touched.items() if item not in self.bought}
        shown = items or []
        strangers = [item for item in shown if item not in allowed]
        if strangers:
            bought = [item for item in strangers if item in self.bought]
            return f"bought and shown: {bought}" if bought else f"never touched and shown: {strangers}"
        if len(shown) != len(set(shown)) or len(shown) != min(most_cards, len(allowed)):
            return f"{shown} shown of {len(allowed)} products that might be"
        warmest = sorted((touch.warmth for touch in allowed.values()), reverse=True)[: len(shown)]
        if [allowed[item].warmth for item in shown] != warmest:
            return f"shown {[allowed[item] for item in shown]}, but there is warmer"
        return _newest_first(shown, allowed)


def _newest_first(shown: list[str], allowed: dict[str, Touched]) -> str | None:
    """Among equally warm ones the newest comes first; within one millisecond any order is right."""
    later = set(allowed)
    for item in shown:
        later.discard(item)
        touch = allowed[item]
        for other in later:
            if allowed[other].warmth == touch.warmth and allowed[other].sent_ms > touch.answered_ms:
                return f"{item} stands before {other}, which was touched later"
    return None


def now_ms() -> int:
    return time.time_ns() // 1_000_000
