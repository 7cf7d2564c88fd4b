"""A merchant's own server tells what its visitors did: each event judged and kept, its order credited."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from adserver.domain import live_view
from adserver.domain.attribution import ServerOrder, may_have_occurred
from adserver.domain.campaign import Advertiser
from adserver.domain.consent_hold import ConsentHold
from adserver.domain.live_view import LiveEvent
from adserver.domain.memory import Memory
from adserver.domain.money import Micros
from adserver.domain.pricing import CONVERSION_EVENTS
from adserver.domain.token import LANDED, LANDING_VALID_MS, Secrets, verify
from adserver.ports import Clock, Stores
from adserver.writes import Outcome, RecordArrival, Result, StoreEvent
from pixel.consent import Consent, Region, Signals, decide
from pixel.cookie import visitor_behind
from pixel.events import Event, EventName, Rejection
from pixel.parse import Record, events_from_records, said_in

REJECTED = "rejected"


class Told(msgspec.Struct, frozen=True):
    """What became of one event; `reason` where it was rejected, `order` what became of the order in it."""

    result: str
    reason: str = ""
    order: str = ""


class Credit(Protocol):
    """What crediting an order answers."""

    @property
    def outcome(self) -> Outcome: ...


class Collecting(Protocol):
    """What a browser's event would become; see flows/collect.py."""

    def write_of(
        self, event: Event, advertiser: Advertiser, visitor_key: int, consent: Consent, now_ms: int
    ) -> StoreEvent: ...
    def arrival_of(
        self, event: Event, advertiser: Advertiser, consent: Consent, at_ms: int
    ) -> RecordArrival | None: ...


class RelayPolicy(msgspec.Struct, frozen=True):
    """The key of the ids that merchants know visitors by, and the operator's IAB id."""

    parties: bytes
    tcf_vendor_id: int | None = None


class _Sound(msgspec.Struct, frozen=True):
    """An event that may be kept, the order in it, and what it says of an ad's click."""

    write: StoreEvent
    order: ServerOrder | None
    arrival: RecordArrival | None
    live: LiveEvent | None  # where somebody looks on


