"""TC and GPP strings are written here, bit by bit from the IAB's tables, so that tests can say what is in them."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from pixel.tcf import Vendors

RANDOM_STRINGS = int(os.environ.get("ADSERVER_TEST_RANDOM_STRINGS", "50000"))
NOW_MS = 1_795_000_000_000  # 2026-11-18, 11:46:40 UTC
VENDOR = 1_234
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

Ranges = Sequence[tuple[int, int]]


def ids_of(vendors: Vendors | None) -> list[int]:
    """Every vendor of a set that was read."""
    if vendors is None:
        return []
    found = {place for place, bit in enumerate(vendors.bits, 1) if bit == "1"}
    return sorted(found.union(*(range(int(first, 2), int(last, 2) + 1) for first, last in vendors.ranges)))


def moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def base64_of(bits: str) -> str:
    padded = bits + "0" * (-len(bits) % 6)
    return "".join(ALPHABET[int(padded[at : at + 6], 2)] for at in range(0, len(padded), 6))


def number(value: int, length: int) -> str:
    assert 0 <= value < 2**length
    return format(value, f"0{length}b")


def letters(text: str) -> str:
    return "".join(number(ord(letter) - ord("A"), 6) for letter in text)


def chosen(places: Collection[int], length: int) -> str:
    return "".join("1" if place in places else "0" for place in range(1, length + 1))


def bitfield(ids: Collection[int]) -> str:
    most = max(ids, default=0)
    return number(most, 16) + "0" + chosen(ids, most)


def ranges(pairs: Ranges) -> str:
    return number(max((last for _, last in pairs), default=0), 16) + "1" + entries(pairs)


def entries(pairs: Ranges) -> str:
    written = [
        "0" + number(first, 16) if first == last else "1" + number(first, 16) + number(last, 16)
        for first, last in pairs
    ]
    return number(len(pairs), 12) + "".join(written)


def restriction(purpose: int, kind: int, vendors: Iterable[int] = (VENDOR,)) -> str:
    return number(purpose, 6) + number(kind, 2) + entries([(vendor, vendor) for vendor in vendors])


def make_tc(
    *,
    version: int = 2,
    updated_ms: int = NOW_MS - 3_600_000,
    policy: int = 5,
    service_specific: bool = True,
    purposes: Collection[int] = (1, 3, 4, 7),
    interests: Collection[int] = (),
    vendors: Collection[int] = (VENDOR,),
    vendor_interests: Collection[int] = (),
    restrictions: Sequence[str] = (),
    disclosed: Collection[int] | None = (VENDOR,),
) -> str:
    """A TC string of TCF 2.3 that gives VENDOR everything, but for what is said otherwise."""
    moment = number(updated_ms // 100, 36)
    core = (
        number(version, 6) + moment + moment + number(880, 12) + number(3, 12) + number(1, 6) + letters("EN")
        + number(77, 12) + number(policy, 6) + str(int(service_specific)) + "0" + chosen((), 12)
        + chosen(purposes, 24) + chosen(interests, 24) + "0" + letters("FR")
        + ranges([(vendor, vendor) for vendor in sorted(vendors)]) + bitfield(vendor_interests)
        + number(len(restrictions), 12) + "".join(restrictions)
    )  # fmt: skip
    segments = [] if disclosed is None else [base64_of("001" + bitfield(disclosed))]
    return ".".join([base64_of(core), *segments])


def fibonacci(value: int) -> str:
    """Fibonacci's code: the largest numbers first, written from the smallest, ended by a second one."""
    numbers = [1, 2]
    while numbers[-1] <= value:
        numbers.append(numbers[-1] + numbers[-2])
    bits = ""
    for one in reversed(numbers[:-1]):
        bits = ("1" if one <= value else "0") + bits
        value -= one if one <= value else 0
    return bits.rstrip("0") + "1"


def make_gpp(sections: Mapping[int, str]) -> str:
    """A GPP string of these sections, each already encoded."""
    bits, last = number(3, 6) + number(1, 6) + number(len(sections), 12), 0
    for section_id in sections:
        bits += "0" + fibonacci(section_id - last)
        last = section_id
    return "~".join([base64_of(bits), *sections.values()])


def make_usnat(
    *, sale: int = 2, sharing: int = 2, targeted: int = 2, child: int = 0, gpc: bool = False
) -> str:
    """The American section, version 1: by default nothing is refused."""
    notices, sensitive = "01" * 6, "00" * 12
    core = number(1, 6) + notices + number(sale, 2) + number(sharing, 2) + number(targeted, 2) + sensitive
    core += number(child, 2) + "00" + "00" + "01" + "00" + "00"
    return f"{base64_of(core)}.{base64_of('01' + str(int(gpc)))}"
