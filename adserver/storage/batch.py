"""One batch on its way to disk: what its writes read once, change in memory, and flush together."""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from adserver.domain.arrival import FIGURES, ClickPlace
from adserver.domain.budget import WHOLE_LIFE, Bucket, BucketId, admit, buckets_of, mark_passed
from adserver.domain.chain import GENESIS, next_head
from adserver.domain.consent_record import Ended
from adserver.domain.identity import LARGEST_KEY
from adserver.domain.money import ZERO, Micros
from adserver.domain.notice import budget_notice, budget_notice_key, kind_of_percent
from adserver.domain.retention import Retention, due_ms, let_go
from adserver.domain.visitor import Profile
from adserver.storage.comparing import Comparing
from adserver.storage.consents import Proving
from adserver.storage.sqlite import as_list, listed, numbered, prepared
from adserver.storage.tables import (
    ad_events,
    arrivals,
    balance_moves,
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
    refused_charges,
)
from adserver.writes import AdRecord

HOUR_MS = 3_600_000
NETWORK = "network"
DEFAULT_RETENTION = Retention()
KEPT_MOVES = 2_000  # batches; whoever has not looked for half as long reads all balances

_balance = select(
    budgets.c.cap,
    budgets.c.daily_cap,
    budgets.c.spent,
    budgets.c.pending,
    budgets.c.entries,
    budgets.c.head,
)
_DAY_BUCKET = prepared(
    _balance.where(budgets.c.owner_key == bindparam("owner_key"), budgets.c.day == bindparam("day"))
)
_BALANCES = prepared(
    _balance.add_columns(budgets.c.owner_key, budgets.c.day).where(
        budgets.c.owner_key.in_(listed("owner_keys")), budgets.c.day.in_(listed("days"))
    )
)
_RECORDED = {
    table.name: prepared(select(table.c.charge_id, since).where(table.c.charge_id.in_(listed("charge_ids"))))
    for table, since in (
        (ad_events, ad_events.c.at_ms),
        (charges, charges.c.at_ms),
        (refused_charges, refused_charges.c.first_seen_ms),
    )
}
_MOVE = numbered(
    update(budgets)
    .where(budgets.c.owner_key == bindparam("owner"), budgets.c.day == bindparam("on_day"))
    .where(
        budgets.c.cap.is_(None)
        | (budgets.c.spent + budgets.c.pending + bindparam("spend") + bindparam("reserve") <= budgets.c.cap)
    )
    .values(
        spent=budgets.c.spent + bindparam("spend"),
        pending=budgets.c.pending + bindparam("reserve"),
        entries=bindparam("length"),
        head=bindparam("newest"),
    ),
    ("spend", "reserve", "length", "newest", "owner", "on_day"),
)
_TELL_MOVES = numbered(insert(balance_moves), ("sequence", "owners", "days"))
_DROP_MOVES = prepared(delete(balance_moves).where(balance_moves.c.sequence <= bindparam("last")))
_NEW_BUCKET = prepared(insert(budgets))
_PROFILES = prepared(
    select(profiles.c.visitor_key, profiles.c.due_ms, profiles.c.body).where(
        profiles.c.visitor_key.in_(listed("visitor_keys"))
    )
)
_profile_row = upsert(profiles)
_SAVE_PROFILE = numbered(
    _profile_row.on_conflict_do_update(
        index_elements=["visitor_key"],
        set_={name: _profile_row.excluded[name] for name in ("seen_ms", "due_ms", "body")},
    ),
    ("visitor_key", "seen_ms", "due_ms", "body"),
)
# An index finds what is due; it is the dearest part of a profile's row, and here it is left alone.
_FOLD_PROFILE = numbered(
    update(profiles)
    .where(profiles.c.visitor_key == bindparam("visitor"))
    .values(seen_ms=bindparam("seen"), body=bindparam("folded")),
    ("visitor", "seen", "folded"),
)
_count_row = upsert(counts)
_COUNT = numbered(
    _count_row.on_conflict_do_update(
        index_elements=["owner_key", "name", "hour_ms"], set_={"n": counts.c.n + _count_row.excluded.n}
    ),
    ("owner_key", "name", "hour_ms", "n"),
)
_arrivals_row = upsert(arrivals)
_ARRIVALS = numbered(
    _arrivals_row.on_conflict_do_update(
        index_elements=list(arrivals.primary_key.columns),
        set_={name: arrivals.c[name] + _arrivals_row.excluded[name] for name in FIGURES},
    ),
    (*ClickPlace.__struct_fields__, *FIGURES),
)
_POST = numbered(insert(postings), ("account", "currency", "sequence", "amount_micros"))
_ROWS = {table: insert(table) for table in (events, ad_events, charges, refunds, chain_notes)} | {
    table: upsert(table).on_conflict_do_nothing() for table in (notices, decisions)
}
_INSERTS = {table.name: numbered(statement, table.c.keys()) for table, statement in _ROWS.items()}
_values_of = {table.name: itemgetter(*table.c.keys()) for table in _ROWS}

