"""What every test may ask for, and the rule that nothing is skipped unseen."""

from pathlib import Path

import pytest

from tests.shared_data import MISSING, SHARED_DATA

pytest_plugins = ("pytester", "tests.no_silent_skips")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; the test is skipped where it is absent, and fails there if CI=true."""
    if not SHARED_DATA.is_dir():
        pytest.skip(MISSING)
    return SHARED_DATA
