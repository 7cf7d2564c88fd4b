"""Ways to get a ledger wrong: each changes the real one a little, and the machine must notice."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import msgspec
import pytest

from adserver.domain.budget import Bucket, BucketId, admit, buckets_of
from adserver.domain.chain import GENESIS, next_head
from adserver.domain.money import ZERO, Micros
from adserver.domain.pricing import AdEvent
from adserver.storage import batch as batches
from adserver.storage import (
    cancellations,
    caps,
    conversions,
    deposits,
    handlers,
    ledger,
    refunds,
    returns,
    visitors,
    writer,
)
from adserver.storage.batch import Batch
from adserver.storage.deposits import deposit
from adserver.storage.visitors import RecentIds
from adserver.storage.writer import Committer
from adserver.writes import AdRecord, CancelConversion, CreditConversion, Deposit, Outcome, RecordAd, Result
from tests.contract.ledger_machine import DAYS

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], None]

_repeat, _bill, _move, _transaction = ledger.repeat, ledger.bill, Batch.move, Committer._transaction


FREE_MOVE = (
    "UPDATE budgets SET spent=spent+?, pending=pending+?, entries=?, head=? WHERE owner_key=? AND day=?"
)


def _without_guards(patch: Patch) -> None:
    """The statement's condition and the table's CHECK are gone; only what is admitted counts."""
    patch.setattr(batches, "_MOVE", FREE_MOVE)
    connect = writer.connect

    def lenient(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = connect(*args, **options)
        connection.execute("PRAGMA ignore_check_constraints = ON")
        return connection

    patch.setattr(writer, "connect", lenient)


def _insert_or_ignore(patch: Patch) -> None:
    lenient = {name: sql.replace("INSERT", "INSERT OR IGNORE", 1) for name, sql in batches._INSERTS.items()}
    patch.setattr(batches, "_INSERTS", lenient)


def no_dedupe_of_a_charge(patch: Patch) -> None:
    def blind(batch: Batch, table: str, record: AdRecord, first: Result) -> Outcome | None:
        return None if table == "charges" else _repeat(batch, table, record, first)

    patch.setattr(ledger, "repeat", blind)
    _insert_or_ignore(patch)


def a_duplicate_within_one_batch_is_taken_twice(patch: Patch) -> None:
    patch.setattr(Batch, "pending_row", lambda self, table, row_id: None)
    _insert_or_ignore(patch)


def _forgotten_bucket(place: int) -> Mutant:
    def mutant(patch: Patch) -> None:
        def three(*owners_and_day: int) -> tuple[BucketId, ...]:
            found = buckets_of(*owners_and_day)
            return found[:place] + found[place + 1 :]

        patch.setattr(batches, "buckets_of", three)

    return mutant


def the_cap_is_checked_before_the_batch_only(patch: Patch) -> None:
    def move(self: Batch, record: AdRecord, spend: Micros, reserve: Micros) -> bool:
        found = [
            self._account(id_) for id_ in buckets_of(record.campaign_key, record.advertiser_key, record.day)
        ]
        before = [(account.spent, account.pending) for account in found]
        moved = _move(self, record, spend, reserve)
        for account, known in zip(found, before, strict=True):
            account.spent, account.pending = known
        return moved

    patch.setattr(Batch, "move", move)
    _without_guards(patch)


def one_micro_too_many_is_admitted(patch: Patch) -> None:
    patch.setattr(batches, "admit", lambda amount, buckets: admit(Micros(amount - 10), buckets))
    _without_guards(patch)


def everything_is_admitted_and_left_to_the_statement(patch: Patch) -> None:
    patch.setattr(batches, "admit", lambda amount, buckets: True)


def money_that_waits_is_not_counted_in(patch: Patch) -> None:
    def heedless(amount: Micros, buckets: list[Bucket]) -> bool:
        return admit(amount, [Bucket(bucket.cap, bucket.spent) for bucket in buckets])

    patch.setattr(batches, "admit", heedless)
    _without_guards(patch)


def a_refused_charge_burns_its_id(patch: Patch) -> None:
    def burnt(batch: Batch, record: AdRecord) -> Outcome:
        known = {"charge_id": ledger.charge_id(record)}
        if batch.connection.execute(ledger._REFUSED_DAY, known).fetchone():
            return Outcome(Result.CAP_REACHED)
        return _bill(batch, record)

    patch.setattr(ledger, "bill", burnt)


def the_day_of_first_sight_is_not_kept(patch: Patch) -> None:
    patch.setattr(
        ledger, "_REFUSED_DAY", f"SELECT {DAYS[1]} FROM refused_charges WHERE charge_id = :charge_id"
    )


def a_charge_taken_at_last_stays_refused(patch: Patch) -> None:
    patch.setattr(ledger, "_DROP_REFUSED", "SELECT :charge_id")


def pending_is_not_reserved(patch: Patch) -> None:
    def move(self: Batch, record: AdRecord, spend: Micros, reserve: Micros) -> bool:
        return _move(self, record, spend, min(reserve, ZERO))

    patch.setattr(Batch, "move", move)


def the_release_of_pending_is_forgotten(patch: Patch) -> None:
    def move(self: Batch, record: AdRecord, spend: Micros, reserve: Micros) -> bool:
        return _move(self, record, spend, max(reserve, ZERO))

    patch.setattr(Batch, "move", move)


def a_servers_order_does_not_supersede_the_pixels(patch: Patch) -> None:
    patch.setattr(conversions, "_release", lambda batch, browser: None)


def a_trusted_pixels_order_is_billed_again_by_the_server(patch: Patch) -> None:
    credit = conversions.credit_conversion

    def again(batch: Batch, write: CreditConversion) -> Outcome:
        outcome = credit(batch, write)
        if outcome.result is Result.DUPLICATE and write.record and write.record.amount_micros:
            _move(batch, write.record, write.record.amount_micros, ZERO)
        return outcome

    patch.setitem(handlers.HOT, CreditConversion, again)


def event_ids_are_remembered_though_the_transaction_failed(patch: Patch) -> None:
    store = visitors.store_event

    def hasty(batch: Batch, write: Any, recent: RecentIds, resent: bool) -> Outcome:
        outcome = store(batch, write, recent, resent)
        for dedupe_key, at_ms in batch.new_dedupe_keys.items():
            recent.add(dedupe_key, at_ms)
        return outcome

    patch.setattr(visitors, "store_event", hasty)


def event_ids_are_forgotten_by_a_restart(patch: Patch) -> None:
    patch.setattr(writer, "_RECENT_EVENTS", "SELECT 1, 1 WHERE 1 = 0")


def an_event_sent_again_after_a_crash_is_stored_again(patch: Patch) -> None:
    store = visitors.store_event

    def forgetful(batch: Batch, write: Any, recent: RecentIds, resent: bool) -> Outcome:
        return store(batch, write, recent, False)

    patch.setattr(visitors, "store_event", forgetful)


def a_batch_is_answered_before_it_is_durable(patch: Patch) -> None:
    def hollow(self: Committer, writes: Any, resent: bool) -> list[Outcome]:
        outcomes = _transaction(self, writes, resent)
        if len(writes) > 4:
            self._connection.execute("DELETE FROM charges WHERE at_ms = (SELECT MAX(at_ms) FROM charges)")
        return outcomes

    patch.setattr(Committer, "_transaction", hollow)


def one_bad_write_fails_its_whole_batch(patch: Patch) -> None:
    def brittle(self: Committer, writes: Any, resent: bool = False) -> list[Outcome]:
        try:
            return self._transaction(writes, resent)
        except LookupError:
            self._roll_back()
            return [writer.UNRECORDED] * len(writes)

    patch.setattr(Committer, "commit", brittle)


def a_failed_batch_is_not_rolled_back(patch: Patch) -> None:
    def keep(self: Committer) -> None:
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")

    patch.setattr(Committer, "_roll_back", keep)


def a_new_day_begins_without_its_cap(patch: Patch) -> None:
    load = Batch._bucket_row

    def capless(self: Batch, bucket_id: BucketId) -> tuple[Any, ...] | None:
        row = load(self, bucket_id)
        return row if row is None or bucket_id.day else (row[0], None, *row[2:])

    patch.setattr(Batch, "_bucket_row", capless)


def a_cap_is_lowered_below_what_is_spent(patch: Patch) -> None:
    patch.setattr(caps, "used", lambda batch, owner_key, day: 0)
    _without_guards(patch)


def a_lowered_daily_cap_waits_for_tomorrow(patch: Patch) -> None:
    patch.setattr(caps, "_SET_CAP", caps._SET_CAP + " AND budgets.day = 0")


def a_changed_cap_leaves_the_days_that_have_begun_ahead_of_it(patch: Patch) -> None:
    patch.setattr(caps, "_later_days", lambda batch, owner_key, today: [])


def a_change_of_balances_is_not_told_to_workers(patch: Patch) -> None:
    def silent(self: Batch, bucket_id: BucketId, load: Any = Batch._load) -> Any:
        touched = self.touched_balances
        account = load(self, bucket_id)
        self.touched_balances = touched
        return account

    patch.setattr(Batch, "_load", silent)


def a_suspect_click_is_charged(patch: Patch) -> None:
    record_ad = ledger.record_ad

    def greedy(batch: Batch, write: RecordAd) -> Outcome:
        full = tuple(
            msgspec.structs.replace(record, amount_micros=Micros(30)) if record.not_billed else record
            for record in write.records
        )
        return record_ad(batch, RecordAd(full))

    patch.setitem(handlers.HOT, RecordAd, greedy)


def the_publishers_share_is_not_posted(patch: Patch) -> None:
    post = Batch.post

    def stingy(self: Batch, account: str, currency: str, amount: int) -> None:
        if not account.startswith("publisher"):
            post(self, account, currency, amount)

    patch.setattr(Batch, "post", stingy)


def a_conversion_is_charged_under_the_impressions_id(patch: Patch) -> None:
    patch.setattr(
        ledger, "charge_id", lambda record: record.impression_id << 2 | min(record.event, AdEvent.CLICK)
    )


def a_refund_is_not_known_again(patch: Patch) -> None:
    patch.setattr(refunds, "_REFUND", refunds._REFUND + " AND 1 = 0")
    patch.setattr(refunds, "_INSERT", refunds._INSERT.replace("INSERT", "INSERT OR IGNORE", 1))


def more_is_refunded_than_was_billed(patch: Patch) -> None:
    patch.setattr(refunds, "_REFUNDED", "SELECT 0, 0 WHERE :charge_id >= 0")


def a_refund_goes_into_today(patch: Patch) -> None:
    give_back = Batch.give_back

    def today(self: Batch, record: AdRecord) -> None:
        give_back(self, msgspec.structs.replace(record, day=DAYS[1]))

    patch.setattr(Batch, "give_back", today)


def the_publisher_keeps_its_share_of_a_refund(patch: Patch) -> None:
    def generous(self: Batch, record: AdRecord) -> None:
        self.move(record, Micros(-record.amount_micros), ZERO)
        self._post_both(record, -record.amount_micros, 0)

    patch.setattr(Batch, "give_back", generous)


def a_refund_is_not_chained(patch: Patch) -> None:
    append = Batch.append

    def forgetful(self: Batch, owner_key: int, entry_of: Callable[[int], bytes]) -> int:
        refund = entry_of.__qualname__.startswith("_book")
        return 1000 if refund else append(self, owner_key, entry_of)

    patch.setattr(Batch, "append", forgetful)


def a_chain_forgets_what_came_before(patch: Patch) -> None:
    patch.setattr(batches, "next_head", lambda head, entry: next_head(GENESIS, entry))


def a_deposit_is_booked_again_for_its_reference(patch: Patch) -> None:
    def blind(batch: Batch, write: Deposit) -> Outcome:
        fresh = msgspec.structs.replace(write, reference=f"{write.reference} {write.at_ms}")
        return deposit(batch, fresh)

    patch.setitem(handlers.COLD, Deposit, blind)


def a_prepaid_account_spends_what_it_has_not_paid(patch: Patch) -> None:
    patch.setattr(deposits, "life_cap", lambda total, deposited: total)
    patch.setattr(caps, "life_cap", lambda total, deposited: total)


def the_lead_window_is_forgotten(patch: Patch) -> None:
    patch.setattr(conversions, "_is_repeated_lead", lambda batch, write, told: False)


def leads_are_looked_for_outside_of_the_transaction(patch: Patch) -> None:
    known = conversions._is_repeated_lead

    def before(batch: Batch, write: CreditConversion, told: dict[str, Any]) -> bool:
        path = batch.connection.execute("PRAGMA database_list").fetchone()[2]
        with closing(sqlite3.connect(path)) as committed:
            return known(Batch(committed, 0, b""), write, told)

    patch.setattr(conversions, "_is_repeated_lead", before)


def a_cancelled_order_is_billed_when_it_comes(patch: Patch) -> None:
    patch.setattr(returns, "after_returns", lambda batch, record, told: record)


def a_return_is_not_known_again(patch: Patch) -> None:
    patch.setattr(returns, "answered_before", lambda batch, write: None)
    patch.setattr(returns, "_INSERT", returns._INSERT.replace("INSERT", "INSERT OR REPLACE", 1))


def each_return_is_priced_as_if_it_were_the_only_one(patch: Patch) -> None:
    patch.setattr(cancellations, "_returned_with", lambda batch, write, told: write.returned_micros)


def a_cancelled_order_keeps_its_reserve(patch: Patch) -> None:
    reserve_less = cancellations._reserve_less

    def greedy(batch: Batch, write: CancelConversion, told: dict[str, Any]) -> Outcome:
        with patch.context() as here:
            here.setattr(batch, "move", lambda record, spend, reserve: True)
            return reserve_less(batch, write, told)

    patch.setattr(cancellations, "_reserve_less", greedy)


def a_fixed_price_falls_with_each_return(patch: Patch) -> None:
    patch.setattr(returns, "price_after_returns", lambda terms, basket, returned, audience_key: ZERO)


MUTANTS: dict[str, Mutant] = {
    mutant.__name__: mutant
    for name, mutant in list(globals().items())
    if callable(mutant)
    and getattr(mutant, "__module__", "") == __name__
    and not name.startswith("_")
    and not isinstance(mutant, type)
} | {f"bucket_{place}_of_four_is_forgotten": _forgotten_bucket(place) for place in range(4)}
