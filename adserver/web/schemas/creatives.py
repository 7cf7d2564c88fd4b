"""Creatives as JSON: brand, offer and message."""

from typing import Annotated, Any, ClassVar, Literal, Self

from msgspec.structs import asdict, replace
from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from adserver.domain.approval import content_hash, last_review, live_version
from adserver.domain.campaign import Approval, Copy, Creative, Review
from adserver.domain.contender import addressed_by
from adserver.domain.identity import write_id
from adserver.domain.situation import Situation
from adserver.flows.upload import Uploaded
from adserver.web.schemas.fields import (
    CampaignId,
    Cap,
    Change,
    Flag,
    GivenTime,
    Line,
    Link,
    Name,
    OfferPoolId,
    Paging,
    ShownTime,
    Strict,
)
from adserver.web.schemas.peace import CreativeCap, FrequencyCapBody, show_cap, with_peace
from creatives.card import COLOUR_PATTERN, MEDIA_ADDRESS_PATTERN, Brand, Message, Offer


def _media(address: str) -> str:
    if not MEDIA_ADDRESS_PATTERN.fullmatch(address):
        raise PydanticCustomError("not_our_media", "A picture is one of our own, like /media/abc.webp")
    return address


Media = Annotated[str, StringConstraints(max_length=200), AfterValidator(_media)]
Colour = Annotated[str, Field(pattern=f"^{COLOUR_PATTERN.pattern}$", examples=["#1f3a5f"])]
Template = Literal["cards", "hero", "carousel", "text", "message"]
Theme = Literal["light", "dark", "auto"]
Headline = Annotated[Name, Field(max_length=90)]
CardsHeadline = Annotated[Name, Field(max_length=40)]  # one or two lines above the cards
Button = Annotated[Name, Field(max_length=30)]
CardsButton = Annotated[Name, Field(max_length=20)]  # one line, on a card of a hundred pixels
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$", examples=["fr"], description="ISO 639")]
Situations = Annotated[list[Situation], Field(min_length=1, max_length=len(Situation))]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="`content_hash` of what you looked at")]


class ColoursBody(Strict):
    primary: Colour = "#1f3a5f"
    accent: Colour = "#d9480f"


class BrandBody(Strict):
    name: Name
    logo: Media | None = None
    colors: ColoursBody = ColoursBody()
    theme: Theme = Field(default="light", description="`auto`: as the reader's system is set")

    def brand(self) -> Brand:
        return Brand(self.name, self.colors.primary, self.colors.accent, self.logo, self.theme)


class OfferBody(Strict):
    percent: int | None = Field(default=None, strict=True, ge=1, le=90)
    amount_micros: Cap | None = None
    code: Annotated[Name, Field(max_length=40)] | None = Field(
        default=None, description="the same for everybody"
    )
    pool: OfferPoolId | None = Field(default=None, description="each click gets a code of its own")
    ends_at: GivenTime | None = None

    @model_validator(mode="after")
    def _has_one_amount(self) -> Self:
        if (self.percent is None) == (self.amount_micros is None):
            raise ValueError("an offer has either percent or amount_micros")
        if self.code is not None and self.pool is not None:
            raise ValueError("an offer has one code for all, or a pool, not both")
        return self

    def offer(self) -> Offer:
        return Offer(self.percent, self.amount_micros, self.code, self.ends_at, self.pool is not None)


class MessageBody(Strict):
    headline: Headline
    body: Line
    button: Button
    picture: Media | None = None

    def message(self) -> Message:
        return Message(self.headline, self.body, self.button, self.picture)


class CopyBody(Strict):
    """Words for visitors of a `situation` who read a `language`; null of either is for all others."""

    situation: Situation | None = None
    language: Language | None = None
    headline: CardsHeadline | None = None
    button: CardsButton | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.headline is None and self.button is None:
            raise ValueError("a copy has a headline, a button, or both")
        return self

    def copy_of(self) -> Copy:
        return Copy(self.headline, self.button, self.situation, self.language)


