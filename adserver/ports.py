"""What the flows ask of storage and of the world outside: narrow interfaces, one per noun."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import IO, Protocol

from adserver.domain.approval import Reviewed
from adserver.domain.arrival import Arrived, Grouped, Grouping
from adserver.domain.attribution import PendingConversion
from adserver.domain.audience import Audience
from adserver.domain.budget import Bucket, BucketId
from adserver.domain.caller import Place
from adserver.domain.campaign import Advertiser, Campaign, Creative
from adserver.domain.catalogue import CatalogueChanged, Feed, Product
from adserver.domain.consent_record import ConsentRecord
from adserver.domain.fetching import NOT_KNOWN, Download, Validators
from adserver.domain.in_flight import Expected
from adserver.domain.money import Micros
from adserver.domain.notice import Notice
from adserver.domain.payment import Payment, Refund
from adserver.domain.pixel_sample import Sample
from adserver.domain.pricing import Terms
from adserver.domain.proof import DailyHead, Standing
from adserver.domain.shop_hook import ShopHook
from adserver.domain.slot import Publisher, Site, Slot
from adserver.domain.snapshot import Rates
from adserver.domain.statement import CampaignSums, Line, Month, Origin, SlotSums, Tally, Unbilled
from adserver.domain.visitor import Profile
from adserver.importing import ImportFiles, Imports
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

    @property
    def waiting(self) -> int:
        """How many writes of all processes wait for the disk, as far as this one has heard."""
        ...

    def in_flight(self, campaign_key: int) -> Expected | None:
        """What all workers' ads under way will probably cost a campaign, as far as this process has heard."""
        ...

    def under_way(self, campaign_keys: Sequence[int]) -> Mapping[int, Expected]:
        """The same of many campaigns at once; nothing is said of those of which there is nothing."""
        ...

    def most_under_way(self, campaign_keys: Sequence[int]) -> Mapping[int, Expected]:
        """No less than that, for less: enough where there is money for it all the same."""
        ...

    def submit(self, write: Write) -> Deferred:
        """Queue a write from the event loop; resolved on the loop after its batch is durable."""
        ...

    def commit(self, write: Write) -> Outcome:
        """Write from a job or request thread and wait until it is durable."""
        ...

    def commit_many(self, writes: Sequence[Write]) -> list[Outcome]:
        """The same for many writes, each on its own, in a few batches."""
        ...


# ---- what may be read ----------------------------------------------------------------------------


class Accounts(Protocol):
    def advertiser(self, key: int) -> Advertiser | None: ...
    def advertisers(self, after: int, limit: int) -> list[Advertiser]: ...
    def publisher(self, key: int) -> Publisher | None: ...
    def publishers(self, after: int, limit: int) -> list[Publisher]: ...
    def shop_hook(self, key: int) -> ShopHook | None: ...


class Campaigns(Protocol):
    def campaign(self, key: int) -> Campaign | None: ...
    def campaigns(self, advertiser_key: int | None, after: int, limit: int) -> list[Campaign]: ...
    def terms(self, key: int, version: int) -> Terms | None: ...
    def creative(self, key: int) -> Creative | None: ...
    def creatives(self, campaign_key: int, after: int, limit: int) -> list[Creative]: ...
    def reviewed(self, of: Reviewed, after: int, limit: int) -> list[Creative]: ...


class Audiences(Protocol):
    def audience(self, key: int) -> Audience | None: ...
    def audiences(self, advertiser_key: int | None, after: int, limit: int) -> list[Audience]: ...


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
    def holds(self, visitor_key: int, advertiser_key: int | None = None) -> bool: ...
    def export(self, visitor_key: int) -> dict[str, list[dict[str, object]]]: ...


class Consents(Protocol):
    """What profiles stand on or stood on, for whoever knows the visitor's id."""

    def given(self, visitor_key: int, advertiser_key: int) -> list[ConsentRecord]: ...


class Ledger(Protocol):
    def buckets(self, ids: Sequence[BucketId]) -> list[Bucket]: ...
    def unbilled_at_cap(self, campaign_key: int) -> int: ...
    def image_token(self, image_key: int) -> str | None: ...


