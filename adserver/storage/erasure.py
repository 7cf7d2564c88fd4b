"""Erasing a visitor from every table that can name one, so that nothing under way brings them back."""

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Table,
    bindparam,
    case,
    delete,
    func,
    literal_column,
    null,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from adserver.domain.consent_record import Ended
from adserver.domain.decision_sample import read_sample
from adserver.domain.identity import key_of
from adserver.domain.suppression import ListVisitors
from adserver.domain.visitor import Profile
from adserver.storage.batch import Batch
from adserver.storage.count_tables import journeys
from adserver.storage.funnels import leave_funnel
from adserver.storage.recommendation_tables import SLICE_SHIFT, recommendations, session_slices, sessions
from adserver.storage.sqlite import prepared
from adserver.storage.tables import (
    ad_events,
    campaigns,
    conversions,
    decision_samples,
    decisions,
    erasures,
    events,
    experiment_orders,
    experiment_visitors,
    ghosts,
    metadata,
    offer_codes,
    profiles,
    suppressed,
)
from adserver.writes import (
    EnterExperiments,
    ForgetVisitor,
    KeepDecisionSample,
    Outcome,
    RecordDecision,
    RecordGhost,
    Result,
    StoreEvent,
    Withdraw,
    Write,
)

UNDER_WAY_MS = 48 * 3_600_000  # a request that is on its way for longer is lost
VISITOR_TABLES = [table for table in metadata.sorted_tables if "visitor_key" in table.c]
_LEDGER_TABLES = (ad_events, decisions, conversions, offer_codes)  # keep their rows; the visitor leaves them
# Tokens hold the visitor, the image's key its hash, and a code's click would tie them to its order.
_NAME_THE_VISITOR = ("click_id", "token", "image_key", "click_impression_id")

_erasure = upsert(erasures)
_REMEMBER = prepared(
    _erasure.on_conflict_do_update(
        index_elements=["digest"],
        set_={
            "at_ms": _erasure.excluded.at_ms,
            "receipt_key": case(  # nobody is handed a 0: the receipt that was given stands
                (_erasure.excluded.receipt_key == literal_column("0"), erasures.c.receipt_key),
                else_=_erasure.excluded.receipt_key,
            ),
        },
    )
)
LATELY_FORGOTTEN = prepared(
    select(erasures.c.digest, erasures.c.at_ms).where(
        erasures.c.at_ms > select(func.max(erasures.c.at_ms) - bindparam("under_way_ms")).scalar_subquery()
    )
)


def forget_visitor(batch: Batch, write: ForgetVisitor) -> Outcome:
    """Erase the visitor wherever a table can name one; the ledger's rows stay, without the visitor."""
    if write.if_credited and _awaits_credit(batch, write.visitor_key):
        return Outcome(Result.UNCREDITED)
    profile = batch.profile(write.visitor_key)
    shops = profile.shops if profile is not None else ()
    for statement in _UNLEARN:
        batch.connection.execute(statement, {"visitor": write.visitor_key})
    leave_funnel(batch, write.visitor_key)
    for table in VISITOR_TABLES:
        statement = _BLANK[table.name] if table in _LEDGER_TABLES else _ERASE[table.name]
        batch.connection.execute(statement, {"visitor": write.visitor_key})
    agreed = [shop.advertiser_key for shop in shops]
    batch.consents.end(write.visitor_key, agreed, write.because, write.at_ms)
    _remember(batch, write.visitor_key, write.receipt_key, write.at_ms)
    return Outcome(Result.SAVED)


def _awaits_credit(batch: Batch, visitor_key: int) -> bool:
    return batch.connection.execute(_NEW, {"visitor": visitor_key}).fetchone() is not None


def _remember(batch: Batch, visitor_key: int, receipt_key: int, at_ms: int) -> None:
    row = {"digest": digest_of(visitor_key), "receipt_key": receipt_key, "at_ms": at_ms}
    batch.connection.execute(_REMEMBER, row)


