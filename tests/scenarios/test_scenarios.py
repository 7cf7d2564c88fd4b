"""Decisions as operators write them down: each JSON file holds a theme, each case a world and its answer."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adserver.domain.eligibility import Refusal
from adserver.storage.embedded import Storage
from tests.contract.stores import open_copy
from tests.domain.untried import try_nothing
from tests.scenarios.asking import answer, differences, told
from tests.scenarios.words import Misspelt, check_keys
from tests.scenarios.world import World

FOLDER = Path(__file__).parent
LEAST = 100


def cases() -> Iterator[Any]:
    for path in sorted(FOLDER.glob("*.json")):
        theme = json.loads(path.read_text(encoding="utf-8"))
        check_keys(theme, {"theme", "world", "cases"}, path.name)
        for case in theme["cases"]:
            yield pytest.param(theme.get("world", {}), case, id=f"{path.stem}: {case['name']}")


CASES = list(cases())


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    storage = open_copy("sqlite", tmp_path_factory.mktemp("nothing"))
    yield storage
    storage.close()


def played(common: dict[str, Any], case: dict[str, Any], nothing: Storage) -> dict[str, Any]:
    own = {key: value for key, value in case.items() if key not in ("name", "then")}
    campaign = common.get("campaign", {}) | own.get("campaign", {})
    world = World(common | own | {"campaign": campaign})
    return told(world, answer(world, nothing))


@pytest.fixture(autouse=True)
def _nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scenario is read without throws in mind."""
    try_nothing(monkeypatch)


@pytest.mark.parametrize(("common", "case"), CASES)
def test_the_server_answers_what_the_scenario_says(
    common: dict[str, Any], case: dict[str, Any], nothing: Storage
) -> None:
    found = played(common, case, nothing)
    lines = differences(case["then"], found)
    assert not lines, "\n".join(
        [
            f"\n  {case['name']}",
            *(f"    {line}" for line in lines),
            f"    the whole answer: {json.dumps(found)}",
        ]
    )


def test_there_are_scenarios_enough_and_each_has_a_name_of_its_own() -> None:
    names = [case.id for case in CASES]
    assert len(names) >= LEAST
    assert len(set(names)) == len(names)


def test_every_refusal_stands_in_a_scenario() -> None:
    said = {
        no
        for case in CASES
        for refused in (case.values[1]["then"].get("refused", {}), case.values[1]["then"].get("no_ad", {}))
        for no in refused.values()
    }
    assert not said - set(Refusal)
    assert not set(Refusal) - said - {Refusal.NOT_ACTIVE}  # no candidate is a draft, or has ended


@pytest.mark.parametrize(
    "flaw",
    [
        {"campain": {}},
        {"campaign": {"budget": "10 EUR"}},
        {"campaign": {"daily_budget": "10 euros"}},
        {"campaign": {"rate": "0.25 EUR"}},
        {"campaign": {"starts_at": "soon"}},
        {"campaign": {"audiences": [{"audience": "Nobody"}]}},
        {"visitor": ["yesterday: view_item boots"]},
        {"visitor": ["1 hour ago: buy boots"]},
        {"browser": {"cookies": True}},
        {"said": {"gdbr": "1"}},
        {"slot": {"colour": "red"}},
    ],
)
def test_what_nobody_understands_is_refused(flaw: dict[str, Any], nothing: Storage) -> None:
    with pytest.raises((Misspelt, ValidationError)):
        played({}, flaw, nothing)


def test_an_answer_that_is_otherwise_is_told_line_by_line(nothing: Storage) -> None:
    found = played({}, {}, nothing)
    assert differences({"shows": "Autumn", "cards": ["boots"]}, found) == []
    assert differences({"shows": "Autumn"}, found) == [
        "cards: the scenario says [], the server ['boots']",
    ]
    assert len(differences({"no_ad": {"Autumn": "paused"}}, found)) == 2
    assert (
        len(differences({"shows": "Winter", "cards": ["boots"], "refused": {"Autumn": "paced"}}, found)) == 2
    )
