"""Products and feeds as JSON; a product's fields are named as in Google Merchant Center."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

from msgspec.structs import replace
from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from adserver.domain.catalogue import Availability, Feed, FeedFormat, ImportReport, Product
from adserver.domain.feed import LINK_PLACEHOLDERS, MOST_ADDITIONAL_IMAGES, is_link_template
from adserver.domain.identity import write_id
from adserver.domain.imports import next_fetch_ms, shortened
from adserver.domain.price_history import ReferencePrice
from adserver.web.schemas.fields import (
    Cap,
    Change,
    Currency,
    GivenTime,
    Line,
    Link,
    ShownTime,
    Strict,
)
from adserver.web.schemas.google import from_google, write_price
from adserver.web.schemas.reference_prices import ReferencePriceAnswer, show_reference_price
from pixel.grammar import item_id_from


def read_item_id(given: str) -> str:
    item_id = item_id_from(given)
    if item_id is None:
        raise PydanticCustomError("bad_item_id", "An item id has 1 to 100 printable letters")
    return item_id


ItemId = Annotated[str, AfterValidator(read_item_id)]
Gtin = Annotated[str, Field(pattern=r"^([0-9]{8}|[0-9]{12,14})$", description="a barcode's digits")]
Label = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)]
Labels = Annotated[tuple[Label, ...], Field(max_length=5, description="Google's `custom_label_0` to `_4`")]
Pictures = Annotated[tuple[Link, ...], Field(max_length=MOST_ADDITIONAL_IMAGES)]
Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=5_000)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=20)]
Price = Annotated[Cap, Field(description="more than nothing, as in a feed")]


def read_link_template(given: str) -> str:
    if not is_link_template(given):
        names = ", ".join(f"{{{name}}}" for name in LINK_PLACEHOLDERS)
        raise PydanticCustomError("bad_link_template", f"An address with one of {names} in it")
    return given


LinkTemplate = Annotated[Link, AfterValidator(read_link_template)]
_RENAMED = {"sale_from": "sale_from_ms", "sale_until": "sale_until_ms"}


def _domain_fields(given: dict[str, Any]) -> dict[str, Any]:
    return {_RENAMED.get(name, name): value for name, value in given.items()}


class ProductBody(Strict):
    """A whole product, put in the place of the one with its item id.

    `price`, `sale_price` and `sale_price_effective_date` may be written as in a Google Merchant feed.
    """

    _google_spellings = model_validator(mode="before")(from_google)

    title: Line
    link: Link
    price_micros: Price
    currency: Currency
    image_link: Link | None = None
    availability: Availability = Availability.IN_STOCK
    sale_price_micros: Price | None = None
    sale_from: GivenTime | None = None
    sale_until: GivenTime | None = None
    description: Description | None = None
    brand: Line | None = None
    product_type: Line | None = None
    google_product_category: Line | None = None
    item_group_id: Line | None = None
    mpn: Line | None = None
    gtin: Gtin | None = None
    custom_labels: Labels = ()
    additional_image_links: Pictures = ()
    condition: Line | None = None
    language: Language = "en"

    def product(self, item_id: str) -> Product:
        return Product(key=0, advertiser_key=0, item_id=item_id, **_domain_fields(self.model_dump()))


class ProductChange(Change):
    """What changes of the product with `item_id`."""

    liftable: ClassVar[frozenset[str]] = frozenset(
        {
            "image_link",
            "sale_price_micros",
            "sale_from",
            "sale_until",
            "description",
            "brand",
            "product_type",
            "google_product_category",
            "item_group_id",
            "mpn",
            "gtin",
            "condition",
        }
    )

    _google_spellings = model_validator(mode="before")(from_google)

    item_id: ItemId
    title: Line | None = None
    link: Link | None = None
    price_micros: Price | None = None
    currency: Currency | None = None
    image_link: Link | None = None
    availability: Availability | None = None
    sale_price_micros: Price | None = None
    sale_from: GivenTime | None = None
    sale_until: GivenTime | None = None
    description: Description | None = None
    brand: Line | None = None
    product_type: Line | None = None
    google_product_category: Line | None = None
    item_group_id: Line | None = None
    mpn: Line | None = None
    gtin: Gtin | None = None
    custom_labels: Labels | None = None
    additional_image_links: Pictures | None = None
    condition: Line | None = None
    language: Language | None = None

    def edit(self, product: Product) -> Product:
        return replace(product, **_domain_fields(self.given()))


class ProductChanges(Strict):
    """Changes of many products, made all or none."""

    products: Annotated[list[ProductChange], Field(min_length=1, max_length=500)]

    def edits(self) -> list[tuple[str, Callable[[Product], Product]]]:
        return [(change.item_id, change.edit) for change in self.products]


class ProductAnswer(Strict):
    item_id: str
    title: str
    link: str
    price: str = Field(description="as in a Google Merchant feed: `15.00 EUR`")
    price_micros: int
    currency: str
    image_link: str | None
    availability: Availability
    sale_price: str | None
    sale_price_micros: int | None
    sale_from: ShownTime | None
    sale_until: ShownTime | None
    description: str | None
    brand: str | None
    product_type: str | None
    google_product_category: str | None
    item_group_id: str | None
    mpn: str | None
    gtin: str | None
    custom_labels: tuple[str, ...]
    additional_image_links: tuple[str, ...]
    condition: str | None
    language: str
    has_picture: bool = Field(description="whether our own thumbnail of `image_link` is ready")


class PricedProductAnswer(ProductAnswer):
    reference_price: ReferencePriceAnswer


def show_product(product: Product) -> ProductAnswer:
    sale = product.sale_price_micros
    return ProductAnswer(
        item_id=product.item_id,
        title=product.title,
        link=product.link,
        price=write_price(product.price_micros, product.currency),
        price_micros=product.price_micros,
        currency=product.currency,
        image_link=product.image_link,
        availability=product.availability,
        sale_price=None if sale is None else write_price(sale, product.currency),
        sale_price_micros=product.sale_price_micros,
        sale_from=product.sale_from_ms,
        sale_until=product.sale_until_ms,
        description=product.description,
        brand=product.brand,
        product_type=product.product_type,
        google_product_category=product.google_product_category,
        item_group_id=product.item_group_id,
        mpn=product.mpn,
        gtin=product.gtin,
        custom_labels=product.custom_labels,
        additional_image_links=product.additional_image_links,
        condition=product.condition,
        language=product.language,
        has_picture=product.picture is not None,
    )


def show_priced(product: Product, told: ReferencePrice) -> PricedProductAnswer:
    """The product, with what is struck through beside its price now."""
    price = show_reference_price(told, product.currency)
    return PricedProductAnswer(**dict(show_product(product)), reference_price=price)


class ProductsAnswer(Strict):
    products: list[ProductAnswer]


class ScheduleBody(Strict):
    every_minutes: int = Field(strict=True, ge=15, le=10_080)


class FeedDraft(Strict):
    """A feed that is fetched from `url`, as often as `schedule` says; without `url` it is uploaded."""

    url: Link | None = None
    format: FeedFormat = Field(
        default=FeedFormat.GOOGLE_XML,
        description="found by the content at each import, whatever is said here",
    )
    currency: Currency | None = Field(default=None, description="of prices in the feed that name none")
    link_template: LinkTemplate | None = Field(
        default=None,
        description="products' addresses, where the feed has none",
        examples=["https://shop.example/products/{handle}"],
    )
    schedule: ScheduleBody | None = None

    def feed(self, advertiser_key: int) -> Feed:
        return Feed(
            key=0,
            advertiser_key=advertiser_key,
            url=self.url,
            format=self.format,
            currency=self.currency,
            link_template=self.link_template,
            interval_minutes=None if self.schedule is None else self.schedule.every_minutes,
        )


class FeedChange(Change):
    """What is not named stays; a feed whose `schedule` is taken away is fetched no more."""

    liftable = frozenset({"url", "currency", "link_template", "schedule"})

    url: Link | None = None
    currency: Currency | None = None
    link_template: LinkTemplate | None = None
    schedule: ScheduleBody | None = None

    def edit(self, feed: Feed) -> Feed:
        given = self.given()
        if "schedule" in given:
            schedule = given.pop("schedule")
            given["interval_minutes"] = None if schedule is None else schedule.every_minutes
        return replace(feed, **given)


class RejectedAnswer(Strict):
    line: int
    item_id: str | None
    reason: str


class ImportAnswer(Strict):
    started_at: ShownTime
    finished_at: ShownTime
    products: int
    rejected_count: int
    rejected: list[RejectedAnswer]
    notes: dict[str, int] = Field(description="what was left out of products that were taken, by name")
    fatal: str | None = Field(description="why nothing was changed")
    import_id: str | None
    waits: bool = Field(description="for a yes: approve or reject the import")
    unchanged: bool = Field(description="the address said that nothing has changed, so nothing was read")


class FeedAnswer(Strict):
    id: str
    advertiser_id: str
    url: str | None
    format: FeedFormat
    currency: str | None
    link_template: str | None
    schedule: ScheduleBody | None
    last_import: ImportAnswer | None
    fresh_at: ShownTime | None = Field(description="when the catalogue was last what the feed says")
    next_fetch_at: ShownTime | None
    failures: int = Field(description="in a row; each doubles the wait for the next fetch, up to a day")
    next_fetch_why: str | None = Field(description="what the last import failed of, or waits for")
    created_at: ShownTime


def show_import(whole: ImportReport) -> ImportAnswer:
    report = shortened(whole)
    return ImportAnswer(
        started_at=report.started_at_ms,
        finished_at=report.finished_at_ms,
        products=report.products,
        rejected_count=report.rejected_count,
        rejected=[
            RejectedAnswer(line=row.line, item_id=row.item_id, reason=row.reason) for row in report.rejected
        ],
        notes=report.notes,
        fatal=report.fatal,
        import_id=write_id("imp", report.import_key) if report.import_key else None,
        waits=report.waits,
        unchanged=report.unchanged,
    )


def show_feed(feed: Feed) -> FeedAnswer:
    minutes = feed.interval_minutes
    return FeedAnswer(
        id=write_id("feed", feed.key),
        advertiser_id=write_id("adv", feed.advertiser_key),
        url=feed.url,
        format=feed.format,
        currency=feed.currency,
        link_template=feed.link_template,
        schedule=None if minutes is None else ScheduleBody.model_construct(every_minutes=minutes),
        last_import=None if feed.last_import is None else show_import(feed.last_import),
        fresh_at=feed.fetching.fresh_ms,
        next_fetch_at=next_fetch_ms(feed),
        failures=feed.fetching.failures,
        next_fetch_why=feed.fetching.why,
        created_at=feed.created_at_ms,
    )
