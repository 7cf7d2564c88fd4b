"""Compressed bytes become plain ones in bounded pieces, and a bomb is refused before it fills memory."""

import zlib
from collections.abc import Iterator

GZIP_MAGIC = b"\x1f\x8b"

_PIECE_BYTES = 1 << 18
# Product feeds, as repetitive as they are, reach about 60:1; a gzip bomb reaches 1028:1.
_MOST_RATIO = 200
_FREE_BYTES = 16 << 20  # below this the ratio does not matter


class InflateError(Exception):
    """The bytes are damaged, end too early, or are a bomb."""

    def __init__(self, message: str, is_bomb: bool = False) -> None:
        self.is_bomb = is_bomb
        super().__init__(message)


class Inflater:
    """A gzip or zlib stream, fed piece by piece; a gzip file may hold several members."""

    def __init__(self) -> None:
        self._decoder = _decoder()
        self._given_bytes = 0
        self._made_bytes = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The plain bytes of the next compressed ones, at most 256 kB at a time."""
        self._given_bytes += len(data)
        while data:
            if self._decoder.eof:
                data = data.lstrip(b"\0")  # members may be padded with zeros
                if not data:
                    return
                self._decoder = _decoder()
            yield from self._plain(data)
            data = self._decoder.unused_data

    def finish(self) -> None:
        """Say that nothing follows; a stream that is cut off is an error."""
        if not self._decoder.eof:
            raise InflateError("the compressed bytes end too early")

    def _plain(self, data: bytes) -> Iterator[bytes]:
        while data and not self._decoder.eof:
            try:
                piece = self._decoder.decompress(data, _PIECE_BYTES)
            except zlib.error as error:
                raise InflateError("the compressed bytes are damaged") from error
            data = self._decoder.unconsumed_tail
            self._made_bytes += len(piece)
            if self._made_bytes > max(_FREE_BYTES, self._given_bytes * _MOST_RATIO):
                raise InflateError("the compressed bytes are a bomb", is_bomb=True)
            if piece:
                yield piece


def _decoder() -> "zlib._Decompress":
    return zlib.decompressobj(zlib.MAX_WBITS | 32)  # 32: gzip or zlib, whichever the header says
