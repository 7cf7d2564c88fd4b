"""The writer port: order is kept, a bad write harms nobody else, and sending again is harmless."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adserver.domain.budget import BucketId
from adserver.ports import Deferred
from adserver.storage.embedded import Storage, join_storage, own_storage
from adserver.storage.postbox import ENOUGH_WRITES, Postbox
from adserver.storage.writer import FileOwned
from adserver.writes import AddCounts, Outcome, RecordAd, RecordDecision, Result, SaveEntity, Together, Write
from pixel.events import EventName
from tests.contract.stores import (
    CLICK_PRICE,
    balances,
    credit_by_server,
    make_accounts,
    make_order_event,
    make_record,
    rows_of,
    save,
    save_new,
)
from tests.domain.makers import CAMPAIGN, NOW_MS, SLOT, make_campaign, make_creative, make_event

MISSING = 99  # a campaign without a budget: its charge poisons a batch


@pytest.fixture(params=["own", "beside"])
def through(storage: Storage, request: pytest.FixtureRequest) -> Iterator[Storage]:
    """The same storage, by its own process and by another one's way to it."""
    if request.param == "own":
        yield storage
        return
    joined = join_storage(storage.path)
    yield joined
    joined.close()


def click(impression_id: int, **fields: object) -> RecordAd:
    return RecordAd((make_record(impression_id, **fields),))


def sent(storage: Storage, writes: list[Write], resent: bool = False) -> list[Outcome]:
    """The writes as one batch, as a worker's socket hands it on."""
    return storage.writer.commit_all(writes, resent)  # type: ignore[union-attr]


def results(outcomes: list[Outcome]) -> list[Result]:
    return [outcome.result for outcome in outcomes]


def test_writes_are_done_in_the_order_they_were_handed_in(through: Storage) -> None:
    arrived: list[Result] = []
    done = threading.Event()
    writes = [click(1), click(1), click(2), SaveEntity(make_campaign(version=2), False), click(2)]
    for write in writes:
        deferred: Deferred = through.writer.submit(write)
        deferred.then(lambda outcome: (arrived.append(outcome.result), len(arrived) == 5 and done.set()))
    assert done.wait(20)
    assert arrived == [Result.TAKEN, Result.REPEATED, Result.TAKEN, Result.SAVED, Result.REPEATED]


def test_many_writes_of_a_job_are_each_answered_in_their_order(through: Storage) -> None:
    writes = [click(1), click(MISSING, campaign_key=MISSING), click(1), click(2)]
    expected = [Result.TAKEN, Result.UNRECORDED, Result.REPEATED, Result.TAKEN]
    assert results(through.writer.commit_many(writes)) == expected
    assert through.writer.commit_many([]) == []


def test_what_was_answered_can_be_read_at_once(through: Storage) -> None:
    assert through.writer.commit(click(1)).result is Result.TAKEN
    assert balances(through) == [(CLICK_PRICE, 0)] * 4


def test_the_answer_carries_the_newest_change(through: Storage) -> None:
    before = through.writer.sequence
    through.writer.commit(click(1))
    assert through.writer.sequence > before
    assert through.changes.buckets_since(before)[0] == through.writer.sequence


def test_a_deferred_that_is_already_resolved_calls_back_at_once() -> None:
    deferred, heard = Deferred(), []
    deferred.resolve(Outcome(Result.TAKEN))
    deferred.then(heard.append)
    assert heard == [Outcome(Result.TAKEN)]


def test_one_bad_write_fails_alone(storage: Storage) -> None:
    bad = click(9, campaign_key=MISSING)
    writes = [
        click(1),
        bad,
        make_order_event(event_key=5),
        click(1),
        SaveEntity(make_campaign(version=2), False),
    ]
    outcomes = sent(storage, writes)
    assert results(outcomes) == [
        Result.TAKEN,
        Result.UNRECORDED,
        Result.ACCEPTED,
        Result.REPEATED,
        Result.SAVED,
    ]
    assert balances(storage)[0] == (CLICK_PRICE, 0)
    assert rows_of(storage, "SELECT COUNT(*) FROM ad_events WHERE campaign_key = :key", key=MISSING) == [(0,)]


