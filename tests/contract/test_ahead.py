"""What is read for a whole batch at once and written together leaves the same as one write after the other."""

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.domain.doings import packed
from adserver.domain.pricing import AdEvent
from adserver.domain.retention import Retention, due_ms
from adserver.storage import writer as writers
from adserver.storage.batch import decode_profile
from adserver.storage.embedded import Storage
from adserver.storage.tables import metadata
from adserver.storage.writer import LocalWriter
from adserver.writes import Aged, Outcome, PurgeAged, RecordAd, RecordDecision, Result, StoreEvent, Write
from pixel.consent_proof import ConsentProof
from pixel.events import EventName
from tests.contract.stores import CLICK_PRICE, make_accounts, make_record, open_copy, rows_of, save_new
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    CREATIVE,
    DAY_MS,
    NOW_MS,
    SLOT,
    make_campaign,
    make_event,
)

SMALL_CAMPAIGN = CAMPAIGN + 7  # its day takes one click, so that others are refused
BATCH_NUMBERS = {"profiles": ("due_ms",)}  # which no outcome and no rule looks at
PROOF = ConsentProof("tcf", 5, "7", NOW_MS, "shop.example")

visitor_keys = st.integers(0, 3)
gaps_ms = st.integers(0, 20 * DAY_MS)
names = st.sampled_from(
    [EventName.VIEW_ITEM, EventName.ADD_TO_CART, EventName.FORM_START, EventName.PURCHASE]
)
event_ids = st.none() | st.sampled_from(["a", "b"])
events = st.tuples(st.just("event"), visitor_keys, names, event_ids, st.booleans())
ads = st.tuples(
    st.just("ad"),
    visitor_keys,
    st.sampled_from([AdEvent.IMPRESSION, AdEvent.CLICK]),
    st.integers(1, 5),
    st.sampled_from([CAMPAIGN, SMALL_CAMPAIGN]),
    st.sampled_from(["", "", "suspect"]),
)
decisions = st.tuples(st.just("decision"), visitor_keys, st.integers(1, 5))
batches_told = st.tuples(gaps_ms, st.lists(events | ads | decisions, min_size=1, max_size=12))
stories = st.lists(batches_told, min_size=1, max_size=4)
Story = list[tuple[int, list[tuple[object, ...]]]]


def told(story: Story) -> list[list[Write]]:
    """The story as batches, days apart from one another."""
    number, at_ms, batches = 0, NOW_MS, []
    for gap_ms, part in story:
        at_ms += gap_ms
        batch: list[Write] = []
        for kind, *rest in part:
            number += 1
            at_ms += 1
            batch.append(write_of(str(kind), rest, number, at_ms))
        batches.append(batch)
    return batches


def write_of(kind: str, rest: list[object], number: int, at_ms: int) -> Write:
    if kind == "event":
        visitor, name, event_id, first = rest
        told_on = at_ms // DAY_MS  # an id of two days ago is new again, and when is not the matter here
        unique = event_id and f"{event_id}-{told_on}"
        seen = make_event(name, "boots", event_id=unique)  # type: ignore[arg-type]
        return StoreEvent(number, ADVERTISER, visitor, first, seen, at_ms, proof=PROOF)  # type: ignore[arg-type]
    if kind == "decision":
        visitor, impression = rest
        return RecordDecision(impression, at_ms, SLOT, CAMPAIGN, CREATIVE, visitor, (1, 2))  # type: ignore[arg-type]
    visitor, event, impression, campaign, not_billed = rest
    fields = {"amount_micros": 0} if not_billed else {}
    record = make_record(
        impression, event, visitor_key=visitor, campaign_key=campaign, not_billed=not_billed,  # type: ignore[arg-type]
        at_ms=at_ms, **fields,
    )  # fmt: skip
    return RecordAd((record,))


