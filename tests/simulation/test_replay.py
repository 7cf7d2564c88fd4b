"""Real shoppers' nine days, replayed whole over HTTP: every card is right, and nothing acknowledged is lost."""

import asyncio
from pathlib import Path

import pytest

from tests.simulation.journeys import Model, Step, read_journeys
from tests.simulation.replay import CAPS, NO_PEACE, Replay, check_database, make_replay_shop, spending
from tests.simulation.running_server import RunningServer


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_every_card_of_the_real_journeys_is_right_and_every_acknowledged_event_is_kept(
    tmp_path: Path, shared_data: Path
) -> None:
    journeys = read_journeys(shared_data / "clickstream" / "taobao_journeys")
    with RunningServer(tmp_path, workers=2, **NO_PEACE) as server:
        shop = make_replay_shop(server, journeys)
        report = asyncio.run(Replay(server.url, shop).run(journeys))
        spent = spending(server, shop)
        server.stop()
        report.faults += check_database(server, report)
        assert report.faults == []
        assert sum(report.events.values()) == sum(map(len, journeys)) == 49_851
        assert report.house == report.visitors == 466 and report.filled == 4_780
        assert all(spent[name] <= CAPS[name] for name in CAPS), spent
        assert spent["cpm"] >= 0.9 * CAPS["cpm"] and spent["cpc"] >= 0.9 * CAPS["cpc"], spent
        server.assert_audit_is_clean()


# ---- the model that judges the cards can tell wrong ones ----

VIEWED, WISHED, IN_CART, BOUGHT = (
    Step(name, name) for name in ("view_item", "add_to_wishlist", "add_to_cart", "purchase")
)


def model_of(*steps: Step) -> Model:
    model = Model()
    for at_ms, step in enumerate(steps):
        model.learn(step, at_ms, at_ms)
    return model


@pytest.mark.parametrize(
    ("steps", "shown", "fault"),
    [
        ([VIEWED, IN_CART, WISHED], ["add_to_cart", "add_to_wishlist"], None),
        ([VIEWED, IN_CART, WISHED], ["add_to_wishlist", "add_to_cart"], "there is warmer"),
        ([VIEWED, IN_CART, WISHED], ["add_to_cart", "view_item"], "there is warmer"),
        ([VIEWED], ["another"], "never touched"),
        ([VIEWED, IN_CART], ["add_to_cart"], "of 2 products"),
        ([VIEWED], None, "of 1 products"),
        ([], None, None),
        ([Step("view_item", "a"), Step("purchase", "a")], ["a"], "bought and shown"),
        ([Step("view_item", "a"), Step("purchase", "a"), Step("view_item", "a")], None, None),
        ([Step("view_item", "a"), Step("view_item", "b")], ["a", "b"], "touched later"),
    ],
)
def test_the_model_of_a_visitor_names_what_is_wrong_with_a_slot(
    steps: list[Step], shown: list[str] | None, fault: str | None
) -> None:
    found = model_of(*steps).fault_of(shown, 2)
    assert found is None if fault is None else fault in (found or "")


def test_equally_warm_products_of_one_millisecond_may_stand_in_any_order() -> None:
    model = Model()
    for item in ("a", "b"):
        model.learn(Step("view_item", item), 5, 5)
    assert model.fault_of(["a", "b"], 2) is None and model.fault_of(["b", "a"], 2) is None
