"""The job that seals and signs finishes what was interrupted, and stops where nothing can be written."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from adserver.domain.proof import signed_message
from adserver.flows.seal import Seal
from adserver.outside.signer import HeadSigner
from adserver.ports import Deferred
from adserver.storage.audit import audit
from adserver.storage.embedded import Storage
from adserver.writes import Outcome, RecordAd, Result, SealDay, SignHeads, Write
from tests.contract.stores import make_accounts, make_record, open_copy, rows_of, save_new
from tests.domain.makers import ADVERTISER, CAMPAIGN, DAY_MS, NOW_MS, TODAY, make_advertiser

TOMORROW_MS = NOW_MS + DAY_MS


class Halting:
    """A writer that makes nothing durable any more, from the first write of a kind on."""

    def __init__(self, storage: Storage, kind: type) -> None:
        self._storage = storage
        self._kind = kind
        self.asked = 0
        self.sequence, self.records = 0, False

    def submit(self, write: Write) -> Deferred:
        raise AssertionError("a job waits for its writes")

    def commit(self, write: Write) -> Outcome:
        self.asked += 1
        if isinstance(write, self._kind):
            return Outcome(Result.UNRECORDED)
        return self._storage.writer.commit(write)


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    storage = open_copy("sqlite", tmp_path)
    save_new(storage, *make_accounts())
    assert storage.writer.commit(RecordAd((make_record(),))).result is Result.TAKEN
    yield storage
    storage.close()


def make_seal(storage: Storage, now_ms: int = TOMORROW_MS, writer: Halting | None = None) -> Seal:
    return Seal(writer or storage.writer, storage.seals, HeadSigner(b"s" * 32), lambda: now_ms)


def test_the_day_that_ended_is_sealed_signed_and_told_once(storage: Storage) -> None:
    assert make_seal(storage).run() == 1
    assert make_seal(storage).run() == 0
    heads = storage.seals.heads(ADVERTISER, TODAY)
    assert {head.signature for head in heads} == {
        HeadSigner(b"s" * 32).sign(signed_message(head, ADVERTISER)) for head in heads
    }
    ((body,),) = rows_of(storage, "SELECT body FROM notices WHERE kind = 'day_sealed'")
    assert len(json.loads(body)["heads"]) == len(heads) == 3  # type: ignore[arg-type]
    assert not [finding for finding in audit(storage.path) if finding.violation_count]


def test_what_was_sealed_and_not_signed_is_signed_by_the_next_run(storage: Storage) -> None:
    halting = Halting(storage, SignHeads)
    assert make_seal(storage, writer=halting).run() == 0
    assert halting.asked == 2
    assert rows_of(storage, "SELECT count(*) FROM notices") == [(0,)]
    before = storage.seals.heads(ADVERTISER, TODAY)
    assert make_seal(storage, TOMORROW_MS + 60_000).run() == 1
    after = storage.seals.heads(ADVERTISER, TODAY)
    assert [head.head for head in before] == [head.head for head in after]
    assert all(head.signature for head in after)


def test_a_seal_that_could_not_be_written_is_tried_again(storage: Storage) -> None:
    assert make_seal(storage, writer=Halting(storage, SealDay)).run() == 0
    assert storage.seals.heads(ADVERTISER, TODAY) == []
    assert make_seal(storage).run() == 1


def test_nothing_is_sealed_while_the_day_lasts(storage: Storage) -> None:
    make_seal(storage).run()
    end_ms = TOMORROW_MS - TOMORROW_MS % DAY_MS + DAY_MS
    record = make_record(2, at_ms=TOMORROW_MS)
    assert storage.writer.commit(RecordAd((record,))).result is Result.TAKEN
    assert make_seal(storage, end_ms - 1).run() == 0
    assert make_seal(storage, end_ms).run() == 1
    heads = storage.seals.heads(ADVERTISER, TODAY + 1)
    assert [head.owner_key for head in heads] == [ADVERTISER, CAMPAIGN]


def test_every_account_is_sealed_however_many_there_are(storage: Storage) -> None:
    others = [make_advertiser(key=key, public_id=f"shop-{key}") for key in range(1_000, 1_250)]
    save_new(storage, *others)
    assert make_seal(storage).run() == 251
    assert make_seal(storage).run() == 0
