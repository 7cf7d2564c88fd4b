"""What every test may ask for, and the rule that nothing is skipped unseen."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hypothesis import settings

from adserver.outside import passwords
from adserver.storage import migrate
from tests.new_database import lay_out
from tests.shared_data import MISSING, SHARED_DATA

# A busy machine is no failure; where CI=true the same examples are tried each time, so that no test flickers.
settings.register_profile("house", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("house")

pytest_plugins = ("pytester", "tests.no_silent_skips")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; the test is skipped where it is absent, and fails there if CI=true."""
    if not SHARED_DATA.is_dir():
        pytest.skip(MISSING)
    return SHARED_DATA


@pytest.fixture(scope="session", autouse=True)
def passwords_are_hashed_cheaply() -> Iterator[None]:
    """A tenth of a second for each log-in is what it is for; servers of their own processes take it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "PasswordHasher", partial(PasswordHasher, time_cost=1, memory_cost=64))
        yield


@pytest.fixture(scope="session", autouse=True)
def databases_are_copied() -> Iterator[None]:
    """Alembic takes a tenth of a second for what is the same a thousand times; its own tests run it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrate, "_run_alembic", lay_out)
        yield
