"""What the kinds of XML feed have in common: a row's element, and what is found in it."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from adserver.domain.catalogue import FeedFormat
from adserver.domain.feed import Note, Rejection


class Parsed(NamedTuple):
    """What a row says; `rejection` where the format itself tells that it is nothing to advertise."""

    fields: dict[str, str]
    rejection: Rejection | None = None
    notes: tuple[Note, ...] = ()


class Dialect(Protocol):
    """How one kind of XML feed writes its rows."""

    format: FeedFormat
    row_parents: Mapping[str, tuple[str, ...]]  # an element that is a row, and where it must stand
    begins_at_once: bool  # little stands before the first row

    def begin(self, first_row: Any) -> None:
        """Look at what stands before the first row."""

    def row(self, element: Any) -> Parsed | None:
        """The product in a row; None where it is something else."""


def local_name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def children_of(element: Any) -> Iterator[Any]:
    """Its elements, without the entities that nobody declared."""
    return (child for child in element if isinstance(child.tag, str))


def text_of(element: Any) -> str:
    if not len(element):
        return (element.text or "").strip()
    return "".join(element.itertext()).strip()


def texts_by_name(element: Any) -> dict[str, list[str]]:
    named: dict[str, list[str]] = {}
    for child in children_of(element):
        text = text_of(child)
        if text:
            named.setdefault(local_name(child), []).append(text)
    return named
