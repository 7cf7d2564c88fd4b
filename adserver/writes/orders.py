"""What may be written of orders and leads, and of their credit."""

import msgspec

from adserver.domain.money import Micros
from adserver.writes.ads import AdRecord
from pixel.events import EventName


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

    `delay_ms` is how long it took after its click, where it was one.

    With a server's conversion, `arrival` holds the conversion itself, stored in the same transaction.
    `reserve` keeps the amount pending instead of billing it. `visitor_key` is whose a server says the order
    is, for the experiments they are in.
    """

    conversion_key: int
    by_server: bool
    record: AdRecord | None
    touch_impression_id: int = 0
    reserve: bool = False
    reason: str = ""
    arrival: Conversion | None = None
    visitor_key: int = 0
    delay_ms: int | None = None


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
