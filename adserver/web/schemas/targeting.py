"""A campaign's targeting as JSON: on each dimension what is included, what is not, or both."""

import re
from functools import cache
from typing import Annotated

from babel import Locale
from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from adserver.domain.countries import COUNTRIES
from adserver.domain.targeting import (
    DIMENSIONS,
    MOST_VALUES,
    NO_TARGETING,
    BadValue,
    Condition,
    Flaw,
    Operand,
    Targeting,
    flaw_of,
    read_value,
)
from adserver.web.schemas.fields import Strict

_WHAT_IT_IS = {
    Flaw.UNKNOWN_COUNTRY: "not an ISO country code such as FR",
    Flaw.BAD_SUBDIVISION: "not an ISO 3166-2 code such as FR-IDF",
    Flaw.UNKNOWN_DEVICE: "none of desktop, mobile, tablet and tv",
    Flaw.BAD_LANGUAGE: "not a language code such as fr",
    Flaw.BAD_HOURS: "not written like `mon 08-20`, `mon-fri 08-20` or `sat`",
    Flaw.BAD_SITE: "not the id of a site",
    Flaw.BAD_PUBLISHER: "not the id of a publisher",
    Flaw.BAD_CATEGORY: "not written like `Sport > Football`, or IAB17-12",
    Flaw.BAD_KEYWORD: "not a word or two of letters, with at most five digits",
}
_ALL_OF_IT = {
    Flaw.VALUE_TWICE: "A value is included and excluded at once; leave it out of one of them",
    Flaw.NEVER_MET: "No request could meet this: its hours, or its countries and regions, exclude each other",
}
_MAY_BE_REPEATED = re.compile(r"[A-Za-z0-9][A-Za-z0-9 -]{0,39}")
Text = Annotated[str, Field(min_length=1, max_length=120)]


class ConditionBody(Strict):
    """`in`: one of the values. `not_in`: none of them."""

    operand: Operand
    values: list[Text] = Field(min_length=1, max_length=MOST_VALUES)


Said = ConditionBody | list[ConditionBody]


class TargetingBody(Strict):
    """Where all of it holds, the campaign may answer; a dimension that is not named asks for nothing.

    A dimension is one condition, or a list of two: an `in` and a `not_in`.
    """

    countries: Said | None = Field(default=None, description="FR")
    subdivisions: Said | None = Field(default=None, description="FR-IDF")
    devices: Said | None = Field(default=None, description="desktop, mobile, tablet, tv")
    languages: Said | None = Field(default=None, description="fr: what the reader's browser prefers")
    hours: Said | None = Field(default=None, description="`mon-fri 08-20`, in the advertiser's time zone")
    sites: Said | None = Field(default=None, description="by id")
    publishers: Said | None = Field(default=None, description="by id")
    categories: Said | None = Field(
        default=None, description="of the site or page, with all that lies under them"
    )
    keywords: Said | None = Field(default=None, description="that the publisher states of the page")

    @field_validator("*")
    @classmethod
    def _is_read(cls, said: Said | None, info: ValidationInfo) -> Said | None:
        """So that a flaw is told of the dimension that it is in."""
        if said is not None:
            _read(str(info.field_name), said)
        return said

    @model_validator(mode="after")
    def _is_sound(self) -> "TargetingBody":
        flaw = flaw_of(self.targeting())
        if flaw is not None:
            raise PydanticCustomError(flaw.value, _ALL_OF_IT[flaw])
        return self

    def targeting(self) -> Targeting:
        given = {name: getattr(self, name) for name in DIMENSIONS}
        return Targeting(**{name: _read(name, said) for name, said in given.items() if said is not None})


def _read(name: str, said: Said) -> Condition:
    bodies = said if isinstance(said, list) else [said]
    if len({body.operand for body in bodies}) < len(bodies):
        raise PydanticCustomError("operand_twice", "Give `in` and `not_in` once each, with all their values")
    values = {
        body.operand: tuple(dict.fromkeys(value_from(name, text) for text in body.values)) for body in bodies
    }
    return Condition(values.get(Operand.IN, ()), values.get(Operand.NOT_IN, ()))


def value_from(name: str, text: str) -> str:
    """A dimension's value in the spelling that is compared; a flaw of it is told with what was meant."""
    read = read_value(name, text)
    if not isinstance(read, BadValue):
        return read
    what = f"'{text}'" if _MAY_BE_REPEATED.fullmatch(text) else "This"
    meant = read.meant or (_named().get(text.casefold()) if read.flaw is Flaw.UNKNOWN_COUNTRY else None)
    asks = f": did you mean {meant}?" if meant else ""
    told = {"what": what, "why": _WHAT_IT_IS[read.flaw], "asks": asks}
    raise PydanticCustomError(read.flaw.value, "{what} is {why}{asks}", told)


@cache
def _named() -> dict[str, str]:
    """Countries by their English names."""
    names = Locale("en").territories
    return {names[code].casefold(): code for code in COUNTRIES if code in names}


def show_targeting(targeting: Targeting) -> TargetingBody | None:
    """As it would be given again; None where it asks for nothing."""
    if targeting == NO_TARGETING:
        return None
    return TargetingBody.model_construct(
        None, **{name: _show(getattr(targeting, name)) for name in DIMENSIONS}
    )


def _show(condition: Condition) -> Said | None:
    parts = ((Operand.IN, condition.included), (Operand.NOT_IN, condition.excluded))
    said = [
        ConditionBody.model_construct(operand=operand, values=list(values))
        for operand, values in parts
        if values
    ]
    return said if len(said) > 1 else next(iter(said), None)