class Payments(Protocol):
    """Money that went back or came in: refunds of charges, deposits of advertisers."""

    def refund(self, charge_id: int, refund_id: str) -> Refund | None: ...
    def refunds(self, advertiser_key: int, after: tuple[int, int], limit: int) -> list[Refund]: ...
    def refunds_of_campaign(self, campaign_key: int, after: int, limit: int) -> list[Refund]: ...
    def deposit(self, advertiser_key: int, reference: str) -> Payment | None: ...
    def deposits(self, advertiser_key: int, after: int, limit: int) -> list[Payment]: ...
    def deposited(self, advertiser_keys: Sequence[int]) -> dict[int, Micros]: ...


class Conversions(Protocol):
    """Orders and leads as attribution reads them."""

    def new(self, limit: int) -> list[Conversion]: ...
    def new_of(self, visitor_key: int) -> list[Conversion]: ...
    def visitor_of(self, conversion_key: int) -> int: ...


class Pending(Protocol):
    """Conversions that wait for the advertiser's word."""

    def reported(self, conversion_key: int) -> PendingConversion | None: ...
    def conversions(
        self, advertiser_key: int, until_ms: int, after: int, limit: int
    ) -> list[PendingConversion]: ...


class Notices(Protocol):
    """What advertisers' own servers are to be told."""

    def due(self, now_ms: int, limit: int) -> list[Notice]: ...
    def recent(self, advertiser_key: int, limit: int) -> list[Notice]: ...


class Proofs(Protocol):
    """The chain of a campaign or an account, and the signed heads of its days (yyyymmdd)."""

    def standing(self, owner_key: int) -> Standing: ...
    def newest_heads(self, owner_key: int, limit: int) -> list[DailyHead]: ...
    def heads_between(self, owner_key: int, since: int, until: int, limit: int) -> list[DailyHead]: ...
    def entries(self, owner_key: int, after: int, until: int) -> list[bytes]: ...


class Seals(Protocol):
    """Days that are to be sealed, and seals that are to be signed."""

    def due(self, day: int, ended_ms: int, after: int, limit: int) -> list[int]: ...
    def unsigned(self, limit: int) -> list[tuple[int, int]]: ...
    def heads(self, advertiser_key: int, day: int) -> list[DailyHead]: ...


class Statements(Protocol):
    """A month of an advertiser's ledger."""

    def sums(self, advertiser_key: int, month: Month) -> list[CampaignSums]: ...
    def unbilled(self, advertiser_key: int, month: Month) -> dict[int, Tally]: ...
    def deposits(self, advertiser_key: int, month: Month) -> list[Payment]: ...
    def balance(self, advertiser_key: int, month: Month) -> Micros: ...
    def lines(self, campaign_key: int, month: Month, after: int, limit: int) -> list[Line]: ...


class Payouts(Protocol):
    """A month of a publisher's ledger."""

    def sums(self, publisher_key: int, month: Month) -> list[SlotSums]: ...
    def unbilled(self, publisher_key: int, month: Month) -> list[Unbilled]: ...
    def first_refund_ms(self, publisher_key: int) -> int | None: ...
    def lines(
        self, publisher_key: int, month: Month, after: tuple[int, bool, int, str], limit: int
    ) -> list[Line]: ...


class Origins(Protocol):
    def origins(self, charge_ids: Sequence[int]) -> dict[int, Origin]: ...


class Stats(Protocol):
    def counts(self, owner_key: int | None, since_ms: int) -> dict[str, int]: ...
    def named(self, owner_key: int, names: Sequence[str], since_ms: int, until_ms: int) -> dict[str, int]: ...
    def rates(self, since_ms: int) -> dict[int, Rates]: ...
    def hourly(
        self, owner_keys: Sequence[int], names: Sequence[str], since_ms: int
    ) -> list[tuple[int, int, int]]: ...
    def hourly_sum(self, owner_keys: Sequence[int], name: str, since_ms: int) -> dict[int, int]: ...


class Vitals(Protocol):
    """How a running server is, as its files tell."""

    def leased_until_ms(self) -> dict[str, int]: ...
    def sizes(self) -> dict[str, int]: ...


class Arrivals(Protocol):
    """What became of the clicks of an advertiser's ads in the UTC days that begin within [since, until)."""

    def total(self, advertiser_key: int, since_ms: int, until_ms: int) -> Arrived: ...
    def groups(
        self, advertiser_key: int, since_ms: int, until_ms: int, by: Grouping, limit: int
    ) -> list[Grouped]: ...


