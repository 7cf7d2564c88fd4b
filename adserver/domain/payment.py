"""Money that went back or came in: refunds of charges, and deposits of advertisers."""

import msgspec

from adserver.domain.money import Micros


class Refund(msgspec.Struct, frozen=True, array_like=True):
    """What was given back of one charge, under the name its caller gave it.

    `day` is the day of the charge, whose budgets it gives back; `entry` its number in the campaign's chain.
    """

    charge_id: int
    refund_id: str
    campaign_key: int
    advertiser_key: int
    amount_micros: Micros
    currency: str
    day: int
    at_ms: int
    reason: str
    entry: int


class Payment(msgspec.Struct, frozen=True, array_like=True):
    """One deposit as it is kept; below zero it was paid back. `entry`: its number in the account's chain."""

    key: int
    advertiser_key: int
    amount_micros: Micros
    currency: str
    reference: str
    at_ms: int
    entry: int


class Funds(msgspec.Struct, frozen=True):
    """What an account has deposited, and what of it is neither spent nor pending; None if it owes later."""

    deposited: Micros
    left: Micros | None
