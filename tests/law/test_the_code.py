"""The law, held against every module of the project."""

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.law import code_rules
from tests.law.code_rules import Breach
from tests.shared_data import PROJECT

PACKAGES = ("adserver", "creatives", "pixel")
PURE_ROOMS = ("adserver/domain", "creatives", "pixel")
ASSET_LOADERS = {"creatives/assets.py", "pixel/assets.py"}

# Functions that were too long when the law came, and their lines then. Entries shrink or go; none is added.
LONG_FUNCTIONS: dict[str, int] = {}


def modules_of(*rooms: str) -> list[Path]:
    return sorted(path for room in rooms for path in (PROJECT / room).rglob("*.py"))


def place(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def breaches_in(paths: Iterable[Path], rule: Callable[[str], list[Breach]]) -> list[str]:
    found = []
    for path in paths:
        try:
            breaches = rule(path.read_text(encoding="utf-8"))
        except SyntaxError as error:
            breaches = [Breach(error.lineno or 1, f"is no Python: {error.msg}")]
        found += [f"{place(path)}:{line}: {message}" for line, message in breaches]
    return found


def assert_none(breaches: list[str]) -> None:
    assert not breaches, "the law is broken:\n" + "\n".join(breaches)


@pytest.mark.parametrize("room", [*PACKAGES, *PURE_ROOMS])
def test_the_law_has_modules_to_look_at(room: str) -> None:
    assert len(modules_of(room)) > 1


def test_pure_rooms_know_no_clock_no_dice_no_disk_and_no_network() -> None:
    paths = [path for path in modules_of(*PURE_ROOMS) if place(path) not in ASSET_LOADERS]
    assert_none(breaches_in(paths, code_rules.impurities))


def test_asset_loaders_may_read_the_disk_and_nothing_else() -> None:
    paths = [path for path in modules_of(*PURE_ROOMS) if place(path) in ASSET_LOADERS]
    assert_none(breaches_in(paths, lambda text: code_rules.impurities(text, may_read_disk=True)))


def test_each_module_opens_with_one_sentence() -> None:
    assert_none(breaches_in(modules_of(*PACKAGES, "migrations", "tests"), code_rules.missing_sentence))


def test_no_name_ends_in_a_word_that_says_nothing() -> None:
    for path in modules_of(*PACKAGES, "migrations"):
        name = path.parent.name if path.stem == "__init__" else path.stem
        assert_none(breaches_in([path], lambda text, name=name: code_rules.banned_names(text, name)))


def test_no_code_is_put_together_at_run_time() -> None:
    assert_none(breaches_in(modules_of(*PACKAGES, "migrations"), code_rules.built_code))


def test_no_exception_is_swallowed_without_a_word() -> None:
    assert_none(breaches_in(modules_of(*PACKAGES, "migrations"), code_rules.swallowed_exceptions))


def test_each_file_is_small_enough_to_be_one_room() -> None:
    """A revision is one long list that nobody reads as a room."""
    paths = [path for path in modules_of(*PACKAGES, "migrations", "tests") if "versions" not in path.parts]
    assert_none(breaches_in(paths, code_rules.oversized))


def test_each_test_is_named_by_a_sentence_of_fact() -> None:
    assert_none(breaches_in(modules_of("tests"), code_rules.mumbled_test_names))


def test_migrations_know_nothing_of_ours_but_the_tables() -> None:
    def rule(text: str) -> list[Breach]:
        return code_rules.foreign_imports(text, set(PACKAGES), {"adserver.storage.tables"})

    assert_none(breaches_in(modules_of("migrations"), rule))


def test_each_function_fits_a_screen_and_the_list_of_exceptions_only_shrinks() -> None:
    found = {
        f"{place(path)}::{function.name}": function.lines
        for path in modules_of(*PACKAGES)
        for function in code_rules.long_functions(path.read_text(encoding="utf-8"))
    }
    assert_none(code_rules.ratchet(found, LONG_FUNCTIONS))