def test_an_event_id_of_a_failed_batch_may_come_again(storage: Storage) -> None:
    event = make_event(EventName.PURCHASE, event_id="e1")
    outcomes = sent(storage, [make_order_event(event=event), click(9, campaign_key=MISSING)])
    assert results(outcomes) == [Result.ACCEPTED, Result.UNRECORDED]
    again = make_order_event(event=event, event_key=2)
    assert storage.writer.commit(again).result is Result.DUPLICATE


def test_a_batch_sent_again_stores_nothing_twice_and_answers_the_same(storage: Storage) -> None:
    event = make_event(EventName.VIEW_ITEM, "boots", event_id="e1")
    writes: list[Write] = [
        click(1),
        click(1, at_ms=NOW_MS + 1),
        click(2, amount_micros=0, not_billed="too_soon"),
        make_order_event(0, 11, event=event, visitor_key=5),
        make_order_event(0, 12, event=event, visitor_key=5),
        make_order_event(0, 13, visitor_key=5),
        credit_by_server(100),
        RecordDecision(3, NOW_MS, SLOT, CAMPAIGN, 700, 5, (9,)),
        SaveEntity(make_campaign(version=2, name="Winter"), False),
        Together((SaveEntity(make_creative(key=701), True),)),
    ]
    first = sent(storage, writes)
    held = whole_database(storage)
    assert sent(storage, writes, resent=True) == first
    assert whole_database(storage) == held


def test_a_suspect_click_that_was_redeemed_in_its_batch_is_a_repeat_when_that_is_sent_again(
    storage: Storage,
) -> None:
    """Its row is the valid click's by then: the batch leaves what it left, and the money is answered alike."""
    suspect = click(1, amount_micros=0, not_billed="too_soon")
    writes: list[Write] = [suspect, click(1, at_ms=NOW_MS + 1)]
    assert results(sent(storage, writes)) == [Result.NOT_BILLABLE, Result.TAKEN]
    held = whole_database(storage)
    assert results(sent(storage, writes, resent=True)) == [Result.REPEATED, Result.TAKEN]
    assert whole_database(storage) == held