def withdraw(batch: Batch, write: Withdraw) -> Outcome:
    """Erase one advertiser's part, as all of it is erased; and the id, if that was all there was."""
    if write.if_credited and _awaits_credit(batch, write.visitor_key):
        return Outcome(Result.UNCREDITED)
    of_both = {"visitor": write.visitor_key, "advertiser": write.advertiser_key}
    leave_funnel(batch, write.visitor_key, write.advertiser_key)
    for statement in (*_UNLEARN_AT, *_WITHDRAW):
        batch.connection.execute(statement, of_both)
    own = {key for (key,) in batch.connection.execute(_CAMPAIGNS, {"advertiser": write.advertiser_key})}
    _drop_samples(batch, write, own)
    profile = batch.profile(write.visitor_key)
    if profile is not None:
        _take_out(profile, write.advertiser_key, own)
        _save_what_is_left(batch, write, profile)
    batch.consents.end(write.visitor_key, [write.advertiser_key], Ended.WITHDRAWN, write.at_ms)
    if any(batch.connection.execute(held, {"visitor": write.visitor_key}).fetchone() for held in HELD):
        return Outcome(Result.SAVED)
    _remember(batch, write.visitor_key, 0, write.at_ms)
    return Outcome(Result.FORGOTTEN)


def _drop_samples(batch: Batch, write: Withdraw, campaign_keys: set[int]) -> None:
    """A sample tells of several shops at once: a no to one of them takes it away as a whole."""
    held = batch.connection.execute(_SAMPLES, {"visitor": write.visitor_key}).fetchall()
    for sample_key, body in held:
        if read_sample(body).is_of(write.advertiser_key, campaign_keys):
            batch.connection.execute(_DROP_SAMPLE, {"sample_key": sample_key})


def _take_out(profile: Profile, advertiser_key: int, campaign_keys: set[int]) -> None:
    profile.shops = [shop for shop in profile.shops if shop.advertiser_key != advertiser_key]
    profile.touches = [touch for touch in profile.touches if touch.campaign_key not in campaign_keys]
    profile.shown = [shown for shown in profile.shown if shown.campaign_key not in campaign_keys]


def _save_what_is_left(batch: Batch, write: Withdraw, profile: Profile) -> None:
    if profile.shops or profile.touches or profile.shown:
        batch.save_profile(write.visitor_key, profile, write.at_ms, write.at_ms)
    else:
        batch.connection.execute(_ERASE[profiles.name], {"visitor": write.visitor_key})


def _erase(table: Table, *also: ColumnElement[bool]) -> str:
    return prepared(delete(table).where(*of_visitor(table), *also))


def _blank(table: Table, *also: ColumnElement[bool]) -> str:
    return prepared(update(table).where(*of_visitor(table), *also).values(without_visitor(table)))


def _any(table: Table, *also: ColumnElement[bool]) -> str:
    return prepared(select(literal_column("1")).where(*of_visitor(table), *also).limit(literal_column("1")))


def of_visitor(table: Table) -> tuple[ColumnElement[bool], ...]:
    """Rows of a visitor. The indexes leave out those of nobody: unless this says so too, none is used."""
    return table.c.visitor_key == bindparam("visitor"), table.c.visitor_key != 0


def without_visitor(table: Table) -> dict[str, Any]:
    """What a row of the ledger holds once its visitor has left it."""
    values: dict[str, Any] = {"visitor_key": literal_column("0")}
    return values | {name: null() for name in _NAME_THE_VISITOR if name in table.c}


def digest_of(visitor_key: int) -> int:
    return key_of(b"forgotten", visitor_key.to_bytes(8, "big"))


def _unlearn(*also: ColumnElement[bool]) -> tuple[str, ...]:
    """The sessions that hold what the visitor looked at: they are cut anew, and learnt of, without them."""
    slice_ = events.c.event_key.bitwise_rshift(literal_column(str(SLICE_SHIFT)))
    own = (*of_visitor(events), *also)
    places, slices = select(events.c.advertiser_key, slice_).where(*own), select(slice_).where(*own)
    shops = select(events.c.advertiser_key).where(*own)
    changed = update(recommendations).values(changed=recommendations.c.changed + literal_column("1"))
    return (
        prepared(delete(session_slices).where(session_slices.c.slice.in_(slices))),
        prepared(delete(sessions).where(tuple_(sessions.c.advertiser_key, sessions.c.slice).in_(places))),
        prepared(changed.where(recommendations.c.advertiser_key.in_(shops))),
    )


