"""Sites and slots as JSON, with the codes that publishers paste into their pages."""

from html import escape
from typing import Annotated, ClassVar

from msgspec.structs import replace
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from adserver.domain.consent_hold import ConsentHold
from adserver.domain.identity import write_id
from adserver.domain.money import ZERO
from adserver.domain.page import MOST_CATEGORIES, category_from
from adserver.domain.slot import OnEmpty, Site, Slot
from adserver.web.schemas.blocks import (
    FIELDS,
    BlocksAnswer,
    BlocksChange,
    BlocksFields,
    show_blocks,
    with_blocks,
)
from adserver.web.schemas.fields import (
    Currency,
    Domains,
    Line,
    Link,
    Micros,
    Name,
    Paging,
    PublisherId,
    ShownTime,
    SiteId,
    Strict,
)

ClickPrefixes = Annotated[list[Link], Field(max_length=20)]


def _category(text: str) -> str:
    if category_from(text) is None:
        raise PydanticCustomError(
            "bad_category", "A category is written like `Sport > Football`, or IAB17-12"
        )
    return text


PageCategories = Annotated[
    list[Annotated[Line, AfterValidator(_category)]], Field(max_length=MOST_CATEGORIES)
]
Pixels = Annotated[int, Field(strict=True, ge=1, le=4_000)]


class SiteDraft(BlocksFields):
    publisher_id: PublisherId
    name: Name
    domains: Domains
    click_prefixes: ClickPrefixes = Field(default_factory=list)
    categories: PageCategories = Field(default_factory=list, description="what its pages are about")

    def site(self) -> Site:
        return Site(
            key=0,
            publisher_key=self.publisher_id,
            name=self.name,
            domains=tuple(self.domains),
            click_prefixes=tuple(self.click_prefixes),
            categories=tuple(self.categories),
            blocks=self.blocks(),
        )


class SiteChange(BlocksChange):
    name: Name | None = None
    domains: Domains | None = None
    click_prefixes: ClickPrefixes | None = None
    categories: PageCategories | None = None
    consent_hold: ConsentHold | None = Field(default=None, description="the operator's to change")

    def edit(self, site: Site) -> Site:
        given = self.given()
        for name in {"domains", "click_prefixes", "categories"} & given.keys():
            given[name] = tuple(given[name])
        return replace(site, blocks=with_blocks(site.blocks, given), **given)


class SiteList(Paging):
    publisher_id: PublisherId | None = None


class SiteAnswer(BlocksAnswer):
    id: str
    publisher_id: str
    name: str
    domains: list[str]
    click_prefixes: list[str]
    categories: list[str]
    consent_hold: ConsentHold = Field(description="`held`: its pages' word for consent is not believed")
    consent_held_at: ShownTime | None
    created_at: ShownTime


def show_site(site: Site) -> SiteAnswer:
    return SiteAnswer(
        id=write_id("site", site.key),
        publisher_id=write_id("pub", site.publisher_key),
        name=site.name,
        domains=list(site.domains),
        click_prefixes=list(site.click_prefixes),
        categories=list(site.categories),
        consent_hold=site.consent_hold,
        consent_held_at=site.consent_held_at_ms,
        **show_blocks(site.blocks),
        created_at=site.created_at_ms,
    )


class SlotDraft(BlocksFields):
    site_id: SiteId
    name: Name
    width: Pixels | None = Field(description="null, and the height too: as large as the place it stands in")
    height: Pixels | None
    floor_cpm_micros: Micros = ZERO
    currency: Currency | None = Field(default=None, description="of the floor")
    on_empty: OnEmpty = OnEmpty.HOUSE

    def slot(self) -> Slot:
        size = {"width": self.width or 0, "height": self.height or 0}
        named = self.model_dump(exclude={"site_id", *FIELDS}) | size
        return Slot(key=0, site_key=self.site_id, blocks=self.blocks(), **named)


class SlotChange(BlocksChange):
    """A slot's size stays: its code is pasted on pages that were laid out for it."""

    liftable: ClassVar[frozenset[str]] = frozenset({"currency"})

    name: Name | None = None
    floor_cpm_micros: Micros | None = None
    currency: Currency | None = None
    on_empty: OnEmpty | None = None

    def edit(self, slot: Slot) -> Slot:
        given = self.given()
        return replace(slot, blocks=with_blocks(slot.blocks, given), **given)


class SlotList(Paging):
    site_id: SiteId


class EmbedAnswer(Strict):
    """Codes to paste. In the EEA use `script`, which alone can read the page's consent."""

    script: str
    iframe: str
    image: str | None = Field(
        description="for places without scripts; replace KEY by one value per view, twice. None where the"
        " slot is responsive: a picture has one size"
    )
    ad_manager: str = Field(
        description="a third-party creative of Google Ad Manager, which fills in the macros; its click"
        " counter has to be among the site's `click_prefixes`"
    )


class SlotAnswer(BlocksAnswer):
    id: str
    site_id: str
    name: str
    width: int | None
    height: int | None
    floor_cpm_micros: int
    currency: str | None
    on_empty: OnEmpty
    embed: EmbedAnswer
    created_at: ShownTime


def show_slot(slot: Slot, base_url: str, vendor_id: int | None = None) -> SlotAnswer:
    return SlotAnswer(
        id=write_id("slot", slot.key),
        site_id=write_id("site", slot.site_key),
        name=slot.name,
        width=slot.width or None,
        height=slot.height or None,
        floor_cpm_micros=slot.floor_cpm_micros,
        currency=slot.currency,
        on_empty=slot.on_empty,
        embed=_embed(slot, base_url, vendor_id),
        **show_blocks(slot.blocks),
        created_at=slot.created_at_ms,
    )


def _embed(slot: Slot, base_url: str, vendor_id: int | None) -> EmbedAnswer:
    slot_id, base = write_id("slot", slot.key), escape(base_url.rstrip("/"))
    place = f"{base}/slot/{slot_id}"
    if slot.is_responsive:
        size, data, style = "", 'data-size="responsive"', "border:0;width:100%;height:250px"
    else:
        size = f'width="{slot.width}" height="{slot.height}" '
        data, style = f'data-width="{slot.width}" data-height="{slot.height}"', "border:0"
    image = f'<a href="{place}/click?n=KEY"><img src="{place}.gif?n=KEY" {size}alt="Advertisement"></a>'
    return EmbedAnswer(
        script=f'<div data-slot="{slot_id}" {data}></div><script async src="{base}/slot.js"></script>',
        iframe=f'<iframe src="{place}" {size}title="Advertisement" style="{style}"></iframe>',
        image=None if slot.is_responsive else image,
        ad_manager=_ad_manager(place, size, style, vendor_id),
    )


def _ad_manager(place: str, size: str, style: str, vendor_id: int | None) -> str:
    """The manager tells consent only to whom it can name: by a number on the IAB's vendor list."""
    macros = "?click=%%CLICK_URL_ESC%%&amp;cb=%%CACHEBUSTER%%"
    if vendor_id is not None:
        macros += "&amp;gdpr=${GDPR}&amp;gdpr_consent=${GDPR_CONSENT_" + f"{vendor_id}" + "}"
    return f'<iframe src="{place}{macros}" {size}title="Advertisement" style="{style}"></iframe>'
