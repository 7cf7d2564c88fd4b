"""One batch on its way to disk: what its writes read once, change in memory, and flush together."""

import sqlite3
from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from adserver.domain.arrival import FIGURES, ClickPlace
from adserver.domain.budget import WHOLE_LIFE, Bucket, BucketId, admit, buckets_of, mark_passed
from adserver.domain.chain import GENESIS, next_head
from adserver.domain.consent_record import Ended
from adserver.domain.money import ZERO, Micros
from adserver.domain.notice import budget_notice, budget_notice_key, kind_of_percent
from adserver.domain.retention import Retention, due_ms, let_go
from adserver.domain.visitor import Profile
from adserver.storage.consents import Proving
from adserver.storage.sqlite import prepared
from adserver.storage.tables import (
    ad_events,
    arrivals,
    budgets,
    chain_notes,
    charges,
    counts,
    decisions,
    events,
    notices,
    postings,
    profiles,
    refunds,
)
from adserver.writes import AdRecord

HOUR_MS = 3_600_000
NETWORK = "network"
DEFAULT_RETENTION = Retention()

_DAY_BUCKET = prepared(
    select(
        budgets.c.cap,
        budgets.c.daily_cap,
        budgets.c.spent,
        budgets.c.pending,
        budgets.c.entries,
        budgets.c.head,
    ).where(budgets.c.owner_key == bindparam("owner_key"), budgets.c.day == bindparam("day"))
)
_MOVE = prepared(
    update(budgets)
    .where(budgets.c.owner_key == bindparam("owner"), budgets.c.day == bindparam("on_day"))
    .where(
        budgets.c.cap.is_(None)
        | (budgets.c.spent + budgets.c.pending + bindparam("spend") + bindparam("reserve") <= budgets.c.cap)
    )
    .values(
        spent=budgets.c.spent + bindparam("spend"),
        pending=budgets.c.pending + bindparam("reserve"),
        changed=bindparam("sequence"),
        entries=bindparam("length"),
        head=bindparam("newest"),
    )
)
_NEW_BUCKET = prepared(insert(budgets))
_PROFILE = prepared(select(profiles.c.body).where(profiles.c.visitor_key == bindparam("visitor_key")))
_profile_row = upsert(profiles)
_SAVE_PROFILE = prepared(
    _profile_row.on_conflict_do_update(
        index_elements=["visitor_key"],
        set_={name: _profile_row.excluded[name] for name in ("seen_ms", "due_ms", "body")},
    )
)
_count_row = upsert(counts)
_COUNT = prepared(
    _count_row.on_conflict_do_update(
        index_elements=["owner_key", "name", "hour_ms"], set_={"n": counts.c.n + _count_row.excluded.n}
    )
)
_arrivals_row = upsert(arrivals)
_ARRIVALS = prepared(
    _arrivals_row.on_conflict_do_update(
        index_elements=list(arrivals.primary_key.columns),
        set_={name: arrivals.c[name] + _arrivals_row.excluded[name] for name in FIGURES},
    )
)
_INSERTS = {
    table.name: prepared(insert(table))
    for table in (events, ad_events, charges, refunds, decisions, postings, chain_notes)
} | {notices.name: prepared(upsert(notices).on_conflict_do_nothing())}

encode_profile = msgspec.msgpack.Encoder().encode
decode_profile = msgspec.msgpack.Decoder(Profile).decode


class Overrun(Exception):
    """A balance did not accept what was admitted; the batch must be rolled back."""


class _Account:
    """A balance as this batch sees it, how far the batch has moved it, and its owner's chain."""

    __slots__ = ("bucket", "chained", "entries", "head", "reserve", "spend")

    def __init__(self, bucket: Bucket, entries: int = 0, head: bytes | None = None) -> None:
        self.bucket = bucket
        self.spend = 0
        self.reserve = 0
        self.entries = entries
        self.head = head
        self.chained = False


