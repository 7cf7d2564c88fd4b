"""Work that rests for as long as it took leaves the processor to the requests."""

import pytest

from adserver.outside import clock
from adserver.outside.clock import HalfTime


def test_half_the_time_is_rest_and_never_less_than_the_least(monkeypatch: pytest.MonkeyPatch) -> None:
    worked, rests = [0.0], list[float]()
    monkeypatch.setattr(clock.time, "thread_time", lambda: worked[0])
    monkeypatch.setattr(clock.time, "sleep", rests.append)
    rest = HalfTime(0.25)
    for seconds in (1.0, 0.5, 0.125, 0.0):
        worked[0] += seconds
        rest()
    assert rests == [1.0, 0.5, 0.25, 0.25]
