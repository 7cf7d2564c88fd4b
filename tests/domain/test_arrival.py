"""Quantiles are read from a small histogram within its resolution, and a click id counts for its own merchant only."""

from statistics import quantiles

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.arrival import (
    EDGES_SECONDS,
    FIGURES,
    TOOK,
    Arrived,
    NoLanding,
    bucket_of,
    click_behind,
    quantile_seconds,
    total,
)
from adserver.domain.snapshot import Snapshot
from adserver.domain.token import LANDED, SERVED, AdToken, TokenKeys, sign
from tests.domain.makers import ADVERTISER, CAMPAIGN, CREATIVE, DAY_MS, NOW_MS, SLOT, make_campaign

KEYS = TokenKeys(1, {1: b"k" * 32})
CLICK = AdToken(5, CAMPAIGN, 1, SLOT, CREATIVE, 900, 0, NOW_MS)
LAST = len(EDGES_SECONDS)


def histogram(*took_ms: int) -> list[int]:
    counts = [0] * (LAST + 1)
    for one in took_ms:
        counts[bucket_of(one)] += 1
    return counts


@pytest.mark.parametrize(
    ("took_ms", "place"),
    [
        (-5, 0),
        (0, 0),
        (499, 0),
        (500, 1),
        (999, 1),
        (1_000, 2),
        (5_999, 6),
        (599_999, LAST - 1),
        (600_000, LAST),
    ],
)
def test_a_duration_belongs_below_the_first_edge_that_it_does_not_reach(took_ms: int, place: int) -> None:
    assert bucket_of(took_ms) == place


@pytest.mark.parametrize(
    ("took_ms", "median", "p90"),
    [
        ((), None, None),
        ((700,), 0.75, 0.95),
        ((100, 100, 2_500, 2_500), 0.5, 2.8),
        ((1_100, 1_100, 1_100, 90_000), 1 + 1 / 3, 60 + 540 * 0.6),
        ((900_000,), 600, 600),
    ],
)
def test_a_quantile_is_read_evenly_between_its_edges(
    took_ms: tuple[int, ...], median: float | None, p90: float | None
) -> None:
    read = [quantile_seconds(histogram(*took_ms), share) for share in (0.5, 0.9)]
    assert read == [pytest.approx(one) if one is not None else None for one in (median, p90)]


@given(st.lists(st.integers(0, 599_000), min_size=2, max_size=60))
def test_a_median_lies_between_the_edges_around_the_true_one(took_ms: list[int]) -> None:
    read = quantile_seconds(histogram(*took_ms), 0.5)
    lower, upper = sorted(took_ms)[(len(took_ms) - 1) // 2], sorted(took_ms)[len(took_ms) // 2]
    assert lower <= quantiles(took_ms, n=2, method="inclusive")[0] <= upper
    edges = (0, *EDGES_SECONDS)
    assert read is not None and edges[bucket_of(lower)] <= read <= EDGES_SECONDS[bucket_of(upper)]


def test_shares_of_nothing_are_none_and_parts_add_up() -> None:
    none = Arrived()
    assert (none.landing_rate, none.bounce_rate, none.seconds_to_land(0.5)) == (None, None, None)
    some = dict.fromkeys(FIGURES, 0) | {
        "clicks": 8,
        "clicks_suspect": 3,
        "landed": 4,
        "engaged": 3,
        TOOK[1]: 4,
    }
    one = Arrived(tuple(some.values()))
    assert (one.landing_rate, one.bounce_rate, one.seconds_to_land(0.5)) == (0.5, 0.25, 0.75)
    two = total([one, one])
    assert (two.clicks, two.clicks_suspect, two.landed, two.engaged) == (16, 6, 8, 6)
    assert two.without(one) == one and total([]) == none


def test_the_pages_own_time_is_read_apart_from_the_way_there() -> None:
    figures = dict.fromkeys(FIGURES, 0) | {"loaded_0": 1, "took_4": 1}
    one = Arrived(tuple(figures.values()))
    assert (one.seconds_to_load(0.5), one.seconds_to_land(0.5)) == (0.25, 2.5)


@pytest.mark.parametrize(
    ("purpose", "changed", "advertiser_key", "age_ms", "said"),
    [
        (LANDED, {}, ADVERTISER, 0, CLICK),
        (LANDED, {}, ADVERTISER, 30 * DAY_MS, CLICK),
        (LANDED, {}, ADVERTISER, 30 * DAY_MS + 1, NoLanding.EXPIRED),
        (LANDED, {}, ADVERTISER + 1, 0, NoLanding.OTHER_ADVERTISER),
        (LANDED, {"campaign_key": 1}, ADVERTISER, 0, NoLanding.OTHER_ADVERTISER),
        (LANDED, {"test": True}, ADVERTISER, 0, NoLanding.SUSPECT),
        (SERVED, {}, ADVERTISER, 0, NoLanding.NOT_OURS),
    ],
)
def test_a_click_id_counts_for_its_own_merchant_within_thirty_days(
    purpose: bytes, changed: dict[str, object], advertiser_key: int, age_ms: int, said: AdToken | NoLanding
) -> None:
    snapshot = Snapshot()
    snapshot.put(make_campaign())
    text = sign(msgspec.structs.replace(CLICK, **changed), KEYS, purpose)
    assert click_behind(text, advertiser_key, snapshot, KEYS, NOW_MS + age_ms) == said


@pytest.mark.parametrize("text", ["", "x", "abc.def", "A" * 110, "é"])
def test_what_is_no_token_of_ours_is_no_click(text: str) -> None:
    assert click_behind(text, ADVERTISER, Snapshot(), KEYS, NOW_MS) is NoLanding.NOT_OURS
