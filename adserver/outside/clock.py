"""The time of day and ids that carry it."""

import threading
import time
from collections.abc import Callable

from adserver.domain.identity import KEY_EPOCH_MS, KEY_TIME_SHIFT

_WORKER_BITS = 8
_COUNT_BITS = KEY_TIME_SHIFT - _WORKER_BITS


def system_clock(offset_seconds: int = 0) -> Callable[[], int]:
    """Milliseconds since the epoch, UTC; `offset_seconds` moves it for tests."""
    offset_ms = offset_seconds * 1000
    return lambda: time.time_ns() // 1_000_000 + offset_ms


class HalfTime:
    """Called by a thread at work: it rests for as long as it has worked since, and some seconds at least."""

    def __init__(self, least_seconds: float) -> None:
        self._least_seconds = least_seconds
        self._of_thread = threading.local()

    def __call__(self) -> None:
        worked = time.thread_time() - getattr(self._of_thread, "until", 0.0)
        time.sleep(max(self._least_seconds, worked))
        self._of_thread.until = time.thread_time()


class KeyMint:
    """61-bit keys in order of time, unique among workers with different numbers (0 to 255).

    41 bits of milliseconds, 8 of the worker, 12 of a counter. A clock that goes back is waited out by
    counting on in the last millisecond's place, so that no key is given twice.
    """

    def __init__(self, worker: int, clock: Callable[[], int]) -> None:
        if not 0 <= worker < 1 << _WORKER_BITS:
            raise ValueError("worker numbers are 0 to 255")
        self._worker = worker
        self._clock = clock
        self._last_ms = 0
        self._count = 0
        self._lock = threading.Lock()

    def __call__(self) -> int:
        with self._lock:
            now_ms = self._clock() - KEY_EPOCH_MS
            if now_ms > self._last_ms:
                self._last_ms, self._count = now_ms, 0
            else:
                self._count += 1
                if self._count >> _COUNT_BITS:
                    self._last_ms, self._count = self._last_ms + 1, 0
            return self._last_ms << _WORKER_BITS + _COUNT_BITS | self._worker << _COUNT_BITS | self._count
