"""What may be read of how the server runs, and what keeps a worker up to date."""

from collections.abc import Callable, Sequence
from typing import Protocol

from adserver.domain.audience_size import AudienceSize
from adserver.domain.audit_log import Asked, Entry
from adserver.domain.budget import Bucket, BucketId
from adserver.domain.catalogue import CatalogueChanged
from adserver.domain.job_run import JobRun
from adserver.domain.notice import Notice
from adserver.writes import Entity


class Notices(Protocol):
    """What advertisers' own servers are to be told."""

    def due(self, now_ms: int, limit: int) -> list[Notice]: ...
    def recent(self, advertiser_key: int, limit: int) -> list[Notice]: ...


class AuditLog(Protocol):
    def entries(self, asked: Asked, limit: int) -> list[Entry]: ...


class Stats(Protocol):
    def counts(self, owner_key: int | None, since_ms: int) -> dict[str, int]: ...
    def named(self, owner_key: int, names: Sequence[str], since_ms: int, until_ms: int) -> dict[str, int]: ...
    def sums(self, names: Sequence[str], since_ms: int, until_ms: int) -> list[tuple[int, str, int]]: ...
    def parts(
        self, owner_keys: Sequence[int], names: Sequence[str], since_ms: int, until_ms: int, step_ms: int
    ) -> list[tuple[int, str, int, int]]: ...
    def steps(self, name: str, since_ms: int, until_ms: int, step_ms: int) -> list[tuple[int, int, int]]: ...
    def hourly(
        self, owner_keys: Sequence[int], names: Sequence[str], since_ms: int
    ) -> list[tuple[int, int, int]]: ...
    def by_hour(
        self, owner_key: int, names: Sequence[str], since_ms: int, until_ms: int
    ) -> list[tuple[int, str, int]]: ...
    def hourly_sum(self, owner_keys: Sequence[int], name: str, since_ms: int) -> dict[int, int]: ...


class Vitals(Protocol):
    """How a running server is, as its files tell."""

    def leased_until_ms(self) -> dict[str, int]: ...
    def job_runs(self) -> list[JobRun]: ...
    def sizes(self) -> dict[str, int]: ...


class Changes(Protocol):
    """What became of the entities that a worker's snapshot holds."""

    def everything(self) -> tuple[int, list[Entity]]: ...
    def since(self, sequence: int) -> tuple[int, list[Entity | CatalogueChanged]]: ...
    def buckets_since(
        self, sequence: int, since_day: int = ...
    ) -> tuple[int, list[tuple[BucketId, Bucket]]]: ...
    def audience_sizes(self) -> dict[int, AudienceSize]: ...


class Refreshed(Protocol):
    """Brings a worker's snapshot up to date before it is read; see flows/refresh.py."""

    def __call__(self, *, missing: bool = False) -> None: ...


Clock = Callable[[], int]  # milliseconds since the epoch, UTC
