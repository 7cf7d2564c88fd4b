"""Events and profiles: what the writer folds, and what the flows read of a visitor."""

from collections.abc import Callable
from enum import IntEnum
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import bindparam, select

from adserver.domain.consent_record import Ended
from adserver.domain.decision_sample import read_sample
from adserver.domain.doings import Doings
from adserver.domain.identity import key_of, product_key
from adserver.domain.visitor import (
    MOST_SHOPS,
    Profile,
    Shop,
    fold_event,
    fold_preference,
    fold_slot,
    was_at_slot,
)
from adserver.storage.batch import Batch, decode_profile
from adserver.storage.catalogue import kinds_in, kinds_read
from adserver.storage.comparing import Counted
from adserver.storage.erasure import HELD, HELD_BY_ADVERTISER, VISITOR_TABLES, of_visitor
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.tables import conversions, events, profiles
from adserver.writes import Outcome, Result, SeenAtSlot, StoreEvent, TellPreference
from pixel.consent_proof import ConsentProof
from pixel.events import Event, EventName

encode_event = encode_keys = encode_proof = msgspec.msgpack.Encoder().encode
decode_event = msgspec.msgpack.Decoder(Event).decode
decode_proof = msgspec.msgpack.Decoder(ConsentProof).decode

_EVENT_EXISTS = prepared(select(events.c.event_key).where(events.c.event_key == bindparam("event_key")))
_EVENTS_OF = prepared(
    select(events.c.advertiser_key, events.c.at_ms, events.c.body, events.c.proof)
    .where(*of_visitor(events))
    .order_by(events.c.event_key)
)
_HELD = {table.name: prepared(select(table).where(*of_visitor(table))) for table in VISITOR_TABLES}
_PROFILE = prepared(select(profiles.c.body).where(profiles.c.visitor_key == bindparam("visitor_key")))
_INSERT_CONVERSION = prepared(conversions.insert().prefix_with("OR IGNORE"))

_COUNTED = {name: f"event_{name}" for name in EventName}
_ACCEPTED, _DUPLICATE = Outcome(Result.ACCEPTED), Outcome(Result.DUPLICATE)


def store_event(batch: Batch, write: StoreEvent, recent: "RecentIds", resent: bool) -> Outcome:
    """Keep an event, fold it, and note the order or lead it may be."""
    if resent and batch.connection.execute(_EVENT_EXISTS, {"event_key": write.event_key}).fetchone():
        return _ACCEPTED
    event = write.event
    dedupe_key = None
    if event.event_id is not None:
        dedupe_key = key_of(b"event", write.advertiser_key.to_bytes(8, "big"), event.name.encode(),
                            event.event_id.encode())  # fmt: skip
        if recent.knows(dedupe_key) or dedupe_key in batch.new_dedupe_keys:
            return _DUPLICATE
        batch.new_dedupe_keys[dedupe_key] = write.at_ms
    if write.visitor_key and not write.first:
        profile = known_profile(batch, write.visitor_key, write.at_ms) or Profile(write.at_ms)
        known = list(profile.shops)
        fold_event(profile, write.advertiser_key, event, write.at_ms, partial(kinds_in, batch))
        end_of_who_left(batch, write.visitor_key, known, profile, write.at_ms)
        stand_on(batch, write.visitor_key, profile, write.advertiser_key, write.proof, write.at_ms)
        batch.keep_profile(write.visitor_key, profile, write.at_ms)
    due_ms = write.at_ms + batch.retention.of_event(event.name)
    batch.add_row("events", _event_row(write, dedupe_key, due_ms))
    batch.count(write.advertiser_key, _COUNTED[event.name], write.at_ms)
    if write.conversion_key:
        batch.connection.execute(_INSERT_CONVERSION, _conversion_row(write))
        batch.comparing.ordered(
            Counted(write.conversion_key, write.visitor_key, write.advertiser_key, event.name, write.at_ms,
                    event.value_micros, event.currency)
        )  # fmt: skip
    return _ACCEPTED