class Relay:
    """Hears merchants' servers."""

    def __init__(
        self,
        memory: Memory,
        stores: Stores,
        clock: Clock,
        secrets: Secrets,
        policy: RelayPolicy,
        collecting: Collecting,
        convert: Callable[[ServerOrder], Credit],
    ) -> None:
        self._snapshot = memory.snapshot
        self._tally = memory.tally
        self._live = memory.live
        self._profiles = stores.profiles
        self._campaigns = stores.campaigns
        self._writer = stores.writer
        self._clock = clock
        self._secrets = secrets
        self._policy = policy
        self._collecting = collecting
        self._convert = convert

    def hear(self, advertiser: Advertiser, records: Sequence[object], consent: Record) -> list[Told]:
        """What became of each record, in order; `consent` is what was said for all of them."""
        outcomes = events_from_records(records)
        judged = [
            self._judge(advertiser, _fields(record), event, consent)
            for record, event in zip(records, outcomes, strict=True)
        ]
        sound = [one for one in judged if isinstance(one, _Sound)]
        arrivals = [one.arrival for one in sound if one.arrival is not None]
        stored = iter(self._writer.commit_many([*(one.write for one in sound), *arrivals]))
        return [
            self._told(one, next(stored)) if isinstance(one, _Sound) else self._rejected(advertiser, one)
            for one in judged
        ]

    def visitor(self, advertiser_key: int, told: str | None, click_id: str | None = None) -> int | Rejection:
        """Whom a merchant's server names by the id that its page was told; 0 where it names nobody.

        Whoever was forgotten stays so: they are nobody where a valid click stands beside, else refused.
        """
        if told is None:
            return 0
        key = visitor_behind(told, advertiser_key, self._policy.parties)
        if key and self._profiles.profile(key):
            return key
        return self._clicker(advertiser_key, click_id)

    def _judge(
        self, advertiser: Advertiser, record: Record, event: Event | Rejection, shared: Record
    ) -> _Sound | Rejection:
        if isinstance(event, Rejection):
            return event
        occurred_ms = _time_of(record.get("occurred_at"), self._clock())
        if occurred_ms is None:
            return Rejection.MALFORMED
        if not may_have_occurred(occurred_ms, self._clock()):
            return Rejection.OCCURRED_AT_OUT_OF_RANGE
        consent = self._consent(advertiser, _consent_in(record, shared))
        if not consent.may_profile:
            return Rejection.NO_CONSENT
        visitor_key = self._visitor(advertiser, record.get("visitor"), event.click_id)
        if isinstance(visitor_key, Rejection):
            return visitor_key
        return self._sound(advertiser, event, visitor_key, occurred_ms, consent)

    def _consent(self, advertiser: Advertiser, signals: Record) -> Consent:
        """Where the visitor is, nobody told us: so silence is a no, and a yes must name its consent tool."""
        consent = decide(
            Signals(
                region=Region.STRICT,
                now_ms=self._clock(),
                said=said_in(signals),
                vendor_id=self._policy.tcf_vendor_id,
                origin_verified=True,  # its key proves the account as well as its own pages do
                assertions_held=advertiser.consent_hold is ConsentHold.HELD,
            )
        )
        self._tally.add(advertiser.key, f"consent_{consent.basis}")
        return consent

    def _visitor(self, advertiser: Advertiser, given: object, click_id: str | None) -> int | Rejection:
        """A visitor we know; 0 for a click of somebody's: click ids name nobody."""
        if given is not None:
            return self.visitor(advertiser.key, str(given), click_id)
        return self._clicker(advertiser.key, click_id)

    def _clicker(self, advertiser_key: int, click_id: str | None) -> int | Rejection:
        """0 for a click of somebody's on an ad of this merchant's, for as long as it may be credited."""
        token = verify(click_id or "", self._secrets.tokens, LANDED)
        if token is None or self._clock() - token.decided_at_ms > LANDING_VALID_MS:
            return Rejection.UNKNOWN_VISITOR
        campaign = self._campaigns.campaign(token.campaign_key)
        if campaign is None or campaign.advertiser_key != advertiser_key:
            return Rejection.UNKNOWN_VISITOR
        return 0

    def _sound(
        self, advertiser: Advertiser, event: Event, visitor_key: int, occurred_ms: int, consent: Consent
    ) -> _Sound:
        """What is kept of it. An order that is named goes the way of orders that servers tell."""
        write = self._collecting.write_of(event, advertiser, visitor_key, consent, self._clock())
        arrival = self._collecting.arrival_of(event, advertiser, consent, occurred_ms)
        live = None
        if self._live.is_watched(advertiser.key):
            live = live_view.kept(advertiser.key, write.event, consent, self._clock(), by_server=True)
        reference = event.order_id if event.name is EventName.PURCHASE else event.lead_id
        if event.name not in CONVERSION_EVENTS or reference is None or not consent.may_measure:
            return _Sound(msgspec.structs.replace(write, trusted=True), None, arrival, live)
        kept = write.event
        if kept.event_id is None:  # told twice, it is still one
            kept = msgspec.structs.replace(kept, event_id=kept.order_id or kept.lead_id)
        order = ServerOrder(
            advertiser_key=advertiser.key,
            event=event.name,
            reference=reference,
            value_micros=None if event.value_micros is None else Micros(event.value_micros),
            currency=None if event.value_micros is None else event.currency,
            click_id=event.click_id,
            occurred_at_ms=occurred_ms,
            item_ids=tuple(item.item_id for item in kept.items),
            visitor_key=visitor_key,
            coupons=event.coupons,
        )
        return _Sound(msgspec.structs.replace(write, event=kept, conversion_key=0), order, arrival, live)

    def _told(self, sound: _Sound, stored: Outcome) -> Told:
        """An order is credited after its event is durable, and again where that was told before."""
        result = stored.result
        if sound.live is not None and result is not Result.UNRECORDED:
            self._live.note(msgspec.structs.replace(sound.live, again=result is Result.DUPLICATE))
        if result is Result.DUPLICATE:
            self._tally.add(0, "duplicate_events")
        order = None
        if sound.order is not None and result is not Result.UNRECORDED:
            order = self._convert(sound.order).outcome.result
        if Result.UNRECORDED in (result, order):
            return Told(REJECTED, Rejection.UNRECORDED)
        if order is None:
            return Told(result)
        return Told(result, order=Result.DUPLICATE if order is Result.REPEATED else order)

    def _rejected(self, advertiser: Advertiser, rejection: Rejection) -> Told:
        self._tally.add(advertiser.key, f"rejected_{rejection}")
        self._live.refuse(advertiser.key, rejection, self._clock(), by_server=True)
        return Told(REJECTED, rejection)


def _fields(record: object) -> Record:
    return record if isinstance(record, dict) else {}


def _consent_in(record: Record, shared: Record) -> Record:
    """What was said of this event alone, else of all."""
    said = record.get("consent", shared)
    return said if isinstance(said, dict) else {"consent": said}


def _time_of(given: object, now_ms: int) -> int | None:
    """Milliseconds of a time with its zone, now where none is given; None for anything else."""
    if given is None:
        return now_ms
    try:
        instant = datetime.fromisoformat(str(given))
    except ValueError:
        return None
    return int(instant.timestamp() * 1000) if instant.tzinfo is not None else None
