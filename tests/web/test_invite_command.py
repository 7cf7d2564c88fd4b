"""`adserver invite` tells what was wrong with what was typed."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from adserver.__main__ import app


@pytest.mark.parametrize("email", ["nobody", "\u0430nna@example.org", "anna@example.org, bo@example.org"])
def test_what_is_no_address_is_told_how_to_write_one(
    email: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADSERVER_DATA_DIR", str(tmp_path))
    invited = CliRunner().invoke(app, ["invite", email])
    assert invited.exit_code == 1
    assert "write it like you@example.org" in invited.output
