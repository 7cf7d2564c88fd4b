"""The bench's arithmetic, by hand-made figures: no time is measured here."""

import pytest

from tests.bench.figures import (
    Measured,
    Run,
    Spread,
    WrkNotUnderstood,
    missing_rows,
    pause_ms,
    quantile,
    read_run,
    spread,
    us_each,
)

PRINTED = """Running 5s test @ http://127.0.0.1:8000/
  1 threads and 64 connections
Requests/sec:   2410.11
bench 12051 5000312 21250.000000 98400.000000 3
"""


def make_run(requests: int, seconds: float = 2.0) -> Run:
    return Run(requests, seconds, 1.0, 5.0, 0)


def test_the_line_of_the_script_is_read_and_the_rest_of_wrks_words_is_not() -> None:
    assert read_run(PRINTED) == Run(12_051, 5.000312, 21.25, 98.4, 3)


@pytest.mark.parametrize("printed", ["", "\n\n", "unable to connect to 127.0.0.1:1", "bench 1 2"])
def test_words_without_the_line_are_no_run(printed: str) -> None:
    with pytest.raises(WrkNotUnderstood):
        read_run(printed)


def test_the_ratio_is_to_the_bare_callable_of_the_same_round() -> None:
    measured = Measured(make_run(3_000), make_run(10_000, seconds=4.0), 150.0, 50.0, 80.0)
    assert measured.ratio == pytest.approx(1_500 / 2_500)
    assert measured.us == 200.0
    assert measured.processor_ratio == pytest.approx(0.4)


def test_a_spread_is_the_middle_and_both_ends() -> None:
    assert spread([0.5, 0.1, 0.3]) == Spread(0.3, 0.1, 0.5)
    assert spread([0.2, 0.4]) == Spread(pytest.approx(0.3), 0.2, 0.4)


def test_ticks_of_a_hundredth_second_are_shared_among_the_requests() -> None:
    assert us_each(200, 10_000) == 200.0
    assert us_each(0, 0) == 0.0


def test_a_quantile_is_one_of_the_values_and_the_last_is_the_largest() -> None:
    values = [float(value) for value in range(1_000)]
    assert quantile(values, 0.5) == 500.0
    assert quantile(values, 0.999) == 999.0
    assert quantile([7.0], 0.99) == 7.0


def test_connections_that_rest_send_half_as_much() -> None:
    rest_ms = pause_ms(2_000, 64, busy_ms=4.0)
    assert 64 / ((rest_ms + 4.0) / 1_000) == pytest.approx(1_000)
    assert pause_ms(100_000, 4, busy_ms=4.0) == 0.0


@pytest.mark.parametrize(("written", "is_fault"), [(99, True), (100, False), (108, False), (109, True)])
def test_rows_are_as_many_as_answers_and_those_under_way(written: int, is_fault: bool) -> None:
    before, after = {"events": 10, "charges": 5}, {"events": 10 + written, "charges": 5}
    fault = missing_rows(before, after, ("events",), 100, under_way=8)
    assert (fault is not None) is is_fault


def test_rows_of_several_tables_are_taken_together() -> None:
    before, after = {"decisions": 0, "impressions": 7}, {"decisions": 60, "impressions": 47}
    assert missing_rows(before, after, ("decisions", "impressions"), 100, under_way=0) is None
    assert missing_rows(before, after, ("decisions",), 100, under_way=0) == (
        "100 requests were answered, and 60 rows written (decisions)"
    )
