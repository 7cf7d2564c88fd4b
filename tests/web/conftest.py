"""The API over a fresh database, for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.api import Api, World


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    api = Api(tmp_path)
    yield api
    api.close()


@pytest.fixture
def world(api: Api) -> World:
    return World(api)