class Batch:
    """Reads, folds and admissions of one transaction, under the write lock."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        sequence: int,
        consents_key: bytes,
        resent: bool = False,
        retention: Retention = DEFAULT_RETENTION,
    ) -> None:
        self.connection = connection
        self.consents = Proving(connection, consents_key)
        self.sequence = sequence
        self.resent = resent  # what is in it may have been committed before
        self.retention = retention
        self.touched_balances = False
        self.new_dedupe_keys: dict[int, int] = {}  # key -> when, in ms
        self._accounts: dict[BucketId, _Account] = {}
        self._profiles: dict[int, Profile | None] = {}
        self._changed_profiles: dict[int, int] = {}
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._row_by_id: dict[tuple[str, int], dict[str, Any]] = {}
        self._counts: dict[tuple[int, str, int], int] = {}
        self._arrivals: dict[ClickPlace, dict[str, int]] = {}
        self._postings: dict[tuple[str, str], int] = {}

    # ---- rows and counts ----

    def add_row(self, table: str, row: dict[str, Any], row_id: int = 0) -> None:
        """Insert at the end of the batch, many at once; `row_id` lets `pending_row` find it until then."""
        self._rows.setdefault(table, []).append(row)
        self._row_by_id[table, row_id] = row

    def pending_row(self, table: str, row_id: int) -> dict[str, Any] | None:
        """What is yet to be inserted; what is changed in it, is."""
        return self._row_by_id.get((table, row_id))

    def pending_rows(self, table: str) -> list[dict[str, Any]]:
        return self._rows.get(table, [])

    def count(self, owner_key: int, name: str, at_ms: int, n: int = 1) -> None:
        key = (owner_key, name, at_ms - at_ms % HOUR_MS)
        self._counts[key] = self._counts.get(key, 0) + n

    def count_click(self, place: ClickPlace, *figures: str) -> None:
        """One more of each of these FIGURES."""
        counted = self._arrivals.setdefault(place, dict.fromkeys(FIGURES, 0))
        for figure in figures:
            counted[figure] += 1

    # ---- profiles ----

    def profile(self, visitor_key: int) -> Profile | None:
        """The visitor's profile, with what this batch has folded into it."""
        if visitor_key not in self._profiles:
            row = self.connection.execute(_PROFILE, {"visitor_key": visitor_key}).fetchone()
            self._profiles[visitor_key] = None if row is None else decode_profile(row[0])
        return self._profiles[visitor_key]

    def keep_profile(self, visitor_key: int, profile: Profile, at_ms: int) -> None:
        self._profiles[visitor_key] = profile
        self._changed_profiles[visitor_key] = at_ms

    # ---- money ----

    def charge(self, record: AdRecord, reserved: Micros = ZERO) -> bool:
        """Bill the record's amount to its four buckets if it fits them all, and post both sides.

        `reserved` of it is pending there already, and is billed instead.
        """
        if not self.move(record, record.amount_micros, Micros(-reserved)):
            return False
        self._post_both(record, record.amount_micros, record.publisher_micros)
        return True

    def give_back(self, record: AdRecord) -> None:
        """Undo a charge by the record's amount and share, in the buckets and with the parties it names."""
        self.move(record, Micros(-record.amount_micros), ZERO)
        self._post_both(record, -record.amount_micros, -record.publisher_micros)

    def move(self, record: AdRecord, spend: Micros, reserve: Micros) -> bool:
        """Move a record's buckets; a rise only if it fits every one of them."""
        accounts = [
            self._account(bucket_id)
            for bucket_id in buckets_of(record.campaign_key, record.advertiser_key, record.day)
        ]
        rise = Micros(spend + reserve)
        if rise > 0 and not admit(rise, [account.bucket for account in accounts]):
            return False
        for account in accounts:
            account.spend += spend
            account.reserve += reserve
            account.bucket.spent = Micros(account.bucket.spent + spend)
            account.bucket.pending = Micros(account.bucket.pending + reserve)
        self.touched_balances = True
        if rise > 0:
            self._tell_of_budgets(record, rise)
        return True

    def _tell_of_budgets(self, record: AdRecord, rise: Micros) -> None:
        """Leave a notice for the advertiser where a budget has just come to one of its marks."""
        for id_ in buckets_of(record.campaign_key, record.advertiser_key, record.day):
            bucket = self._account(id_).bucket
            percent = mark_passed(bucket, rise)
            if percent is None or bucket.cap is None:
                continue
            key = budget_notice_key(id_.owner_key, id_.day, bucket.cap, percent)
            body = budget_notice(
                key,
                percent,
                id_.owner_key,
                is_campaign=id_.owner_key == record.campaign_key,
                advertiser_key=record.advertiser_key,
                day=id_.day,
                cap=bucket.cap,
                spent=bucket.spent,
                pending=bucket.pending,
                at_ms=record.at_ms,
            )
            self.add_row("notices", _notice_row(key, record, percent, body))

    def append(self, owner_key: int, entry_of: Callable[[int], bytes]) -> int:
        """Put an entry at the end of its owner's chain; its number. `entry_of` makes it for that number."""
        account = self._account(BucketId(owner_key, WHOLE_LIFE))
        account.entries += 1
        account.head = next_head(account.head or GENESIS, entry_of(account.entries))
        account.chained = True
        self.touched_balances = True  # its row and its postings carry this batch's sequence
        return account.entries

    def append_note(self, owner_key: int, entry_of: Callable[[int], bytes]) -> int:
        """Chain, and keep, an entry that is no charge and no refund."""
        bodies: list[bytes] = []

        def kept(entry: int) -> bytes:
            bodies.append(entry_of(entry))
            return bodies[0]

        entry = self.append(owner_key, kept)
        self.add_row("chain_notes", {"owner_key": owner_key, "entry": entry, "body": bodies[0]})
        return entry

    def _account(self, bucket_id: BucketId) -> _Account:
        account = self._accounts.get(bucket_id)
        if account is None:
            account = self._accounts[bucket_id] = self._load(bucket_id)
        return account

    def _load(self, bucket_id: BucketId) -> _Account:
        """The balance on disk; a day's first charge makes its row, with the cap of that moment."""
        row = self._bucket_row(bucket_id)
        if row is not None:
            return _Account(Bucket(row[0], row[2], row[3]), row[4], row[5])
        whole_life = self._bucket_row(BucketId(bucket_id.owner_key, WHOLE_LIFE))
        if whole_life is None:
            raise LookupError(f"no budget for owner {bucket_id.owner_key}")
        new = {
            "owner_key": bucket_id.owner_key,
            "day": bucket_id.day,
            "cap": whole_life[1],
            "daily_cap": None,
            "spent": 0,
            "pending": 0,
            "changed": self.sequence,
            "entries": 0,
            "head": None,
        }
        self.connection.execute(_NEW_BUCKET, new)
        self.touched_balances = True  # even where nothing fits it: readers have seen this sequence
        return _Account(Bucket(whole_life[1]))

    def _bucket_row(self, bucket_id: BucketId) -> tuple[Any, ...] | None:
        key = {"owner_key": bucket_id.owner_key, "day": bucket_id.day}
        row: tuple[Any, ...] | None = self.connection.execute(_DAY_BUCKET, key).fetchone()
        return row

    def _post_both(self, record: AdRecord, amount: int, share: int) -> None:
        """What an advertiser owes, as its publisher's share and the network's fee; the three sum to zero."""
        self.post(f"advertiser:{record.advertiser_key}", record.currency, -amount)
        self.post(f"publisher:{record.publisher_key}", record.currency, share)
        self.post(NETWORK, record.currency, amount - share)

    def post(self, account: str, currency: str, amount: int) -> None:
        self._postings[account, currency] = self._postings.get((account, currency), 0) + amount

    # ---- to disk ----

    def flush(self) -> None:
        """Write everything this batch holds; raises Overrun if a balance refuses its update."""
        for bucket_id, account in self._accounts.items():
            self._move_on_disk(bucket_id, account)
        for (account_name, currency), amount in self._postings.items():
            row = {"account": account_name, "currency": currency, "amount_micros": amount}
            self.add_row("postings", {"sequence": self.sequence, **row})
        for table, rows in self._rows.items():
            self.connection.executemany(_INSERTS[table], rows)
        for visitor_key, at_ms in self._changed_profiles.items():
            profile = self._profiles[visitor_key]
            if profile is not None:
                self.save_profile(visitor_key, profile, at_ms, at_ms)
        for (owner_key, name, hour_ms), n in self._counts.items():
            count = {"owner_key": owner_key, "name": name, "hour_ms": hour_ms, "n": n}
            self.connection.execute(_COUNT, count)
        for place, figures in self._arrivals.items():
            self.connection.execute(_ARRIVALS, msgspec.structs.asdict(place) | figures)

    def save_profile(self, visitor_key: int, profile: Profile, seen_ms: int, now_ms: int) -> None:
        """Write a profile without what it may not hold any longer."""
        known = profile.shops
        let_go(profile, self.retention, now_ms)
        if len(profile.shops) < len(known):
            left = {shop.advertiser_key for shop in known} - {shop.advertiser_key for shop in profile.shops}
            self.consents.end(visitor_key, left, Ended.EXPIRED, now_ms)
        row = {
            "visitor_key": visitor_key,
            "seen_ms": seen_ms,
            "due_ms": due_ms(profile, self.retention, seen_ms),
            "body": encode_profile(profile),
        }
        self.connection.execute(_SAVE_PROFILE, row)

    def _move_on_disk(self, bucket_id: BucketId, account: _Account) -> None:
        if not (account.spend or account.reserve or account.chained):
            return
        moved = self.connection.execute(
            _MOVE,
            {
                "owner": bucket_id.owner_key,
                "on_day": bucket_id.day,
                "spend": account.spend,
                "reserve": account.reserve,
                "sequence": self.sequence,
                "length": account.entries,
                "newest": account.head,
            },
        )
        if moved.rowcount != 1:
            raise Overrun(bucket_id)


def _notice_row(key: int, record: AdRecord, percent: int, body: bytes) -> dict[str, Any]:
    return {
        "notice_key": key,
        "advertiser_key": record.advertiser_key,
        "kind": kind_of_percent(percent),
        "body": body,
        "at_ms": record.at_ms,
        "attempts": 0,
        "due_ms": record.at_ms,
        "status": "",
    }
