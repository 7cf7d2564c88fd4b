"""Nothing of the console's is kept by a browser or framed by others, and odd input is refused, never a fault."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.console import enter
from tests.web.visiting import Browser, Visiting


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    world = Visiting(Path(tmp_path_factory.mktemp("guarded")))
    yield world
    world.close()


@pytest.fixture(scope="module")
def operator(world: Visiting) -> Browser:
    return enter(world, "anna@network.example")


@pytest.fixture(scope="module")
def root(world: Visiting) -> str:
    return f"/console/publisher/{world.listed('/publishers')[0]['id']}"


@pytest.mark.parametrize("name", ["slots", "events"])
def test_a_publishers_sheet_is_kept_by_no_browser(operator: Browser, root: str, name: str) -> None:
    sheet = operator.ask("GET", f"{root}/earnings/2026-10/{name}.csv")
    assert sheet.status_code == 200
    assert sheet.headers["cache-control"] == "no-store"
    assert sheet.headers["x-content-type-options"] == "nosniff"


def test_a_look_at_an_ad_is_kept_by_no_browser_and_framed_by_us_alone(
    world: Visiting, operator: Browser, root: str
) -> None:
    creative = world.listed(f"/creatives?campaign_id={world.campaign}")[0]["id"]
    for path in (
        f"/console/network/approvals/{creative}/300x250",
        f"{root}/approvals/{creative}/300x250",
        f"{root}/sites/slots/{world.slot}/seen/nobody",
    ):
        headers = operator.ask("GET", path).headers
        assert headers["cache-control"] == "no-store", path
        assert headers["x-frame-options"] == "SAMEORIGIN", path
        assert headers["x-content-type-options"] == "nosniff", path
        assert "sandbox" in headers["content-security-policy"], path