class Pixel(Protocol):
    """What an advertiser's pages have told of late."""

    def hours(self, advertiser_key: int, since_ms: int) -> list[tuple[str, int, int]]: ...
    def samples(self, advertiser_key: int, since_ms: int) -> list[Sample]: ...


class Changes(Protocol):
    """What became of the entities that a worker's snapshot holds."""

    def everything(self) -> tuple[int, list[Entity]]: ...
    def since(self, sequence: int) -> tuple[int, list[Entity | CatalogueChanged]]: ...
    def buckets_since(
        self, sequence: int, since_day: int = ...
    ) -> tuple[int, list[tuple[BucketId, Bucket]]]: ...


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
    def audiences(self) -> Audiences: ...
    @property
    def inventory(self) -> Inventory: ...
    @property
    def keys(self) -> Keys: ...
    @property
    def catalogue(self) -> Catalogue: ...
    @property
    def feeds(self) -> Feeds: ...
    @property
    def imports(self) -> Imports: ...
    @property
    def import_files(self) -> ImportFiles: ...
    @property
    def profiles(self) -> Profiles: ...
    @property
    def consents(self) -> Consents: ...
    @property
    def ledger(self) -> Ledger: ...
    @property
    def conversions(self) -> Conversions: ...
    @property
    def payments(self) -> Payments: ...
    @property
    def pending(self) -> Pending: ...
    @property
    def notices(self) -> Notices: ...
    @property
    def proofs(self) -> Proofs: ...
    @property
    def seals(self) -> Seals: ...
    @property
    def statements(self) -> Statements: ...
    @property
    def payouts(self) -> Payouts: ...
    @property
    def origins(self) -> Origins: ...
    @property
    def stats(self) -> Stats: ...
    @property
    def vitals(self) -> Vitals: ...
    @property
    def arrivals(self) -> Arrivals: ...
    @property
    def pixel(self) -> Pixel: ...
    @property
    def changes(self) -> Changes: ...
    @property
    def media(self) -> Media: ...


# ---- the world outside ---------------------------------------------------------------------------


class Geo(Protocol):
    def place(self, address: str) -> Place | None:
        """Where an address is; None where that is not known."""
        ...


Heard = Callable[[int, int | None], None]  # bytes so far, and of how many, where the answer says it


class FetchRefused(Exception):
    """A fetch that was not made or not finished; the message names why and reveals no port's state."""


class Fetcher(Protocol):
    def fetch(self, url: str, most_bytes: int) -> bytes:
        """The body at `url`, or FetchRefused."""
        ...

    def download(
        self,
        url: str,
        most_bytes: int,
        into: IO[bytes],
        known: Validators = NOT_KNOWN,
        heard: Heard | None = None,
    ) -> Download:
        """Write the body at `url` into a file, for what is too large for memory.

        `known` asks for it only where it is another version. `heard` is told while it comes.
        """
        ...

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Send a body to `url`; the status that came back, or FetchRefused where none did."""
        ...


class Signer(Protocol):
    """The server's signature under what it may never deny; anyone checks it with the public key."""

    @property
    def public_key(self) -> bytes: ...
    def sign(self, message: bytes) -> bytes: ...


class FrameNotDrawn(Exception):
    """A frame could not be drawn; show the house picture instead."""


class Frames(Protocol):
    """Drawn frames of image slots that outlive the process; whatever was let go is drawn again."""

    def get(self, name: str) -> bytes | None: ...
    def put(self, name: str, frame: bytes) -> None: ...


class Pictures(Protocol):
    """Pictures decoded and drawn apart from us; blocks, so call it from a thread."""

    def thumbnail(self, data: bytes) -> Thumbnail | PictureRejection: ...
    def frame(self, card: Card, look: Look, format_: Format, picture: bytes | None) -> bytes: ...
    def message_frame(self, look: Look, format_: Format, picture: bytes | None) -> bytes: ...
    def uncovered(self, texts: tuple[str, ...]) -> list[str]: ...


class Refreshed(Protocol):
    """Brings a worker's snapshot up to date before it is read; see flows/refresh.py."""

    def __call__(self, *, missing: bool = False) -> None: ...


Clock = Callable[[], int]  # milliseconds since the epoch, UTC
