"""What comes in at shops that somebody looks at: the newest events of each, by number."""

import msgspec
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from adserver.domain.live_view import LiveEvent
from adserver.storage.batch import Batch
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.tables import live_events, live_watches
from adserver.writes import KeepLive, Outcome, Result, WatchLive

PLACES = 200  # for events of one shop: a newer one takes the place of an older

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(LiveEvent).decode

_WATCH = prepared(
    upsert(live_watches).on_conflict_do_update(
        index_elements=["advertiser_key"], set_={"until_ms": upsert(live_watches).excluded.until_ms}
    )
)
_ADVANCE = prepared(
    update(live_watches)
    .where(live_watches.c.advertiser_key == bindparam("of_key"))
    .values(newest=live_watches.c.newest + bindparam("more"))
    .returning(live_watches.c.newest)
)
_KEEP = prepared(insert(live_events).prefix_with("OR REPLACE"))
_WATCHED = prepared(
    select(live_watches.c.advertiser_key).where(live_watches.c.until_ms > bindparam("now_ms"))
)
_UNTIL = prepared(
    select(live_watches.c.until_ms).where(live_watches.c.advertiser_key == bindparam("advertiser_key"))
)
_EVENTS = prepared(
    select(live_events.c.number, live_events.c.body)
    .where(
        live_events.c.advertiser_key == bindparam("advertiser_key"),
        live_events.c.number > bindparam("after"),
        live_events.c.at_ms >= bindparam("since_ms"),
    )
    .order_by(live_events.c.number.desc())
    .limit(bindparam("most"))
)


def watch_live(batch: Batch, write: WatchLive) -> Outcome:
    """Have a shop's events kept until then; numbers begin with a time, so that none is used twice."""
    row = {"advertiser_key": write.advertiser_key, "until_ms": write.until_ms, "newest": write.until_ms}
    batch.connection.execute(_WATCH, row)
    return Outcome(Result.SAVED)


def keep_live(batch: Batch, write: KeepLive) -> Outcome:
    """Of shops that nobody looks at, nothing; nor twice, where what was sent may be on disk already."""
    if batch.resent:
        return Outcome(Result.SAVED)
    by_shop: dict[int, list[LiveEvent]] = {}
    for event in write.events:
        by_shop.setdefault(event.advertiser_key, []).append(event)
    for advertiser_key, events in by_shop.items():
        advanced = {"of_key": advertiser_key, "more": len(events)}
        newest = batch.connection.execute(_ADVANCE, advanced).fetchone()
        if newest is not None:
            numbered = enumerate(events, int(newest[0]) - len(events) + 1)
            batch.connection.executemany(_KEEP, [_row(number, event) for number, event in numbered])
    return Outcome(Result.SAVED)


def _row(number: int, event: LiveEvent) -> dict[str, object]:
    return {
        "advertiser_key": event.advertiser_key,
        "place": number % PLACES,
        "number": number,
        "at_ms": event.at_ms,
        "body": _encode(event),
    }


class SqliteLiveViews:
    """What is looked at, and what was seen."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def watched(self, now_ms: int) -> list[int]:
        return [int(row[0]) for row in self._reader.rows(_WATCHED, {"now_ms": now_ms})]

    def until_ms(self, advertiser_key: int) -> int:
        row = self._reader.row(_UNTIL, {"advertiser_key": advertiser_key})
        return 0 if row is None else int(row[0])

    def events(
        self, advertiser_key: int, after: int, since_ms: int, limit: int
    ) -> list[tuple[int, LiveEvent]]:
        """The newest first, each with its number."""
        asked = {"advertiser_key": advertiser_key, "after": after, "since_ms": since_ms, "most": limit}
        return [(int(number), _decode(body)) for number, body in self._reader.rows(_EVENTS, asked)]