def _event_row(write: StoreEvent, dedupe_key: int | None, due_ms: int) -> dict[str, Any]:
    event = write.event
    if event.click_id is not None or event.coupons:
        # They did their work with the order; they would only tie this event to another browser's ad.
        event = msgspec.structs.replace(event, click_id=None, coupons=())
    return {
        "event_key": write.event_key,
        "advertiser_key": write.advertiser_key,
        "visitor_key": write.visitor_key,
        "at_ms": write.at_ms,
        "dedupe_key": dedupe_key,
        "due_ms": due_ms,
        "body": encode_event(event),
        "proof": encode_proof(write.proof) if write.first and write.proof else None,
        "first": write.first,
    }


def _conversion_row(write: StoreEvent) -> dict[str, Any]:
    event = write.event
    return {
        "conversion_key": write.conversion_key,
        "by_server": False,
        "advertiser_key": write.advertiser_key,
        "event": event.name,
        "trusted": write.trusted,
        "visitor_key": write.visitor_key,
        "click_id": event.click_id,
        "value_micros": event.value_micros,
        "currency": event.currency,
        "arrived_at_ms": write.at_ms,
        "occurred_at_ms": write.at_ms,
        "has_reference": write.has_reference,
        "product_keys": encode_keys([product_key(write.advertiser_key, one.item_id) for one in event.items]),
        "state": "new",
        "reason": "",
        "campaign_key": 0,
        "touch_impression_id": 0,
        "record": None,
        "day": 0,
        "amount_micros": 0,
    }


def known_profile(batch: Batch, visitor_key: int, at_ms: int) -> Profile | None:
    """The profile, or one made of the events that came with the cookie; None where nothing is known.

    Whoever was forgotten is not known again by an ad that was shown before.
    """
    profile = batch.profile(visitor_key)
    if profile is not None:
        return profile
    earlier = batch.connection.execute(_EVENTS_OF, {"visitor": visitor_key}).fetchall()
    for row in batch.pending_rows("events"):
        if row["visitor_key"] == visitor_key:
            earlier.append((row["advertiser_key"], row["at_ms"], row["body"], row["proof"]))
    if not earlier:
        return None
    profile, kinds = Profile(at_ms), partial(kinds_in, batch)
    for advertiser_key, earlier_ms, body, proof in earlier:
        known = list(profile.shops)
        fold_event(profile, advertiser_key, decode_event(body), earlier_ms, kinds)
        end_of_who_left(batch, visitor_key, known, profile, earlier_ms)
        told = decode_proof(proof) if proof else None
        stand_on(batch, visitor_key, profile, advertiser_key, told, earlier_ms)
    return profile


def stand_on(
    batch: Batch,
    visitor_key: int,
    profile: Profile,
    advertiser_key: int,
    proof: ConsentProof | None,
    at_ms: int,
) -> None:
    """Prove what a shop's part of the profile stands on; nothing is written while that stays the same."""
    shop = profile.shop(advertiser_key)
    if proof is None or shop is None or shop.proof == proof.digest:
        return
    shop.proof = proof.digest
    batch.consents.begin(visitor_key, advertiser_key, proof, at_ms)


def end_of_who_left(batch: Batch, visitor_key: int, known: list[Shop], profile: Profile, at_ms: int) -> None:
    """A full profile lets a shop go for one that is new; nothing stands on what was said to it any longer."""
    if len(known) < MOST_SHOPS or profile.shops[-1] is known[-1]:
        return
    kept = {shop.advertiser_key for shop in profile.shops}
    left = [shop.advertiser_key for shop in known if shop.advertiser_key not in kept]
    batch.consents.end(visitor_key, left, Ended.EXPIRED, at_ms)


def tell_preference(batch: Batch, write: TellPreference) -> Outcome:
    """Fold a visitor's wish into their profile; of one who was forgotten meanwhile, nothing is kept."""
    profile = known_profile(batch, write.visitor_key, write.at_ms)
    if profile is not None:
        known = list(profile.shops)
        told = (write.advertiser_key, write.preference, write.product_key, write.at_ms)
        fold_preference(profile, *told, partial(kinds_in, batch))
        end_of_who_left(batch, write.visitor_key, known, profile, write.at_ms)
        batch.keep_profile(write.visitor_key, profile, write.at_ms)
    return _ACCEPTED


def seen_at_slot(batch: Batch, write: SeenAtSlot) -> Outcome:
    """Note the day in the visitor's profile; of one who was forgotten meanwhile, nothing is kept."""
    profile = known_profile(batch, write.visitor_key, write.at_ms)
    if profile is not None and not was_at_slot(profile, write.at_ms):
        fold_slot(profile, write.at_ms)
        batch.keep_profile(write.visitor_key, profile, write.at_ms)
    return _ACCEPTED


