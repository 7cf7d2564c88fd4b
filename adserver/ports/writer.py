"""The one way to change anything: writes, and their outcomes once they are durable."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from adserver.domain.in_flight import Expected
from adserver.writes import Outcome, Write


class Deferred:
    """An outcome that will be there once its batch is committed."""

    __slots__ = ("_callbacks", "_outcome")

    def __init__(self) -> None:
        self._outcome: Outcome | None = None
        self._callbacks: list[Callable[[Outcome], None]] = []

    def resolve(self, outcome: Outcome) -> None:
        """Called once, by whoever delivers the batch's outcomes."""
        self._outcome = outcome
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(outcome)

    def then(self, callback: Callable[[Outcome], None]) -> None:
        """Call back with the outcome: now if it is known, else where the batch is delivered."""
        if self._outcome is not None:
            callback(self._outcome)
        else:
            self._callbacks.append(callback)


class Writer(Protocol):
    """The one way to change anything; see storage/writer.py."""

    @property
    def sequence(self) -> int:
        """The newest committed change of entities and balances that this process has heard of."""
        ...

    @property
    def records(self) -> bool:
        """Whether writes become durable: False while the disk is full or the writer is away."""
        ...

    @property
    def waiting(self) -> int:
        """How many writes of all processes wait for the disk, as far as this one has heard."""
        ...

    def in_flight(self, campaign_key: int) -> Expected | None:
        """What all workers' ads under way will probably cost a campaign, as far as this process has heard."""
        ...

    def under_way(self, campaign_keys: Sequence[int]) -> Mapping[int, Expected]:
        """The same of many campaigns at once; nothing is said of those of which there is nothing."""
        ...

    def most_under_way(self, advertiser_key: int) -> Expected:
        """No less than that of all campaigns of an advertiser, for less: enough where there is money."""
        ...

    def submit(self, write: Write) -> Deferred:
        """Queue a write from the event loop; resolved on the loop after its batch is durable."""
        ...

    def commit(self, write: Write) -> Outcome:
        """Write from a job or request thread and wait until it is durable."""
        ...

    def commit_many(self, writes: Sequence[Write]) -> list[Outcome]:
        """The same for many writes, each on its own, in a few batches."""
        ...
