"""What the flows ask of storage and of the world outside: narrow interfaces, one per noun."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import IO, Protocol

import msgspec

from adserver.domain.budget import Bucket, BucketId
from adserver.domain.campaign import Advertiser, Campaign, Creative
from adserver.domain.catalogue import Feed, Product
from adserver.domain.money import ZERO, Micros
from adserver.domain.pricing import AdEvent, Terms
from adserver.domain.slot import Publisher, Site, Slot
from adserver.domain.snapshot import Rates
from adserver.domain.visitor import Preference, Profile
from creatives.card import Card, Look
from creatives.formats import Format
from creatives.pictures import PictureRejection, Thumbnail
from pixel.events import Event, EventName

# ---- what may be written -------------------------------------------------------------------------


class Scope(StrEnum):
    """What an API key may do; an account's key sees that account only."""

    OPERATOR = "operator"
    ADVERTISER = "advertiser"
    PUBLISHER = "publisher"


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An API key as it is kept: the SHA-256 of its text, never the text."""

    key: int
    digest: str
    scope: Scope
    owner_key: int | None = None  # the advertiser or publisher; None for the operator
    name: str = ""
    created_at_ms: int = 0
    revoked_at_ms: int | None = None


Entity = Advertiser | Campaign | Creative | Publisher | Site | Slot | Feed | ApiKey


class StoreEvent(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A pixel event: kept, folded into its visitor's profile, and an order or lead made of it.

    `first` says that the visitor's cookie was minted by this very request: a profile is made only when
    it comes back. `visitor_key` 0: consent for no more than a count. `conversion_key` is 0 where the event
    is no order, lead, sign-up or form; `trusted` when the merchant trusts its pixel for billing.
    """

    event_key: int  # minted on arrival, so that a batch sent twice is stored once
    advertiser_key: int
    visitor_key: int
    first: bool
    event: Event
    at_ms: int
    conversion_key: int = 0
    has_reference: bool = True
    trusted: bool = False


class AdRecord(msgspec.Struct, frozen=True, array_like=True):
    """One impression, view or click of a served ad, with what it costs.

    `day` is the advertiser's local day of arrival. `publisher_micros` is the publisher's share of
    `amount_micros`. `not_billed` names why a billable event costs nothing (suspect, test), else empty.
    """

    event: AdEvent
    impression_id: int
    campaign_key: int
    campaign_version: int
    advertiser_key: int
    publisher_key: int
    slot_key: int
    creative_key: int
    product_key: int
    visitor_key: int
    at_ms: int
    day: int
    currency: str
    amount_micros: Micros = ZERO
    publisher_micros: Micros = ZERO
    not_billed: str = ""