Copies = Annotated[list[CopyBody], Field(max_length=60)]


class CreativeBody(Strict):
    """How ads look: products (`cards`, `hero`, `carousel`, `text`), or a `message` with its own `link`."""

    template: Template
    brand: BrandBody
    offer: OfferBody | None = None
    message: MessageBody | None = None
    link: Link | None = None
    language: Language = Field(default="en", description="of a message; cards speak their products'")
    situations: Situations | None = Field(
        default=None, description="whom a message is for; left out, those who left a form open"
    )
    copies: Copies = Field(default_factory=list)
    frequency_cap: CreativeCap | None = None

    def creative_of(self, campaign_key: int) -> Creative:
        return Creative(
            key=0,
            campaign_key=campaign_key,
            template=self.template,
            brand=self.brand.brand(),
            offer=None if self.offer is None else self.offer.offer(),
            pool_key=None if self.offer is None else self.offer.pool,
            message=None if self.message is None else self.message.message(),
            link=self.link,
            language=self.language,
            situations=tuple(dict.fromkeys(self.situations or ())),
            copies=tuple(copy.copy_of() for copy in self.copies),
            **with_peace({"frequency_cap": self.frequency_cap}),
        )


class CreativeDraft(CreativeBody):
    """A new creative of a campaign."""

    campaign_id: CampaignId

    def creative(self) -> Creative:
        return self.creative_of(self.campaign_id)


class CreativeChange(Change):
    liftable: ClassVar[frozenset[str]] = frozenset(
        {"offer", "message", "link", "situations", "frequency_cap"}
    )

    template: Template | None = None
    brand: BrandBody | None = None
    offer: OfferBody | None = None
    message: MessageBody | None = None
    link: Link | None = None
    language: Language | None = None
    situations: Situations | None = None
    copies: Copies | None = None
    frequency_cap: CreativeCap | None = None

    def edit(self, creative: Creative) -> Creative:
        given = with_peace(self.given())
        if self.brand is not None:
            given["brand"] = self.brand.brand()
        if "offer" in given:
            given["offer"] = None if self.offer is None else self.offer.offer()
            given["pool_key"] = None if self.offer is None else self.offer.pool
        if self.message is not None:
            given["message"] = self.message.message()
        if "situations" in given:
            given["situations"] = tuple(dict.fromkeys(self.situations or ()))
        if self.copies is not None:
            given["copies"] = tuple(copy.copy_of() for copy in self.copies)
        return replace(creative, **given)


class CreativeList(Paging):
    """The creatives of a campaign, or all that wait for approval, or were refused it."""

    campaign_id: CampaignId | None = None
    approval: Approval | None = None

    @model_validator(mode="after")
    def _names_which(self) -> Self:
        if self.campaign_id is None and self.approval is None:
            raise ValueError("give campaign_id, approval, or both")
        return self


class ApprovalBody(Strict):
    content_hash: Hash | None = None


class RejectionBody(Strict):
    reason: Line = Field(description="told to the advertiser: what is wrong, and what to do about it")
    content_hash: Hash | None = None
    withdraw: Flag = Field(default=False, description="also stop the version that was approved before")


class ColoursAnswer(Strict):
    primary: str
    accent: str


class BrandAnswer(Strict):
    name: str
    logo: str | None
    colors: ColoursAnswer
    theme: str


class OfferAnswer(Strict):
    percent: int | None
    amount_micros: int | None
    code: str | None
    pool: str | None
    ends_at: ShownTime | None


class MessageAnswer(Strict):
    headline: str
    body: str
    button: str
    picture: str | None


class ReviewAnswer(Strict):
    approval: Approval
    at: ShownTime
    version: int = Field(description="of the creative, as it was looked at")
    content_hash: str
    key_id: str | None = Field(description="the API key that said so; null for the server itself")
    automatic: bool = Field(description="approved by whose key made it: nobody looked")
    reason: str | None


