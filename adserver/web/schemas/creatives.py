"""Creatives as JSON: brand, offer and message."""

from typing import Annotated, ClassVar, Literal, Self

from msgspec.structs import replace
from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from adserver.domain.campaign import Creative
from adserver.domain.identity import write_id
from adserver.web.schemas.fields import (
    CampaignId,
    Cap,
    Change,
    GivenTime,
    Line,
    Link,
    Name,
    Paging,
    ShownTime,
    Strict,
)
from creatives.card import COLOUR_PATTERN, MEDIA_ADDRESS_PATTERN, Brand, Message, Offer


def _media(address: str) -> str:
    if not MEDIA_ADDRESS_PATTERN.fullmatch(address):
        raise PydanticCustomError("not_our_media", "A picture is one of our own, like /media/abc.webp")
    return address


Media = Annotated[str, StringConstraints(max_length=200), AfterValidator(_media)]
Colour = Annotated[str, Field(pattern=f"^{COLOUR_PATTERN.pattern}$", examples=["#1f3a5f"])]
Template = Literal["cards", "message"]
Headline = Annotated[Name, Field(max_length=90)]
Button = Annotated[Name, Field(max_length=30)]


class ColoursBody(Strict):
    primary: Colour = "#1f3a5f"
    accent: Colour = "#d9480f"


class BrandBody(Strict):
    name: Name
    logo: Media | None = None
    colors: ColoursBody = ColoursBody()

    def brand(self) -> Brand:
        return Brand(self.name, self.colors.primary, self.colors.accent, self.logo)


class OfferBody(Strict):
    percent: int | None = Field(default=None, strict=True, ge=1, le=90)
    amount_micros: Cap | None = None
    code: Annotated[Name, Field(max_length=40)] | None = None
    ends_at: GivenTime | None = None

    @model_validator(mode="after")
    def _has_one_amount(self) -> Self:
        if (self.percent is None) == (self.amount_micros is None):
            raise ValueError("an offer has either percent or amount_micros")
        return self

    def offer(self) -> Offer:
        return Offer(self.percent, self.amount_micros, self.code, self.ends_at)


class MessageBody(Strict):
    headline: Headline
    body: Line
    button: Button
    picture: Media | None = None

    def message(self) -> Message:
        return Message(self.headline, self.body, self.button, self.picture)


class CreativeDraft(Strict):
    """A new creative: `cards` of products, or a `message` with its own `link`."""

    campaign_id: CampaignId
    template: Template
    brand: BrandBody
    offer: OfferBody | None = None
    message: MessageBody | None = None
    link: Link | None = None

    def creative(self) -> Creative:
        return Creative(
            key=0,
            campaign_key=self.campaign_id,
            template=self.template,
            brand=self.brand.brand(),
            offer=None if self.offer is None else self.offer.offer(),
            message=None if self.message is None else self.message.message(),
            link=self.link,
        )


class CreativeChange(Change):
    liftable: ClassVar[frozenset[str]] = frozenset({"offer", "message", "link"})

    template: Template | None = None
    brand: BrandBody | None = None
    offer: OfferBody | None = None
    message: MessageBody | None = None
    link: Link | None = None

    def edit(self, creative: Creative) -> Creative:
        given = self.given()
        if self.brand is not None:
            given["brand"] = self.brand.brand()
        if self.offer is not None:
            given["offer"] = self.offer.offer()
        if self.message is not None:
            given["message"] = self.message.message()
        return replace(creative, **given)


class CreativeList(Paging):
    campaign_id: CampaignId


class ColoursAnswer(Strict):
    primary: str
    accent: str


class BrandAnswer(Strict):
    name: str
    logo: str | None
    colors: ColoursAnswer


class OfferAnswer(Strict):
    percent: int | None
    amount_micros: int | None
    code: str | None
    ends_at: ShownTime | None


class MessageAnswer(Strict):
    headline: str
    body: str
    button: str
    picture: str | None


class CreativeAnswer(Strict):
    id: str
    campaign_id: str
    template: str
    brand: BrandAnswer
    offer: OfferAnswer | None
    message: MessageAnswer | None
    link: str | None
    version: int
    created_at: ShownTime


def show_creative(creative: Creative) -> CreativeAnswer:
    return CreativeAnswer(
        id=write_id("crv", creative.key),
        campaign_id=write_id("cmp", creative.campaign_key),
        template=creative.template,
        brand=_show_brand(creative.brand),
        offer=None if creative.offer is None else _show_offer(creative.offer),
        message=None if creative.message is None else _show_message(creative.message),
        link=creative.link,
        version=creative.version,
        created_at=creative.created_at_ms,
    )


def _show_brand(brand: Brand) -> BrandAnswer:
    colours = ColoursAnswer(primary=brand.primary, accent=brand.accent)
    return BrandAnswer(name=brand.name, logo=brand.logo, colors=colours)


def _show_offer(offer: Offer) -> OfferAnswer:
    return OfferAnswer(
        percent=offer.percent, amount_micros=offer.amount_micros, code=offer.code, ends_at=offer.ends_at_ms
    )


def _show_message(message: Message) -> MessageAnswer:
    return MessageAnswer(
        headline=message.headline, body=message.body, button=message.button, picture=message.picture
    )
