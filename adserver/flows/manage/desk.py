"""What every change needs: the ports, who asks, and how a no is told."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import msgspec

from adserver.domain.audience import AudienceRefusal
from adserver.domain.campaign import Refusal
from adserver.domain.experiment import Flaw as ExperimentFlaw
from adserver.domain.product_set import SetRefusal
from adserver.domain.retention import Retention
from adserver.flows.manage.key_calls import KeyCalls
from adserver.ports import (
    Accounts,
    Audiences,
    Campaigns,
    Catalogue,
    Clock,
    Experiments,
    Feeds,
    Inventory,
    Keys,
    Ledger,
    Media,
    Offers,
    Payments,
    Pending,
    ProductSets,
    SavedReports,
    Suppressions,
    Writer,
)
from adserver.writes import Entity, Receipt, Result, SaveEntity, SaveProducts, Scope, Together

Made = TypeVar("Made")
Saved = TypeVar("Saved", bound=Entity)

ReceiptOf = Callable[[Made], Receipt | None]
"""The answer to keep for an Idempotency-Key, once it is known what will be saved; None without a key."""

MOST_ATTEMPTS = 5


class Why(StrEnum):
    """Why something was not made or changed, besides a campaign's own refusals."""

    NOT_FOUND = "not_found"
    NOT_PENDING = "not_pending"
    FORBIDDEN = "forbidden"
    UNKNOWN_OWNER = "unknown_owner"
    BAD_SALE_PRICE = "bad_sale_price"
    UNKNOWN_CURRENCY = "unknown_currency"
    UNKNOWN_TIMEZONE = "unknown_timezone"
    UNKNOWN_FORMAT = "unknown_format"
    BAD_DOMAIN = "bad_domain"
    BAD_LINK = "bad_link"
    WRONG_DOMAIN = "wrong_domain"
    WEBHOOK_NOT_HTTPS = "webhook_not_https"
    CURRENCY_MISMATCH = "currency_mismatch"
    FLOOR_WITHOUT_CURRENCY = "floor_without_currency"
    SECRET_NEEDED = "secret_needed"  # noqa: S105  the name of a refusal
    SCHEDULE_WITHOUT_URL = "schedule_without_url"
    MESSAGE_INCOMPLETE = "message_incomplete"
    MESSAGE_UNUSED = "message_unused"
    OFFER_UNUSED = "offer_unused"
    SITUATIONS_UNUSED = "situations_unused"
    COPY_TWICE = "copy_twice"
    CONTENT_CHANGED = "content_changed"
    LONGER_THAN_KEPT = "longer_than_kept"
    UNKNOWN_POOL = "unknown_pool"
    UNKNOWN_PICTURE = "unknown_picture"
    CODES_ARE_MADE = "codes_are_made"
    UNKNOWN_CAMPAIGN = "unknown_campaign"
    TOO_MANY_LISTS = "too_many_lists"
    NOBODY_NAMED = "nobody_named"
    TIER_IS_OPERATORS = "tier_is_operators"
    KEY_OVER = "key_over"
    ALREADY_PAST = "already_past"
    EVENTS_OF_WHOM = "events_of_whom"
    BAD_SPAN = "bad_span"
    HOLD_ENDED = "hold_ended"
    ALREADY_HELD = "already_held"
    TOO_MANY_CHARGES = "too_many_charges"


class Refused(msgspec.Struct, frozen=True):
    """Nothing was changed, and why; `figure` where a number tells how far off it was."""

    reason: Why | Refusal | SetRefusal | AudienceRefusal | ExperimentFlaw | Result
    figure: int = 0


NOT_FOUND = Refused(Why.NOT_FOUND)


class Reach(msgspec.Struct, frozen=True):
    """What a caller may see and change: everything, or one account. The rest does not exist for them."""

    scope: Scope
    owner_key: int | None = None
    api_key: int = 0  # with which they call; 0 for ourselves

    @property
    def is_operator(self) -> bool:
        return self.scope is Scope.OPERATOR

    def advertiser(self, key: int) -> bool:
        return self.is_operator or (self.scope is Scope.ADVERTISER and self.owner_key == key)

    def publisher(self, key: int) -> bool:
        return self.is_operator or (self.scope is Scope.PUBLISHER and self.owner_key == key)


@dataclass(frozen=True, kw_only=True)
class Desk:
    """The ports that changes are made through."""

    writer: Writer
    accounts: Accounts
    campaigns: Campaigns
    audiences: Audiences
    experiments: Experiments
    saved_reports: SavedReports
    inventory: Inventory
    keys: Keys
    catalogue: Catalogue
    product_sets: ProductSets
    suppressions: Suppressions
    feeds: Feeds
    ledger: Ledger
    offers: Offers
    media: Media
    payments: Payments
    pending: Pending
    key_calls: KeyCalls
    clock: Clock
    mint_key: Callable[[], int]
    mint_secret: Callable[[], str]
    order_secret: bytes  # with which orders are found by their merchant's id
    fetch_private: bool = False  # whether what advertisers name may lie on private addresses
    retention: Retention = Retention()  # noqa: RUF009  it is frozen
    approves_all: bool = False  # whether advertisers' creatives are shown before anybody has looked

    def create(
        self, entity: Saved, receipt_of: ReceiptOf[Saved] | None = None, today: int = 0
    ) -> Saved | Refused:
        """Insert a new entity, and the answer to its Idempotency-Key with it."""
        return self._commit(
            entity, SaveEntity(entity, is_new=True, today=today, at_ms=self.clock()), receipt_of
        )

    def replace(self, entity: Saved, today: int = 0) -> Saved | Refused:
        """Put a new state in an entity's place."""
        return self._commit(entity, SaveEntity(entity, is_new=False, today=today, at_ms=self.clock()), None)

    def _commit(
        self, entity: Saved, write: SaveEntity | SaveProducts, receipt_of: ReceiptOf[Saved] | None
    ) -> Saved | Refused:
        receipt = receipt_of(entity) if receipt_of is not None else None
        outcome = self.writer.commit(Together((write,) if receipt is None else (write, receipt)))
        if outcome.result is not Result.SAVED:
            return Refused(outcome.result, outcome.figure)
        return entity


def until_settled(attempt: Callable[[], Made | Refused]) -> Made | Refused:
    """Someone else may change the same entity between our fetch and our write: then look again."""
    made = attempt()
    for _ in range(MOST_ATTEMPTS - 1):
        if not isinstance(made, Refused) or made.reason is not Result.CONFLICT:
            break
        made = attempt()
    return made
