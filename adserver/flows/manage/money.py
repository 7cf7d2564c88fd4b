"""Refunds and deposits: money that goes back to advertisers, and money they pay in beforehand."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from adserver.domain.attribution import charge_of_conversion, conversion_key
from adserver.domain.budget import WHOLE_LIFE, Bucket, BucketId
from adserver.domain.campaign import Advertiser
from adserver.domain.identity import key_of
from adserver.domain.money import Micros
from adserver.domain.payment import Funds, Payment, Refund
from adserver.domain.visitor import DAY_MS
from adserver.flows.manage.accounts import ManageAccounts
from adserver.flows.manage.campaigns import ManageCampaigns
from adserver.flows.manage.desk import NOT_FOUND, Desk, Reach, Refused, Why
from adserver.writes import Deposit, Outcome, Receipt, RefundCharge, WithReceipt
from pixel.events import EventName

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[int, str]).decode


class OrderName(msgspec.Struct, frozen=True):
    """An order, or another conversion, as its merchant names it."""

    advertiser_key: int
    event: EventName
    reference: str


class RefundWish(msgspec.Struct, frozen=True):
    """What is to be refunded of a charge: an amount, or None for what is left of it."""

    refund_id: str
    amount_micros: Micros | None
    reason: str


class ManageMoney:
    """Each method that moves money answers its outcome, whose receipt is kept with it."""

    def __init__(self, desk: Desk, accounts: ManageAccounts, campaigns: ManageCampaigns) -> None:
        self._desk = desk
        self._accounts = accounts
        self._campaigns = campaigns

    # ---- refunds ----

    def refund(self, reach: Reach, charge_id: int, wish: RefundWish, receipt: Receipt) -> Outcome | Refused:
        """Give a charge back, in whole or in part: any charge, whenever it was made; the operator's to do."""
        if not reach.is_operator:
            return Refused(Why.FORBIDDEN)
        return self._refund(charge_id, wish, receipt)

    def refund_order(
        self, reach: Reach, order: OrderName, wish: RefundWish, receipt: Receipt
    ) -> Outcome | Refused:
        """Give back what an order or lead was billed; an advertiser only within its `refund_days`."""
        owner = self._accounts.advertiser(reach, order.advertiser_key)
        if isinstance(owner, Refused):
            return owner
        since_ms = 0 if reach.is_operator else self._desk.clock() - owner.refund_days * DAY_MS
        key = conversion_key(self._desk.order_secret, owner.key, order.event, order.reference)
        return self._refund(charge_of_conversion(key), wish, receipt, owner.key, since_ms)

    def _refund(
        self, charge_id: int, wish: RefundWish, receipt: Receipt, advertiser_key: int = 0, since_ms: int = 0
    ) -> Outcome:
        write = RefundCharge(
            charge_id,
            wish.refund_id,
            wish.amount_micros,
            wish.reason,
            self._desk.clock(),
            advertiser_key,
            since_ms,
        )
        named = replace(receipt, body=_encode((charge_id, wish.refund_id)))
        return self._desk.writer.commit(WithReceipt(write, named))

    def refunded(self, context: bytes) -> Refund:
        """The refund that a receipt is about; it never changes and never goes."""
        made = self._desk.payments.refund(*_decode(context))
        assert made is not None, "what is kept of the refund says that it was made"
        return made

    def refunds(
        self,
        reach: Reach,
        advertiser_key: int,
        campaign_key: int | None,
        after: tuple[int, int],
        limit: int,
    ) -> list[Refund] | Refused:
        """What was given back to an advertiser, of one campaign where it is named."""
        owner = self._accounts.advertiser(reach, advertiser_key)
        if isinstance(owner, Refused):
            return owner
        if campaign_key is None:
            return self._desk.payments.refunds(advertiser_key, after, limit)
        campaign = self._campaigns.campaign(reach, campaign_key)
        if isinstance(campaign, Refused) or campaign.advertiser_key != advertiser_key:
            return NOT_FOUND
        return self._desk.payments.refunds_of_campaign(campaign_key, after[1], limit)

    # ---- deposits ----

    def deposit(
        self, reach: Reach, advertiser_key: int, amount: Micros, reference: str, receipt: Receipt
    ) -> Outcome | Refused:
        """Note what an advertiser paid, or got back where it is negative: once for each reference."""
        if not reach.is_operator:
            return Refused(Why.FORBIDDEN)
        owner = self._accounts.advertiser(reach, advertiser_key)
        if isinstance(owner, Refused):
            return owner
        key = key_of(b"deposit", advertiser_key.to_bytes(8, "big"), reference.encode())
        write = Deposit(key, advertiser_key, owner.currency, amount, reference, self._desk.clock())
        return self._desk.writer.commit(WithReceipt(write, receipt))

    def deposited(self, advertiser_key: int, reference: str) -> Payment:
        """A deposit that was noted; it never changes and never goes."""
        made = self._desk.payments.deposit(advertiser_key, reference)
        assert made is not None, "what is kept of the deposit says that it was noted"
        return made

    def deposits(self, reach: Reach, advertiser_key: int, after: int, limit: int) -> list[Payment] | Refused:
        owner = self._accounts.advertiser(reach, advertiser_key)
        if isinstance(owner, Refused):
            return owner
        return self._desk.payments.deposits(advertiser_key, after, limit)

    def funds(self, advertisers: Sequence[Advertiser]) -> list[Funds]:
        """What each of the accounts has deposited, and has left of it, in their order."""
        deposited = self._desk.payments.deposited([one.key for one in advertisers])
        lives = self._desk.ledger.buckets([BucketId(one.key, WHOLE_LIFE) for one in advertisers])
        return [_funds(one, deposited[one.key], life) for one, life in zip(advertisers, lives, strict=True)]


def _funds(advertiser: Advertiser, deposited: Micros, life: Bucket) -> Funds:
    left = Bucket(deposited, life.spent, life.pending).remaining
    return Funds(deposited, left if advertiser.prepaid else None)