class RecentIds:
    """Event ids of the last 48 hours, in segments of an hour or less, with a stated maximum.

    Beyond `most` ids the oldest segment goes, and is counted in `forgotten_segments`.
    """

    HOUR_MS = 3_600_000
    KEPT_HOURS = 48
    FULL_SEGMENTS = 16  # which the maximum would fill

    def __init__(self, most: int = 2_000_000) -> None:
        self._most = most
        self._segments: list[tuple[int, set[int]]] = []  # (hour, ids), oldest first
        self._count = 0
        self.forgotten_segments = 0

    def knows(self, dedupe_key: int) -> bool:
        for _, ids in self._segments:  # noqa: SIM110  asked for each event, of dozens of segments
            if dedupe_key in ids:
                return True
        return False

    def add(self, dedupe_key: int, at_ms: int) -> None:
        hour = at_ms // self.HOUR_MS
        if not self._segments or self._segments[-1][0] < hour or self._is_full(self._segments[-1][1]):
            self._segments.append((hour, set()))
            while self._segments[0][0] <= hour - self.KEPT_HOURS:
                self._drop_oldest()
        ids = self._segments[-1][1]
        self._count += dedupe_key not in ids
        ids.add(dedupe_key)
        while self._count > self._most:
            self._drop_oldest()
            self.forgotten_segments += 1

    def _is_full(self, ids: set[int]) -> bool:
        return len(ids) >= max(1, self._most // self.FULL_SEGMENTS)

    def _drop_oldest(self) -> None:
        self._count -= len(self._segments.pop(0)[1])


class SqliteProfiles:
    """Profiles as the slot and the visitor's own pages read them."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def profile(self, visitor_key: int) -> Profile | None:
        """The folded profile; of a cookie that comes back for the first time, its first events."""
        row = self._reader.row(_PROFILE, {"visitor_key": visitor_key})
        if row is not None:
            return decode_profile(row[0])
        rows = self._reader.rows(_EVENTS_OF, {"visitor": visitor_key})
        if not rows:
            return None
        profile, kinds = Profile(rows[0][1]), partial(kinds_read, self._reader)
        for advertiser_key, at_ms, body, _ in rows:
            fold_event(profile, advertiser_key, decode_event(body), at_ms, kinds)
        return profile

    def holds(self, visitor_key: int, advertiser_key: int | None = None) -> bool:
        """Whether any row names the visitor; with an advertiser, any of theirs, which no profile is."""
        statements = HELD if advertiser_key is None else HELD_BY_ADVERTISER
        of_both = {"visitor": visitor_key, "advertiser": advertiser_key}
        return any(self._reader.row(statement, of_both) for statement in statements)

    def export(self, visitor_key: int) -> dict[str, list[dict[str, object]]]:
        """Every row of every table that holds the visitor, bodies decoded."""
        held: dict[str, list[dict[str, object]]] = {}
        for table in VISITOR_TABLES:
            names = [column.name for column in table.c]
            rows = self._reader.rows(_HELD[table.name], {"visitor": visitor_key})
            held[table.name] = [
                {name: _readable(table.name, name, value) for name, value in zip(names, row, strict=True)
                 if name != "visitor_key"}
                for row in rows
            ]  # fmt: skip
        return held


_BODIES: dict[str, Callable[[bytes], object]] = {
    "events": decode_event,
    "profiles": decode_profile,
    "decision_samples": read_sample,
}


def _readable(table: str, name: str, value: object) -> object:
    if isinstance(value, bytes) and name == "body":
        return _with_names(_BODIES[table](value))
    if isinstance(value, bytes) and name == "proof":
        return _with_names(decode_proof(value))
    return value.hex() if isinstance(value, bytes) else value


def _with_names(value: object) -> object:
    """Stored bodies leave their fields' names out; whoever asks what we hold gets them back."""
    if isinstance(value, Doings):
        return _with_names(value.all())
    if isinstance(value, dict):
        return {name: _with_names(one) for name, one in value.items()}
    if isinstance(value, msgspec.Struct):
        return {name: _with_names(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, list | tuple):
        return [_with_names(one) for one in value]
    return value.name.lower() if isinstance(value, IntEnum) else value
