"""The import contracts of pyproject.toml, held against a small house in which one import is wrong."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shared_data import PROJECT

ROOMS = (
    "adserver/__init__.py",
    "adserver/__main__.py",
    "adserver/config.py",
    "adserver/domain/__init__.py",
    "adserver/domain/campaign.py",
    "adserver/domain/decision.py",
    "adserver/domain/money.py",
    "adserver/flows/__init__.py",
    "adserver/flows/bill.py",
    "adserver/flows/serve/__init__.py",
    "adserver/jobs.py",
    "adserver/main/__init__.py",
    "adserver/outside/__init__.py",
    "adserver/ports/__init__.py",
    "adserver/writes/__init__.py",
    "adserver/storage/__init__.py",
    "adserver/storage/tables.py",
    "adserver/storage/writer.py",
    "adserver/web/__init__.py",
    "creatives/__init__.py",
    "creatives/card.py",
    "creatives/html.py",
    "pixel/__init__.py",
    "pixel/consent.py",
    "pixel/cookie.py",
    "pixel/events.py",
)
LAWFUL = {
    "adserver/__main__.py": "import adserver.main",
    "adserver/main/__init__.py": "import adserver.outside\nimport adserver.storage.writer\nimport adserver.web",
    "adserver/storage/writer.py": "import sqlalchemy\nimport adserver.ports\nimport adserver.storage.tables",
    "adserver/web/__init__.py": "import fastapi\nimport adserver.flows.serve\nimport creatives.html",
    "adserver/flows/serve/__init__.py": "import adserver.ports\nimport pixel.cookie",
    "adserver/domain/decision.py": "import adserver.domain.campaign\nimport creatives.card",
    "adserver/domain/campaign.py": "import adserver.domain.money\nfrom pixel import consent, events",
    "pixel/consent.py": "import pixel.cookie",
}
BREACHES = [
    ("adserver/web/__init__.py", "import adserver.storage.writer", "Storage and outside are wired by main"),
    ("adserver/__main__.py", "import adserver.outside", "Storage and outside are wired by main"),
    ("adserver/storage/writer.py", "import adserver.outside", "Storage and outside are wired by main"),
    ("adserver/flows/serve/__init__.py", "import adserver.flows.bill", "Flows do not call each other"),
    ("adserver/domain/money.py", "import adserver.ports", "Floors: import downwards only"),
    ("adserver/jobs.py", "import adserver.web", "Floors: import downwards only"),
    ("adserver/web/__init__.py", "import adserver.config", "Floors: import downwards only"),
    ("adserver/odd_room.py", "", "Floors: import downwards only"),
    ("adserver/domain/campaign.py", "import adserver.domain.decision", "Floors of the domain"),
    ("adserver/domain/money.py", "import pixel.cookie", "The domain takes only plain data"),
    ("adserver/domain/money.py", "from creatives import html", "The domain takes only plain data"),
    ("pixel/events.py", "import creatives.card", "Leaves: pixel and creatives"),
    ("creatives/card.py", "import adserver.domain.money", "Leaves: neither knows the server"),
    ("adserver/flows/bill.py", "import sqlalchemy", "Rules know no framework"),
    ("creatives/card.py", "import creatives.html", "No circles"),
]


def broken_contracts(house: Path, path: str, line: str) -> list[str]:
    """The names of the contracts that break once `line` is added to the module at `path`."""
    imports = LAWFUL | {"creatives/html.py": "import creatives.card"}
    imports[path] = f"{imports.get(path, '')}\n{line}\n"
    for room in {*ROOMS, path}:
        file = house / room
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(imports.get(room, ""), encoding="utf-8")
    shutil.copy(PROJECT / "pyproject.toml", house)
    command = (
        "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as run; run()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", command, "--no-logo", "--no-cache"],
        cwd=house,
        env={"COLUMNS": "300", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Contracts: " in ran.stdout, ran.stdout + ran.stderr
    return [text for text in ran.stdout.splitlines() if " BROKEN" in text]


def test_a_lawful_house_breaks_no_contract(tmp_path: Path) -> None:
    assert broken_contracts(tmp_path, "adserver/config.py", "import pydantic_settings") == []


@pytest.mark.parametrize(("path", "line", "contract"), BREACHES, ids=[f"{p} {b}" for p, b, _ in BREACHES])
def test_an_unlawful_import_breaks_its_contract(tmp_path: Path, path: str, line: str, contract: str) -> None:
    assert any(broken.startswith(contract) for broken in broken_contracts(tmp_path, path, line))
