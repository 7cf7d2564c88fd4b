"""What became of a write."""

from enum import StrEnum

import msgspec


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