class ApprovedAnswer(Strict):
    """The approved version that is shown while a newer one waits, or was refused."""

    version: int
    template: str
    brand: BrandAnswer
    offer: OfferAnswer | None
    message: MessageAnswer | None
    link: str | None
    language: str
    situations: list[Situation]
    copies: list[CopyBody]
    content_hash: str


class CreativeAnswer(Strict):
    id: str
    campaign_id: str
    template: str
    brand: BrandAnswer
    offer: OfferAnswer | None
    message: MessageAnswer | None
    link: str | None
    language: str
    situations: list[Situation]
    copies: list[CopyBody]
    frequency_cap: FrequencyCapBody | None
    approval: Approval
    reason: str | None = Field(description="why it was rejected")
    content_hash: str = Field(description="of all that visitors see or follow; what an approval is of")
    shown: bool = Field(description="whether any version of it may be shown now")
    approved: ApprovedAnswer | None = Field(description="what is shown meanwhile, where this is not")
    reviews: list[ReviewAnswer] = Field(description="what was said of it, newest last")
    version: int
    created_at: ShownTime


class UploadAnswer(Strict):
    address: str = Field(examples=["/media/1f0c9a7be2d34c55a0f1d2c3b4a59687.jpg"])
    width: int
    height: int


def show_upload(uploaded: Uploaded) -> UploadAnswer:
    return UploadAnswer(**asdict(uploaded))


def show_creative(creative: Creative) -> CreativeAnswer:
    return CreativeAnswer(
        id=write_id("crv", creative.key),
        campaign_id=write_id("cmp", creative.campaign_key),
        **_show_content(creative),
        frequency_cap=show_cap(creative.frequency_cap),
        approval=creative.approval,
        reason=_reason(creative),
        shown=live_version(creative) is not None,
        approved=None if creative.approved is None else ApprovedAnswer(**_show_content(creative.approved)),
        reviews=[_show_review(review) for review in creative.reviews],
        created_at=creative.created_at_ms,
    )


def _show_content(creative: Creative) -> dict[str, Any]:
    is_message = creative.message is not None
    return {
        "version": creative.version,
        "template": creative.template,
        "brand": _show_brand(creative.brand),
        "offer": None if creative.offer is None else _show_offer(creative.offer, creative.pool_key),
        "message": None if creative.message is None else _show_message(creative.message),
        "link": creative.link,
        "language": creative.language,
        "situations": list(addressed_by(creative)) if is_message else [],
        "copies": [CopyBody.model_construct(**asdict(copy)) for copy in creative.copies],
        "content_hash": content_hash(creative),
    }


def _reason(creative: Creative) -> str | None:
    rejection = last_review(creative, Approval.REJECTED)
    return rejection.reason if rejection and creative.approval is Approval.REJECTED else None


def _show_review(review: Review) -> ReviewAnswer:
    return ReviewAnswer(
        approval=review.approval,
        at=review.at_ms,
        version=review.version,
        content_hash=review.content_hash,
        key_id=write_id("key", review.api_key) if review.api_key else None,
        automatic=review.automatic,
        reason=review.reason or None,
    )


def _show_brand(brand: Brand) -> BrandAnswer:
    colours = ColoursAnswer(primary=brand.primary, accent=brand.accent)
    return BrandAnswer(name=brand.name, logo=brand.logo, colors=colours, theme=brand.theme)


def _show_offer(offer: Offer, pool_key: int | None) -> OfferAnswer:
    return OfferAnswer(
        percent=offer.percent,
        amount_micros=offer.amount_micros,
        code=offer.code,
        pool=None if pool_key is None else write_id("pool", pool_key),
        ends_at=offer.ends_at_ms,
    )


def _show_message(message: Message) -> MessageAnswer:
    return MessageAnswer(
        headline=message.headline, body=message.body, button=message.button, picture=message.picture
    )
