"""What a monitoring system is told of the server: counters of the day, and how it is at this moment."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from adserver.domain.tally import BUCKETS_MS


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Sample(msgspec.Struct, frozen=True):
    """One figure; `suffix` tells a histogram's parts apart."""

    value: float
    labels: Mapping[str, str] = {}
    suffix: str = ""


class Family(msgspec.Struct, frozen=True):
    """All figures of one name. Labels are few: never an account, a campaign or a visitor."""

    name: str
    kind: Kind
    meaning: str
    samples: Sequence[Sample]


class Condition(msgspec.Struct, frozen=True):
    """How the server is at this moment."""

    records: bool
    waiting: int
    under_way_micros: Mapping[str, int]  # by currency
    file_bytes: Mapping[str, int]
    free_bytes: int
    ran_ms: Mapping[str, int]  # by job


# Counters by name: what is counted under the name, or under all names that it begins.
_BY_NAME = (
    ("duplicate_events", "Events that were told before.", "duplicate_events"),
    ("flooded_slots", "Slots asked for past a limit, and answered without an ad.", "flooded"),
    ("writer_writes", "Writes of all batches.", "commit_writes"),
)
_BY_LABEL = (
    ("events", "Events that were stored, by name.", "name", "event_"),
    ("rejections", "Hits and events that were not stored, by reason.", "reason", "rejected_"),
    ("consent", "Hits and slot requests, by what decided about consent.", "basis", "consent_"),
    ("refusals", "Campaigns left out of a decision, by reason.", "reason", "refused_"),
    (
        "charges",
        "Impressions, views and clicks reported, by what became of their charge.",
        "result",
        "charge_",
    ),
    ("conversions", "Orders and leads, by what became of their charge.", "result", "conversion_"),
    ("imports", "Imports of feeds, by what became of them.", "state", "import_"),
    ("offers", "Codes of offers, by what became of them.", "result", "offer_"),
    ("shed", "Requests refused since there were too many, by kind.", "kind", "shed_"),
    ("bad_tokens", "Beacons and clicks of no ad, by reason.", "reason", "token_"),
    ("job_failures", "Runs of a job that failed.", "job", "failed_"),
)
_TIMES = (
    (
        "effect_lag",
        "From an event, wish or opt-out arriving until every worker's next decision knows it.",
        "lag",
    ),
    ("writer_commit", "A batch's way to disk.", "commit"),
)
_OF_TESTS = "_test"


def families(counts: Mapping[str, int], condition: Condition) -> list[Family]:
    """Everything that is told; `counts` are the day's sums over all owners, by name."""
    return [
        _slot_requests(counts),
        *(_family(name, Kind.COUNTER, meaning, [Sample(counts.get(counted, 0))])
          for name, meaning, counted in _BY_NAME),
        *(_family(name, Kind.COUNTER, meaning, _labelled(counts, label, beginning))
          for name, meaning, label, beginning in _BY_LABEL),
        *(_family(f"{name}_seconds", Kind.HISTOGRAM, meaning, _histogram(counts, counted))
          for name, meaning, counted in _TIMES),
        *_gauges(condition),
    ]  # fmt: skip


def _family(name: str, kind: Kind, meaning: str, samples: Sequence[Sample]) -> Family:
    return Family(
        f"adserver_{name}_total" if kind is Kind.COUNTER else f"adserver_{name}", kind, meaning, samples
    )


def _slot_requests(counts: Mapping[str, int]) -> Family:
    """A fill is counted for its campaign too, so the sum of fills would be twice as many."""
    asked, empty = counts.get("requests", 0), counts.get("empty", 0)
    samples = [Sample(asked - empty, {"result": "filled"}), Sample(empty, {"result": "empty"})]
    return _family("slot_requests", Kind.COUNTER, "Slots asked for, by whether an ad was shown.", samples)


def _labelled(counts: Mapping[str, int], label: str, beginning: str) -> list[Sample]:
    return [
        Sample(n, {label: name.removeprefix(beginning)})
        for name, n in sorted(counts.items())
        if name.startswith(beginning) and not name.endswith(_OF_TESTS)
    ]


def _histogram(counts: Mapping[str, int], counted: str) -> list[Sample]:
    """The buckets as they are asked for: each holds those before it."""
    samples, so_far = [], 0
    for most_ms in BUCKETS_MS:
        so_far += counts.get(f"{counted}_le_{most_ms}", 0)
        samples.append(Sample(so_far, {"le": str(most_ms / 1000)}, "_bucket"))
    total = so_far + counts.get(f"{counted}_over", 0)
    samples.append(Sample(total, {"le": "+Inf"}, "_bucket"))
    return [
        *samples,
        Sample(counts.get(f"{counted}_ms", 0) / 1000, suffix="_sum"),
        Sample(total, suffix="_count"),
    ]


def _gauges(condition: Condition) -> list[Family]:
    ran = {job: at_ms / 1000 for job, at_ms in condition.ran_ms.items()}
    return [
        _gauge("writer_records", "1 while writes become durable.", [Sample(int(condition.records))]),
        _gauge("writer_waiting", "Writes that wait for the disk.", [Sample(condition.waiting)]),
        _gauge(
            "under_way_micros",
            "What ads of the last half minute will probably cost.",
            _each("currency", condition.under_way_micros),
        ),
        _gauge("file_bytes", "Size of the database and its log.", _each("file", condition.file_bytes)),
        _gauge("disk_free_bytes", "Free beside the database.", [Sample(condition.free_bytes)]),
        _gauge("job_last_run_timestamp_seconds", "When a job last began, to 3 s.", _each("job", ran)),
    ]


def _gauge(name: str, meaning: str, samples: Sequence[Sample]) -> Family:
    return _family(name, Kind.GAUGE, meaning, samples)


def _each(label: str, figures: Mapping[str, float]) -> list[Sample]:
    return [Sample(value, {label: name}) for name, value in sorted(figures.items())]
