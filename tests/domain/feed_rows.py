"""A feed's bytes and what they are read as, for the tests of each kind of feed."""

import io

import pytest

from adserver.domain.catalogue import FeedFormat
from adserver.domain.feed_file import FeedError, FeedLimits, Row
from adserver.domain.feed_format import read_rows


def read(data: bytes, **limits: int) -> tuple[FeedFormat, list[Row]]:
    found, rows = read_rows(io.BytesIO(data), FeedLimits(**limits))
    return found, list(rows)


def rows_of(data: bytes, **limits: int) -> list[Row]:
    return read(data, **limits)[1]


def refusal_of(data: bytes, **limits: int) -> FeedError:
    with pytest.raises(FeedError) as raised:
        rows_of(data, **limits)
    return raised.value


def table(*lines: str, mark: str = ",", end: str = "\n") -> bytes:
    """Lines written with commas, as a file whose cells another mark parts."""
    return end.join(line.replace(",", mark) for line in lines).encode()