_ERASE = {table.name: _erase(table) for table in VISITOR_TABLES}
_BLANK = {table.name: _blank(table) for table in _LEDGER_TABLES}

_own_campaigns = select(campaigns.c.key).where(campaigns.c.advertiser_key == bindparam("advertiser"))
_CAMPAIGNS = prepared(_own_campaigns)
_OF_ADVERTISER = (
    (events, events.c.advertiser_key == bindparam("advertiser")),
    (ad_events, ad_events.c.campaign_key.in_(_own_campaigns)),
    (decisions, decisions.c.campaign_key.in_(_own_campaigns)),
    (conversions, conversions.c.advertiser_key == bindparam("advertiser")),
    (offer_codes, offer_codes.c.advertiser_key == bindparam("advertiser")),
    (ghosts, ghosts.c.advertiser_key == bindparam("advertiser")),
    (experiment_visitors, experiment_visitors.c.advertiser_key == bindparam("advertiser")),
    (experiment_orders, experiment_orders.c.advertiser_key == bindparam("advertiser")),
    (journeys, journeys.c.advertiser_key == bindparam("advertiser")),
    (suppressed, suppressed.c.advertiser_key == bindparam("advertiser")),
)
_UNLEARN = _unlearn()
_UNLEARN_AT = _unlearn(events.c.advertiser_key == bindparam("advertiser"))
_WITHDRAW = tuple(
    _blank(table, own) if table in _LEDGER_TABLES else _erase(table, own) for table, own in _OF_ADVERTISER
)
_SAMPLES = prepared(
    select(decision_samples.c.sample_key, decision_samples.c.body).where(*of_visitor(decision_samples))
)
_DROP_SAMPLE = prepared(
    delete(decision_samples).where(decision_samples.c.sample_key == bindparam("sample_key"))
)
_NEW = _any(conversions, conversions.c.state == literal_column("'new'"))
HELD = tuple(_any(table) for table in VISITOR_TABLES)
HELD_BY_ADVERTISER = tuple(_any(table, own) for table, own in _OF_ADVERTISER)


class Forgotten:
    """Who was erased lately, by digest: what another tab sent just before is kept without its visitor.

    Late beacons need no digest: without a profile they are kept without a visitor anyway.
    """

    def __init__(self) -> None:
        self._at_ms: dict[int, int] = {}

    def add(self, digest: int, at_ms: int) -> None:
        oldest_ms = at_ms - UNDER_WAY_MS
        self._at_ms = {known: when for known, when in self._at_ms.items() if when > oldest_ms}
        self._at_ms[digest] = at_ms

    def without(self, write: Write, uncommitted: Mapping[int, int]) -> Write:
        """The write as it may be kept: without its visitor, where they were erased, be it just before."""
        if not (self._at_ms or uncommitted):  # most of the time nobody was, and nothing need be asked
            return write
        match write:
            case StoreEvent() if self._knows(write.visitor_key, uncommitted):
                event = msgspec.structs.replace(write.event, click_id=None)
                return msgspec.structs.replace(write, visitor_key=0, event=event, proof=None)
            case RecordDecision() if self._knows(write.visitor_key, uncommitted):
                return msgspec.structs.replace(write, visitor_key=0, image_key=0, token="")
            case RecordGhost() | EnterExperiments() if self._knows(write.visitor_key, uncommitted):
                return msgspec.structs.replace(write, visitor_key=0)
            case KeepDecisionSample() if self._knows(write.visitor_key, uncommitted):
                return msgspec.structs.replace(write, visitor_key=0, body=b"")
            case ListVisitors():
                kept = [key for key in write.visitor_keys if not self._knows(key, uncommitted)]
                if len(kept) < len(write.visitor_keys):
                    return msgspec.structs.replace(write, visitor_keys=tuple(kept))
        return write

    def _knows(self, visitor_key: int, uncommitted: Mapping[int, int]) -> bool:
        if not visitor_key:
            return False
        digest = digest_of(visitor_key)
        return digest in self._at_ms or digest in uncommitted
