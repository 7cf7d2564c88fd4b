"""A fresh storage of each implementation, with and without accounts in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adserver.storage.embedded import Storage
from tests.contract.stores import IMPLEMENTATIONS, make_accounts, open_copy, save_new


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    storage = open_copy(request.param, tmp_path)
    yield storage
    storage.close()


@pytest.fixture
def storage(empty: Storage) -> Storage:
    save_new(empty, *make_accounts())
    return empty
