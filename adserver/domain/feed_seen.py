"""Which products of a feed were seen already: a set of whole numbers in eight bytes each."""

from array import array

_FIRST_PLACES = 1 << 10


class SeenKeys:
    """A million keys take 16 MB, where a set takes 100; they are hashes already, so none is hashed."""

    def __init__(self) -> None:
        self._places = array("Q", bytes(8 * _FIRST_PLACES))
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, key: int) -> bool:
        """Remember a key above zero; False where it is known."""
        if 2 * self._count >= len(self._places):
            self._grow()
        place = _place_of(self._places, key)
        if self._places[place]:
            return False
        self._places[place] = key
        self._count += 1
        return True

    def _grow(self) -> None:
        larger = array("Q", bytes(16 * len(self._places)))
        for key in self._places:
            if key:
                larger[_place_of(larger, key)] = key
        self._places = larger


def _place_of(places: "array[int]", key: int) -> int:
    """Where the key stands, or the free place where it would."""
    last = len(places) - 1
    place = key & last
    while places[place] not in (0, key):
        place = (place + 1) & last
    return place