def kept(storage: Storage) -> dict[str, object]:
    """Every row of every table but for the numbers of batches, whose postings are summed up."""
    held: dict[str, object] = {}
    for table in metadata.sorted_tables:
        columns = [c.name for c in table.c if c.name not in BATCH_NUMBERS.get(table.name, ())]
        held[table.name] = sorted(
            rows_of(storage, f"SELECT {', '.join(columns)} FROM {table.name}"), key=repr
        )
    sums: Counter[tuple[object, ...]] = Counter()
    for account, currency, micros in rows_of(
        storage, "SELECT account, currency, amount_micros FROM postings"
    ):
        sums[account, currency] += micros  # type: ignore[operator]
    held["postings"] = dict(sums)
    for told in ("owners", "days"):
        told_of = f"SELECT DISTINCT value FROM balance_moves, json_each({told}) ORDER BY value"
        held[f"balance_moves.{told}"] = rows_of(storage, told_of)
    del held["balance_moves"]
    return held


def run(batches: list[list[Write]]) -> tuple[list[Outcome], dict[str, object]]:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(writers, "consents_key", lambda keys: bytes(32))  # else digests differ by their key
        storage = open_copy("sqlite", Path(folder))
        assert isinstance(storage.writer, LocalWriter)
        small = make_campaign(key=SMALL_CAMPAIGN, daily_budget_micros=CLICK_PRICE)
        save_new(storage, *make_accounts(), small)
        outcomes = [outcome for batch in batches for outcome in storage.writer.commit_all(batch, False)]
        for seen_ms, due, body in rows_of(storage, "SELECT seen_ms, due_ms, body FROM profiles"):
            assert due <= due_ms(decode_profile(body), Retention(), seen_ms)  # type: ignore[arg-type, operator]
        result = outcomes, kept(storage)
        storage.close()
    return result


@settings(max_examples=15, deadline=None)
@given(stories)
def test_a_batch_leaves_what_its_writes_leave_one_by_one(story: Story) -> None:
    batches = told(story)
    together = run(batches)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writers, "read_ahead", lambda batch, writes: None)
        one_by_one = run([[write] for batch in batches for write in batch])
    assert together == one_by_one


def test_a_click_refused_twice_in_one_batch_is_counted_once() -> None:
    click = ("ad", 0, AdEvent.CLICK, 1, SMALL_CAMPAIGN, "")
    other = ("ad", 0, AdEvent.CLICK, 2, SMALL_CAMPAIGN, "")
    outcomes, held = run(told([(0, [click, other, other])]))
    assert [outcome.result for outcome in outcomes] == [Result.TAKEN, Result.CAP_REACHED, Result.CAP_REACHED]
    unbilled = [row for row in held["counts"] if row[1] == "unbilled_at_cap"]  # type: ignore[attr-defined]
    assert {row[3] for row in unbilled} == {1}


def test_a_profile_is_looked_at_when_its_row_is_due_and_stays_if_it_is_not(storage: Storage) -> None:
    day_later = msgspec.structs.replace(view(1), event_key=2, at_ms=NOW_MS + DAY_MS)
    storage.writer.commit_many([view(1)])
    storage.writer.commit_many([day_later])
    first_due_ms = NOW_MS + Retention().views_ms
    before = rows_of(storage, "SELECT due_ms, body FROM profiles")
    assert before[0][0] == first_due_ms
    assert storage.writer.commit(PurgeAged(Aged.PROFILES, first_due_ms, 10)).figure == 1
    left = decode_profile(before[0][1])  # type: ignore[arg-type]
    times = left.shops[0].doings["view_item"]
    assert times.count == 2
    left.shops[0].doings["view_item"] = packed(
        times.all()[1:]
    )  # its first time has been kept for long enough
    after = rows_of(storage, "SELECT due_ms, body FROM profiles")
    assert [(due, decode_profile(body)) for due, body in after] == [(first_due_ms + DAY_MS, left)]  # type: ignore[arg-type]


def view(event_key: int) -> StoreEvent:
    return StoreEvent(event_key, ADVERTISER, 5, False, make_event(EventName.VIEW_ITEM, "boots"), NOW_MS)
