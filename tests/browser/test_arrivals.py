"""An ad is clicked in a browser, its page is there, one shopper leaves and one stays: the report says so."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.chromium import sends_cookies_to_frames
from tests.browser.test_demo_walk import LAMP, Shopper
from tests.running_demo import RunningDemo, until

pytestmark = pytest.mark.browser

PAGE = "/demo/shop/lamp-table"
STAY_MS = 11_000


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDemo]:
    demo = RunningDemo(tmp_path_factory.mktemp("demo"))
    yield demo
    assert demo.close() == 0


@pytest.fixture
def shopper(demo: RunningDemo, tmp_path: Path) -> Iterator[Shopper]:
    """With a clock of the test's, so that ten seconds need not be waited for."""
    with sends_cookies_to_frames(tmp_path, 20_000) as context:
        context.clock.install()
        shopper = Shopper(demo, context)
        yield shopper
    assert shopper.complaints == []


def arrivals(demo: RunningDemo) -> dict[str, Any]:
    """The demo shop's report, its rows by landing page."""
    path = f"/advertisers/{demo.told['advertiser_id']}/arrivals"
    told = demo.api.get(path, params={"group_by": "page"}).raise_for_status().json()
    return {row["name"]: row for row in told["rows"]}


def row(demo: RunningDemo) -> dict[str, Any]:
    return dict(arrivals(demo).get(f"{demo.url}{PAGE}", {}))


def test_a_landing_is_told_then_who_stays_is_told_apart_from_who_leaves(
    demo: RunningDemo, shopper: Shopper
) -> None:
    shopper.views(LAMP)
    landed = shopper.clicks(shopper.finds_ad("per click"))
    until(lambda: row(demo).get("landed") == 1)
    landed.reload()
    landed.close()
    told = row(demo)
    assert (told["clicks"], told["landed"], told["landing_rate"], told["bounce_rate"]) == (1, 1, 1, 1)
    assert 0 < told["seconds_to_land_median"] <= told["seconds_to_land_p90"] < 20
    assert told["seconds_to_load_median"] is not None

    landed = shopper.clicks(shopper.finds_ad("per sale"))
    until(lambda: row(demo).get("landed") == 2)
    landed.clock.run_for(STAY_MS)
    until(lambda: row(demo)["engaged"] == 1)
    assert (row(demo)["clicks"], row(demo)["bounce_rate"]) == (2, 0.5)
