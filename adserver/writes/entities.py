"""What may be written of accounts and all that they manage."""

from enum import StrEnum

import msgspec

from adserver.domain.audience import Audience
from adserver.domain.audit_log import Actor
from adserver.domain.campaign import Advertiser, Campaign, Creative
from adserver.domain.catalogue import Feed
from adserver.domain.experiment import Experiment
from adserver.domain.imports import Import
from adserver.domain.network import Network
from adserver.domain.offer import OfferPool
from adserver.domain.payout_hold import PayoutHold
from adserver.domain.product_set import ProductSet
from adserver.domain.saved_report import SavedReport
from adserver.domain.shop_hook import ShopHook
from adserver.domain.slot import Publisher, Site, Slot
from adserver.domain.suppression import SuppressionList
from adserver.domain.user import Invitation, User
from adserver.writes.actor import acting


class Scope(StrEnum):
    """What an API key may do; an account's key sees that account only."""

    OPERATOR = "operator"
    ADVERTISER = "advertiser"
    PUBLISHER = "publisher"


class Access(StrEnum):
    """How much an API key may do of what its scope reaches."""

    FULL = "full"
    READ = "read"  # changes nothing, and is told no secret with which it could
    EVENTS = "events"  # tells events and orders, as a shop's own server does, and reads nothing


class ApiKey(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """An API key as it is kept: the SHA-256 of its text, never the text."""

    key: int
    digest: str
    scope: Scope
    owner_key: int | None = None  # the advertiser or publisher; None for the operator
    name: str = ""
    created_at_ms: int = 0
    revoked_at_ms: int | None = None
    access: Access = Access.FULL
    expires_at_ms: int | None = None
    hint: str = ""  # the first letters of its text, by which people tell keys apart

    def is_open(self, now_ms: int) -> bool:
        return self.revoked_at_ms is None and (self.expires_at_ms is None or now_ms < self.expires_at_ms)


Entity = (
    Advertiser
    | Audience
    | Campaign
    | Creative
    | Experiment
    | OfferPool
    | ProductSet
    | Publisher
    | Site
    | Slot
    | Feed
    | Import
    | ApiKey
    | ShopHook
    | User
    | Invitation
    | Network
    | SuppressionList
    | PayoutHold
    | SavedReport
)


class SaveEntity(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Insert an entity (`is_new`) or put its next version; of a campaign or advertiser, its caps too.

    `today` is the owner's local day, whose bucket takes the new daily cap at once; `at_ms` is when, and `by`
    who, as the audit log tells it in the same transaction.
    """

    entity: Entity
    is_new: bool
    today: int = 0
    at_ms: int = 0
    by: Actor = msgspec.field(default_factory=acting)


class TellAdvertiser(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Leave a notice for an advertiser's own server; the same `notice_key` once more is no news."""

    notice_key: int
    advertiser_key: int
    kind: str
    body: bytes
    at_ms: int


class SettleNotice(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """What became of an attempt to deliver a notice; `due_ms` None: there will be no other."""

    notice_key: int
    attempts: int
    due_ms: int | None
    status: str
