"""When a worker is asked more than it can answer, so that it must say no to some, and early."""

BEAT_SECONDS = 0.025  # between two beats of a worker that has time for them
PAUSE_SECONDS = 0.25  # since the last beat: so long may a moment's crowd, or a pause of the worker's, take
LATE_SECONDS = 0.1  # the same while one beat after the other is late
CALM_SECONDS = 0.05  # between two beats, and it is over
FEW_REQUESTS = 32  # read since the last beat are no queue, however slow the machine is
WRITE_SECONDS = 0.25  # that a write may wait for the disk
FEW_WRITES = 128  # that wait are no queue, however slow the disk is
MOST_NOTES = 10_000  # writes for which nobody waits, such as which ad was served: half of what finds a place


class Overload:
    """What CoDel does for routers: a queue that empties at times does no harm, one that stands makes everyone
    late. A beat comes before all that is read in its turn, so what is read long after it has waited as long.
    """

    def __init__(self) -> None:
        self._beat_at: float | None = None
        self._read = 0  # since then
        self._most_seconds = PAUSE_SECONDS
        self._most_writes = float("inf")

    @property
    def stands(self) -> bool:
        """Whether a queue of requests stands before this worker."""
        return self._most_seconds < PAUSE_SECONDS

    def beat(self, now: float) -> None:
        """The worker has come round to everyone once."""
        took = 0.0 if self._beat_at is None else now - self._beat_at
        self._beat_at, self._read = now, 0
        if took > LATE_SECONDS:
            self._most_seconds = LATE_SECONDS
        elif took <= CALM_SECONDS:
            self._most_seconds = PAUSE_SECONDS

    def learn(self, writes: int, seconds: float) -> None:
        """So long did it take until so many writes were durable: hence how many may wait."""
        self._most_writes = max(FEW_WRITES, writes * WRITE_SECONDS / seconds) if seconds else float("inf")

    def refuses(self, now: float, writes_waiting: int, *, waits: bool = True) -> bool:
        """Whether the request that is read now should be told no; `waits`: its answer does, for a write."""
        self._read += 1
        if self._beat_at is None:
            return False
        is_late = now - self._beat_at > self._most_seconds and self._read > FEW_REQUESTS
        return is_late or writes_waiting > (self._most_writes if waits else MOST_NOTES)
