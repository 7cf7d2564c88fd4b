"""A GPP string's sections: the IAB's container of one privacy string per law."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

import msgspec

from pixel.bits import Bits, CutShort, NotBase64

MOST_CHARACTERS = 8_192
TCF_EU = 2
US_PRIVACY = 6  # the older text such as 1YNN
US_SECTIONS = range(7, 28)  # usnat and the states, California to Rhode Island

_HEADER_TYPE = 3
_HEADER_VERSION = 1
_US_NATIONAL = 7
_GPC_SEGMENT = 1
_OPT_OUTS = ("SaleOptOut", "SharingOptOut", "TargetedAdvertisingOptOut")
_CHILD = "KnownChildSensitiveDataConsents"

Field = int | bool | str | tuple[int, ...]
Fields = Mapping[str, Field]


class GppFlaw(StrEnum):
    """Why a text is no GPP string, or a section of one says nothing that we can read."""

    TOO_LONG = "too_long"
    NOT_BASE64 = "not_base64"
    CUT_SHORT = "cut_short"
    BAD_HEADER = "bad_header"
    OTHER_SECTIONS = "other_sections"  # the header announces other sections than follow
    UNKNOWN_SECTION = "unknown_section"
    OTHER_VERSION = "other_version"
    BAD_US_PRIVACY = "bad_us_privacy"


class UsChoices(msgspec.Struct, frozen=True):
    """What a section of an American law says that bears on retargeting."""

    opted_out: bool = False  # of sale, of sharing or of targeted advertising
    child: bool = False  # known to be one; consents for older children are not distinguished
    gpc: bool = False


def sections_of(text: str) -> dict[int, str] | GppFlaw:
    """The sections by their id, each still encoded; whatever the text is, nothing is raised."""
    if len(text) > MOST_CHARACTERS:
        return GppFlaw.TOO_LONG
    header, *sections = text.split("~")
    try:
        ids = _ids(Bits(header), len(sections))
    except NotBase64:
        return GppFlaw.NOT_BASE64
    except CutShort:
        return GppFlaw.CUT_SHORT
    if isinstance(ids, GppFlaw):
        return ids
    if len(ids) != len(sections):
        return GppFlaw.OTHER_SECTIONS
    return dict(zip(ids, sections, strict=True))


def _ids(bits: Bits, most: int) -> list[int] | GppFlaw:
    """The ids that the header announces, each as its distance from the one before it; `most` bounds them."""
    if bits.number(6) != _HEADER_TYPE or bits.number(6) != _HEADER_VERSION:
        return GppFlaw.BAD_HEADER
    ids: list[int] = []
    last = 0
    for _ in range(bits.number(12)):
        is_range = bits.flag()
        first = last + bits.fibonacci()
        last = first + bits.fibonacci() if is_range else first
        if last - first >= most - len(ids):
            return GppFlaw.OTHER_SECTIONS
        ids.extend(range(first, last + 1))
    return ids


# ---- the sections of American laws ----

_MSPA = "MspaCoveredTransaction MspaOptOutOptionMode MspaServiceProviderMode"
_NOTICES = "SaleOptOutNotice TargetedAdvertisingOptOutNotice"
_CHOICES = "SaleOptOut TargetedAdvertisingOptOut"
_MORE = "AdditionalDataProcessingConsent"


def _sharing_state(sensitive: int, child: str, notice: str = "", more: str = "") -> str:
    return _state("SharingNotice", sensitive, child, notice, more)


def _processing_state(sensitive: int, child: str, notice: str = "", more: str = _MORE) -> str:
    return _state("ProcessingNotice", sensitive, child, notice, more)


def _state(first: str, sensitive: int, child: str, notice: str, more: str) -> str:
    return (
        f"{first} {_NOTICES} {notice} {_CHOICES} SensitiveDataProcessing*{sensitive}"
        f" {_CHILD}{child} {more} {_MSPA}"
    )


def _national(sensitive: int, child: str) -> str:
    return (
        "SharingNotice SaleOptOutNotice SharingOptOutNotice TargetedAdvertisingOptOutNotice"
        " SensitiveDataProcessingOptOutNotice SensitiveDataLimitUseNotice"
        f" SaleOptOut SharingOptOut TargetedAdvertisingOptOut SensitiveDataProcessing*{sensitive}"
        f" {_CHILD}{child} PersonalDataConsents {_MSPA}"
    )


_CALIFORNIA = (
    "SaleOptOutNotice SharingOptOutNotice SensitiveDataLimitUseNotice SaleOptOut SharingOptOut"
    f" SensitiveDataProcessing*9 {_CHILD}*2 PersonalDataConsents {_MSPA}"
)
_SINCE_2026 = f"MspaCoveredTransaction MspaMode ProcessingNotice {_NOTICES} {_CHOICES}"
_CORES = {
    7: _national(12, "*2"),
    8: _CALIFORNIA,
    9: _sharing_state(8, ""),
    10: _sharing_state(7, ""),
    11: _sharing_state(8, "", notice="SensitiveDataProcessingOptOutNotice"),
    12: _sharing_state(8, "*3"),
    13: _processing_state(8, "*3"),
    14: _sharing_state(8, "*3", more=_MORE),
    15: _processing_state(11, "*3"),
    16: _processing_state(8, ""),
    17: _processing_state(9, "*5"),
    18: _processing_state(8, "", notice="SensitiveDataOptOutNotice", more=""),
    19: _processing_state(8, ""),
    20: _processing_state(8, "*3"),
    21: _processing_state(10, "*5"),
    22: _processing_state(8, ""),
    23: _processing_state(8, ""),
    24: f"{_SINCE_2026} {_MORE}",
    25: f"{_SINCE_2026} {_CHILD} {_MORE}",
    26: f"{_SINCE_2026} {_CHILD} {_MORE}",
    27: f"{_SINCE_2026} {_CHILD} {_MORE}",
}
_SENSITIVE_SEGMENT = range(25, 28)  # there, sensitive data stands in a segment of its own


def _layout(words: str) -> tuple[tuple[str, int], ...]:
    """`Name` is one field of two bits, 0 in the count; `Name*3` a list of three."""
    parts = (word.partition("*") for word in words.split())
    return tuple((name, int(count or 0)) for name, _, count in parts)


_LAYOUTS = {section_id: _layout(words) for section_id, words in _CORES.items()}
_NATIONAL_2 = _layout(_national(16, "*3"))
_NATIONAL_2_BITS = 70  # some tools write the second layout, and still say version 1


def fields_of(section_id: int, text: str) -> Fields | GppFlaw:
    """Every field of one American section, under the IAB's own names."""
    if section_id == US_PRIVACY:
        return us_privacy_fields(text)
    if section_id not in US_SECTIONS:
        return GppFlaw.UNKNOWN_SECTION
    if len(text) > MOST_CHARACTERS:
        return GppFlaw.TOO_LONG
    core, *segments = text.split(".")
    try:
        fields = _core_fields(section_id, Bits(core))
        if isinstance(fields, GppFlaw):
            return fields
        for segment in segments:
            fields.update(_segment_fields(section_id, Bits(segment)))
        return fields
    except NotBase64:
        return GppFlaw.NOT_BASE64
    except CutShort:
        return GppFlaw.CUT_SHORT


