"""What a page states by GPP and us_privacy, once read; a macro that nobody expanded states nothing."""

import msgspec

from pixel.gpp import TCF_EU, US_PRIVACY, GppFlaw, UsChoices, choices_of, fields_of, sections_of


class Gpp(msgspec.Struct, frozen=True):
    """What the GPP string holds: American choices, and perhaps a TC string.

    `listed` is what `gpp_sid` says applies, None where it says nothing; `is_flawed` where something that
    applies could not be read, and may be a refusal.
    """

    us_choices: tuple[UsChoices, ...] = ()
    tc_text: str | None = None
    listed: frozenset[int] | None = None
    is_flawed: bool = False


_NO_GPP = Gpp()
_NO_CHOICES = UsChoices()


def stated(value: str | None) -> str | None:
    """The signal, or None where nothing was said: a macro nobody expanded is silence, never consent."""
    if not value or value.startswith(("${", "%%")):
        return None
    return value


def read_gpp(gpp: str | None, gpp_sid: str | None) -> Gpp:
    """Opt-outs count wherever they stand; what cannot be read counts only where it applies."""
    text, listed = stated(gpp), _listed(gpp_sid)
    if text is None:
        return _NO_GPP if listed is None else Gpp(listed=listed)
    sections = sections_of(text)
    if isinstance(sections, GppFlaw):
        return Gpp(listed=listed, is_flawed=True)
    tc_text = sections.pop(TCF_EU, None)
    choices, is_flawed = [], False
    for section_id, section in sections.items():
        fields = fields_of(section_id, section)
        if not isinstance(fields, GppFlaw):
            choices.append(choices_of(fields))
        elif listed is None or section_id in listed:
            is_flawed = True
    return Gpp(tuple(choices), tc_text, listed, is_flawed)


def read_us_privacy(us_privacy: str | None) -> UsChoices | GppFlaw:
    text = stated(us_privacy)
    if text is None:
        return _NO_CHOICES
    fields = fields_of(US_PRIVACY, text)
    return fields if isinstance(fields, GppFlaw) else choices_of(fields)


def _listed(gpp_sid: str | None) -> frozenset[int] | None:
    """The ids in `2,7` (or `2_7`); None where nothing was said, or nothing that can be read."""
    text = stated(gpp_sid)
    parts = [] if text is None else text.replace("_", ",").split(",")
    if not parts or not all(part.isascii() and part.isdigit() and len(part) < 4 for part in parts):
        return None
    return frozenset([int(part) for part in parts])
