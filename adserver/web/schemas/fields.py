"""The kinds of field that bodies are made of: strict going in, in one spelling coming out."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    StrictBool,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    field_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import ValidationInfo

from adserver.domain import money
from adserver.domain.identity import read_id, write_id
from pixel.amounts import CURRENCIES
from pixel.grammar import holds_email

LARGEST_MS = 4_102_444_800_000  # the year 2100

_RFC_3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
# Control letters, the separators that end a line in JavaScript, and what turns the direction of text.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffd]")


class Strict(BaseModel):
    """A body: an unknown field is refused, since a misspelled budget must not be no budget."""

    model_config = ConfigDict(extra="forbid")


class Change(Strict):
    """A PATCH: what is not named stays. Null is only for the fields of `liftable`, and takes them away."""

    liftable: ClassVar[frozenset[str]] = frozenset()

    @field_validator("*", mode="before")
    @classmethod
    def _only_liftable_fields_are_lifted(cls, value: object, info: ValidationInfo) -> object:
        if value is None and info.field_name not in cls.liftable:
            raise PydanticCustomError("null_not_allowed", "This field cannot be taken away")
        return value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Fields that cannot be lifted are described without null."""
        schema = handler.resolve_ref_schema(handler(core_schema))
        for name, field in schema.get("properties", {}).items():
            field.pop("default", None)
            if name not in cls.liftable and "anyOf" in field:
                (kind,) = [one for one in field.pop("anyOf") if one != {"type": "null"}]
                field.update(kind)
        return schema

    def given(self) -> dict[str, Any]:
        """The fields that the caller named, null included."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def _plain(text: str) -> str:
    if _UNPRINTABLE.search(text):
        raise PydanticCustomError("unprintable", "The text holds letters that cannot be shown")
    return text


def _of_nobody(text: str) -> str:
    if holds_email(text):
        raise PydanticCustomError("personal_data", "The text holds an e-mail address, which is kept nowhere")
    return text


def _read_time(given: object) -> int:
    """Milliseconds of an RFC 3339 time; a time without a zone could mean anything and is refused."""
    found = _RFC_3339.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        raise PydanticCustomError("rfc_3339", "A time is written like 2026-11-28T00:00:00Z")
    day, clock, fraction, zone = found.groups()
    try:
        instant = datetime.fromisoformat(f"{day}T{clock}{zone.upper().replace('Z', '+00:00')}")
        at_ms = int(instant.timestamp()) * 1000
    except (ValueError, OverflowError):
        raise PydanticCustomError("rfc_3339", "There is no such time") from None
    if not 0 <= at_ms < LARGEST_MS:
        raise PydanticCustomError("rfc_3339", "The time is out of range")
    return at_ms + int((fraction or ".0")[1:4].ljust(3, "0"))


def write_time(at_ms: int) -> str:
    text = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _known_currency(text: str) -> str:
    if text not in CURRENCIES:
        raise PydanticCustomError("unknown_currency", "There is no such ISO 4217 currency")
    return text


def id_reader(prefix: str) -> BeforeValidator:
    """The key behind an id of this kind."""

    def read(given: object) -> int:
        key = read_id(prefix, given) if isinstance(given, str) else None
        if key is None:
            raise PydanticCustomError("not_an_id", "This is not an id of this kind")
        return key

    return BeforeValidator(read, json_schema_input_type=str)


def id_writer(prefix: str) -> PlainSerializer:
    return PlainSerializer(lambda key: write_id(prefix, key), return_type=str)


Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_plain)
]
Line = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300), AfterValidator(_plain)
]
Reason = Annotated[Line, AfterValidator(_of_nobody)]  # of what was done to an order
Link = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
Domain = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=253)]
Domains = Annotated[list[Domain], Field(min_length=1, max_length=50)]
Currency = Annotated[str, AfterValidator(_known_currency), Field(description="ISO 4217", examples=["EUR"])]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2", examples=["FR"])]
LandingParams = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.~%{}=&+-]*$", max_length=500)]
Micros = Annotated[money.Micros, Field(strict=True, ge=0, le=money.LARGEST)]
Cap = Annotated[money.Micros, Field(strict=True, ge=1, le=money.LARGEST)]
BasisPoints = Annotated[int, Field(strict=True, ge=0, le=10_000)]
Flag = StrictBool
GivenTime = Annotated[
    int,
    BeforeValidator(_read_time, json_schema_input_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
ShownTime = Annotated[
    int,
    PlainSerializer(write_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]

AdvertiserId = Annotated[int, id_reader("adv"), WithJsonSchema({"type": "string"})]
AudienceId = Annotated[int, id_reader("aud"), WithJsonSchema({"type": "string"})]
ProductSetId = Annotated[int, id_reader("set"), WithJsonSchema({"type": "string"})]
CreativeId = Annotated[int, id_reader("crv"), WithJsonSchema({"type": "string"})]
ConversionId = Annotated[int, id_reader("cnv"), WithJsonSchema({"type": "string"})]
CampaignId = Annotated[int, id_reader("cmp"), WithJsonSchema({"type": "string"})]
OfferPoolId = Annotated[int, id_reader("pool"), WithJsonSchema({"type": "string"})]
PublisherId = Annotated[int, id_reader("pub"), WithJsonSchema({"type": "string"})]
SiteId = Annotated[int, id_reader("site"), WithJsonSchema({"type": "string"})]
SlotId = Annotated[int, id_reader("slot"), WithJsonSchema({"type": "string"})]


class Paging(Strict):
    """Where a page of a list begins, and how long it may be."""

    limit: int = Field(default=50, ge=1, le=500)
    cursor: Annotated[int, id_reader("cur"), WithJsonSchema({"type": "string"})] = Field(
        default=0,
        description="`next_cursor` of the page before",
    )


class Text:
    """A text that is typed into a form, by the same rules as in the API's body."""

    def __init__(self, kind: Any) -> None:
        self._kind: TypeAdapter[str] = TypeAdapter(kind)

    def read(self, text: str) -> str | None:
        """None for what the API refuses."""
        try:
            return self._kind.validate_python(text)
        except ValidationError:
            return None
