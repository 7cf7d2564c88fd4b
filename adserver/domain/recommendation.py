"""What of a shop may interest a visitor next who looked at some of its products, likeliest first."""

from array import array
from collections.abc import Iterator, Mapping, Sequence

# How much what is near the products that were looked at last counts, the last of all first; and how likely
# one of those before it is looked at again. Both were found on public click logs: docs/recommendations.md.
COUNTS = (1.0, 0.3, 0.1)
AGAIN = (0.5, 0.3, 0.17, 0.11, 0.07)
LATER_AGAIN = 0.04
FADING = 0.8  # of that, with each product further back
_FULL = 65_535  # of a chance
_KEYS, _CHANCES = "q", "H"
_SIZE = 10


def pack(keys: Sequence[int], chances: Sequence[float]) -> bytes:
    """What is near a product, as it is kept: ten bytes each."""
    scaled = (min(_FULL, round(chance * _FULL)) for chance in chances)
    return array(_KEYS, keys).tobytes() + array(_CHANCES, scaled).tobytes()


def unpack(packed: bytes) -> Iterator[tuple[int, int]]:
    """Keys with their chances in parts of 65,535."""
    split = len(packed) // _SIZE * 8
    return zip(array(_KEYS, packed[:split]), array(_CHANCES, packed[split:]), strict=True)


def next_looks(seen: Sequence[int], near: Mapping[int, bytes]) -> list[int]:
    """What comes next after the products that were `seen`, the last one first, each once.

    Some of them again, and others; never the last one itself. `near` holds what is near each, where known.
    """
    scores = _scores(seen, near)
    later = LATER_AGAIN
    for place, key in enumerate(seen[1:]):
        if place < len(AGAIN):
            again = AGAIN[place]
        else:
            again, later = later, later * FADING
        scores[key] = scores.get(key, 0.0) + again * _FULL
    scores.pop(seen[0], None)
    return sorted(scores, key=scores.__getitem__, reverse=True)


def similar(seen: Sequence[int], near: Mapping[int, bytes]) -> list[int]:
    """The products near those that were seen, and none of these."""
    scores = _scores(seen, near)
    for key in seen:
        scores.pop(key, None)
    return sorted(scores, key=scores.__getitem__, reverse=True)


def _scores(seen: Sequence[int], near: Mapping[int, bytes]) -> dict[int, float]:
    scores: dict[int, float] = {}
    for key, counts in zip(seen, COUNTS, strict=False):
        packed = near.get(key)
        if packed is not None:
            for other, chance in unpack(packed):
                scores[other] = scores.get(other, 0.0) + counts * chance
    return scores
