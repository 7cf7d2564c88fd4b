"""Over HTTP: thirty visitors look round a shop, and whoever looks at one product is shown a row of four."""

import html
import re
from collections.abc import Iterator

import pytest

from adserver.flows.recommend import Learn
from tests.web.visiting import NEWS, Browser, Visiting

TRAIL = ("boots", "scarf", "gloves", "hat", "socks")
VISITORS = 30


@pytest.fixture(scope="module")
def visiting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    visiting = Visiting(tmp_path_factory.mktemp("shop"))
    for item in TRAIL[2:]:
        visiting.change(
            "PUT", f"/advertisers/{visiting.advertiser}/products/{item}", title=f"The {item}",
            link=f"https://shop.example/{item}", price_micros=49_000_000, currency="EUR",
        )  # fmt: skip
    visiting.change("PATCH", f"/campaigns/{visiting.campaign}", products="reminders_then_similar")
    yield visiting
    visiting.close()


def make_slot(visiting: Visiting) -> str:
    slot: str = visiting.change("POST", "/slots", site_id=visiting.site, name="tall", width=300, height=600)[
        "id"
    ]
    return slot


def learn(visiting: Visiting) -> int:
    server, storage = visiting.server, visiting.storage
    views_ms = server.settings.retention.views_ms
    return Learn(
        storage.visits, storage.recommendations, storage.writer, server.clock, views_ms, lambda: None
    ).run()


def links(browser: Browser, slot: str) -> list[str]:
    answer = browser.ask("GET", f"/slot/{slot}", headers=NEWS)
    return re.findall(r'/c\?t=([\w-]+)"', html.unescape(answer.text))


def test_one_view_is_answered_with_four_cards_and_each_says_why(visiting: Visiting) -> None:
    slot = make_slot(visiting)
    for _ in range(VISITORS):
        passer = visiting.browser()
        assert [passer.view(item) for item in TRAIL] == ["accepted"] * len(TRAIL)
    newcomer = visiting.browser()
    for _ in range(2):
        newcomer.view("boots")
    assert len(links(newcomer, slot)) == 1
    assert learn(visiting) >= 2
    found = links(newcomer, slot)
    assert len(found) == 4
    texts = [newcomer.ask("GET", f"/why?t={token}").text for token in found]
    assert "you viewed the product" in texts[0] and "Waxed boots" in texts[0]
    assert "others who looked at that went on to this" in texts[1] and "Wool scarf" in texts[1]


def test_a_campaign_says_what_its_cards_show_and_takes_no_other_word(visiting: Visiting) -> None:
    path = f"/campaigns/{visiting.campaign}"
    shown = visiting.change("PATCH", path, price_band={"below_percent": 20, "above_percent": 30})
    assert (shown["products"], shown["price_band"]) == (
        "reminders_then_similar",
        {"below_percent": 20, "above_percent": 30},
    )
    assert visiting.change("PATCH", path, price_band=None)["price_band"] is None
    made = visiting.change(
        "POST", "/campaigns", advertiser_id=visiting.advertiser, name="Plain", pricing_model="cpc",
        rate_micros=500_000,
    )  # fmt: skip
    assert (made["products"], made["price_band"]) == (
        "reminders",
        {"below_percent": 50, "above_percent": 100},
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"products": "everything"},
        {"products": None},
        {"price_band": {"below_percent": 101}},
        {"price_band": {"below_percent": -1}},
        {"price_band": {"above_percent": 10_001}},
        {"price_band": {"above_percent": "100"}},
        {"price_band": {"near": 5}},
        {"price_band": 50},
    ],
)
def test_a_band_or_choice_that_makes_no_sense_is_refused_by_its_field(
    visiting: Visiting, wrong: dict[str, object]
) -> None:
    refused = visiting.operator.ask("PATCH", f"/api/v1/campaigns/{visiting.campaign}", json=wrong)
    assert refused.status_code == 422
    assert next(iter(wrong)) in refused.text