class RecordAd(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Ad events of one impression, in order; the outcome is the last one's."""

    records: tuple[AdRecord, ...]


class RecordDecision(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """That an ad was served. `image_key` ties an image slot's picture to its link, 0 for documents."""

    impression_id: int
    at_ms: int
    slot_key: int
    campaign_key: int
    creative_key: int
    visitor_key: int
    product_keys: tuple[int, ...]
    image_key: int = 0
    token: str = ""


class Conversion(msgspec.Struct, frozen=True, array_like=True):
    """An order or lead as it arrived; `conversion_key` comes from its merchant, event and order id."""

    conversion_key: int
    advertiser_key: int
    event: EventName
    by_server: bool
    trusted: bool
    visitor_key: int
    click_id: str | None
    value_micros: Micros | None
    currency: str | None
    arrived_at_ms: int
    occurred_at_ms: int
    has_reference: bool = True  # False: a lead without an id


class CreditConversion(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """What attribution found for a conversion: a touch to bill or reserve, or none and why.

    With a server's conversion, `arrival` holds the conversion itself, stored in the same transaction.
    `reserve` keeps the amount pending instead of billing it.
    """

    conversion_key: int
    by_server: bool
    record: AdRecord | None
    touch_impression_id: int = 0
    reserve: bool = False
    reason: str = ""
    arrival: Conversion | None = None


class SaveEntity(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Insert an entity (`expected_version` 0) or replace it; of a campaign or advertiser, its caps too.

    `today` is the owner's local day, whose bucket takes the new daily cap at once.
    """

    entity: Entity
    is_new: bool
    today: int = 0


class SaveProducts(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Insert or replace products; the keys tell which feed's which import saw them last.

    Both are 0 from the API, which leaves a feed's product with its feed.
    """

    advertiser_key: int
    products: tuple[Product, ...]
    feed_key: int = 0
    import_key: int = 0


class RemoveProductsNotIn(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """End of an import: what it did not see of its feed leaves the catalogue.

    Products of other feeds, and those that only the API put, stay.
    """

    feed_key: int
    import_key: int


class SetPicture(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A product's picture was fetched: its thumbnail's hash, for as long as `image_link` is the same."""

    advertiser_key: int
    product_key: int
    image_link: str
    picture: str


class Receipt(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The answer to an Idempotency-Key, stored in the transaction of its effect."""

    owner: str  # digest of the API key it was used with
    idempotency_key: str
    request_digest: str
    status: int
    body: bytes
    at_ms: int


class ForgetVisitor(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Erase everything that holds the visitor; amounts stay in the ledger, without the visitor.

    What is kept is the receipt, and a digest of the visitor, so that a beacon or page that was under way
    does not bring them back.
    """

    visitor_key: int
    receipt_key: int
    at_ms: int


class TellPreference(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A visitor's wish about an ad: not this product, I bought it, not this shop."""

    visitor_key: int
    advertiser_key: int
    preference: Preference
    product_key: int
    at_ms: int


class AddCounts(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Add to hourly counters: (hour start in ms, name, owner key, how many)."""

    counts: tuple[tuple[int, str, int, int], ...]


class TakeLease(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Ask for a job's lease until a time; TAKEN by others answers CONFLICT."""

    name: str
    holder: str
    now_ms: int
    until_ms: int


class Together(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Several management writes, all or none; the outcome is the first refusal, or SAVED."""

    writes: "tuple[SaveEntity | SaveProducts | Receipt, ...]"


Write = (
    StoreEvent
    | RecordAd
    | RecordDecision
    | CreditConversion
    | SaveEntity
    | SaveProducts
    | RemoveProductsNotIn
    | SetPicture
    | Receipt
    | ForgetVisitor
    | TellPreference
    | AddCounts
    | TakeLease
    | Together
)


class Result(StrEnum):
    """What became of a write."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    TAKEN = "taken"
    REPEATED = "repeated"
    CAP_REACHED = "cap_reached"
    NOT_BILLABLE = "not_billable"
    PENDING = "pending"
    UNATTRIBUTED = "unattributed"
    SAVED = "saved"
    CONFLICT = "conflict"  # someone else changed it, or holds it
    BELOW_SPENT = "below_spent"  # `figure` is what is spent and pending
    RECEIPT_EXISTS = "receipt_exists"
    UNRECORDED = "unrecorded"  # nothing could be made durable: disk full, or the writer is away


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    result: Result
    figure: int = 0


class Deferred:
    """An outcome that will be there once its batch is committed."""

    __slots__ = ("_callbacks", "_event", "_outcome")

    def __init__(self) -> None:
        self._outcome: Outcome | None = None
        self._callbacks: list[Callable[[Outcome], None]] = []
        self._event: threading.Event | None = None

    def resolve(self, outcome: Outcome) -> None:
        """Called once, by whoever delivers the batch's outcomes."""
        self._outcome = outcome
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(outcome)

    def then(self, callback: Callable[[Outcome], None]) -> None:
        """Call back with the outcome: now if it is known, else where the batch is delivered."""
        if self._outcome is not None:
            callback(self._outcome)
        else:
            self._callbacks.append(callback)


def resolve_all(deferred: Iterable[tuple[Deferred, Outcome]]) -> None:
    """Deliver a batch's outcomes, on the thread that waits for them."""
    for waiter, outcome in deferred:
        waiter.resolve(outcome)


class Writer(Protocol):
    """The one way to change anything; see storage/writer.py."""

    @property
    def sequence(self) -> int:
        """The newest committed change of entities and balances that this process has heard of."""
        ...

    @property
    def records(self) -> bool:
        """Whether writes become durable: False while the disk is full or the writer is away."""
        ...

    def submit(self, write: Write) -> Deferred:
        """Queue a write from the event loop; resolved on the loop after its batch is durable."""
        ...

    def commit(self, write: Write) -> Outcome:
        """Write from a job or request thread and wait until it is durable."""
        ...


# ---- what may be read ----------------------------------------------------------------------------


class Accounts(Protocol):
    def advertiser(self, key: int) -> Advertiser | None: ...
    def advertisers(self, after: int, limit: int) -> list[Advertiser]: ...
    def publisher(self, key: int) -> Publisher | None: ...
    def publishers(self, after: int, limit: int) -> list[Publisher]: ...


class Campaigns(Protocol):
    def campaign(self, key: int) -> Campaign | None: ...
    def campaigns(self, advertiser_key: int | None, after: int, limit: int) -> list[Campaign]: ...
    def terms(self, key: int, version: int) -> Terms | None: ...
    def creative(self, key: int) -> Creative | None: ...
    def creatives(self, campaign_key: int, after: int, limit: int) -> list[Creative]: ...


class Inventory(Protocol):
    def site(self, key: int) -> Site | None: ...
    def sites(self, publisher_key: int | None, after: int, limit: int) -> list[Site]: ...
    def slot(self, key: int) -> Slot | None: ...
    def slots(self, site_key: int | None, after: int, limit: int) -> list[Slot]: ...


class Keys(Protocol):
    def find(self, digest: str) -> ApiKey | None: ...
    def keys(self, after: int, limit: int) -> list[ApiKey]: ...
    def receipt(self, owner: str, idempotency_key: str) -> Receipt | None: ...


class Catalogue(Protocol):
    def products(self, keys: Iterable[int]) -> Mapping[int, Product]: ...
    def page(self, advertiser_key: int, after: int, limit: int) -> list[Product]: ...
    def count(self, advertiser_key: int) -> int: ...
    def count_of_feed(self, feed_key: int) -> int: ...
    def without_picture(self, advertiser_key: int, limit: int) -> list[Product]: ...


class Feeds(Protocol):
    def feed(self, key: int) -> Feed | None: ...
    def feeds(self, advertiser_key: int | None, after: int, limit: int) -> list[Feed]: ...


class Profiles(Protocol):
    def profile(self, visitor_key: int) -> Profile | None: ...
    def export(self, visitor_key: int) -> dict[str, list[dict[str, object]]]: ...


class Ledger(Protocol):
    def buckets(self, ids: Sequence[BucketId]) -> list[Bucket]: ...
    def unbilled_at_cap(self, campaign_key: int) -> int: ...
    def new_conversions(self, limit: int) -> list[Conversion]: ...
    def lead_credited(
        self, advertiser_key: int, event: EventName, visitor_key: int, since_ms: int
    ) -> bool: ...
    def image_token(self, image_key: int) -> str | None: ...


class Stats(Protocol):
    def counts(self, owner_key: int | None, since_ms: int) -> dict[str, int]: ...
    def rates(self) -> dict[int, Rates]: ...
    def hourly(self, owner_keys: Sequence[int], name: str, since_ms: int) -> list[tuple[int, int, int]]: ...
    def hourly_sum(self, owner_keys: Sequence[int], name: str, since_ms: int) -> dict[int, int]: ...


class Changes(Protocol):
    """What became of the entities that a worker's snapshot holds."""

    def everything(self) -> tuple[int, list[Entity]]: ...
    def since(self, sequence: int) -> tuple[int, list[Entity]]: ...
    def buckets_since(self, sequence: int) -> tuple[int, list[tuple[BucketId, Bucket]]]: ...


class Media(Protocol):
    """Our own pictures by content hash."""

    def put(self, thumbnail: Thumbnail) -> None: ...
    def get(self, name: str) -> bytes | None: ...


class Stores(Protocol):
    """The ports of one database, as main hands them to the flows."""

    @property
    def writer(self) -> Writer: ...
    @property
    def accounts(self) -> Accounts: ...
    @property
    def campaigns(self) -> Campaigns: ...
    @property
    def inventory(self) -> Inventory: ...
    @property
    def keys(self) -> Keys: ...
    @property
    def catalogue(self) -> Catalogue: ...
    @property
    def feeds(self) -> Feeds: ...
    @property
    def profiles(self) -> Profiles: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def stats(self) -> Stats: ...
    @property
    def changes(self) -> Changes: ...
    @property
    def media(self) -> Media: ...


# ---- the world outside ---------------------------------------------------------------------------


class FetchRefused(Exception):
    """A fetch that was not made or not finished; the message names why and reveals no port's state."""


class Fetcher(Protocol):
    def fetch(self, url: str, most_bytes: int) -> bytes:
        """The body at `url`, or FetchRefused."""
        ...

    def download(self, url: str, most_bytes: int, into: IO[bytes]) -> int:
        """Write the body at `url` into a file, for what is too large for memory; how many bytes it was."""
        ...


class FrameNotDrawn(Exception):
    """A frame could not be drawn; show the house picture instead."""


class Pictures(Protocol):
    """Pictures decoded and drawn apart from us; blocks, so call it from a thread."""

    def thumbnail(self, data: bytes) -> Thumbnail | PictureRejection: ...
    def frame(self, card: Card, look: Look, format_: Format, picture: bytes | None) -> bytes: ...
    def message_frame(self, look: Look, format_: Format, picture: bytes | None) -> bytes: ...


class Refreshed(Protocol):
    """Brings a worker's snapshot up to date before it is read; see flows/refresh.py."""

    def __call__(self, *, missing: bool = False) -> None: ...


Clock = Callable[[], int]  # milliseconds since the epoch, UTC
