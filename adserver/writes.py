"""What may be written: every change of storage as plain data, and what became of it."""

from enum import StrEnum

import msgspec

from adserver.catalogue_writes import PictureWrite, RemoveProductsNotIn, SaveProducts, SetPicture
from adserver.domain.audience import Audience
from adserver.domain.campaign import Advertiser, Campaign, Creative
from adserver.domain.catalogue import Feed
from adserver.domain.consent_record import Ended
from adserver.domain.imports import Import
from adserver.domain.money import ZERO, Micros
from adserver.domain.offer import AddCodes, HandCode, OfferPool, RedeemCode
from adserver.domain.pixel_sample import Sample
from adserver.domain.pricing import AdEvent
from adserver.domain.product_set import ProductSet
from adserver.domain.shop_hook import ShopHook
from adserver.domain.slot import Publisher, Site, Slot
from adserver.domain.visitor import Preference
from pixel.consent_proof import ConsentProof
from pixel.events import Event, EventName


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


Entity = (
    Advertiser
    | Audience
    | Campaign
    | Creative
    | OfferPool
    | ProductSet
    | Publisher
    | Site
    | Slot
    | Feed
    | Import
    | ApiKey
    | ShopHook
)


class StoreEvent(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A pixel event: kept, folded into its visitor's profile, and an order or lead made of it.

    `first` says that the visitor's cookie was minted by this very request: a profile is made only when
    it comes back. `visitor_key` 0: consent for no more than a count. `conversion_key` is 0 where the event
    is no order, lead, sign-up or form; `trusted` when the merchant trusts its pixel for billing. `proof` is
    what the yes to a profile stands on.
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
    proof: ConsentProof | None = None


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
    audience_key: int = 0  # whose rate it is charged at; 0 for the campaign's own


class RecordAd(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Ad events of one impression, in order; the outcome is the last one's."""

    records: tuple[AdRecord, ...]


class RecordArrival(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """What followed a click: that its page was there, or anything later, which may say that somebody stayed.

    `clicked_ms` is when the click was, and `loading_ms` how long its page took, as the browser tells it.
    """

    impression_id: int
    advertiser_key: int
    event: EventName
    clicked_ms: int
    at_ms: int
    loading_ms: int | None = None


class RecordDecision(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """That an ad was served. `image_key` ties an image slot's picture to its link, 0 for documents.

    `price_micros` is what its billed event would take from a budget, 0 where none has a cap, and `chance`
    how likely that event is as far as the worker knows.
    """

    impression_id: int
    at_ms: int
    slot_key: int
    campaign_key: int
    creative_key: int
    visitor_key: int
    product_keys: tuple[int, ...]
    image_key: int = 0
    token: str = ""
    price_micros: Micros = ZERO
    chance: float = 0.0


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
    product_keys: tuple[int, ...] = ()  # what was ordered


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


class SettleConversion(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The word on an order that a browser reported: approved, it is billed; declined, its reserve is free."""

    conversion_key: int
    approve: bool
    reason: str
    at_ms: int


class CancelConversion(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """An order or lead was taken back: declined while it waits, refunded where it was billed.

    `returned_micros` None: all of it, otherwise goods of this value in `currency`. One that was not told or
    credited yet is noted: NOT_CHARGED, and what comes of it later costs that much less. The same `refund_id`
    again is answered the same. A charge made before `since_ms` is refunded no more.
    """

    conversion_key: int
    advertiser_key: int
    refund_id: str
    returned_micros: Micros | None
    currency: str | None
    reason: str
    at_ms: int
    since_ms: int


class RefundCharge(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Give a charge back, in whole (`amount_micros` None: what is left of it) or in part.

    `refund_id` is the caller's name for it: the same once more is the same refund. Of `advertiser_key`
    only; 0 for any. A charge made before `since_ms` is refunded no more.
    """

    charge_id: int
    refund_id: str
    amount_micros: Micros | None
    reason: str
    at_ms: int
    advertiser_key: int = 0
    since_ms: int = 0


class Deposit(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Money an advertiser paid in, or got back where it is negative; once for each `reference`."""

    deposit_key: int
    advertiser_key: int
    currency: str
    amount_micros: Micros
    reference: str
    at_ms: int


class SealDay(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Fix the heads of an account's chains at the end of a UTC day (yyyymmdd): its campaigns' and its own."""

    advertiser_key: int
    day: int
    at_ms: int


class SignHeads(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Signatures of sealed heads: (owner, day, signature)."""

    signatures: tuple[tuple[int, int, bytes], ...]


class SettleNotice(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """What became of an attempt to deliver a notice; `due_ms` None: there will be no other."""

    notice_key: int
    attempts: int
    due_ms: int | None
    status: str


class SaveEntity(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Insert an entity (`is_new`) or put its next version; of a campaign or advertiser, its caps too.

    `today` is the owner's local day, whose bucket takes the new daily cap at once; `at_ms` is when.
    """

    entity: Entity
    is_new: bool
    today: int = 0
    at_ms: int = 0


class TellAdvertiser(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Leave a notice for an advertiser's own server; the same `notice_key` once more is no news."""

    notice_key: int
    advertiser_key: int
    kind: str
    body: bytes
    at_ms: int


class Receipt(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The answer to an Idempotency-Key, stored in the transaction of its effect.

    With status 0 the answer is made again from `body`: an Outcome and its context, see WithReceipt.
    """

    owner: str  # digest of the API key it was used with
    idempotency_key: str
    request_digest: str
    status: int
    body: bytes
    at_ms: int


class Answered(msgspec.Struct, frozen=True, array_like=True):
    """What a receipt of status 0 holds: the outcome, and what else its answer is made of."""

    outcome: "Outcome"
    context: bytes


class WithReceipt(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A write that moves money, and the receipt of its outcome, in one transaction.

    The writer fills the receipt's body: `Answered(outcome, receipt.body)`. Where the receipt is there
    already, nothing is done, and the outcome is RECEIPT_EXISTS.
    """

    write: "CreditConversion | CancelConversion | RefundCharge | Deposit"
    receipt: Receipt


class PurgeReceipts(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Let go of at most so many receipts that are older; the outcome's figure is how many they were."""

    before_ms: int
    most: int


class Aged(StrEnum):
    """What leaves by its age; of the ad's rows and the conversions only the visitor leaves."""

    EVENTS = "events"
    PROFILES = "profiles"
    AD_EVENTS = "ad_events"
    DECISIONS = "decisions"
    CONVERSIONS = "conversions"
    NOTICES = "notices"
    REFUSED_CHARGES = "refused_charges"
    COUNTS = "counts"
    ARRIVALS = "arrivals"
    PIXEL_SAMPLES = "pixel_samples"
    ERASURES = "erasures"
    CONSENTS = "consents"
    OFFER_CODES = "offer_codes"


class PurgeAged(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Let go of at most so many rows whose time came by `before_ms`; the figure is how many they were.

    Events and profiles carry their own due time, for which `before_ms` is now; the others are that old.
    """

    what: Aged
    before_ms: int
    most: int


class ForgetVisitor(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Erase everything that holds the visitor; amounts stay in the ledger, without the visitor.

    What is kept is the receipt (0 where nobody is handed one), and a digest of the visitor, so that a beacon
    or page that was under way does not bring them back. `if_credited`: UNCREDITED, and nothing is erased,
    while an order or lead of theirs waits for attribution, which asks what they saw and clicked.
    """

    visitor_key: int
    receipt_key: int
    at_ms: int
    because: Ended = Ended.FORGOTTEN
    if_credited: bool = False


class Withdraw(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Erase what one advertiser has of the visitor, who said no on its pages; others keep theirs.

    FORGOTTEN where nothing is left of the visitor, so that the id itself is erased as in ForgetVisitor;
    `if_credited` as there.
    """

    visitor_key: int
    advertiser_key: int
    at_ms: int
    if_credited: bool = False


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


class KeepSamples(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Keep what a worker noted of items that pages named."""

    samples: tuple[Sample, ...]


class TakeLease(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Ask for a job's lease until a time; TAKEN by others answers CONFLICT."""

    name: str
    holder: str
    now_ms: int
    until_ms: int


class Together(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Several management writes, all or none; the outcome is the first refusal, or SAVED."""

    writes: "tuple[SaveEntity | SaveProducts | Receipt | TellAdvertiser, ...]"


Write = (
    StoreEvent
    | RecordAd
    | RecordArrival
    | RecordDecision
    | CreditConversion
    | SettleConversion
    | CancelConversion
    | RefundCharge
    | Deposit
    | WithReceipt
    | SealDay
    | SignHeads
    | SettleNotice
    | PurgeReceipts
    | PurgeAged
    | SaveEntity
    | SaveProducts
    | RemoveProductsNotIn
    | TellAdvertiser
    | SetPicture
    | PictureWrite
    | Receipt
    | ForgetVisitor
    | Withdraw
    | TellPreference
    | AddCounts
    | KeepSamples
    | TakeLease
    | Together
    | AddCodes
    | HandCode
    | RedeemCode
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
    DECLINED = "declined"
    UNATTRIBUTED = "unattributed"
    REFUNDED = "refunded"
    OVER_REFUNDED = "over_refunded"  # `figure` is what may still be refunded
    NOT_CHARGED = "not_charged"
    REFUND_DIFFERS = "refund_differs"  # the refund's id stands for another amount or reason
    REFUND_TOO_LATE = "refund_too_late"
    OTHER_CURRENCY = "other_currency"  # than the order's, in which returns are told
    DEPOSIT_EXISTS = "deposit_exists"  # the reference stands for another amount
    SAVED = "saved"
    FORGOTTEN = "forgotten"  # a withdrawal left nothing of the visitor
    UNCREDITED = "uncredited"  # an erasure waits for the visitor's orders
    CURRENCY_FIXED = "currency_fixed"
    TIMEZONE_FIXED = "timezone_fixed"
    CONFLICT = "conflict"  # someone else changed it, or holds it
    BELOW_SPENT = "below_spent"  # `figure` is what is spent and pending
    RECEIPT_EXISTS = "receipt_exists"
    HANDED = "handed"  # `text` is the code, `figure` when it expires, 0 for never
    NO_CODE_LEFT = "no_code_left"
    JUDGED = "judged"  # `text` is what became of a code by an order
    UNRECORDED = "unrecorded"  # nothing could be made durable: disk full, or the writer is away


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    result: Result
    figure: int = 0
    text: str = ""
