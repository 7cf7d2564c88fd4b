"""What other people's pages load is what stands in the sources."""

from pathlib import Path

import pytest

from tests.shorten import SCRIPTS, served, shortened


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_is_served_as_it_was_last_written(script: Path) -> None:
    assert served(script).read_text(encoding="utf-8") == shortened(script), "run `make scripts`"
