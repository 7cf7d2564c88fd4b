"""The bits of a consent string, read from the front."""

import re
from base64 import urlsafe_b64decode

_WEB_SAFE = re.compile(r"[A-Za-z0-9_-]+")
_BITS_PER_CHARACTER = 6
_ZERO = "0" * 16
_LONGEST_FIBONACCI = 32  # bits; no list has ids of millions


class NotBase64(Exception):
    """The text holds a character that is none of base64's, in its web-safe alphabet."""


class CutShort(Exception):
    """The text ends before what it announces."""


class BadRange(Exception):
    """A range begins at 0, which is no id, or ends before it begins."""


class Bits:
    """A text of web-safe base64 without padding, as bits with a place in them.

    They are kept as a text of 0 and 1: a field of it costs the same wherever it lies.
    """

    __slots__ = ("_at", "_bits")

    def __init__(self, text: str) -> None:
        if not _WEB_SAFE.fullmatch(text):
            raise NotBase64
        padding = -len(text) % 4
        # One character alone carries no whole byte, so what is missing is filled with zeros ("A").
        number = int.from_bytes(urlsafe_b64decode(text + "A" * padding), "big")
        length = len(text) * _BITS_PER_CHARACTER
        self._bits = format(number >> padding * _BITS_PER_CHARACTER, f"0{length}b")
        self._at = 0

    def __len__(self) -> int:
        return len(self._bits)

    def text(self, length: int) -> str:
        """The next bits, as 0 and 1."""
        start, end = self._at, self._at + length
        if end > len(self._bits):
            raise CutShort
        self._at = end
        return self._bits[start:end]

    def number(self, length: int) -> int:
        return int(self.text(length), 2)

    def flag(self) -> bool:
        return self.text(1) == "1"

    def letters(self) -> str:
        """Two capitals, six bits each: a country or a language."""
        return chr(ord("A") + self.number(6)) + chr(ord("A") + self.number(6))

    def chosen(self, length: int) -> frozenset[int]:
        """The places, from 1, that are set among the next bits."""
        return frozenset([place for place, bit in enumerate(self.text(length), 1) if bit == "1"])

    def ranges(self, count: int) -> list[tuple[str, str]]:
        """The next ranges, each of one id or of a first and a last one: sixteen bits, left as they are.

        The one long loop there is: it neither calls nor converts, since bits of one length compare as
        the numbers they are.
        """
        bits, at = self._bits, self._at
        found = []
        for _ in range(count):
            start, middle = at + 1, at + 17
            first = last = bits[start:middle]
            if bits[at:start] == "1":
                at = middle + 16
                last = bits[middle:at]
            else:
                at = middle
            if not _ZERO < first <= last:
                raise CutShort if at > len(bits) else BadRange
            found.append((first, last))
        if at > len(bits):
            raise CutShort
        self._at = at
        return found

    def fibonacci(self) -> int:
        """A number in Fibonacci's code, which ends at the first two ones in a row."""
        end = self._bits.find("11", self._at, self._at + _LONGEST_FIBONACCI)
        if end < 0:
            raise CutShort
        total, smaller, larger = 0, 1, 2
        for bit in self.text(end + 2 - self._at)[:-1]:
            if bit == "1":
                total += smaller
            smaller, larger = larger, smaller + larger
        return total
