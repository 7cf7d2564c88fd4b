"""The catalogue: an advertiser's products, as their feed describes them."""

from enum import StrEnum

import msgspec

from adserver.domain.fetching import NEVER_FETCHED, Fetching
from adserver.domain.money import Micros
from creatives.card import Card


class Availability(StrEnum):
    IN_STOCK = "in_stock"
    OUT_OF_STOCK = "out_of_stock"
    PREORDER = "preorder"
    BACKORDER = "backorder"


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """One product; field names are Google Merchant's where it has one.

    `sale_price_micros` is what is asked while `sale_from_ms <= now < sale_until_ms` (open ends when None).
    `picture` is the content hash of our own thumbnail of `image_link`, None until it was fetched.
    """

    key: int
    advertiser_key: int
    item_id: str
    title: str
    link: str
    price_micros: Micros
    currency: str
    image_link: str | None = None
    availability: Availability = Availability.IN_STOCK
    sale_price_micros: Micros | None = None
    sale_from_ms: int | None = None
    sale_until_ms: int | None = None
    description: str | None = None
    brand: str | None = None
    product_type: str | None = None
    google_product_category: str | None = None
    item_group_id: str | None = None
    mpn: str | None = None
    condition: str | None = None
    gtin: str | None = None
    custom_labels: tuple[str, ...] = ()  # Google's custom_label_0 to 4; "" where one between is missing
    additional_image_links: tuple[str, ...] = ()  # tried in turn where `image_link` shows nothing
    picture: str | None = None
    language: str = "en"
    sensitive: bool = False  # of a category that nobody is reminded of; whoever reads it for ads says so
    reference_price_micros: Micros | None = (
        None  # struck through while its sale lasts; the catalogue's to say
    )

    @property
    def in_stock(self) -> bool:
        """Whether it can be bought now; a preorder or backorder can."""
        return self.availability is not Availability.OUT_OF_STOCK

    def is_on_sale(self, now_ms: int) -> bool:
        price = self.sale_price_micros
        if price is None or price >= self.price_micros:
            return False
        begun = self.sale_from_ms is None or self.sale_from_ms <= now_ms
        return begun and not (self.sale_until_ms is not None and self.sale_until_ms <= now_ms)

    def asked_micros(self, now_ms: int) -> Micros:
        """What a visitor is asked at a moment: the price, or that of its sale."""
        sale = self.sale_price_micros if self.is_on_sale(now_ms) else None
        return self.price_micros if sale is None else sale


def card_of(product: Product, now_ms: int) -> Card:
    """The product as it is drawn at `now_ms`; see price_history.py for what is struck through in a sale."""
    sale = product.sale_price_micros if product.is_on_sale(now_ms) else None
    return Card(
        product_key=product.key,
        title=product.title,
        price_micros=product.price_micros if sale is None else sale,
        currency=product.currency,
        reference_price_micros=None if sale is None else product.reference_price_micros,
        picture=product.picture,
        brand=product.brand,
        language=product.language,
    )


class CatalogueChanged(msgspec.Struct, frozen=True):
    """Told of an advertiser: some of its products are new, others now, or gone."""

    advertiser_key: int


class FeedFormat(StrEnum):
    """What a feed's content is found to be."""

    GOOGLE_XML = "google_xml"  # RSS 2.0 and Atom
    GOOGLE_CSV = "google_csv"  # and TSV; Meta's and Reddit's catalogues have the same columns
    META_LISTINGS = "meta_listings"  # Meta's XML for vehicles and the like
    PLAIN_XML = "plain_xml"  # <products><product> and Google's names, as made by hand
    SHOPIFY_CSV = "shopify_csv"
    WOOCOMMERCE_CSV = "woocommerce_csv"
    WOOCOMMERCE_XML = "woocommerce_xml"  # WordPress's own export (WXR)
    HEUREKA_XML = "heureka_xml"  # and its relatives of Zboží, Jyxo and others: <SHOP><SHOPITEM>
    YANDEX_YML = "yandex_yml"
    JSON_LINES = "json_lines"


class ImportReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one import of a feed; `fatal` says why nothing was changed."""

    started_at_ms: int
    finished_at_ms: int
    products: int
    rejected: tuple["RejectedRow", ...] = ()
    rejected_count: int = 0  # all of them; `rejected` keeps the first few hundred
    notes: dict[str, int] = {}  # what was left out of products that were taken, by name
    fatal: str | None = None
    waits: bool = False  # for a yes, as `fatal` says
    unchanged: bool = False  # the address said so, and nothing was read
    import_key: int = 0


class RejectedRow(msgspec.Struct, frozen=True):
    """A product that was left out, with the line of the feed it begins on."""

    line: int
    item_id: str | None
    reason: str


class Feed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Where an advertiser's products come from: an address that is fetched, or uploads."""

    key: int
    advertiser_key: int
    url: str | None = None
    format: FeedFormat = FeedFormat.GOOGLE_XML
    currency: str | None = None  # of prices in it that name none
    link_template: str | None = None  # products' addresses, where it has none
    interval_minutes: int | None = None
    created_at_ms: int = 0
    last_import: ImportReport | None = None
    fetching: Fetching = NEVER_FETCHED
