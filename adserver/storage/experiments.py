"""Experiments, the ads that holdouts kept back, and what came of each arm."""

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.sqlite import insert as upsert

from adserver.domain.experiment import Experiment
from adserver.domain.identity import LARGEST_KEY
from adserver.domain.participant import FIGURES, Sums
from adserver.domain.pricing import AdEvent
from adserver.domain.visitor import Touch, fold_touch
from adserver.storage.batch import Batch
from adserver.storage.entities import entity, page_of
from adserver.storage.experiment_tables import experiment_sums, ghosts
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.visitors import known_profile
from adserver.writes import EnterExperiments, Outcome, RecordGhost, Result

_GHOST = prepared(upsert(ghosts).on_conflict_do_nothing())
_ROW = ghosts.c.keys()
_ACCEPTED = Outcome(Result.ACCEPTED)


def enter_experiments(batch: Batch, write: EnterExperiments) -> Outcome:
    """Who is in an arm already stays there, since when they are; so a repeat is harmless."""
    batch.comparing.enter(write.visitor_key, write.advertiser_key, write.currency, write.at_ms, write.entries)
    return _ACCEPTED


def record_ghost(batch: Batch, write: RecordGhost) -> Outcome:
    """Keep an ad that was held out, once, and count it as shown; of who was forgotten, nothing is kept."""
    profile = known_profile(batch, write.visitor_key, write.at_ms) if write.visitor_key else None
    row = {name: getattr(write, name) for name in _ROW}
    if profile is None or batch.connection.execute(_GHOST, row).rowcount != 1:
        return _ACCEPTED
    fold_touch(profile, _touch_of(write), write.advertiser_key)
    batch.keep_profile(write.visitor_key, profile, write.at_ms)
    batch.comparing.enter(write.visitor_key, write.advertiser_key, write.currency, write.at_ms, write.entries)
    for owner_key in (write.campaign_key, write.slot_key):
        batch.count(owner_key, "ghosts", write.at_ms)
    return _ACCEPTED


def _touch_of(write: RecordGhost) -> Touch:
    return Touch(
        AdEvent.IMPRESSION,
        write.ghost_key,
        write.campaign_key,
        write.campaign_version,
        write.slot_key,
        write.creative_key,
        0,
        write.at_ms,
        audience_key=write.audience_key,
        ghost=True,
    )


# ---- reading ----

_SUMS = prepared(
    select(experiment_sums.c.arm, *(func.sum(experiment_sums.c[name]) for name in FIGURES))
    .where(
        experiment_sums.c.experiment_key == bindparam("experiment_key"),
        experiment_sums.c.day_ms >= bindparam("since_ms"),
        experiment_sums.c.day_ms < bindparam("until_ms"),
    )
    .group_by(experiment_sums.c.arm)
)


class SqliteExperiments:
    """Experiments, and what came of each arm."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def experiment(self, key: int) -> Experiment | None:
        return entity(self._reader, Experiment, key)

    def experiments(self, advertiser_key: int | None, after: int, limit: int) -> list[Experiment]:
        return page_of(self._reader, Experiment, advertiser_key, after, limit)

    def sums(self, key: int, since_ms: int = 0, until_ms: int = LARGEST_KEY) -> dict[int, Sums]:
        """A row for each day and arm is all that is read, however many visitors there were."""
        rows = self._reader.rows(_SUMS, {"experiment_key": key, "since_ms": since_ms, "until_ms": until_ms})
        return {arm: Sums(*sums) for arm, *sums in rows}
