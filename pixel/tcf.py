"""A TC string (IAB TCF 2.x) becomes what a decision needs of it, or a named flaw."""

from enum import IntEnum, StrEnum

import msgspec

from pixel.bits import BadRange, Bits, CutShort, NotBase64

MOST_CHARACTERS = 8_192  # a string that names every vendor of the list has fewer than 2,000

_CORE_VERSION = 2
_DISCLOSED_VENDORS, _PUBLISHER = 1, 3  # types of the segments after the core
_PURPOSES = 24
_SPECIAL_FEATURES = 12
_MOST_VENDOR = 65_535


class TcFlaw(StrEnum):
    """Why a text is no TC string of version 2."""

    TOO_LONG = "too_long"
    NOT_BASE64 = "not_base64"
    OTHER_VERSION = "other_version"  # version 1 ended in 2020
    CUT_SHORT = "cut_short"
    BAD_RANGE = "bad_range"


class RestrictionType(IntEnum):
    """What a publisher demands of vendors for one purpose; 3 is undefined."""

    NOT_ALLOWED = 0
    CONSENT_ONLY = 1
    INTEREST_ONLY = 2
    UNDEFINED = 3


class Vendors(msgspec.Struct, frozen=True):
    """A set of vendor ids as it was written: a bit for each, or ranges of ids, each still sixteen bits.

    Nothing is spread out or converted: we ask for one vendor, and most strings name hundreds.
    """

    bits: str = ""
    ranges: tuple[tuple[str, str], ...] = ()

    def __contains__(self, vendor_id: int) -> bool:
        if not 0 < vendor_id <= _MOST_VENDOR:
            return False
        if self.bits:
            return vendor_id <= len(self.bits) and self.bits[vendor_id - 1] == "1"
        wanted = format(vendor_id, "016b")
        for first, last in self.ranges:  # noqa: SIM110  there may be hundreds: half the time of any()
            if first <= wanted <= last:
                return True
        return False


class Restriction(msgspec.Struct, frozen=True):
    """What the publisher demands of some vendors for one purpose."""

    purpose: int
    type: RestrictionType
    vendors: Vendors


class TcString(msgspec.Struct, frozen=True):
    """What a consent tool wrote down of a visitor's choices.

    `disclosed` are the vendors that the visitor was shown; None in strings from before TCF 2.3.
    """

    created_ms: int
    updated_ms: int
    cmp_id: int
    cmp_version: int
    screen: int
    language: str
    list_version: int
    policy_version: int
    service_specific: bool
    special_features: frozenset[int]
    purpose_consents: frozenset[int]
    purpose_interests: frozenset[int]
    purpose_one_treatment: bool
    publisher_country: str
    vendor_consents: Vendors
    vendor_interests: Vendors
    restrictions: tuple[Restriction, ...]
    disclosed: Vendors | None = None
    publisher_consents: frozenset[int] = frozenset()


def decode(text: str) -> TcString | TcFlaw:
    """Read a TC string of version 2; whatever the text is, nothing is raised."""
    if len(text) > MOST_CHARACTERS:
        return TcFlaw.TOO_LONG
    core, *segments = text.split(".")
    try:
        bits = Bits(core)
        if bits.number(6) != _CORE_VERSION:
            return TcFlaw.OTHER_VERSION
        string = _core(bits)
        return _with_segments(string, segments) if segments else string
    except NotBase64:
        return TcFlaw.NOT_BASE64
    except CutShort:
        return TcFlaw.CUT_SHORT
    except BadRange:
        return TcFlaw.BAD_RANGE


def _core(bits: Bits) -> TcString:
    """The fields behind the version, in the order in which they are written."""
    created, updated = bits.number(36), bits.number(36)  # tenths of a second
    cmp_id, cmp_version, screen, language = bits.number(12), bits.number(12), bits.number(6), bits.letters()
    list_version, policy_version, service_specific = bits.number(12), bits.number(6), bits.flag()
    bits.flag()  # texts of the tool's own: nothing follows from it for us
    return TcString(
        created_ms=created * 100,
        updated_ms=updated * 100,
        cmp_id=cmp_id,
        cmp_version=cmp_version,
        screen=screen,
        language=language,
        list_version=list_version,
        policy_version=policy_version,
        service_specific=service_specific,
        special_features=bits.chosen(_SPECIAL_FEATURES),
        purpose_consents=bits.chosen(_PURPOSES),
        purpose_interests=bits.chosen(_PURPOSES),
        purpose_one_treatment=bits.flag(),
        publisher_country=bits.letters(),
        vendor_consents=_vendors(bits),
        vendor_interests=_vendors(bits),
        restrictions=tuple([_restriction(bits) for _ in range(bits.number(12))]),
    )


def _vendors(bits: Bits) -> Vendors:
    most, is_range = bits.number(16), bits.flag()
    return Vendors(ranges=_ranges(bits)) if is_range else Vendors(bits=bits.text(most))


def _ranges(bits: Bits) -> tuple[tuple[str, str], ...]:
    return tuple(bits.ranges(bits.number(12)))


def _restriction(bits: Bits) -> Restriction:
    purpose, kind = bits.number(6), RestrictionType(bits.number(2))
    return Restriction(purpose, kind, Vendors(ranges=_ranges(bits)))


def _with_segments(string: TcString, segments: list[str]) -> TcString:
    """The segments after the core, in any order; unknown ones say nothing to us."""
    disclosed, publisher_consents = string.disclosed, string.publisher_consents
    for segment in segments:
        bits = Bits(segment)
        kind = bits.number(3)
        if kind == _DISCLOSED_VENDORS:
            disclosed = _vendors(bits)
        elif kind == _PUBLISHER:
            publisher_consents = bits.chosen(_PURPOSES)
    return msgspec.structs.replace(string, disclosed=disclosed, publisher_consents=publisher_consents)
