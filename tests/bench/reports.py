"""What reports over three years cost, and each page of the console; alone: `python -m tests.bench.reports`."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from operator import add
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import httpx
import msgspec

from adserver.domain.report import Dimension, Metric, Report, ReportQuery
from adserver.domain.report_period import number_of
from adserver.domain.report_sums import MONTHS, OF_CAMPAIGN, OF_SLOT, Sheet
from adserver.domain.retention import Retention
from adserver.flows.report import Reports
from adserver.storage.embedded import Storage, own_storage
from adserver.storage.sqlite import connect
from adserver.web import console
from tests.contract.stores import save_new
from tests.domain.makers import make_advertiser, make_campaign, make_publisher, make_site, make_slot
from tests.running_demo import RunningDemo
from tests.shared_data import PROJECT

CAMPAIGNS, SHOPS, SLOTS, SITES = 100, 20, 50, 10
SLOTS_OF_A_DAY = 8  # at which a campaign is shown, one of them in each hour
FINE_DAYS = 90
ZONE = "Europe/Paris"
LAST = date(2026, 11, 18)
FIRST = date(2023, 11, 19)
NOW_MS = int(datetime(2026, 11, 18, 12, tzinfo=UTC).timestamp()) * 1000
REPORT_AIM_MS, PAGE_AIM_MS = 300, 100
ROUNDS = 5
METRICS = (Metric.IMPRESSIONS, Metric.CLICKS, Metric.CTR, Metric.SPEND, Metric.CONVERSIONS, Metric.ECPC)
PASSWORD = "four old wet boots"


class Took(NamedTuple):
    name: str
    ms: float  # the middle one of some rounds
    aim_ms: int
    note: str = ""

    def __str__(self) -> str:
        over = "  MORE THAN THE AIM" if self.ms > self.aim_ms else ""
        return f"{self.name:64}{self.ms:9.1f} ms   aim {self.aim_ms} {self.note}{over}"


def measured(name: str, aim_ms: int, run: Callable[[], str]) -> Took:
    """The first run warms up and is not counted."""
    note, times = run(), []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        run()
        times.append((time.perf_counter() - began) * 1000)
    return Took(name, median(times), aim_ms, note)


# ---- three years ----


def make_network(storage: Storage) -> None:
    for shop in range(1, SHOPS + 1):
        save_new(storage, make_advertiser(key=shop, public_id=f"m{shop}", name=f"Shop {shop}", timezone=ZONE))
    for number in range(CAMPAIGNS):
        campaign = make_campaign(key=1_000 + number, advertiser_key=1 + number % SHOPS, name=f"C {number}")
        save_new(storage, campaign)
    save_new(storage, make_publisher(key=1))
    save_new(storage, *(make_site(key=100 + number, publisher_key=1) for number in range(SITES)))
    slots = (make_slot(key=200 + number, site_key=100 + number % SITES) for number in range(SLOTS))
    save_new(storage, *slots)


def _slot(campaign: int, day: int, hour: int) -> int:
    return 200 + (campaign * 7 + day * 3 + hour % SLOTS_OF_A_DAY * 5) % SLOTS


def _sums(hours: int) -> tuple[int, ...]:
    """What a campaign's hour adds to, so many times."""
    return tuple(n * hours for n in (120, 100, 60, 2, 500_000, 350_000))


def sums_of_days(first: date = FIRST) -> Iterator[tuple[Any, ...]]:
    """What the roll-up of each hour's sums has made of them."""
    months: dict[tuple[Any, ...], list[int]] = {}
    for sheet, campaign, day, slot, currency, *sums in _each_day(first):
        yield (sheet, campaign, day, slot, currency, *sums)
        month = months.setdefault(
            (sheet + MONTHS, campaign, day - day % 100, slot, currency), [0] * len(sums)
        )
        months[sheet + MONTHS, campaign, day - day % 100, slot, currency] = list(map(add, month, sums))
    yield from ((*place, *sums) for place, sums in months.items())


