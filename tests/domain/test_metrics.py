"""What a monitoring system is told: each family's figures from the counts of the day."""

from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.metrics import Condition, Family, families
from adserver.domain.tally import BUCKETS_MS, Tally

WELL = Condition(
    records=True,
    waiting=3,
    under_way_micros={"EUR": 500_000},
    file_bytes={"database": 4_096, "log": 0},
    free_bytes=10**9,
    ran_ms={"seal days": 1_500},
)


def told(counts: dict[str, int]) -> dict[str, Family]:
    return {family.name: family for family in families(counts, WELL)}


def figures(counts: dict[str, int], name: str) -> dict[tuple[str, ...], float]:
    return {tuple(sample.labels.values()): sample.value for sample in told(counts)[name].samples}


def test_requests_are_told_as_filled_and_empty() -> None:
    counts = {"requests": 10, "empty": 4, "fills": 12}  # of the slot and of the campaign
    assert figures(counts, "adserver_slot_requests_total") == {("filled",): 6, ("empty",): 4}


def test_a_name_is_told_by_its_beginning_and_test_visitors_are_left_out() -> None:
    counts = {"refused_paused": 2, "refused_paused_test": 9, "rejected_no_consent": 5}
    assert figures(counts, "adserver_refusals_total") == {("paused",): 2}
    assert figures(counts, "adserver_rejections_total") == {("no_consent",): 5}


def test_the_condition_is_told_in_base_units() -> None:
    assert figures({}, "adserver_job_last_run_timestamp_seconds") == {("seal days",): 1.5}
    assert figures({}, "adserver_under_way_micros") == {("EUR",): 500_000}
    assert figures({}, "adserver_file_bytes") == {("database",): 4_096, ("log",): 0}
    assert figures({}, "adserver_writer_records") == {(): 1}


@given(st.lists(st.integers(-5, 20_000)))
def test_a_histogram_says_how_many_took_no_longer(lags_ms: list[int]) -> None:
    tally = Tally()
    for lag_ms in lags_ms:
        tally.observe("lag", lag_ms)
    counts = {name: n for _, name, _, n in tally.take(0)}
    samples = told(counts)["adserver_effect_lag_seconds"].samples
    buckets = {sample.labels["le"]: sample.value for sample in samples if sample.suffix == "_bucket"}
    for most_ms in BUCKETS_MS:
        assert buckets[str(most_ms / 1000)] == sum(lag_ms <= most_ms for lag_ms in lags_ms)
    assert buckets["+Inf"] == len(lags_ms)
    parts = {sample.suffix: sample.value for sample in samples if not sample.labels}
    assert parts == {"_sum": sum(max(0, ms) for ms in lags_ms) / 1000, "_count": len(lags_ms)}
