"""E-mail addresses that can be told apart, in many disguises, and every place of a document to put them in."""

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.pixel.test_personal_data import DISGUISES

MARK = "zqleak"  # every address begins with it, and nothing else does
SEED = 4

# How a mark can stand in a file: as text, percent-encoded letter by letter, once or twice, or in wide letters.
FORMS = (
    MARK.encode(),
    "".join(f"%{byte:02x}" for byte in MARK.encode()).encode(),
    "".join(f"%25{byte:02x}" for byte in MARK.encode()).encode(),
    MARK.encode("utf-16-le"),
    MARK.encode("utf-16-be"),
)


class Planter:
    """Hands out addresses, each once, and remembers where each was put."""

    def __init__(self) -> None:
        self._dice = random.Random(SEED)
        self._places: list[str] = []

    def __len__(self) -> int:
        return len(self._places)

    def address(self, place: str) -> str:
        """A new address in one of its disguises."""
        number = len(self._places)
        self._places.append(place)
        return str(self._dice.choice(DISGUISES)(f"{MARK}{number:06}@mail.example"))

    def found_in(self, files: dict[str, bytes]) -> list[str]:
        """Where the addresses that are in the files were put."""
        found = []
        for name, held in files.items():
            lower = held.lower()
            for form in FORMS:
                at = lower.find(form)
                while at >= 0:
                    found.append(
                        f"{self._place_of(lower[at:])} in {name}: {lower[max(0, at - 60) : at + 60]!r}"
                    )
                    at = lower.find(form, at + 1)
        return found

    def _place_of(self, text: bytes) -> str:
        digits = text[len(MARK) : len(MARK) + 6]
        return self._places[int(digits)] if digits.isdigit() else "somewhere"


def planted(document: Any, planter: Planter, name: str) -> Iterator[Any]:
    """Copies of a document, in each of which another place holds an address: values, and names of fields."""
    for path in _leaves(document):
        changed = copy.deepcopy(document)
        _holder(changed, path)[path[-1]] = planter.address(f"{name} {path}")
        yield changed
    for path in _objects(document):
        for as_name in (False, True):
            changed = copy.deepcopy(document)
            text = planter.address(f"{name} {path} beside, {as_name=}")
            holder = _holder(changed, (*path, ""))
            holder[text if as_name else "anything"] = text
            yield changed


def _holder(document: Any, path: tuple[Any, ...]) -> Any:
    for part in path[:-1]:
        document = document[part]
    return document


def _children(part: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(part, dict):
        yield from part.items()
    elif isinstance(part, list):
        yield from enumerate(part)


def _leaves(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if not isinstance(part, dict | list):
        yield path
    for name, child in _children(part):
        yield from _leaves(child, (*path, name))


def _objects(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(part, dict):
        yield path
    for name, child in _children(part):
        yield from _objects(child, (*path, name))


def held_by(folder: Path, *others: Path) -> dict[str, bytes]:
    """Every byte of every file of a folder, and of some others."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.name: path.read_bytes() for path in (*files, *others)}
