"""What has been kept for as long as it may be is let go: a job that any number may run, at any time."""

from adserver.domain.funnel import JOURNEY_RETENTION_MS
from adserver.domain.live_view import SHOWN_MS
from adserver.domain.login import FORGOTTEN_MS, LONGEST_MS
from adserver.domain.retention import (
    COUNT_RETENTION_MS,
    ERASURE_RETENTION_MS,
    NOTICE_RETENTION_MS,
    REFUSED_RETENTION_MS,
    REPORT_PART_RETENTION_MS,
    SAMPLE_RETENTION_MS,
    Retention,
)
from adserver.ports import Clock, Writer
from adserver.writes import Aged, PurgeAged

PURGED_AT_ONCE = 100  # rows: some milliseconds, in which nothing else is written


class Purge:
    """Goes through everything that has an age; what it did not finish is left for its next time."""

    def __init__(self, writer: Writer, clock: Clock, retention: Retention) -> None:
        self._writer = writer
        self._clock = clock
        self._ages_ms = {
            Aged.EVENTS: 0,
            Aged.PROFILES: 0,
            Aged.AD_EVENTS: retention.ads_ms,
            Aged.DECISIONS: retention.ads_ms,
            Aged.DECISION_SAMPLES: retention.ads_ms,
            Aged.CONVERSIONS: retention.purchases_ms,
            Aged.OFFER_CODES: retention.ads_ms,
            Aged.GHOSTS: retention.ads_ms,
            Aged.EXPERIMENT_VISITORS: retention.ads_ms,
            Aged.EXPERIMENT_ORDERS: retention.ads_ms,
            Aged.EXPERIMENT_SUMS: COUNT_RETENTION_MS,
            Aged.NOTICES: NOTICE_RETENTION_MS,
            Aged.REFUSED_CHARGES: REFUSED_RETENTION_MS,
            Aged.COUNTS: COUNT_RETENTION_MS,
            Aged.ARRIVALS: COUNT_RETENTION_MS,
            Aged.JOURNEYS: 0,
            Aged.REPORT_PARTS: REPORT_PART_RETENTION_MS,
            Aged.FUNNEL_FIGURES: COUNT_RETENTION_MS,
            Aged.FUNNEL_EXITS: retention.ads_ms,
            Aged.FUNNEL_EXITS_OF_FEW: JOURNEY_RETENTION_MS,
            Aged.PIXEL_SAMPLES: SAMPLE_RETENTION_MS,
            Aged.LIVE_EVENTS: SHOWN_MS,
            Aged.LIVE_WATCHES: SHOWN_MS,
            Aged.ERASURES: ERASURE_RETENTION_MS,
            Aged.CONSOLE_SESSIONS: LONGEST_MS,
            Aged.LOGIN_ATTEMPTS: FORGOTTEN_MS,
            Aged.AUDIT_LOG: retention.audit_log_ms,
            Aged.SESSIONS: retention.views_ms,
            Aged.SUPPRESSED: retention.longest_ms,
            Aged.CONSENTS: retention.consent_proofs_ms,
        }

    def run(self) -> int:
        """Let go of all whose time has come; how many rows that were."""
        return sum(self._purge(what, self._clock() - age_ms) for what, age_ms in self._ages_ms.items())

    def _purge(self, what: Aged, before_ms: int) -> int:
        """Piece by piece, so that nobody waits for long; where nothing can be written, none."""
        done = 0
        while purged := self._writer.commit(PurgeAged(what, before_ms, PURGED_AT_ONCE)).figure:
            done += purged
        return done
