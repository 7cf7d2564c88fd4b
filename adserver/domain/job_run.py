"""How a job ran: when last, how long, how much it did, and what failed."""

import msgspec

MOST_LETTERS = 300


class JobRun(msgspec.Struct, frozen=True, array_like=True):
    """The newest run of a job, the newest that did something, and the newest that failed; 0: never."""

    name: str
    interval_ms: int
    began_ms: int = 0
    took_ms: int = 0
    did: int = 0
    did_ms: int = 0
    last_did: int = 0
    failed_ms: int = 0
    failure: str = ""

    def after(self, began_ms: int, took_ms: int, did: int) -> "JobRun":
        """Once more, without a fault."""
        known = (began_ms, did) if did else (self.did_ms, self.last_did)
        return JobRun(
            self.name, self.interval_ms, began_ms, took_ms, did, *known, self.failed_ms, self.failure
        )

    def failed(self, began_ms: int, took_ms: int, error: Exception) -> "JobRun":
        words = f"{type(error).__name__}: {error}"[:MOST_LETTERS]
        return JobRun(
            self.name, self.interval_ms, began_ms, took_ms, 0, self.did_ms, self.last_did, began_ms, words
        )

    @property
    def fails(self) -> bool:
        """Whether its newest run did."""
        return self.failed_ms != 0 and self.failed_ms == self.began_ms

    def is_late(self, now_ms: int) -> bool:
        """Whether it should have begun again long ago."""
        return self.began_ms + self.took_ms + max(3 * self.interval_ms, LATE_MS) < now_ms


LATE_MS = 60_000  # what busy machines and a change of process may take
