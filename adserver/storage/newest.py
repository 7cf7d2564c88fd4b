"""The number of the newest change, where the writer and the workers forked beside it read it at once."""

from mmap import mmap
from struct import Struct

_NUMBER = Struct("q")


class NewestChange:
    """Made before they are forked; the one who writes it has made that change durable.

    A worker that asks nobody learns by it, before each decision, that there is something to look at: so what
    an answer has promised holds for the next request, whichever worker gets that.
    """

    def __init__(self) -> None:
        self._shared = mmap(-1, _NUMBER.size)

    @property
    def number(self) -> int:
        newest: int = _NUMBER.unpack_from(self._shared)[0]
        return newest

    @number.setter
    def number(self, newest: int) -> None:
        _NUMBER.pack_into(self._shared, 0, newest)
