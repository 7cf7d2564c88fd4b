"""A holdout over HTTP: who is held out sees the next advertiser's ad, and the API tells both groups apart."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from adserver.domain.experiment import is_held_out
from adserver.domain.identity import read_id, write_id
from adserver.domain.token import AdToken, TokenKeys, verify
from adserver.storage.audit import audit
from pixel.cookie import SECURE_NAMES, mint, visitor_of
from tests.domain.untried import try_nothing
from tests.web.visiting import BASE_URL, NEWS, Visiting

VISITORS = 400
AT_ONCE = 16
AGAIN = 40  # of them come twice more, and see what the cap makes of it


class Town(Visiting):
    """Two shops that all visitors have been to; the one that pays more holds a fifth of them out."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.change(
            "PATCH", f"/campaigns/{self.campaign}", rate_micros=4_000_000,
            frequency_cap={"impressions": 2, "per": "day"},
        )  # fmt: skip
        self.other = self._open_other()
        held = self.change("PATCH", f"/advertisers/{self.advertiser}", holdout_bps=2_000)
        assert held["holdout_since"] is not None
        transport = httpx.ASGITransport(self.server.application, raise_app_exceptions=False)
        self.street = httpx.AsyncClient(transport=transport, base_url=BASE_URL)
        self._clients.append(self.street)
        self.shown: dict[int, list[str]] = {}
        everyone = [byte.to_bytes(2, "big") * 8 for byte in range(1, VISITORS + 1)]
        self.each(self.look_at(self.merchant, "boots"), everyone)
        self.each(self.look_at(self.other["merchant"], "lamp"), everyone)
        for _ in range(2):
            self.each(self.read_news, everyone[:AGAIN])
        self.each(self.read_news, everyone)
        self.each(self.look_at(self.merchant, "boots", e="purchase", value="50", currency="EUR"), everyone)
        self.server.report_counts()

    def _open_other(self) -> dict[str, str]:
        shop = self.change(
            "POST", "/advertisers", name="Sudhaus Ltd", domains=["other.example"], currency="EUR",
            timezone="Europe/Paris", country="FR", trust_pixel_conversions=True,
        )  # fmt: skip
        self.change(
            "PUT", f"/advertisers/{shop['id']}/products/lamp", title="Lamp", currency="EUR",
            link="https://other.example/lamp", price_micros=10_000_000,
        )  # fmt: skip
        campaign = self.change(
            "POST", "/campaigns", advertiser_id=shop["id"], name="Lamps", pricing_model="cpc",
            rate_micros=1_000, status="active",
        )  # fmt: skip
        self.change(
            "POST", "/creatives", campaign_id=campaign["id"], template="cards", brand={"name": "Sudhaus"}
        )
        return {"id": shop["id"], "merchant": shop["public_id"], "campaign": campaign["id"]}

    # ---- what visitors do, many at once ----

    def each(self, do: Callable[[bytes], Awaitable[None]], visitors: Sequence[bytes]) -> None:
        async def all_of_them() -> None:
            for first in range(0, len(visitors), AT_ONCE):
                await asyncio.gather(*map(do, visitors[first : first + AT_ONCE]))

        self.wait(all_of_them())

    def cookie(self, visitor: bytes) -> dict[str, str]:
        return {"Cookie": f"{SECURE_NAMES.visitor.decode()}={mint(visitor, self.server.cookie_keys())}"}

    def look_at(self, merchant: str, item: str, **more: str) -> Callable[[bytes], Awaitable[None]]:
        async def look(visitor: bytes) -> None:
            asked = {"m": merchant, "e": "view_item", "id": item} | more
            if "value" in more:
                asked["transaction_id"] = visitor.hex()
            answer = await self.street.get("/m/e", params=asked, headers=self.cookie(visitor))
            assert answer.status_code == 200

        return look

    async def read_news(self, visitor: bytes) -> None:
        document = await self.street.get(f"/slot/{self.slot}", headers=NEWS | self.cookie(visitor))
        found = re.search(r"/i\?t=([\w-]+)", document.text)
        assert found, "both shops have something to show"
        await self.street.post(f"/i?t={found[1]}", headers=self.cookie(visitor))
        (campaign,) = {
            read_token(self, text).campaign_key for text in re.findall(r"/c\?t=([\w-]+)", document.text)
        }
        self.shown.setdefault(visitor_of(visitor), []).append(write_id("cmp", campaign))

    # ---- what came of it ----

    @property
    def held_out(self) -> set[int]:
        advertiser = self.server.memory.snapshot.advertisers[read_id("adv", self.advertiser) or 0]
        return {visitor for visitor in self.shown if is_held_out(visitor, advertiser)}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self.storage.reader.rows(sql)


