"""A chain is read as it was hashed, and a day's heads are fixed once, signed once and told once."""

import json
import sqlite3
from contextlib import closing
from hashlib import sha256

import pytest

from adserver.domain.chain import GENESIS
from adserver.domain.identity import write_id
from adserver.domain.money import Micros
from adserver.domain.pricing import AdEvent
from adserver.domain.proof import signed_message
from adserver.storage.embedded import Storage
from adserver.writes import Deposit, RecordAd, RefundCharge, Result, SealDay, SignHeads
from tests.contract.stores import CLICK_PRICE, CPA_CAMPAIGN, make_record, rows_of, save
from tests.domain.makers import ADVERTISER, CAMPAIGN, DAY_MS, NOW_MS, TODAY, make_advertiser, make_campaign

TOMORROW = TODAY + 1
ENDED_MS = NOW_MS - NOW_MS % DAY_MS + DAY_MS  # when TODAY was over, in UTC
SEALED_MS = ENDED_MS + 20_000
CLICK_CHARGE = 1 << 2 | AdEvent.CLICK


def click(storage: Storage, impression_id: int = 1, at_ms: int = NOW_MS) -> None:
    record = make_record(impression_id, at_ms=at_ms)
    assert storage.writer.commit(RecordAd((record,))).result is Result.TAKEN


def refund(storage: Storage, refund_id: str = "r-1", amount: int = 50_000, at_ms: int = NOW_MS) -> None:
    write = RefundCharge(CLICK_CHARGE, refund_id, Micros(amount), "returned", at_ms)
    assert storage.writer.commit(write).result is Result.REFUNDED


def seal(storage: Storage, day: int = TODAY, at_ms: int = SEALED_MS) -> None:
    assert storage.writer.commit(SealDay(ADVERTISER, day, at_ms)).result is Result.SAVED


def sign(storage: Storage, day: int = TODAY, signature: bytes = b"s" * 64) -> None:
    heads = storage.seals.heads(ADVERTISER, day)
    signatures = tuple((head.owner_key, head.day, signature) for head in heads)
    assert storage.writer.commit(SignHeads(signatures)).result is Result.SAVED


def replayed(entries: list[bytes]) -> bytes:
    head = GENESIS
    for entry in entries:
        head = sha256(head + entry).digest()
    return head


def test_a_campaigns_entries_give_its_head_and_its_balance(storage: Storage) -> None:
    click(storage)
    refund(storage)
    click(storage, 2)
    assert save(storage, make_campaign(version=2, total_budget_micros=Micros(9_000_000))).result == "saved"
    standing = storage.proofs.standing(CAMPAIGN)
    entries = storage.proofs.entries(CAMPAIGN, 0, standing.entries)
    kinds = [json.loads(entry)["kind"] for entry in entries]
    assert kinds == ["caps", "charge", "refund", "charge", "caps"]
    assert [json.loads(entry)["entry"] for entry in entries] == [1, 2, 3, 4, 5]
    assert replayed(entries) == standing.head
    assert (standing.spent, standing.refunded) == (2 * CLICK_PRICE - 50_000, 50_000)
    assert standing.total_cap == 9_000_000


def test_entries_come_in_pages_that_fit_together(storage: Storage) -> None:
    for impression_id in range(1, 8):
        click(storage, impression_id)
    refund(storage)
    whole = storage.proofs.entries(CAMPAIGN, 0, 9)
    pages = [storage.proofs.entries(CAMPAIGN, after, after + 2) for after in range(0, 10, 2)]
    assert [entry for page in pages for entry in page] == whole
    assert len(whole) == 9
    assert storage.proofs.entries(CAMPAIGN, 9, 100) == []


def test_an_accounts_chain_holds_its_budgets_deposits_and_days(storage: Storage) -> None:
    click(storage)
    refund(storage)
    write = Deposit(5, ADVERTISER, "EUR", Micros(1_000_000), "wire-1", NOW_MS)
    assert storage.writer.commit(write).result is Result.SAVED
    seal(storage)
    standing = storage.proofs.standing(ADVERTISER)
    entries = storage.proofs.entries(ADVERTISER, 0, standing.entries)
    assert [json.loads(entry)["kind"] for entry in entries] == ["caps", "deposit", "day"]
    assert replayed(entries) == standing.head
    assert (standing.spent, standing.refunded) == (CLICK_PRICE - 50_000, 50_000)


