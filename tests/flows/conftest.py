"""A street with nothing on it yet, for each test of a flow."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.street import Street


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    street = Street(tmp_path)
    yield street
    street.close()
