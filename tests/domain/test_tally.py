"""Counters that leave in parts."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.tally import BUCKETS_MS, NETWORK, Tally

COUNTED = st.lists(st.tuples(st.integers(1, 9), st.sampled_from("abc"), st.integers(1, 5)), max_size=30)


@given(st.lists(st.tuples(COUNTED, st.integers(1, 5) | st.none()), max_size=6))
def test_whatever_the_parts_all_that_was_counted_leaves_once(
    steps: list[tuple[list[tuple[int, str, int]], int | None]],
) -> None:
    tally, told, taken = Tally(), Counter[tuple[int, str]](), Counter[tuple[int, str]]()
    for counted, most in steps:
        for owner_key, name, n in counted:
            tally.add(owner_key, name, n)
            told[owner_key, name] += n
        rows = tally.take(7, most)
        assert most is None or len(rows) <= most
        for hour_ms, name, owner_key, n in rows:
            assert hour_ms == 7
            taken[owner_key, name] += n
    rest = tally.take(7)
    for _, name, owner_key, n in rest:
        taken[owner_key, name] += n
    assert taken == told
    assert not tally.is_leaving and tally.take(7) == ()


def test_who_is_counted_together_is_counted_as_each_alone() -> None:
    tally, plain = Tally(), Tally()
    groups = ((1, 2, 3), (3, 4), (1, 2, 3))
    for keys in groups:
        tally.add_to_all(keys, "outranked")
        plain.add_each(keys, ["outranked"] * len(keys))
    for one in (tally, plain):
        one.add(4, "outranked", -1)  # it won
    together, apart = sorted(tally.take(7)), sorted(plain.take(7))
    assert together == apart != []
    assert tally.take(7) == ()


def test_what_another_thread_counts_meanwhile_is_neither_lost_nor_in_the_way() -> None:
    tally = Tally()

    class Meddling(int):
        """Looked at, it lets another thread count."""

        def __bool__(self) -> bool:
            tally.add(2, "new")
            return True

    tally._counts[1, "old"] = Meddling(3)
    assert tally.take(7, 10) == ((7, "old", 1, 3),)
    assert not tally.is_leaving
    assert tally.take(7, 10) == ((7, "new", 2, 1),)


@given(st.lists(st.integers(-5, 6_000), max_size=30))
def test_how_long_things_took_is_told_by_bucket_and_in_sum(taken_ms: list[int]) -> None:
    tally, plain = Tally(), Counter[str]()
    for took_ms in taken_ms:
        tally.observe("lag", took_ms)
        fits = [f"lag_le_{most_ms}" for most_ms in BUCKETS_MS if took_ms <= most_ms]
        plain.update([*fits[:1]] or ["lag_over"])
        plain["lag_ms"] += max(0, took_ms)
    told = {name: n for _, name, owner_key, n in tally.take(7) if owner_key == NETWORK}
    assert told == +plain
    assert tally.take(7) == ()


def test_a_counter_that_never_rests_holds_up_no_other() -> None:
    tally = Tally()
    for owner_key in range(10):
        tally.add(owner_key, "requests")
    seen = set()
    for _ in range(5):
        tally.add(0, "requests")
        seen |= {owner_key for _, _, owner_key, _ in tally.take(0, 2)}
        assert tally.is_leaving == (len(seen) < 10)
    assert seen == set(range(10))
