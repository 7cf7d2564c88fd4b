"""What may be written of money beside charges, and of the proof of it."""

import msgspec

from adserver.domain.audit_log import Actor
from adserver.domain.money import Micros
from adserver.writes.actor import acting


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
    by: Actor = msgspec.field(default_factory=acting)


class Deposit(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Money an advertiser paid in, or got back where it is negative; once for each `reference`."""

    deposit_key: int
    advertiser_key: int
    currency: str
    amount_micros: Micros
    reference: str
    at_ms: int
    by: Actor = msgspec.field(default_factory=acting)


class SealDay(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Fix the heads of an account's chains at the end of a UTC day (yyyymmdd): its campaigns' and its own."""

    advertiser_key: int
    day: int
    at_ms: int


class SignHeads(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Signatures of sealed heads: (owner, day, signature)."""

    signatures: tuple[tuple[int, int, bytes], ...]
