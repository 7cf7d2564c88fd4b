"""Events that a merchant's own server tells, as JSON: the letter going in, what became of each coming out."""

from typing import Annotated, Any, Literal

from fastapi.exceptions import RequestValidationError
from pydantic import Field, ValidationError

from adserver.flows.relay import Told
from adserver.web.schemas.fields import AdvertiserId, Strict
from pixel.parse import decode_json

MOST_EVENTS = 1_000


class EventsBody(Strict):
    """Each event is in the shape of `POST /m/e`, with a `visitor` or an `rtclid`; see docs/api.md."""

    advertiser_id: AdvertiserId | None = Field(default=None, description="needed with an operator's key")
    events: Annotated[list[Any], Field(min_length=1, max_length=MOST_EVENTS)]
    consent: dict[str, Any] = Field(
        default={}, description="what all visitors agreed to; an event may say its own instead"
    )


class ToldAnswer(Strict):
    result: Literal["accepted", "duplicate", "rejected"]
    reason: str | None = Field(description="of what was rejected")
    order: str | None = Field(description="what became of the order or lead in it, as in `/conversions`")


class EventsAnswer(Strict):
    results: list[ToldAnswer] = Field(description="one for each event, in their order")


def read_events(body: bytes) -> EventsBody:
    """The letter, with prices left as they are written: money is never a binary float."""
    try:
        return EventsBody.model_validate(decode_json(body))
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None


def show_told(told: list[Told]) -> EventsAnswer:
    return EventsAnswer(
        results=[
            ToldAnswer.model_validate(
                {"result": one.result, "reason": one.reason or None, "order": one.order or None}
            )
            for one in told
        ]
    )
