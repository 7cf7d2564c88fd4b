"""Rows as CSV (RFC 4180) that a spreadsheet may open without running anything in them."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from pydantic import BaseModel

MEDIA_TYPE = "text/csv; charset=utf-8; header=present"

# What makes a spreadsheet take a text for a formula, as it is and in the full width of East Asian keyboards.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def cell(value: object) -> str | float:
    """A value as it may stand in a cell: numbers as they are, what could be a formula behind a quote."""
    if isinstance(value, int | float):
        return value
    if isinstance(value, list):
        value = "; ".join(map(str, value))
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def lines(rows: Iterable[Sequence[object]], delimiter: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def sheet(kind: type[BaseModel], pieces: Iterable[Iterable[BaseModel]]) -> Iterator[bytes]:
    """The fields' names, then a row of each answer, a piece at a time."""
    yield lines([list(kind.model_fields)])
    for piece in pieces:
        yield lines([list(one.model_dump().values()) for one in piece])
