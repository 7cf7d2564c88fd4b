"""The audit log as the operator searches it, and what was counted of log-ins."""

import msgspec

from adserver.domain.audit_log import DAY_MS, Asked, Entry
from adserver.domain.login import LOGINS_HELD_UP, LOGINS_RIGHT, LOGINS_TRIED
from adserver.domain.tally import NETWORK
from adserver.ports import AuditLog, Clock, Stats

HOUR_MS = 3_600_000
WEEK_DAYS = 7


class LogIns(msgspec.Struct, frozen=True):
    """Of the last seven days."""

    right: int
    failed: int  # a wrong password or code, or none
    held_up: int  # not even tried: there were too many before


class ReadAuditLog:
    def __init__(self, log: AuditLog, stats: Stats, clock: Clock) -> None:
        self._log = log
        self._stats = stats
        self._clock = clock

    def entries(self, asked: Asked, limit: int) -> list[Entry]:
        """The newest first."""
        return self._log.entries(asked, limit)

    def log_ins(self) -> LogIns:
        now_ms = self._clock()
        names = (LOGINS_TRIED, LOGINS_RIGHT, LOGINS_HELD_UP)
        since_ms = now_ms - now_ms % HOUR_MS - WEEK_DAYS * DAY_MS
        counted = self._stats.named(NETWORK, names, since_ms, now_ms + 1)
        tried, right, held_up = (counted.get(name, 0) for name in names)
        return LogIns(right, max(0, tried - right), held_up)
