"""Chains as they are read: how one stands, its signed heads, and its entries as they were hashed."""

import heapq

from sqlalchemy import BindParameter, bindparam, func, literal_column, select, union_all

from adserver.domain.budget import WHOLE_LIFE
from adserver.domain.chain import GENESIS, charge_entry, refund_entry
from adserver.domain.proof import DailyHead, Place, Standing
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.tables import budgets, campaigns, chain_notes, charges, daily_heads, refunds

_owner: BindParameter[int] = bindparam("owner_key")
_refunded = (
    select(func.coalesce(func.sum(refunds.c.amount_micros), 0))
    .where(
        (refunds.c.campaign_key == _owner)
        | refunds.c.campaign_key.in_(select(campaigns.c.key).where(campaigns.c.advertiser_key == _owner))
    )
    .scalar_subquery()
)
_STANDING = prepared(
    select(
        budgets.c.cap,
        budgets.c.daily_cap,
        budgets.c.spent,
        budgets.c.pending,
        _refunded,
        budgets.c.entries,
        budgets.c.head,
    ).where(budgets.c.owner_key == _owner, budgets.c.day == literal_column(str(WHOLE_LIFE)))
)
_heads = select(*(daily_heads.c[name] for name in DailyHead.__struct_fields__)).where(
    daily_heads.c.owner_key == _owner, daily_heads.c.signature.is_not(None)
)
_NEWEST = prepared(_heads.order_by(daily_heads.c.day.desc()).limit(bindparam("most")))
_BETWEEN = prepared(
    _heads.where(daily_heads.c.day >= bindparam("since"), daily_heads.c.day <= bindparam("until"))
    .order_by(daily_heads.c.day)
    .limit(bindparam("most"))
)
_CHARGES = prepared(
    select(
        charges.c.entry,
        charges.c.charge_id,
        charges.c.campaign_version,
        charges.c.slot_key,
        charges.c.amount_micros,
        charges.c.at_ms,
        charges.c.day,
    )
    .where(
        charges.c.campaign_key == _owner,
        charges.c.entry > bindparam("after"),
        charges.c.entry <= bindparam("until"),
    )
    .order_by(charges.c.entry)
)
_REFUNDS = prepared(
    select(
        refunds.c.entry,
        refunds.c.charge_id,
        refunds.c.refund_id,
        refunds.c.amount_micros,
        refunds.c.at_ms,
        refunds.c.day,
        refunds.c.reason,
    )
    .where(
        refunds.c.campaign_key == _owner,
        refunds.c.entry > bindparam("after"),
        refunds.c.entry <= bindparam("until"),
    )
    .order_by(refunds.c.entry)
)
_NOTES = prepared(
    select(chain_notes.c.entry, chain_notes.c.body)
    .where(
        chain_notes.c.owner_key == _owner,
        chain_notes.c.entry > bindparam("after"),
        chain_notes.c.entry <= bindparam("until"),
    )
    .order_by(chain_notes.c.entry)
)
_PLACES = prepared(
    union_all(
        *(
            select(*(table.c[name] for name in Place.__struct_fields__)).where(
                table.c.charge_id == bindparam("charge_id")
            )
            for table in (charges, refunds)
        )
    ).order_by("entry")
)


class SqliteProofs:
    """What shows that nothing was rewritten, of a campaign or of an account."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def standing(self, owner_key: int) -> Standing:
        """Balance and head, of one moment."""
        row = self._reader.row(_STANDING, {"owner_key": owner_key})
        if row is None:
            return Standing()
        total_cap, daily_cap, spent, pending, refunded, entries, head = row
        return Standing(total_cap, daily_cap, spent, pending, refunded, entries, head or GENESIS)

    def newest_heads(self, owner_key: int, limit: int) -> list[DailyHead]:
        """The newest signed heads, oldest of them first."""
        rows = self._reader.rows(_NEWEST, {"owner_key": owner_key, "most": limit})
        return [DailyHead(*row) for row in reversed(rows)]

    def heads_between(self, owner_key: int, since: int, until: int, limit: int) -> list[DailyHead]:
        """The signed heads of these days (yyyymmdd), both included, oldest first."""
        asked = {"owner_key": owner_key, "since": since, "until": until, "most": limit}
        return [DailyHead(*row) for row in self._reader.rows(_BETWEEN, asked)]

    def entries(self, owner_key: int, after: int, until: int) -> list[bytes]:
        """The entries numbered above `after` up to `until`, in their order, each as it was hashed.

        They are made from the ledger's rows: an altered row gives another entry, and so another head.
        """
        asked = {"owner_key": owner_key, "after": after, "until": until}
        charged = ((row[0], charge_entry(*row)) for row in self._reader.rows(_CHARGES, asked))
        given_back = ((row[0], refund_entry(*row)) for row in self._reader.rows(_REFUNDS, asked))
        noted = ((row[0], row[1]) for row in self._reader.rows(_NOTES, asked))
        return [body for _, body in heapq.merge(charged, given_back, noted)]

    def places(self, charge_id: int) -> list[Place]:
        """Of a charge and its refunds, in their order; nothing where there is no such charge."""
        return [Place(*row) for row in self._reader.rows(_PLACES, {"charge_id": charge_id})]
