"""Who is in which arm: the same for good, by the shares, and without regard to any other lot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.campaign import Advertiser
from adserver.domain.experiment import (
    UNTRIED,
    WHOLE_BPS,
    Arm,
    Entry,
    Experiment,
    Flaw,
    Metric,
    Subject,
    arm_of,
    check,
    dated_holdout,
    holdout_entry,
    holdout_key,
    is_held_out,
    overlap,
)
from adserver.domain.intervals import mismatch_chance
from tests.domain.makers import NOW_MS, make_advertiser, make_experiment

VISITORS = range(1, 20_001)
keys = st.integers(1, 2**63 - 1)
shares = st.integers(0, 5_000)


def holding_out(bps: int, **fields: object) -> Advertiser:
    return make_advertiser(holdout_bps=bps, holdout_draw=1, holdout_since_ms=NOW_MS, **fields)


@given(keys, keys)
def test_a_visitor_stays_in_the_same_arm(visitor: int, experiment: int) -> None:
    arms = {arm_of(make_experiment(key=experiment, name=name), visitor) for name in ("a", "b")}
    assert len(arms) == 1 and arms <= {0, 1}


@given(keys)
def test_whoever_has_no_cookie_is_in_no_arm_and_never_held_out(experiment: int) -> None:
    assert arm_of(make_experiment(key=experiment), 0) is None
    assert not is_held_out(0, holding_out(5_000))


@given(keys, shares, shares)
def test_nobody_leaves_the_holdout_when_its_share_grows(visitor: int, one: int, other: int) -> None:
    less, more = sorted((one, other))
    if is_held_out(visitor, holding_out(less)):
        assert is_held_out(visitor, holding_out(more))


@given(keys)
def test_a_holdout_of_nobody_holds_out_nobody(visitor: int) -> None:
    assert not is_held_out(visitor, make_advertiser())


@given(keys, st.lists(st.integers(1, 3_000), min_size=2, max_size=3))
def test_an_arm_that_is_followed_by_others_stays_as_it_is_when_those_grow(
    visitor: int, bps: list[int]
) -> None:
    def with_last(share: int) -> Experiment:
        return make_experiment(arms=_arms(*bps[:-1], share))

    before, after = arm_of(with_last(bps[-1]), visitor), arm_of(with_last(bps[-1] + 1_000), visitor)
    assert before in (after, None)


def _arms(*bps: int) -> tuple[Arm, ...]:
    return tuple(Arm(f"{n}", share, (n + 1,)) for n, share in enumerate(bps))


@pytest.mark.parametrize("bps", [(5_000, 5_000), (2_500, 2_500, 2_500, 2_500), (9_000, 1_000), (1_000, 500)])
def test_arms_are_as_large_as_their_shares(bps: tuple[int, ...]) -> None:
    experiment = make_experiment(arms=_arms(*bps))
    found = [arm_of(experiment, visitor) for visitor in VISITORS]
    counts = [found.count(arm) for arm in (*range(len(bps)), None)]
    whole = (*bps, WHOLE_BPS - sum(bps))
    told = [(n, share) for n, share in zip(counts, whole, strict=True) if share]
    assert mismatch_chance([n for n, _ in told], [share for _, share in told]) > 0.001
    assert sum(counts) == len(VISITORS)


@pytest.mark.parametrize("bps", [500, 2_000, 5_000])
def test_a_holdout_is_as_large_as_its_share(bps: int) -> None:
    advertiser = holding_out(bps)
    held_out = sum(is_held_out(visitor, advertiser) for visitor in VISITORS)
    assert mismatch_chance((held_out, len(VISITORS) - held_out), (bps, WHOLE_BPS - bps)) > 0.001


def test_experiments_and_holdouts_draw_lots_of_their_own() -> None:
    """Any two of them: a quarter of visitors is in both halves."""
    lots = [
        [arm_of(make_experiment(key=1), visitor) == 1 for visitor in VISITORS],
        [arm_of(make_experiment(key=2), visitor) == 1 for visitor in VISITORS],
        [is_held_out(visitor, holding_out(5_000)) for visitor in VISITORS],
        [is_held_out(visitor, holding_out(5_000, key=8)) for visitor in VISITORS],
        [is_held_out(visitor, _drawn_anew()) for visitor in VISITORS],
    ]
    for place, one in enumerate(lots):
        for other in lots[place + 1 :]:
            counts = [0, 0, 0, 0]
            for left, right in zip(one, other, strict=True):
                counts[2 * left + right] += 1
            assert mismatch_chance(counts, (1, 1, 1, 1)) > 0.001


def _drawn_anew() -> Advertiser:
    """Turned off, and on again."""
    off = dated_holdout(holding_out(5_000), make_advertiser(holdout_bps=0, holdout_draw=1), NOW_MS)
    on = make_advertiser(holdout_bps=5_000, holdout_draw=off.holdout_draw)
    return dated_holdout(off, on, NOW_MS + 1)


def test_another_share_is_compared_anew_with_the_same_lots() -> None:
    known = holding_out(500)
    wider = dated_holdout(known, holding_out(1_000), NOW_MS + 5)
    assert (wider.holdout_draw, wider.holdout_since_ms) == (known.holdout_draw, NOW_MS + 5)
    assert holdout_key(wider) != holdout_key(known)
    renamed = dated_holdout(known, holding_out(500, name="Other"), NOW_MS + 9)
    assert renamed.holdout_since_ms == known.holdout_since_ms
    off = dated_holdout(known, holding_out(0), NOW_MS + 5)
    assert (off.holdout_since_ms, holdout_entry(off, 0).arm) == (None, UNTRIED)


def test_without_a_holdout_everybody_is_untried_and_with_one_in_their_arm() -> None:
    assert holdout_entry(make_advertiser(), 0) == Entry(holdout_key(make_advertiser()), UNTRIED)
    assert [holdout_entry(holding_out(500), arm).arm for arm in (0, 1)] == [0, 1]


# ---- what an experiment may be ----


@pytest.mark.parametrize(
    ("fields", "flaw"),
    [
        ({}, None),
        ({"arms": _arms(1_000)}, Flaw.ARMS_TOO_FEW),
        ({"arms": (Arm("a", 1, (1,)), Arm("a", 1, (2,)))}, Flaw.ARM_TWICE),
        ({"arms": _arms(5_000, 5_001)}, Flaw.SHARES_EXCEED_ALL),
        ({"arms": (Arm("a", 1, (1,)), Arm("b", 1))}, Flaw.ARM_SAYS_NOTHING),
        ({"arms": (Arm("a", 1, (1,)), Arm("b", 1, (2,), (3,)))}, Flaw.ARM_SAYS_NOTHING),
        ({"subject": Subject.AUDIENCES}, Flaw.ARM_SAYS_NOTHING),
        ({"subject": Subject.AUDIENCES, "arms": (Arm("a", 1, (), (1,)), Arm("b", 1, (), (2,)))}, None),
        ({"arms": (Arm("a", 1, (1, 2)), Arm("b", 1, (2, 1)))}, Flaw.ARMS_ALIKE),
        ({"ends_at_ms": NOW_MS}, Flaw.EXPERIMENT_ENDS_FIRST),
        ({"ends_at_ms": NOW_MS + 1}, None),
        ({"metric": Metric.REVENUE}, None),
    ],
)
def test_an_experiment_compares_things_that_differ(fields: dict[str, object], flaw: Flaw | None) -> None:
    assert check(make_experiment(**fields)) is flaw


def test_an_experiment_runs_from_its_start_until_its_end() -> None:
    experiment = make_experiment(ends_at_ms=NOW_MS + 10)
    runs = [experiment.runs(at_ms) for at_ms in (NOW_MS - 1, NOW_MS, NOW_MS + 9, NOW_MS + 10)]
    assert runs == [False, True, True, False]


@pytest.mark.parametrize(
    ("fields", "overlaps"),
    [
        ({"starts_at_ms": NOW_MS + 10}, False),
        ({"starts_at_ms": NOW_MS + 9}, True),
        ({"starts_at_ms": NOW_MS - 10, "ends_at_ms": NOW_MS}, False),
        ({"starts_at_ms": NOW_MS - 10, "ends_at_ms": NOW_MS + 1}, True),
        ({"starts_at_ms": NOW_MS + 2, "campaign_key": 1}, False),
        ({"starts_at_ms": NOW_MS + 2, "key": make_experiment().key}, False),
    ],
)
def test_two_experiments_of_a_campaign_are_not_under_way_together(
    fields: dict[str, object], overlaps: bool
) -> None:
    one = make_experiment(ends_at_ms=NOW_MS + 10)
    other = make_experiment(**{"key": 2} | fields)
    assert overlap(one, other) is overlap(other, one) is overlaps