encode_profile = msgspec.msgpack.Encoder().encode
decode_profile = msgspec.msgpack.Decoder(Profile).decode


class Overrun(Exception):
    """A balance did not accept what was admitted; the batch must be rolled back."""


class _Account(Bucket):
    """A balance as this batch sees it, its owner's chain, and how far the batch has moved both."""

    entries: int = 0
    head: bytes | None = None
    spend: int = 0
    reserve: int = 0
    chained: bool = False


def _account_of(row: Sequence[Any]) -> _Account:
    """Of a row that begins with the columns of `_balance`."""
    return _Account(row[0], row[2], row[3], row[4], row[5])


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
        self.comparing = Comparing(connection)
        self.sequence = sequence
        self.resent = resent  # what is in it may have been committed before
        self.retention = retention
        self.touched_balances = False
        self.changed_before: int | None = None  # the newest sequence of those before it in its transaction
        self.new_dedupe_keys: dict[int, int] = {}  # key -> when, in ms
        self.new_forgotten: dict[int, int] = {}  # a visitor's digest -> when, in ms
        self._accounts: dict[BucketId, _Account] = {}
        self._changed_balances: list[BucketId] = []  # on disk already
        self._profiles: dict[int, Profile | None] = {}
        self._changed_profiles: dict[int, int] = {}
        self._due_ms: dict[int, int] = {}  # by visitor, as the profiles' rows on disk say
        self._rows: dict[str, list[dict[str, Any]]] = {}
        self._row_by_id: dict[tuple[str, int], dict[str, Any]] = {}
        self._counts: dict[tuple[int, str, int], int] = {}
        self._arrivals: dict[ClickPlace, dict[str, int]] = {}
        self._recorded: dict[str, dict[int, int | None]] = {name: {} for name in _RECORDED}
        self._postings: dict[tuple[str, str], int] = {}
        self._charged: dict[
            tuple[int, int, str], list[int]
        ] = {}  # by both parties: amount, publisher's share

    @property
    def newest_sequence(self) -> int | None:
        """Under which the transaction last changed entities or balances; None where it did not yet."""
        return self.sequence if self.touched_balances else self.changed_before

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

    def recorded_ms(self, table: str, charge_id: int) -> int | None:
        """When what has this id was recorded by an earlier batch; None where it was not."""
        recorded = self._recorded[table]
        if charge_id not in recorded:
            self.read_recorded([charge_id])
        return recorded[charge_id]

    def read_recorded(self, charge_ids: Collection[int]) -> None:
        """Look many up at once, before they are asked for."""
        ids = {"charge_ids": as_list(charge_ids)}
        for table, recorded in self._recorded.items():
            recorded.update(dict.fromkeys(charge_ids))
            recorded.update(self.connection.execute(_RECORDED[table], ids).fetchall())

    def note_refusal(self, charge_id: int, at_ms: int) -> None:
        """A refusal is on disk at once, where it may be retried by this very batch."""
        self._recorded[refused_charges.name][charge_id] = at_ms

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
            self.read_profiles([visitor_key])
        return self._profiles[visitor_key]

    def read_profiles(self, visitor_keys: Collection[int]) -> None:
        """Read many at once, before they are asked for."""
        if not visitor_keys:
            return
        self._profiles.update(dict.fromkeys(visitor_keys))
        rows = self.connection.execute(_PROFILES, {"visitor_keys": as_list(visitor_keys)})
        for visitor_key, known_due_ms, body in rows:
            self._profiles[visitor_key] = decode_profile(body)
            self._due_ms[visitor_key] = known_due_ms

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
        bucket_ids = buckets_of(record.campaign_key, record.advertiser_key, record.day)
        accounts = [self._account(bucket_id) for bucket_id in bucket_ids]
        rise = Micros(spend + reserve)
        if rise > 0 and not admit(rise, accounts):
            return False
        for account in accounts:
            account.spend += spend
            account.reserve += reserve
            account.spent = Micros(account.spent + spend)
            account.pending = Micros(account.pending + reserve)
        self.touched_balances = True
        if rise > 0:
            for bucket_id, account in zip(bucket_ids, accounts, strict=True):
                if account.cap is not None and (percent := mark_passed(account, rise)) is not None:
                    self._tell_of_budget(record, bucket_id, account, account.cap, percent)
        return True

    def _tell_of_budget(
        self, record: AdRecord, id_: BucketId, bucket: Bucket, cap: Micros, percent: int
    ) -> None:
        """Leave a notice for the advertiser: a budget has just come to one of its marks."""
        key = budget_notice_key(id_.owner_key, id_.day, cap, percent)
        body = budget_notice(
            key,
            percent,
            id_.owner_key,
            is_campaign=id_.owner_key == record.campaign_key,
            advertiser_key=record.advertiser_key,
            day=id_.day,
            cap=cap,
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

    def read_balances(self, bucket_ids: Collection[BucketId]) -> None:
        """Read many at once, before they are asked for; those that are yet to be made are not among them."""
        keys = {
            "owner_keys": as_list({id_.owner_key for id_ in bucket_ids}),
            "days": as_list({id_.day for id_ in bucket_ids}),
        }
        for row in self.connection.execute(_BALANCES, keys):
            self._accounts[BucketId(row[6], row[7])] = _account_of(row)

    def _load(self, bucket_id: BucketId) -> _Account:
        """The balance on disk; a day's first charge makes its row, with the cap of that moment."""
        row = self._bucket_row(bucket_id)
        if row is not None:
            return _account_of(row)
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
            "entries": 0,
            "head": None,
        }
        self.connection.execute(_NEW_BUCKET, new)
        self.note_balance(bucket_id)  # even where nothing fits it: its cap is news
        return _Account(whole_life[1])

    def note_balance(self, bucket_id: BucketId) -> None:
        """A balance was made or given a cap: readers hear of it with this batch's sequence."""
        self._changed_balances.append(bucket_id)
        self.touched_balances = True

    def _bucket_row(self, bucket_id: BucketId) -> tuple[Any, ...] | None:
        key = {"owner_key": bucket_id.owner_key, "day": bucket_id.day}
        row: tuple[Any, ...] | None = self.connection.execute(_DAY_BUCKET, key).fetchone()
        return row

    def _post_both(self, record: AdRecord, amount: int, share: int) -> None:
        parties = (record.advertiser_key, record.publisher_key, record.currency)
        charged = self._charged.setdefault(parties, [0, 0])
        charged[0] += amount
        charged[1] += share

    def _post_charges(self) -> None:
        """What an advertiser owes, as its publisher's share and the network's fee; the three sum to zero."""
        for (advertiser_key, publisher_key, currency), (amount, share) in self._charged.items():
            self.post(f"advertiser:{advertiser_key}", currency, -amount)
            self.post(f"publisher:{publisher_key}", currency, share)
            self.post(NETWORK, currency, amount - share)

    def post(self, account: str, currency: str, amount: int) -> None:
        self._postings[account, currency] = self._postings.get((account, currency), 0) + amount

    # ---- to disk ----

    def flush(self) -> None:
        """Write everything this batch holds; raises Overrun if a balance refuses its update."""
        self._move_on_disk()
        self._post_charges()
        self._write(_POST, [(*of, self.sequence, amount) for of, amount in self._postings.items()])
        for table, rows in self._rows.items():
            self.connection.executemany(_INSERTS[table], map(_values_of[table], rows))
        self._save_profiles()
        self.comparing.flush()
        self._write(_COUNT, [(*key, n) for key, n in self._counts.items()])
        clicked = [
            (*msgspec.structs.astuple(place), *figures.values()) for place, figures in self._arrivals.items()
        ]
        self._write(_ARRIVALS, clicked)

    def _write(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Most batches write to few of the tables; to begin a statement for nothing takes time, too."""
        if rows:
            self.connection.executemany(sql, rows)

    def _save_profiles(self) -> None:
        """A row that is due sooner than its profile stays so: the purge looks at it then, and again later."""
        saved, folded = [], []
        for visitor_key, at_ms in self._changed_profiles.items():
            profile = self._profiles[visitor_key]
            if profile is None:
                continue
            due = self._let_go(visitor_key, profile, at_ms, at_ms)
            body = encode_profile(profile)
            if due < self._due_ms.get(visitor_key, LARGEST_KEY):
                saved.append((visitor_key, at_ms, due, body))
            else:
                folded.append((visitor_key, at_ms, body))
        self._write(_SAVE_PROFILE, saved)
        self._write(_FOLD_PROFILE, folded)

    def save_profile(self, visitor_key: int, profile: Profile, seen_ms: int, now_ms: int) -> None:
        """Write a profile at once, without what it may not hold any longer."""
        due = self._let_go(visitor_key, profile, seen_ms, now_ms)
        self.connection.execute(_SAVE_PROFILE, (visitor_key, seen_ms, due, encode_profile(profile)))

    def _let_go(self, visitor_key: int, profile: Profile, seen_ms: int, now_ms: int) -> int:
        """Drop what it may not hold any longer, and end the consents to it; when the next of it is due."""
        due = due_ms(profile, self.retention, seen_ms)
        if due > now_ms:
            return due
        known = profile.shops
        let_go(profile, self.retention, now_ms)
        if len(profile.shops) < len(known):
            left = {shop.advertiser_key for shop in known} - {shop.advertiser_key for shop in profile.shops}
            self.consents.end(visitor_key, left, Ended.EXPIRED, now_ms)
        return due_ms(profile, self.retention, seen_ms)

    def _move_on_disk(self) -> None:
        moved = [
            (id_, account)
            for id_, account in self._accounts.items()
            if account.spend or account.reserve or account.chained
        ]
        moves = [
            (account.spend, account.reserve, account.entries, account.head, id_.owner_key, id_.day)
            for id_, account in moved
        ]
        if moves and self.connection.executemany(_MOVE, moves).rowcount != len(moves):
            raise Overrun
        if self.touched_balances:
            self._tell_moves([*self._changed_balances, *(id_ for id_, _ in moved)])

    def _tell_moves(self, moved: list[BucketId]) -> None:
        owners, days = {id_.owner_key for id_ in moved}, {id_.day for id_ in moved}
        self.connection.execute(_TELL_MOVES, (self.sequence, as_list(owners), as_list(days)))
        self.connection.execute(_DROP_MOVES, {"last": self.sequence - KEPT_MOVES})


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
