"""What proves a balance: how an owner's chain stands, and the heads of its days as they are signed."""

import msgspec

from adserver.domain.chain import GENESIS, canonical
from adserver.domain.identity import write_id
from adserver.domain.money import ZERO, Micros


class Standing(msgspec.Struct, frozen=True):
    """A campaign's or account's balance of its whole life, and the chain that ends with it."""

    total_cap: Micros | None = None
    daily_cap: Micros | None = None
    spent: Micros = ZERO
    pending: Micros = ZERO
    refunded: Micros = ZERO  # of what was ever charged; `spent` is without it
    entries: int = 0
    head: bytes = GENESIS


class DailyHead(msgspec.Struct, frozen=True, array_like=True):
    """How a chain stood when a UTC day (yyyymmdd) was sealed; signed a moment later."""

    owner_key: int
    day: int
    entries: int
    head: bytes
    spent: Micros
    pending: Micros
    signature: bytes | None = None


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a charge, or a refund of it, stands in the chain of its campaign."""

    advertiser_key: int
    campaign_key: int
    entry: int
    at_ms: int


def shown_head(head: DailyHead, owner: str) -> dict[str, object]:
    """The head in the words that are signed; `owner` is the id of its campaign or account."""
    return {
        "day": head.day,
        "entries": head.entries,
        "head": head.head.hex(),
        "owner": owner,
        "pending_micros": head.pending,
        "spent_micros": head.spent,
    }


def signed_message(head: DailyHead, advertiser_key: int) -> bytes:
    """The very bytes that the signature is of; a head is the account's own or one of its campaigns'."""
    return canonical(shown_head(head, owner_id(head.owner_key, advertiser_key)))


def owner_id(owner_key: int, advertiser_key: int) -> str:
    """The public id of an account, or of one of its campaigns."""
    return write_id("adv" if owner_key == advertiser_key else "cmp", owner_key)
