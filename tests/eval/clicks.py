"""Click logs as the public benchmarks have them, read and cut into sessions; ids may be any text."""

import csv
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from adserver.domain.identity import product_key

GAP_SECONDS = 30 * 60
WINDOW_SECONDS = 9 * 86_400  # a few clocks of the journeys are years away
SHOP = 1
SESSION, ITEM, TIME = "SessionId", "ItemId", "Time"
LOOKED = ("pv", "cart", "fav")

Sessions = list[list[int]]  # each the products in the order they were looked at; those that ended last, last


def read_log(path: Path) -> tuple[Sessions, int]:
    """The sessions of a file with the columns SessionId, ItemId and Time, and how many rows were no clicks."""
    found: dict[str, list[tuple[float, str]]] = {}
    broken = 0
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        delimiter = "\t" if "\t" in file.readline() else ","
        file.seek(0)
        for row in csv.DictReader(file, delimiter=delimiter):
            try:
                click = float(row[TIME]), row[ITEM]
                found.setdefault(row[SESSION], []).append(click)
            except KeyError:
                raise SystemExit(f"{path}: its first line must name {SESSION}, {ITEM} and {TIME}") from None
            except (TypeError, ValueError):
                broken += 1
    return _in_order(found.values()), broken


def read_journeys(path: Path) -> tuple[Sessions, Sessions]:
    """Shoppers' histories cut where they paused for half an hour: those that ended in the first four fifths
    of the time, and the last fifth."""
    shoppers: dict[str, list[tuple[float, str]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["behavior"] in LOOKED:
                shoppers.setdefault(row["user_id"], []).append((float(row["timestamp"]), row["item_id"]))
    times = sorted(at for clicks in shoppers.values() for at, _ in clicks)
    middle = times[len(times) // 2]
    timely = (
        [one for one in clicks if abs(one[0] - middle) < WINDOW_SECONDS] for clicks in shoppers.values()
    )
    sessions = [session for clicks in timely if clicks for session in _cut(sorted(clicks, key=_time))]
    sessions.sort(key=lambda session: session[-1][0])
    split = len(sessions) * 4 // 5
    return _in_order(sessions[:split]), _in_order(sessions[split:])


def known_only(sessions: Sessions, known: Iterable[int]) -> Sessions:
    """Without products that nobody could know yet, as the public benchmarks have it."""
    products = set(known)
    kept = ([product for product in session if product in products] for session in sessions)
    return [session for session in kept if len(session) > 1]


def _time(click: tuple[float, str]) -> float:
    return click[0]


def _cut(clicks: list[tuple[float, str]]) -> list[list[tuple[float, str]]]:
    sessions = [[clicks[0]]]
    for before, click in pairwise(clicks):
        if click[0] - before[0] > GAP_SECONDS:
            sessions.append([])
        if not sessions[-1] or sessions[-1][-1][1] != click[1]:  # looked at, then put into the cart
            sessions[-1].append(click)
    return sessions


def _in_order(sessions: Iterable[list[tuple[float, str]]]) -> Sessions:
    """By time; clicks of the same moment stay as they were written."""
    ordered = sorted((sorted(clicks, key=_time) for clicks in sessions), key=lambda clicks: clicks[-1][0])
    return [[product_key(SHOP, item) for _, item in clicks] for clicks in ordered]
