"""What has been kept for as long as it may be leaves, a few rows at a time; never money or its proof."""

from typing import Any

from sqlalchemy import Column, ColumnElement, Table, bindparam, delete, literal_column, select, tuple_, update

from adserver.domain.consent_record import Ended
from adserver.storage.batch import Batch, decode_profile
from adserver.storage.count_tables import FEW, funnel_exits, funnel_figures, journeys
from adserver.storage.erasure import without_visitor
from adserver.storage.recommendations import drop_old_sessions
from adserver.storage.sqlite import prepared
from adserver.storage.tables import (
    MAY_NAME_ONE,
    ad_events,
    arrivals,
    audit_log,
    consents,
    console_sessions,
    conversions,
    counts,
    decision_samples,
    decisions,
    erasures,
    events,
    experiment_orders,
    experiment_sums,
    experiment_visitors,
    ghosts,
    live_events,
    live_watches,
    login_attempts,
    notices,
    offer_codes,
    pixel_samples,
    profiles,
    refused_charges,
    report_parts,
    suppressed,
)
from adserver.writes import Aged, Outcome, PurgeAged, Result


def _among_old(table: Table, since: Column[Any], *also: ColumnElement[bool]) -> ColumnElement[bool]:
    """Rows whose time has come, oldest first; an index finds them, however many others there are."""
    keys = tuple(table.primary_key.columns)
    old = select(*keys).where(since <= bindparam("before_ms"), *also)
    return tuple_(*keys).in_(old.order_by(since).limit(bindparam("most")))


def _deletes(table: Table, since: Column[Any], *also: ColumnElement[bool]) -> str:
    return prepared(delete(table).where(_among_old(table, since, *also)))


def _blanks(table: Table, since: Column[Any], names_one: ColumnElement[bool] | None = None) -> str:
    """The row stays, as part of the ledger; its visitor leaves."""
    old = _among_old(table, since, table.c.visitor_key != 0 if names_one is None else names_one)
    return prepared(update(table).where(old).values(without_visitor(table)))


_rowid: ColumnElement[int] = literal_column("rowid")
_PURGE = {
    Aged.EVENTS: _deletes(events, events.c.due_ms),
    Aged.AD_EVENTS: _blanks(ad_events, ad_events.c.at_ms),
    Aged.DECISIONS: _blanks(decisions, decisions.c.at_ms, MAY_NAME_ONE),
    Aged.DECISION_SAMPLES: _deletes(decision_samples, decision_samples.c.at_ms),
    Aged.CONVERSIONS: _blanks(conversions, conversions.c.arrived_at_ms),
    Aged.OFFER_CODES: _blanks(offer_codes, offer_codes.c.handed_ms, offer_codes.c.click_id.is_not(None)),
    Aged.GHOSTS: _deletes(ghosts, ghosts.c.at_ms),
    Aged.EXPERIMENT_VISITORS: _deletes(experiment_visitors, experiment_visitors.c.entered_ms),
    Aged.EXPERIMENT_ORDERS: _deletes(experiment_orders, experiment_orders.c.at_ms),
    Aged.EXPERIMENT_SUMS: _deletes(experiment_sums, experiment_sums.c.day_ms),
    Aged.NOTICES: _deletes(notices, notices.c.at_ms, notices.c.due_ms.is_(None)),
    Aged.REFUSED_CHARGES: _deletes(refused_charges, refused_charges.c.first_seen_ms),
    Aged.COUNTS: _deletes(counts, counts.c.hour_ms),
    Aged.ARRIVALS: _deletes(arrivals, arrivals.c.day_ms),
    Aged.REPORT_PARTS: _deletes(report_parts, report_parts.c.begin_ms),
    Aged.PIXEL_SAMPLES: _deletes(pixel_samples, pixel_samples.c.at_ms),
    Aged.LIVE_EVENTS: _deletes(live_events, live_events.c.at_ms),
    Aged.LIVE_WATCHES: _deletes(live_watches, live_watches.c.until_ms),
    Aged.JOURNEYS: _deletes(journeys, journeys.c.due_ms),
    Aged.FUNNEL_FIGURES: _deletes(funnel_figures, funnel_figures.c.day_ms),
    Aged.FUNNEL_EXITS: _deletes(funnel_exits, funnel_exits.c.day_ms),
    Aged.FUNNEL_EXITS_OF_FEW: _deletes(funnel_exits, funnel_exits.c.day_ms, FEW),
    Aged.ERASURES: _deletes(erasures, erasures.c.at_ms),
    Aged.CONSOLE_SESSIONS: _deletes(console_sessions, console_sessions.c.seen_ms),
    Aged.AUDIT_LOG: _deletes(audit_log, audit_log.c.at_ms),
    Aged.LOGIN_ATTEMPTS: _deletes(login_attempts, login_attempts.c.last_ms),
    Aged.SUPPRESSED: prepared(
        delete(suppressed).where(
            _rowid.in_(
                select(_rowid)
                .select_from(suppressed)
                .where(suppressed.c.at_ms <= bindparam("before_ms"))
                .order_by(suppressed.c.at_ms)
                .limit(bindparam("most"))
            )
        )
    ),
    Aged.CONSENTS: _deletes(consents, consents.c.ended_ms, consents.c.ended_ms.is_not(None)),
}
_DUE_PROFILES = prepared(
    select(profiles.c.visitor_key, profiles.c.seen_ms, profiles.c.body)
    .where(profiles.c.due_ms <= bindparam("before_ms"))
    .order_by(profiles.c.due_ms)
    .limit(bindparam("most"))
)
_DROP_PROFILE = prepared(delete(profiles).where(profiles.c.visitor_key == bindparam("visitor_key")))


def purge_aged(batch: Batch, write: PurgeAged) -> Outcome:
    """Let go of the oldest few of a kind; once more is harmless."""
    if write.what is Aged.SESSIONS:
        return Outcome(Result.SAVED, drop_old_sessions(batch, write.before_ms, write.most))
    if write.what is Aged.PROFILES:
        return Outcome(Result.SAVED, _purge_profiles(batch, write))
    row = {"before_ms": write.before_ms, "most": write.most}
    return Outcome(Result.SAVED, batch.connection.execute(_PURGE[write.what], row).rowcount)


def _purge_profiles(batch: Batch, write: PurgeAged) -> int:
    """Of each that is due, what is old; all of one that nobody has seen for the longest of the times."""
    now_ms = write.before_ms
    due = batch.connection.execute(_DUE_PROFILES, {"before_ms": now_ms, "most": write.most}).fetchall()
    for visitor_key, seen_ms, body in due:
        if seen_ms + batch.retention.longest_ms <= now_ms:
            batch.connection.execute(_DROP_PROFILE, {"visitor_key": visitor_key})
            shops = [shop.advertiser_key for shop in decode_profile(body).shops]
            batch.consents.end(visitor_key, shops, Ended.EXPIRED, now_ms)
        else:
            batch.save_profile(visitor_key, decode_profile(body), seen_ms, now_ms)
    return len(due)