def read_token(town: Town, text: str) -> AdToken:
    keys = town.server.keys
    ring = {number: bytes.fromhex(key) for number, key in keys.tokens.items()}
    token = verify(text, TokenKeys(keys.current, ring))
    assert token is not None
    return token


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with pytest.MonkeyPatch.context() as patch:
        try_nothing(patch)  # a throw in a thousand brings even the cheapest first
        town = Town(tmp_path_factory.mktemp("holdout"))
        yield town
        town.close()


def test_whoever_is_held_out_sees_the_next_advertisers_ad_instead(town: Town) -> None:
    assert len(town.shown) == VISITORS
    assert 50 < len(town.held_out) < 110  # a fifth, by lot
    for visitor, campaigns in town.shown.items():
        if visitor in town.held_out:
            assert set(campaigns) == {town.other["campaign"]}
        else:
            assert campaigns[:2] == [town.campaign] * len(campaigns[:2])


def test_each_ad_that_was_held_out_is_logged_as_a_ghost(town: Town) -> None:
    ghosts = dict(town.rows("SELECT visitor_key, COUNT(*) FROM ghosts GROUP BY visitor_key"))
    assert set(ghosts) == town.held_out
    asked = {visitor: len(town.shown[visitor]) for visitor in ghosts}
    assert ghosts == {visitor: min(times, 2) for visitor, times in asked.items()}


def test_a_cap_counts_ghosts_as_it_counts_ads(town: Town) -> None:
    """Of those who came three times, each group had its two a day: ads, or ghosts."""
    often = {visitor: campaigns for visitor, campaigns in town.shown.items() if len(campaigns) == 3}
    assert len(often) == AGAIN and set(often) & town.held_out
    for visitor, campaigns in often.items():
        profile = town.storage.profiles.profile(visitor)
        assert profile is not None
        counted = {write_id("cmp", one.campaign_key): len(one.at_ms) for one in profile.shown}
        assert counted[town.campaign] == 2
        assert counted[town.other["campaign"]] == (3 if visitor in town.held_out else 1)
        assert len(campaigns) == len([one for one in profile.touches if not one.ghost])


def test_the_holdout_is_counted_among_the_reasons(town: Town) -> None:
    counts = town.storage.stats.counts(read_id("cmp", town.campaign), 0)
    ghosts = sum(min(len(town.shown[visitor]), 2) for visitor in town.held_out)
    assert counts["refused_holdout"] == counts["ghosts"] == ghosts


def test_ghosts_cost_nothing_and_the_books_are_clean(town: Town) -> None:
    shown = town.rows("SELECT COUNT(*) FROM ad_events")[0][0]
    assert shown == VISITORS + 2 * AGAIN  # one ad for each time somebody came, whoever's
    assert not [finding.violations for finding in audit(town.storage.path) if finding.violation_count]


def test_both_groups_are_compared_by_the_api(town: Town) -> None:
    lift = town.change("GET", f"/advertisers/{town.advertiser}/lift")
    held_out, shown = len(town.held_out), VISITORS - len(town.held_out)
    assert (lift["shown"]["visitors"], lift["held_out"]["visitors"]) == (shown, held_out)
    assert (lift["shown"]["purchases"], lift["held_out"]["purchases"]) == (shown, held_out)
    assert lift["held_out"]["impressions"] == 0 < lift["shown"]["impressions"]
    assert lift["valid"] is lift["sizes"]["sound"] is True
    (purchases, revenue) = lift["comparisons"]
    assert (purchases["metric"], purchases["rate"], purchases["base_rate"]) == ("purchases", 1.0, 1.0)
    assert revenue["rate"] == 50.0
    assert lift["proposal"]["visitors_a_month"] == VISITORS


def test_whoever_has_no_holdout_is_told_whether_one_could_show_anything(town: Town) -> None:
    lift = town.change("GET", f"/advertisers/{town.other['id']}/lift")
    assert (lift["holdout_bps"], lift["since"], lift["valid"], lift["comparisons"]) == (0, None, False, [])
    assert lift["proposal"]["visitors_a_month"] > 0
    assert lift["said"].startswith("There is no holdout. Nobody who was to see an ad has bought yet")


def test_a_test_visitor_is_never_held_out(town: Town) -> None:
    browser = town.browser()
    test_cookie = f"{SECURE_NAMES.test.decode()}=1"
    for number in range(1, VISITORS + 1):
        visitor = number.to_bytes(2, "big") * 8
        if visitor_of(visitor) in town.held_out and len(town.shown[visitor_of(visitor)]) == 1:
            break
    town.each(town.look_at(town.merchant, "scarf"), [visitor])
    before = town.rows("SELECT COUNT(*) FROM ghosts")
    cookies = {"Cookie": f"{town.cookie(visitor)['Cookie']}; {test_cookie}"}
    document = browser.ask("GET", f"/slot/{town.slot}", headers=NEWS | cookies)
    (text, *_) = re.findall(r"/c\?t=([\w-]+)", document.text)
    assert write_id("cmp", read_token(town, text).campaign_key) == town.campaign
    assert town.rows("SELECT COUNT(*) FROM ghosts") == before
