"""A staff key and `debug=1` turn a slot's ad into the reasons for it; nobody else gets them."""

from collections.abc import Iterator

import pytest

from adserver.main.beside import create_operator_key
from tests.web.visiting import NEWS, Visiting


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    world = Visiting(tmp_path_factory.mktemp("explained"))
    yield world
    world.close()


def test_staff_read_the_reasons_of_the_very_browser_that_asks(world: Visiting) -> None:
    browser = world.browser()
    for _ in range(2):  # a profile is made when the cookie comes back
        browser.view()
    staff = {"Authorization": f"Bearer {create_operator_key(world.storage, world.server.clock, 'staff')}"}
    path = f"/slot/{world.slot}?debug=1"
    told = browser.ask("GET", path, headers=NEWS | staff)
    assert told.headers["content-type"] == "application/json"
    answer = told.json()
    assert (answer["filled"], answer["campaign_id"], answer["item_ids"]) == (True, world.campaign, ["boots"])
    assert answer["candidates"][0]["verdict"] == "chosen"
    world.change("PATCH", f"/campaigns/{world.campaign}", status="paused")
    paused = browser.ask("GET", path, headers=NEWS | staff).json()
    assert (paused["filled"], paused["candidates"][0]["verdict"]) == (False, "paused")
    world.change("PATCH", f"/campaigns/{world.campaign}", status="active")
    counted = {name for _, name, _, _ in world.server.memory.tally.take(0)}
    assert counted and "requests" not in counted  # the pixel's events, and no slot's


@pytest.mark.parametrize("key", ["", "Bearer nonsense"])
def test_nobody_else_gets_more_than_the_ad(world: Visiting, key: str) -> None:
    headers = NEWS | ({"Authorization": key} if key else {})
    told = world.browser().ask("GET", f"/slot/{world.slot}?debug=1", headers=headers)
    assert told.headers["content-type"].startswith("text/html")


def test_a_slot_that_is_none_has_no_reasons(world: Visiting) -> None:
    staff = {"Authorization": f"Bearer {create_operator_key(world.storage, world.server.clock, 'staff')}"}
    assert world.browser().ask("GET", "/slot/slot_0000000000001?debug=1", headers=staff).status_code == 404
