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
    "Mozilla/5.0 (compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
    "WhatsApp/2.23.20.0",
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "TelegramBot (like TwitterBot)",
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
    f"{WINDOWS} Code/1.115.0 Electron/39.8.5",
]

# Of the last five years: each browser's numbers are those of late 2021 to late 2026.
CHROMIUM, FIREFOX, SAFARI = range(95, 149), range(93, 150), ("15.1", "16.0", "16.6", "17.5", "18.1", "26.0")
SYSTEMS = {
    "Windows": "Windows NT 10.0; Win64; x64",
    "macOS": "Macintosh; Intel Mac OS X 10_15_7",
    "Linux": "X11; Linux x86_64",
    "Android": "Linux; Android 10; K",
}
PHONE = "iPhone; CPU iPhone OS {} like Mac OS X"


def make_chromium(system: str, version: int, after: str = "") -> str:
    mobile = " Mobile" if system == "Android" else ""
    return f"Mozilla/5.0 ({SYSTEMS[system]}) {WEBKIT} Chrome/{version}.0.0.0{mobile} Safari/537.36{after}"


def mainstream() -> list[str]:
    """Each mainstream browser on each system it runs on, in each of its versions."""
    agents = []
    for system in SYSTEMS:
        for version in CHROMIUM:
            brands = ("", f" Edg/{version}.0.0.0", f" OPR/{version - 14}.0.0.0", f" EdgA/{version}.0.0.0")
            agents += [make_chromium(system, version, brand) for brand in brands]
    for version in FIREFOX:
        desktop = (
            "Windows NT 10.0; Win64; x64",
            "Macintosh; Intel Mac OS X 10.15",
            "X11; Ubuntu; Linux x86_64",
        )
        agents += [f"Mozilla/5.0 ({on}; rv:{version}.0) Gecko/20100101 Firefox/{version}.0" for on in desktop]
        agents.append(
            f"Mozilla/5.0 (Android 14; Mobile; rv:{version}.0) Gecko/{version}.0 Firefox/{version}.0"
        )
    for version in SAFARI:
        kit = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
        on_phone = f"Mozilla/5.0 ({PHONE.format(version.replace('.', '_'))}) {kit}"
        agents.append(f"Mozilla/5.0 ({SYSTEMS['macOS']}) {kit} Version/{version} Safari/605.1.15")
        agents.append(f"{on_phone} Version/{version} Mobile/15E148 Safari/604.1")
        for brand in ("CriOS/141.0.7390.41", "FxiOS/143.0", "EdgiOS/140.0.3485.94", "OPT/6.0.1"):
            agents.append(f"{on_phone} {brand} Mobile/15E148 Safari/604.1")
    for version in range(15, 30):
        agents.append(
            f"Mozilla/5.0 (Linux; Android 14; SAMSUNG SM-S918B) {WEBKIT} SamsungBrowser/{version}.0"
            " Chrome/121.0.0.0 Mobile Safari/537.36"
        )
    return agents


@pytest.mark.parametrize("user_agent", PEOPLE)
def test_a_browser_people_use_is_no_robot(user_agent: str) -> None:
    assert robot(user_agent) is None


@pytest.mark.parametrize("user_agent", ROBOTS)
def test_a_robot_that_says_so_is_one(user_agent: str) -> None:
    assert robot(user_agent) is Rejection.ROBOT


@pytest.mark.parametrize("purpose", ["prefetch", "prefetch;prerender", "Prefetch", "preview"])
def test_a_prefetch_is_told_from_a_visit(purpose: str) -> None:
    assert robot(WINDOWS, purpose) is Rejection.PREFETCH


def test_every_mainstream_browser_of_the_last_five_years_passes() -> None:
    agents = mainstream()
    assert len(agents) > 1_000
    assert not [agent for agent in agents if robot(agent) is not None]


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
    assert len(crawlers) > 2_000
    assert len(missed) / len(crawlers) <= 0.01, missed
