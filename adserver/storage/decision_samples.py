"""Sampled decisions: kept for a replay, and read with what their ads led to."""

from collections.abc import Iterator

from sqlalchemy import bindparam, select, tuple_

from adserver.domain.decision_sample import read_sample
from adserver.domain.pricing import AdEvent
from adserver.domain.replay import Recorded
from adserver.storage.batch import Batch
from adserver.storage.sqlite import Reader, as_list, listed, prepared
from adserver.storage.tables import ad_events, conversions, decision_samples
from adserver.writes import KeepDecisionSample, Outcome, Result

AT_ONCE = 1_000
_KEEP = prepared(decision_samples.insert().prefix_with("OR IGNORE"))
_BETWEEN = prepared(
    select(
        decision_samples.c.sample_key,
        decision_samples.c.at_ms,
        decision_samples.c.slot_key,
        decision_samples.c.visitor_key,
        decision_samples.c.body,
    )
    .where(
        tuple_(decision_samples.c.at_ms, decision_samples.c.sample_key)
        > tuple_(bindparam("since_ms"), bindparam("after_key")),
        decision_samples.c.at_ms < bindparam("until_ms"),
    )
    .order_by(decision_samples.c.at_ms, decision_samples.c.sample_key)
    .limit(bindparam("most"))
)
_ORDERED = prepared(
    select(conversions.c.touch_impression_id).where(
        conversions.c.touch_impression_id.in_(listed("impression_ids")),
        conversions.c.touch_impression_id != 0,
        conversions.c.amount_micros > 0,
    )
)
_LED_TO = prepared(select(ad_events.c.charge_id).where(ad_events.c.charge_id.in_(listed("charge_ids"))))


def keep_decision_sample(batch: Batch, write: KeepDecisionSample) -> Outcome:
    """A repeat is harmless; of whoever was erased just before nothing is left to keep."""
    if write.body:
        row = {name: getattr(write, name) for name in write.__struct_fields__}
        batch.connection.execute(_KEEP, row)
    return Outcome(Result.ACCEPTED)


class SqliteDecisionSamples:
    """The samples of a time, oldest first."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def between(self, since_ms: int, until_ms: int) -> Iterator[list[Recorded]]:
        """A piece at a time, each with what its ads led to up to now; a day's may be very many."""
        asked: dict[str, object] = {"until_ms": until_ms, "most": AT_ONCE}
        last: dict[str, object] = {"since_ms": since_ms, "after_key": -1}
        while piece := self._reader.rows(_BETWEEN, asked | last):
            last = {"since_ms": piece[-1][1], "after_key": piece[-1][0]}
            led_to = self._led_to([key for key, *_ in piece])
            yield [
                Recorded(key, at_ms, slot_key, visitor_key, read_sample(body), frozenset(led_to.get(key, ())))
                for key, at_ms, slot_key, visitor_key, body in piece
            ]

    def _led_to(self, keys: list[int]) -> dict[int, set[AdEvent]]:
        charge_ids = [key << 2 | event for key in keys for event in AdEvent]
        found: dict[int, set[AdEvent]] = {}
        for (charge_id,) in self._reader.rows(_LED_TO, {"charge_ids": as_list(charge_ids)}):
            found.setdefault(charge_id >> 2, set()).add(AdEvent(charge_id & 3))
        for (key,) in self._reader.rows(_ORDERED, {"impression_ids": as_list(keys)}):
            found.setdefault(key, set()).add(AdEvent.CONVERSION)
        return found