def test_who_is_unknown_stands_at_the_beginning(empty: Storage) -> None:
    standing = empty.proofs.standing(404)
    assert (standing.entries, standing.head, standing.spent) == (0, GENESIS, 0)


def test_a_seal_fixes_the_heads_of_that_moment_in_the_accounts_own_chain(storage: Storage) -> None:
    click(storage)
    before = storage.proofs.standing(CAMPAIGN)
    seal(storage)
    own, campaign, sale = storage.seals.heads(ADVERTISER, TODAY)
    assert (own.owner_key, campaign.owner_key, sale.owner_key) == (ADVERTISER, CAMPAIGN, CPA_CAMPAIGN)
    assert (campaign.entries, campaign.head, campaign.spent) == (before.entries, before.head, CLICK_PRICE)
    note = storage.proofs.entries(ADVERTISER, own.entries - 1, own.entries)[0]
    told = json.loads(note)["campaigns"][write_id("cmp", CAMPAIGN)]
    assert told == {"entries": before.entries, "head": before.head.hex()}
    standing = storage.proofs.standing(ADVERTISER)
    assert (own.entries, own.head) == (standing.entries, standing.head)
    click(storage, 2, SEALED_MS + 1)
    assert storage.seals.heads(ADVERTISER, TODAY)[1] == campaign


def test_a_day_is_sealed_once_and_nobody_seals_the_past(storage: Storage) -> None:
    click(storage)
    seal(storage)
    first = rows_of(storage, "SELECT * FROM daily_heads ORDER BY owner_key, day")
    click(storage, 2)
    seal(storage)
    seal(storage, TODAY - 1)
    assert rows_of(storage, "SELECT * FROM daily_heads ORDER BY owner_key, day") == first


def test_whoever_heard_of_a_seal_misses_nothing_that_comes_after_it(storage: Storage) -> None:
    seal(storage)
    heard, _ = storage.changes.buckets_since(0)
    assert heard <= storage.writer.sequence
    click(storage)
    _, moved = storage.changes.buckets_since(heard)
    assert len(moved) == 4


def test_only_chains_that_grew_are_sealed_again_and_idle_accounts_not_at_all(storage: Storage) -> None:
    seal(storage)
    seal(storage, TOMORROW, SEALED_MS + DAY_MS)
    assert storage.seals.heads(ADVERTISER, TOMORROW) == []
    assert storage.seals.due(TOMORROW, ENDED_MS + DAY_MS, -1, 10) == []
    click(storage, 1, ENDED_MS + 5)
    seal(storage, TOMORROW, SEALED_MS + DAY_MS)
    heads = storage.seals.heads(ADVERTISER, TOMORROW)
    assert [head.owner_key for head in heads] == [ADVERTISER, CAMPAIGN]


def test_an_account_is_due_once_a_day_ended_in_which_something_happened(storage: Storage) -> None:
    seal(storage, TODAY - 1, SEALED_MS - DAY_MS)
    assert storage.seals.due(TODAY, ENDED_MS, -1, 10) == []
    click(storage, 1, ENDED_MS)
    assert storage.seals.due(TODAY, ENDED_MS, -1, 10) == []  # of the day that is not over
    assert storage.seals.due(TOMORROW, ENDED_MS + DAY_MS, -1, 10) == [ADVERTISER]
    assert storage.seals.due(TOMORROW, ENDED_MS + DAY_MS, ADVERTISER, 10) == []
    seal(storage, TOMORROW, SEALED_MS + DAY_MS)
    assert storage.seals.due(TOMORROW, ENDED_MS + DAY_MS, -1, 10) == []


def test_an_account_whose_own_chain_grew_is_due_as_well(storage: Storage) -> None:
    seal(storage, TODAY - 1, SEALED_MS - DAY_MS)
    storage.writer.commit(Deposit(5, ADVERTISER, "EUR", Micros(1), "wire-1", NOW_MS))
    assert storage.seals.due(TODAY, ENDED_MS, -1, 10) == [ADVERTISER]


def test_a_refund_makes_an_account_due(storage: Storage) -> None:
    click(storage)
    seal(storage)
    refund(storage, at_ms=ENDED_MS + 5)
    assert storage.seals.due(TOMORROW, ENDED_MS + DAY_MS, -1, 10) == [ADVERTISER]


