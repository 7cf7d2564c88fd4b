"""A postback as query parameters, where it is sent and the secret it is signed with."""

from collections.abc import Mapping
from typing import Annotated, Self

from fastapi.exceptions import RequestValidationError
from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from adserver.domain.attribution import ServerOrder
from adserver.domain.identity import write_id
from adserver.domain.money import Micros
from adserver.flows.postback import Credit, Posted
from adserver.web.gate import API
from adserver.web.schemas.campaigns import ConversionEvent
from adserver.web.schemas.conversions import ClickId, NamedConversion, VisitorId
from adserver.web.schemas.fields import Currency, Line, Strict
from adserver.writes import Result
from pixel.amounts import micros_from
from pixel.events import EventName
from pixel.grammar import coupons_from


def _read_amount(given: object) -> int:
    micros = micros_from(given)
    if micros is None:
        raise PydanticCustomError("bad_amount", "An amount is written like 89.90")
    return micros


class PostbackQuery(NamedConversion):
    event: ConversionEvent = EventName.PURCHASE
    ts: int = Field(ge=0, lt=10**11)
    nonce: str = Field(pattern=r"^[A-Za-z0-9_.~-]{8,64}$")
    sig: str
    value: Annotated[int, BeforeValidator(_read_amount)] | None = None
    currency: Currency | None = None
    rtclid: ClickId | None = None
    visitor: VisitorId | None = None
    coupon: Line | None = None

    @model_validator(mode="after")
    def _has_its_currency(self) -> Self:
        if (self.value is None) != (self.currency is None):
            raise ValueError("value and currency go together")
        return self

    def posted(self, now_ms: int, visitor_key: int) -> Posted:
        order = ServerOrder(
            advertiser_key=self.advertiser_id,
            event=self.event,
            reference=self.reference,
            value_micros=None if self.value is None else Micros(self.value),
            currency=self.currency,
            click_id=self.rtclid,
            occurred_at_ms=now_ms,
            visitor_key=visitor_key,
            coupons=coupons_from(self.coupon),
        )
        return Posted(order, self.ts, self.nonce)


class PostbackAnswer(Strict):
    result: str = Field(description="as in `/conversions`")
    reason: str | None


class PostbackSetUp(Strict):
    address: str
    secret: str = Field(description="what postbacks are signed with")


def read_postback(advertiser_id: str, parameters: Mapping[str, str]) -> PostbackQuery:
    try:
        return PostbackQuery.model_validate({**parameters, "advertiser_id": advertiser_id})
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None


def show_postback(credit: Credit) -> PostbackAnswer:
    result = credit.outcome.result
    told = Result.DUPLICATE if result is Result.REPEATED else result
    return PostbackAnswer(result=told.value, reason=credit.reason or None)


def show_set_up(base_url: str, advertiser_key: int, secret: str) -> PostbackSetUp:
    return PostbackSetUp(address=f"{base_url}{API}/postback/{write_id('adv', advertiser_key)}", secret=secret)
