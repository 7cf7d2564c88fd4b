"""Declared robots are recognised and people are not."""

import json
import time
from pathlib import Path

import pytest

from pixel.events import Rejection
from pixel.robots import robot

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
WINDOWS = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/130.0.0.0 Safari/537.36"
PEOPLE = (Path(__file__).parent / "browsers.txt").read_text().splitlines()

ROBOTS = [
    "",
    "Mozilla/5.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/130.0.0.0 Safari/537.36",
    WINDOWS + " Chrome-Lighthouse",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
    "curl/8.9.1",
    "Wget/1.24.5",
    "Go-http-client/2.0",
    "python-requests/2.32.3",
    "python-httpx/0.28.1",
    "Python-urllib/3.11",
    "facebookexternalhit/1.1",
]


@pytest.mark.parametrize("user_agent", PEOPLE)
def test_a_browser_people_use_is_no_robot(user_agent: str) -> None:
    assert robot(user_agent) is None


@pytest.mark.parametrize("user_agent", ROBOTS)
def test_a_robot_that_says_so_is_one(user_agent: str) -> None:
    assert robot(user_agent) is Rejection.ROBOT


@pytest.mark.parametrize("purpose", ["prefetch", "prefetch;prerender", "Prefetch", "preview"])
def test_a_prefetch_is_told_from_a_visit(purpose: str) -> None:
    assert robot(WINDOWS, purpose) is Rejection.PREFETCH


def test_only_the_first_512_characters_are_looked_at() -> None:
    assert robot(WINDOWS.ljust(512) + "Googlebot") is None
    begun_seconds = time.perf_counter()
    for evil in ("a", "http", "compatible;", "[a", "agent", ".", "archive"):
        robot("Mozilla/" + evil * 100_000)
    assert time.perf_counter() - begun_seconds < 0.5


def test_nearly_all_crawlers_known_to_the_public_list_are_recognised(shared_data: Path) -> None:
    rows = json.loads((shared_data / "user_agents" / "crawler-user-agents.json").read_text())
    crawlers = [agent for row in rows for agent in row["instances"]]
    missed = [agent for agent in crawlers if robot(agent) is None]
    assert len(missed) / len(crawlers) <= 0.03, missed
