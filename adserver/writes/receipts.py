"""What may be written of answers that are given only once."""

import msgspec

from adserver.writes.money import Deposit, RefundCharge
from adserver.writes.orders import CancelConversion, CreditConversion
from adserver.writes.outcome import Outcome


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
