"""Every setting, command and address of the server stands in README.md or docs/."""

import importlib
import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from tests.law import documentation_rules
from tests.shared_data import PROJECT

SETTINGS_PREFIX = "ADSERVER_"
OF_THE_TESTS_ONLY = {"ADSERVER_TEST_DATA"}
NEVER_FORGOTTEN = {"/m/e", "/m/tag.js", "/i", "/v", "/c", "/why", "/slot.js", "/healthz", "/api/v1/campaigns"}


@pytest.fixture(scope="module")
def documentation() -> str:
    pages = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
    found = [page.read_text(encoding="utf-8") for page in pages if page.is_file()]
    if not found:
        pytest.skip("missing: README.md and docs/*.md")
    return "\n".join(found)


def part_of_the_server(module: str, name: str) -> Any:
    """`name` of `module`; the test is skipped as long as nobody has written it."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"missing: {module}")
    found = getattr(importlib.import_module(module), name, None)
    if found is None:
        pytest.skip(f"missing: {module}.{name}")
    return found


def setting_names() -> set[str]:
    settings = part_of_the_server("adserver.config", "Settings")
    assert settings.model_config["env_prefix"] == SETTINGS_PREFIX
    return {f"{SETTINGS_PREFIX}{name.upper()}" for name in settings.model_fields}


def whole_commands(command: Any, name: str) -> Iterator[str]:
    if command.hidden:
        return
    children = getattr(command, "commands", None)
    if not children:
        yield name
    for child_name, child in (children or {}).items():
        yield from whole_commands(child, f"{name} {child_name}")


def test_every_setting_is_documented(documentation: str) -> None:
    missing = documentation_rules.undocumented_settings(setting_names(), documentation)
    assert not missing, f"settings that stand neither in README.md nor in docs/: {missing}"


def test_every_documented_setting_exists_in_the_server(documentation: str) -> None:
    unknown = documentation_rules.unknown_settings(setting_names() | OF_THE_TESTS_ONLY, documentation)
    assert not unknown, f"README.md or docs/ promise settings that do not exist: {unknown}"


def test_every_command_is_documented(documentation: str) -> None:
    app = part_of_the_server("adserver.__main__", "app")
    names = list(whole_commands(typer.main.get_command(app), "adserver"))
    assert len(names) > 1
    missing = documentation_rules.undocumented_commands(names, documentation)
    assert not missing, f"commands that stand neither in README.md nor in docs/: {missing}"


def test_every_address_is_documented(documentation: str) -> None:
    addresses = part_of_the_server("adserver.web.app", "addresses")()
    missing = documentation_rules.undocumented_addresses(addresses, documentation)
    assert not missing, f"addresses that stand neither in README.md nor in docs/: {missing}"


def test_the_list_of_addresses_forgets_no_promised_one() -> None:
    addresses = {address.split(" ")[-1] for address in part_of_the_server("adserver.web.app", "addresses")()}
    assert addresses >= NEVER_FORGOTTEN


def test_an_undocumented_setting_is_caught() -> None:
    names = {"ADSERVER_DATA", "ADSERVER_HOST"}
    assert documentation_rules.undocumented_settings(names, "`ADSERVER_DATA_DIR`, `ADSERVER_HOST`") == [
        "ADSERVER_DATA"
    ]


def test_a_documented_setting_that_is_gone_is_caught() -> None:
    assert documentation_rules.unknown_settings({"ADSERVER_HOST"}, "ADSERVER_* ADSERVER_PORT=1") == [
        "ADSERVER_PORT"
    ]


def test_an_undocumented_command_is_caught() -> None:
    names = ["adserver feed", "adserver feed check", "adserver serve"]
    assert documentation_rules.undocumented_commands(names, "adserver feed check\nadserver server") == [
        "adserver serve"
    ]


def test_the_commands_of_a_group_are_found_and_hidden_ones_left_out() -> None:
    app, group = typer.Typer(), typer.Typer()
    app.command("serve")(lambda: None)
    app.command("inner", hidden=True)(lambda: None)
    group.command("check")(lambda: None)
    app.add_typer(group, name="feed")
    found = set(whole_commands(typer.main.get_command(app), "adserver"))
    assert found == {"adserver serve", "adserver feed check"}


@pytest.mark.parametrize("address", ["/slot/{slot_id}", "/m/e", "GET /slot", "/api/v1/campaigns", "/i"])
def test_an_undocumented_address_is_caught(address: str) -> None:
    text = (
        "`/slot/{id}.gif` `/slot/{id}/click` `/m/ev` `/api/v1/campaigns/{id}` `/api/v1/campaigns-of`, `/x/i`"
    )
    assert documentation_rules.undocumented_addresses([address], text) == [address]


@pytest.mark.parametrize("address", ["/slot/{slot_id}", "GET /m/e", "/api/v1/campaigns/{campaign_id}", "/i"])
def test_a_documented_address_is_found(address: str) -> None:
    text = "`GET /slot/{id}`, /m/e. | `/api/v1/campaigns/{id}` | `/i?t=`"
    assert not documentation_rules.undocumented_addresses([address], text)