def whole_database(storage: Storage) -> dict[str, list[tuple[object, ...]]]:
    names = [str(row[0]) for row in rows_of(storage, "SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: sorted(rows_of(storage, f"SELECT * FROM {name}"), key=repr) for name in names}


def test_hot_and_management_writes_share_a_transaction(storage: Storage) -> None:
    saves = [SaveEntity(make_campaign(version=version), False) for version in (2, 3)]
    writes: list[Write] = [click(1), saves[0], click(2), saves[1], click(3), AddCounts(((0, "seen", 1, 1),))]
    outcomes = sent(storage, writes)
    taken, saved = Result.TAKEN, Result.SAVED
    assert results(outcomes) == [taken, saved, taken, saved, taken, saved]
    assert balances(storage)[0] == (3 * CLICK_PRICE, 0)


def test_all_of_what_belongs_together_is_saved_or_nothing(storage: Storage) -> None:
    stale = SaveEntity(make_campaign(version=7), False)
    outcome = storage.writer.commit(Together((SaveEntity(make_creative(key=701), True), stale)))
    assert outcome.result is Result.CONFLICT
    assert storage.campaigns.creative(701) is None


def test_writes_from_many_threads_are_each_answered_their_own(storage: Storage) -> None:
    answers: dict[int, Result] = {}

    def work(impression_id: int) -> None:
        answers[impression_id] = storage.writer.commit(click(impression_id)).result

    threads = [threading.Thread(target=work, args=(n,)) for n in range(1, 41)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == dict.fromkeys(range(1, 41), Result.TAKEN)
    assert balances(storage)[0] == (40 * CLICK_PRICE, 0)


def test_many_tellings_of_one_click_are_billed_once(storage: Storage) -> None:
    outcomes = sent(storage, [click(1, at_ms=NOW_MS + n) for n in range(1_000)])
    assert results(outcomes).count(Result.TAKEN) == 1
    assert balances(storage)[0] == (CLICK_PRICE, 0)


def test_the_last_batch_is_on_disk_when_the_writer_closes(tmp_path: Path) -> None:
    storage = own_storage(tmp_path / "adserver.db")
    save_new(storage, *make_accounts())
    for impression_id in range(1, 50):
        storage.writer.submit(click(impression_id))
    storage.close()
    reopened = own_storage(tmp_path / "adserver.db")
    assert balances(reopened)[0] == (49 * CLICK_PRICE, 0)
    before = reopened.writer.sequence
    assert save(reopened, make_campaign(version=2)).result is Result.SAVED
    assert reopened.writer.sequence > before
    assert reopened.ledger.buckets([BucketId(CAMPAIGN, 0)])[0].spent == 49 * CLICK_PRICE
    reopened.close()


def test_a_file_has_one_writer_only(storage: Storage) -> None:
    with pytest.raises(FileOwned):
        own_storage(storage.path)


def test_a_batch_that_fails_altogether_is_told_to_whoever_waits_and_the_next_is_tried(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The thread that sends must outlive whatever sending raises, or everybody would wait for ever."""
    answers: list[Outcome | Exception] = [RuntimeError("no such luck"), Outcome(Result.SAVED)]

    def send(writes: list[Write], resent: bool) -> list[Outcome]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return [answer] * len(writes)

    postbox = Postbox(send, "test")
    results = [postbox.commit(AddCounts(())).result for _ in range(2)]
    postbox.close()
    assert results == [Result.UNRECORDED, Result.SAVED]
    assert "no such luck" in caplog.text


def test_who_cannot_hear_its_outcome_keeps_neither_the_others_nor_the_next_batch_from_theirs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    may_go_on, heard = threading.Event(), list[Outcome]()

    def send(writes: list[Write], resent: bool) -> list[Outcome]:
        assert may_go_on.wait(20)
        return [Outcome(Result.SAVED)] * len(writes)

    postbox = Postbox(send, "test")
    for hear in (lambda outcome: 1 // 0, heard.append):
        postbox.submit(AddCounts(())).then(hear)
    may_go_on.set()
    assert postbox.commit(AddCounts(())).result is Result.SAVED
    postbox.close()
    assert heard == [Outcome(Result.SAVED)]
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("by_the_loop", [True, False])
def test_many_writes_of_one_round_set_out_before_its_end_and_only_on_the_loop(by_the_loop: bool) -> None:
    begun: list[tuple[int, int]] = []

    def begin(writes: list[Write], resent: bool) -> Callable[[], list[Outcome]]:
        begun.append((len(writes), threading.get_ident()))
        return lambda: [Outcome(Result.SAVED)] * len(writes)

    postbox = Postbox(lambda writes, resent: [], "test", begin=begin)
    heard, all_heard = list[Outcome](), asyncio.Event()

    def hear(outcome: Outcome) -> None:
        heard.append(outcome)
        if len(heard) == ENOUGH_WRITES + 8:
            all_heard.set()

    def submit() -> None:
        for _ in range(ENOUGH_WRITES + 8):
            postbox.submit(AddCounts(())).then(hear)

    async def one_round() -> int:
        postbox.on_loop(asyncio.get_running_loop())
        if by_the_loop:
            submit()
            assert [count for count, _ in begun] == [ENOUGH_WRITES]
        else:
            await asyncio.to_thread(submit)
        await all_heard.wait()
        postbox.on_loop(None)
        return threading.get_ident()

    thread = asyncio.run(one_round())
    postbox.close()
    assert {one for _, one in begun} == {thread} and sum(count for count, _ in begun) == ENOUGH_WRITES + 8
    assert set(heard) == {Outcome(Result.SAVED)}