def _core_fields(section_id: int, bits: Bits) -> dict[str, Field] | GppFlaw:
    version, layout = bits.number(6), _LAYOUTS[section_id]
    if section_id == _US_NATIONAL and (version == 2 or len(bits) >= _NATIONAL_2_BITS):
        layout = _NATIONAL_2
    elif version != 1:
        return GppFlaw.OTHER_VERSION
    fields: dict[str, Field] = {"Version" if section_id < 24 else "MspaVersion": version}
    for name, count in layout:
        fields[name] = tuple([bits.number(2) for _ in range(count)]) if count else bits.number(2)
    return fields


def _segment_fields(section_id: int, bits: Bits) -> Iterator[tuple[str, Field]]:
    """The segment with the browser's own refusal, or the one of sensitive data; others say nothing to us."""
    is_sensitive = section_id in _SENSITIVE_SEGMENT and len(bits) >= 17
    if is_sensitive:
        bits.flag()
        yield "SensitiveDataProcessing", tuple([bits.number(2) for _ in range(8)])
    elif bits.number(2) == _GPC_SEGMENT:
        yield "GpcSegmentType", _GPC_SEGMENT
        yield "Gpc", bits.flag()


def us_privacy_fields(text: str) -> Fields | GppFlaw:
    """The older text: version, notice given, opted out of sale, covered by the industry's agreement."""
    version, answers = text[:1], text[1:].upper()
    if version != "1" or len(answers) != 3 or not set(answers) <= set("YN-"):
        return GppFlaw.BAD_US_PRIVACY
    return {"Version": 1, "Notice": answers[0], "OptOutSale": answers[1], "LspaCovered": answers[2]}


def choices_of(fields: Fields) -> UsChoices:
    """What the fields of an American section come to; an undefined value counts as the stricter one."""
    child = fields.get(_CHILD, 0)
    return UsChoices(
        opted_out=fields.get("OptOutSale") == "Y" or any(fields.get(name) in (1, 3) for name in _OPT_OUTS),
        child=any(child) if isinstance(child, tuple) else child != 0,
        gpc=fields.get("Gpc") is True,
    )