def test_a_head_is_signed_once_and_its_notice_tells_all_heads_of_the_day(storage: Storage) -> None:
    click(storage)
    seal(storage)
    assert storage.seals.unsigned(10) == [(ADVERTISER, TODAY)]
    assert storage.proofs.newest_heads(CAMPAIGN, 10) == []
    sign(storage)
    sign(storage, signature=b"t" * 64)
    assert storage.seals.unsigned(10) == []
    (head,) = storage.proofs.newest_heads(CAMPAIGN, 10)
    assert head.signature == b"s" * 64
    ((kind, body, due_ms),) = rows_of(storage, "SELECT kind, body, due_ms FROM notices")
    assert (kind, due_ms) == ("day_sealed", SEALED_MS)
    told = json.loads(body)  # type: ignore[arg-type]
    assert (told["advertiser_id"], told["day"]) == (write_id("adv", ADVERTISER), TODAY)
    assert [one["owner"] for one in told["heads"]] == [
        write_id("adv", ADVERTISER), write_id("cmp", CAMPAIGN), write_id("cmp", CPA_CAMPAIGN),
    ]  # fmt: skip
    assert told["heads"][1]["head"] == head.head.hex()
    assert {one["signature"] for one in told["heads"]} == {(b"s" * 64).hex()}


def test_what_is_signed_names_owner_day_and_every_figure(storage: Storage) -> None:
    click(storage)
    seal(storage)
    own, campaign, _ = storage.seals.heads(ADVERTISER, TODAY)
    assert json.loads(signed_message(campaign, ADVERTISER)) == {
        "day": TODAY,
        "entries": campaign.entries,
        "head": campaign.head.hex(),
        "owner": write_id("cmp", CAMPAIGN),
        "pending_micros": 0,
        "spent_micros": CLICK_PRICE,
    }
    assert json.loads(signed_message(own, ADVERTISER))["owner"] == write_id("adv", ADVERTISER)


def test_heads_are_found_by_day_and_the_newest_first(storage: Storage) -> None:
    for days in range(4):
        click(storage, 1 + days, NOW_MS + days * DAY_MS)
        seal(storage, TODAY + days, SEALED_MS + days * DAY_MS)
        sign(storage, TODAY + days)
    newest = storage.proofs.newest_heads(CAMPAIGN, 2)
    assert [head.day for head in newest] == [TODAY + 2, TODAY + 3]
    between = storage.proofs.heads_between(CAMPAIGN, TODAY + 1, TODAY + 2, 10)
    assert [head.day for head in between] == [TODAY + 1, TODAY + 2]
    assert len(storage.proofs.heads_between(CAMPAIGN, 0, 99_999_999, 3)) == 3


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE charges SET amount_micros = amount_micros + 1 WHERE entry = 2",
        "UPDATE charges SET at_ms = at_ms - 1 WHERE entry = 2",
        "UPDATE charges SET slot_key = slot_key + 1 WHERE entry = 2",
        "UPDATE charges SET entry = entry + 100 WHERE entry = 3",
        "UPDATE charges SET charge_id = charge_id + 400 WHERE entry = 3",
        "DELETE FROM charges WHERE entry = 3",
        "UPDATE refunds SET reason = 'another'",
        "UPDATE refunds SET amount_micros = amount_micros - 1",
        "DELETE FROM refunds",
        "DELETE FROM chain_notes WHERE entry = 1",
    ],
)
def test_whoever_alters_the_ledgers_rows_is_found_out_by_the_head(storage: Storage, sql: str) -> None:
    for impression_id in (1, 2):
        click(storage, impression_id)
    refund(storage)
    standing = storage.proofs.standing(CAMPAIGN)
    assert replayed(storage.proofs.entries(CAMPAIGN, 0, standing.entries)) == standing.head
    with closing(sqlite3.connect(storage.path, isolation_level=None)) as operator:
        assert operator.execute(sql).rowcount >= 1
    assert replayed(storage.proofs.entries(CAMPAIGN, 0, standing.entries)) != standing.head


def test_accounts_are_each_sealed_for_themselves(storage: Storage) -> None:
    save(storage, make_advertiser(key=9, public_id="other"), is_new=True)
    click(storage)
    assert storage.seals.due(TODAY, ENDED_MS, -1, 10) == [ADVERTISER, 9]
    seal(storage)
    assert storage.seals.due(TODAY, ENDED_MS, -1, 10) == [9]
