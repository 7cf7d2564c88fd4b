"""Refunds and deposits as they are read: one, a page of them, and what an account has deposited in all."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import bindparam, func, select, tuple_

from adserver.domain.money import ZERO, Micros
from adserver.domain.payment import Payment, Refund
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.tables import deposits, refunds

_REFUND_COLUMNS = (
    refunds.c.charge_id,
    refunds.c.refund_id,
    refunds.c.campaign_key,
    refunds.c.advertiser_key,
    refunds.c.amount_micros,
    refunds.c.currency,
    refunds.c.day,
    refunds.c.at_ms,
    refunds.c.reason,
    refunds.c.entry,
)
_DEPOSIT_COLUMNS = (
    deposits.c.deposit_key,
    deposits.c.advertiser_key,
    deposits.c.amount_micros,
    deposits.c.currency,
    deposits.c.reference,
    deposits.c.at_ms,
    deposits.c.entry,
)
_REFUND = prepared(
    select(*_REFUND_COLUMNS).where(
        refunds.c.charge_id == bindparam("charge_id"), refunds.c.refund_id == bindparam("refund_id")
    )
)
_REFUNDS = prepared(
    select(*_REFUND_COLUMNS)
    .where(
        refunds.c.advertiser_key == bindparam("advertiser_key"),
        tuple_(refunds.c.campaign_key, refunds.c.entry) > tuple_(bindparam("campaign"), bindparam("after")),
    )
    .order_by(refunds.c.campaign_key, refunds.c.entry)
    .limit(bindparam("most"))
)
_REFUNDS_OF_CAMPAIGN = prepared(
    select(*_REFUND_COLUMNS)
    .where(refunds.c.campaign_key == bindparam("campaign"), refunds.c.entry > bindparam("after"))
    .order_by(refunds.c.entry)
    .limit(bindparam("most"))
)
_DEPOSIT = prepared(
    select(*_DEPOSIT_COLUMNS).where(
        deposits.c.advertiser_key == bindparam("advertiser_key"),
        deposits.c.reference == bindparam("reference"),
    )
)
_DEPOSITS = prepared(
    select(*_DEPOSIT_COLUMNS)
    .where(deposits.c.advertiser_key == bindparam("advertiser_key"), deposits.c.entry > bindparam("after"))
    .order_by(deposits.c.entry)
    .limit(bindparam("most"))
)
_accounts = func.json_each(bindparam("advertiser_keys")).table_valued("value")
_DEPOSITED = prepared(
    select(deposits.c.advertiser_key, func.sum(deposits.c.amount_micros))
    .where(deposits.c.advertiser_key.in_(select(_accounts.c.value)))
    .group_by(deposits.c.advertiser_key)
)


class SqlitePayments:
    """Refunds in the order of their campaigns' chains, deposits in that of their account's."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def refund(self, charge_id: int, refund_id: str) -> Refund | None:
        row = self._reader.row(_REFUND, {"charge_id": charge_id, "refund_id": refund_id})
        return None if row is None else msgspec.convert(row, Refund)

    def refunds(self, advertiser_key: int, after: tuple[int, int], limit: int) -> list[Refund]:
        """Those behind a campaign's entry, of that campaign and of the ones after it."""
        campaign, entry = after
        asked = {"advertiser_key": advertiser_key, "campaign": campaign, "after": entry, "most": limit}
        return [msgspec.convert(row, Refund) for row in self._reader.rows(_REFUNDS, asked)]

    def refunds_of_campaign(self, campaign_key: int, after: int, limit: int) -> list[Refund]:
        asked = {"campaign": campaign_key, "after": after, "most": limit}
        return [msgspec.convert(row, Refund) for row in self._reader.rows(_REFUNDS_OF_CAMPAIGN, asked)]

    def deposit(self, advertiser_key: int, reference: str) -> Payment | None:
        row = self._reader.row(_DEPOSIT, {"advertiser_key": advertiser_key, "reference": reference})
        return None if row is None else msgspec.convert(row, Payment)

    def deposits(self, advertiser_key: int, after: int, limit: int) -> list[Payment]:
        asked = {"advertiser_key": advertiser_key, "after": after, "most": limit}
        return [msgspec.convert(row, Payment) for row in self._reader.rows(_DEPOSITS, asked)]

    def deposited(self, advertiser_keys: Sequence[int]) -> dict[int, Micros]:
        """Deposits less what was paid back, of each of the accounts."""
        keys = msgspec.json.encode(advertiser_keys).decode()
        sums: dict[int, Micros] = dict.fromkeys(advertiser_keys, ZERO)
        sums.update(self._reader.rows(_DEPOSITED, {"advertiser_keys": keys}))
        return sums
