"""Caps: an owner's budgets in its balances and in its chain, never below what is spent and pending."""

from collections.abc import Sequence

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from adserver.domain.budget import WHOLE_LIFE, BucketId, day_before, life_cap
from adserver.domain.campaign import Advertiser, Campaign
from adserver.domain.chain import caps_entry
from adserver.domain.money import Micros
from adserver.storage.batch import Batch
from adserver.storage.sqlite import prepared
from adserver.storage.tables import budgets, campaigns, deposits
from adserver.writes import Outcome, Result, SaveEntity

Owner = Campaign | Advertiser

_INSERT = prepared(insert(budgets))
_INSERT_IF_NEW = prepared(upsert(budgets).on_conflict_do_nothing())
_USED = prepared(
    select((budgets.c.spent + budgets.c.pending).label("used")).where(
        budgets.c.owner_key == bindparam("owner"), budgets.c.day == bindparam("on_day")
    )
)
_SET_CAP = prepared(
    update(budgets)
    .where(budgets.c.owner_key == bindparam("owner"), budgets.c.day == bindparam("on_day"))
    .values(cap=bindparam("new_cap"), daily_cap=bindparam("new_daily_cap"))
)
_DEPOSITED = prepared(
    select(func.coalesce(func.sum(deposits.c.amount_micros), 0)).where(
        deposits.c.advertiser_key == bindparam("advertiser_key")
    )
)
_LATER_DAYS = prepared(
    select(budgets.c.day)
    .where(budgets.c.owner_key == bindparam("owner"), budgets.c.day > bindparam("today"))
    .order_by(budgets.c.day)
)
_HAS_DAYS = prepared(
    select(budgets.c.day)
    .where(budgets.c.owner_key == bindparam("owner"), budgets.c.day != WHOLE_LIFE)
    .limit(1)
)
_HAS_CAMPAIGNS = prepared(
    select(campaigns.c.key).where(campaigns.c.advertiser_key == bindparam("owner")).limit(1)
)


def save_caps(batch: Batch, owner: Owner, known: Owner | None, write: SaveEntity) -> Outcome | None:
    """Put the owner's budgets into its balances, or say why not; None when it is done.

    Money counts in the days and the currency it was spent in: neither changes once there is some.
    """
    fixed = _fixed(batch, owner, known)
    if fixed is not None:
        return Outcome(fixed)
    total, daily = _whole_life(batch, owner), owner.daily_budget_micros
    days = (write.today, *_later_days(batch, owner.key, write.today))
    caps = ((WHOLE_LIFE, total, daily), *((day, daily, None) for day in days))
    for day, cap, _ in caps:
        least = used(batch, owner.key, day)
        if cap is not None and least > cap:
            return Outcome(Result.BELOW_SPENT, least)
    if known is None:
        batch.connection.execute(_INSERT, _new_row(owner.key, WHOLE_LIFE, total, daily))
        batch.note_balance(BucketId(owner.key, WHOLE_LIFE))
    else:
        set_caps(batch, owner.key, caps)
        _keep_yesterday(batch, known, owner, write.today)
    if known is None or _budgets(known) != _budgets(owner):
        _chain(batch, owner, write)
    return None


def _new_row(owner_key: int, day: int, cap: Micros | None, daily_cap: Micros | None) -> dict[str, int | None]:
    row = {"owner_key": owner_key, "day": day, "cap": cap, "daily_cap": daily_cap}
    return row | {"spent": 0, "pending": 0, "entries": 0, "head": None}


def _keep_yesterday(batch: Batch, known: Owner, owner: Owner, today: int) -> None:
    """What arrived yesterday may be charged after the change, as yesterday's first: by yesterday's cap.

    An account gets no day before its first charge: days fix its zone.
    """
    if known.daily_budget_micros == owner.daily_budget_micros:
        return
    if isinstance(owner, Campaign) or _has(batch, _HAS_DAYS, owner.key):
        yesterday = BucketId(owner.key, day_before(today))
        row = _new_row(yesterday.owner_key, yesterday.day, known.daily_budget_micros, None)
        batch.connection.execute(_INSERT_IF_NEW, row)
        batch.note_balance(yesterday)


def set_caps(batch: Batch, owner_key: int, caps: Sequence[tuple[int, Micros | None, Micros | None]]) -> None:
    """(day, cap, what a new day's row starts with), where there are such rows."""
    for day, cap, daily_cap in caps:
        row = {"owner": owner_key, "on_day": day, "new_cap": cap, "new_daily_cap": daily_cap}
        batch.connection.execute(_SET_CAP, row)
        batch.note_balance(BucketId(owner_key, day))


def deposited(batch: Batch, advertiser_key: int) -> Micros:
    """All that the advertiser has paid in, less what it got back."""
    row = batch.connection.execute(_DEPOSITED, {"advertiser_key": advertiser_key}).fetchone()
    return Micros(row[0])


def _fixed(batch: Batch, owner: Owner, known: Owner | None) -> Result | None:
    if not isinstance(owner, Advertiser) or not isinstance(known, Advertiser):
        return None
    if owner.timezone != known.timezone and _has(batch, _HAS_DAYS, owner.key):
        return Result.TIMEZONE_FIXED
    if owner.currency != known.currency and _has_money(batch, owner.key):
        return Result.CURRENCY_FIXED
    return None


def _has_money(batch: Batch, advertiser_key: int) -> bool:
    """Whether anything of the account is an amount: campaigns have rates and budgets."""
    return _has(batch, _HAS_CAMPAIGNS, advertiser_key) or deposited(batch, advertiser_key) != 0


def _has(batch: Batch, sql: str, owner_key: int) -> bool:
    return batch.connection.execute(sql, {"owner": owner_key}).fetchone() is not None


def _later_days(batch: Batch, owner_key: int, today: int) -> list[int]:
    """Days that have begun elsewhere: at midnight, or where the clock has gone back since."""
    rows = batch.connection.execute(_LATER_DAYS, {"owner": owner_key, "today": today}) if today else ()
    return [day for (day,) in rows]


def _whole_life(batch: Batch, owner: Owner) -> Micros | None:
    prepaid = isinstance(owner, Advertiser) and owner.prepaid
    return life_cap(owner.total_budget_micros, deposited(batch, owner.key) if prepaid else None)


def used(batch: Batch, owner_key: int, day: int) -> int:
    """What is spent and pending; 0 where there is no such day yet."""
    row = batch.connection.execute(_USED, {"owner": owner_key, "on_day": day}).fetchone()
    return row[0] if row is not None else 0


def _budgets(owner: Owner) -> tuple[Micros | None, Micros | None, bool]:
    prepaid = isinstance(owner, Advertiser) and owner.prepaid
    return owner.total_budget_micros, owner.daily_budget_micros, prepaid


def _chain(batch: Batch, owner: Owner, write: SaveEntity) -> None:
    total, daily, prepaid = _budgets(owner)
    batch.append_note(
        owner.key,
        lambda number: caps_entry(
            number, owner.version, total, daily, write.today, write.at_ms, prepaid=prepaid
        ),
    )