def _each_day(first: date) -> Iterator[tuple[Any, ...]]:
    of_slots: dict[tuple[int, int], int] = {}
    for place in range((LAST - first).days + 1):
        day = number_of(first + timedelta(days=place))
        of_slots.clear()
        for campaign in range(1_000, 1_000 + CAMPAIGNS):
            for sheet in (Sheet.OWN_BY_CAMPAIGN, Sheet.NETWORK_BY_CAMPAIGN):
                yield (sheet, campaign, day, 0, "EUR", *_sums(24))
            for hour in range(SLOTS_OF_A_DAY):
                slot = _slot(campaign, place, hour)
                for sheet in sorted(OF_CAMPAIGN & OF_SLOT):
                    yield (sheet, campaign, day, slot, "EUR", *_sums(24 // SLOTS_OF_A_DAY))
                of_slots[slot, day] = of_slots.get((slot, day), 0) + 24 // SLOTS_OF_A_DAY
        yield (Sheet.NETWORK, 0, day, 0, "EUR", *_sums(24 * CAMPAIGNS))
        for (slot, day_), hours in of_slots.items():
            yield (Sheet.NETWORK_BY_SLOT, 0, day_, slot, "EUR", *_sums(hours))


def _hours() -> Iterator[tuple[Any, ...]]:
    for place in range(FINE_DAYS * 24):
        begin_ms = NOW_MS - place * 3_600_000
        for campaign in range(1_000, 1_000 + CAMPAIGNS):
            slot = _slot(campaign, place // 24, place % 24)
            yield (campaign, begin_ms, slot, 0, 0, 0, "FR", "mobile", "EUR", *_sums(1))


def fill(path: Path) -> tuple[int, int]:
    """Three years of sums, hours of the last 90 days among them; how many rows of both."""
    with closing(connect(path, writing=True)) as connection:
        connection.execute("BEGIN")
        marks = ",".join("?" * 11)
        days = connection.executemany(f"INSERT OR REPLACE INTO report_days VALUES ({marks})", sums_of_days())
        marks = ",".join("?" * 15)
        hours = connection.executemany(f"INSERT INTO report_parts VALUES ({marks})", _hours())
        connection.execute("COMMIT")
        return days.rowcount, hours.rowcount


def _report(storage: Storage, first: date, *by: Dimension) -> Callable[[], str]:
    reports = Reports(storage, lambda: NOW_MS, ZONE, Retention())
    asked = ReportQuery(metrics=METRICS, group_by=by, first=first, last=LAST)

    def run() -> str:
        told = reports.report(None, asked)
        assert isinstance(told, Report), told
        return f"({len(told.rows):,} rows)"

    return run


def three_years(folder: Path) -> list[Took]:
    """The campaign report over three years, and finer ones over the last 90 days."""
    storage = own_storage(folder / "adserver.db")
    make_network(storage)
    days, hours = fill(folder / "adserver.db")
    print(f"{CAMPAIGNS} campaigns, {SLOTS} slots: {days:,} rows of days, {hours:,} of hours", file=sys.stderr)
    month_ago = LAST - timedelta(days=29)
    asked: dict[str, tuple[date, tuple[Dimension, ...]]] = {
        "three years by campaign": (FIRST, (Dimension.CAMPAIGN,)),
        "three years by month": (FIRST, (Dimension.MONTH,)),
        "three years by month and campaign": (FIRST, (Dimension.MONTH, Dimension.CAMPAIGN)),
        "three years by day": (FIRST, (Dimension.DAY,)),
        "three years by slot": (FIRST, (Dimension.SLOT,)),
        "three years by week": (FIRST, (Dimension.WEEK,)),
        "30 days by day and campaign": (month_ago, (Dimension.DAY, Dimension.CAMPAIGN)),
        "30 days by country and campaign": (month_ago, (Dimension.COUNTRY, Dimension.CAMPAIGN)),
        "one day by hour": (LAST, (Dimension.HOUR,)),
    }
    try:
        return [
            measured(name, REPORT_AIM_MS, _report(storage, first, *by)) for name, (first, by) in asked.items()
        ]
    finally:
        storage.close()


# ---- pages ----


def pages(folder: Path) -> list[Took]:
    """Every page that the demo has something for; which were not asked is told."""
    demo = RunningDemo(folder)
    try:
        return list(_pages(demo, _logged_in(demo)))
    finally:
        demo.close()


def _pages(demo: RunningDemo, client: httpx.Client) -> Iterator[Took]:
    known = _known(demo)
    for address in console.addresses():
        method, path = address.split(" ")
        names = re.findall(r"\{(\w+)", path)
        if method != "GET" or path.endswith((".css", ".js", ".svg", "/events/news")):
            continue
        if set(names) - set(known):
            print(f"not asked: {path}", file=sys.stderr)
            continue
        url = re.sub(r"\{(\w+)[^}]*\}", lambda found: known[found[1]], path)
        answer = client.get(url)
        if answer.status_code != 200:
            print(f"{answer.status_code}: {url}", file=sys.stderr)
            continue
        yield measured(path, PAGE_AIM_MS, lambda url=url: f"({len(client.get(url).content):,} bytes)")


def _known(demo: RunningDemo) -> dict[str, str]:
    """By the names of addresses' parameters: the demo's own things."""

    def first(path: str, **asked: str) -> str:
        items = demo.api.get(path, params=asked).raise_for_status().json()["items"]
        return str(items[0]["id"]) if items else ""

    shop, campaign = demo.told["advertiser_id"], demo.told["campaigns"]["cpc"]
    found = {
        "shop": shop,
        "campaign": campaign,
        "owner": campaign,
        "slot": next(iter(demo.told["slots"])),
        "publisher": first("/publishers"),
        "site": first("/sites"),
        "creative": first("/creatives", campaign_id=campaign),
        "feed": first(f"/advertisers/{shop}/feeds"),
        "month": datetime.now(UTC).strftime("%Y-%m"),
    }
    return {name: id_ for name, id_ in found.items() if id_}


def _logged_in(demo: RunningDemo) -> httpx.Client:
    environment = {**os.environ, "ADSERVER_DATA_DIR": str(demo.folder), "ADSERVER_BASE_URL": demo.url}
    command = [sys.executable, "-m", "adserver", "invite", "bench@example.org", "--json"]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, check=True)
    link = str(msgspec.json.decode(done.stdout)["link"])
    client = httpx.Client(base_url=demo.url, headers={"Origin": demo.url}, timeout=30)
    entered = client.post(link, data={"name": "Bench", "password": PASSWORD})
    assert entered.status_code == 303, entered.text
    return client


def measure() -> dict[str, list[Took]]:
    with tempfile.TemporaryDirectory(prefix="adserver-bench-") as folder:
        found = {}
        for name, part in (("reports", three_years), ("pages", pages)):
            (Path(folder) / name).mkdir()
            found[name] = part(Path(folder) / name)
        return found


def as_data(found: dict[str, list[Took]]) -> dict[str, dict[str, float]]:
    return {part: {took.name: took.ms for took in measured_} for part, measured_ in found.items()}


def lines(found: dict[str, list[Took]]) -> str:
    return "\n".join(str(took) for part in found.values() for took in part)


if __name__ == "__main__":
    print(lines(measure()))
