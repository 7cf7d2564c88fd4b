"""How the installation is, in findings and figures."""

from collections.abc import Mapping, Sequence

import msgspec

from adserver.domain.finding import Finding
from adserver.domain.installation import Installation, inspect, is_healthy
from adserver.domain.tally import BUCKETS_MS

DAY_MS = 86_400_000
WHOLE = 0.99
STEP_BYTES = 1_000_000_000
MB = 1_000_000


class Health(msgspec.Struct, frozen=True, kw_only=True):
    findings: Sequence[Finding]
    free_bytes: int
    database_bytes: int
    log_bytes: int
    version: str | None
    newest_version: str | None
    writer_records: bool
    writer_waiting: int
    effect_lag_ms: int | None
    clock_skew_ms: int | None
    keys_age_days: int | None

    @property
    def is_healthy(self) -> bool:
        return is_healthy(self.findings)


def health(found: Installation, counts: Mapping[str, int], *, records: bool, waiting: int) -> Health:
    """`counts` are the day's, in which the effects' times are."""
    database = found.database
    return Health(
        findings=inspect(found),
        free_bytes=found.free_bytes // STEP_BYTES * STEP_BYTES,
        database_bytes=0 if database is None else database.bytes // MB * MB,
        log_bytes=0 if database is None else database.log_bytes // MB * MB,
        version=None if database is None else database.version,
        newest_version=None if database is None else database.newest_version,
        writer_records=records,
        writer_waiting=waiting,
        effect_lag_ms=_lag(counts),
        clock_skew_ms=found.answered.skew_ms,
        keys_age_days=None if found.keys is None else found.keys.age_ms // DAY_MS,
    )


def _lag(counts: Mapping[str, int]) -> int | None:
    """The bucket that 99 of 100 fit into; the last one, where more did not."""
    sizes = [counts.get(f"lag_le_{most_ms}", 0) for most_ms in BUCKETS_MS]
    everything, so_far = sum(sizes) + counts.get("lag_over", 0), 0
    if not everything:
        return None
    for most_ms, size in zip(BUCKETS_MS, sizes, strict=True):
        so_far += size
        if so_far >= WHOLE * everything:
            return most_ms
    return BUCKETS_MS[-1]


LAG_NAMES = (*(f"lag_le_{most_ms}" for most_ms in BUCKETS_MS), "lag_over")
