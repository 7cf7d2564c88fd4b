"""What the flows ask of storage and of the world outside: narrow interfaces, one per noun."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, Protocol

from adserver.domain.attribution import PendingConversion
from adserver.domain.budget import Bucket, BucketId
from adserver.domain.campaign import Advertiser, Campaign, Creative
from adserver.domain.catalogue import Feed, Product
from adserver.domain.pricing import Terms
from adserver.domain.slot import Publisher, Site, Slot
from adserver.domain.snapshot import Rates
from adserver.domain.visitor import Profile
from adserver.writes import (
    ApiKey,
    Conversion,
    Entity,
    Outcome,
    Receipt,
    Write,
)
from creatives.card import Card, Look
from creatives.formats import Format
from creatives.pictures import PictureRejection, Thumbnail
from pixel.events import EventName


class Deferred:
    """An outcome that will be there once its batch is committed."""

    __slots__ = ("_callbacks", "_outcome")

    def __init__(self) -> None:
        self._outcome: Outcome | None = None
        self._callbacks: list[Callable[[Outcome], None]] = []

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


class Pending(Protocol):
    """Conversions that wait for the advertiser's word."""

    def reported(self, conversion_key: int) -> PendingConversion | None: ...
    def conversions(
        self, advertiser_key: int, until_ms: int, after: int, limit: int
    ) -> list[PendingConversion]: ...


class Stats(Protocol):
    def counts(self, owner_key: int | None, since_ms: int) -> dict[str, int]: ...
    def rates(self, since_ms: int) -> dict[int, Rates]: ...
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
    def pending(self) -> Pending: ...
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
