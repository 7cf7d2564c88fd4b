"""Keys that were seen are known for ever, whatever they are."""

from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.feed_seen import SeenKeys


@given(st.lists(st.integers(min_value=1, max_value=2**64 - 1) | st.integers(min_value=1, max_value=40)))
def test_a_key_is_new_once(keys: list[int]) -> None:
    seen = SeenKeys()
    known: set[int] = set()
    for key in keys:
        assert seen.add(key) is (key not in known)
        known.add(key)
    assert len(seen) == len(known)


def test_keys_that_fall_on_one_place_are_told_apart_as_it_grows() -> None:
    seen = SeenKeys()
    keys = [1 + (number << 20) for number in range(3_000)]
    assert sum(seen.add(key) for key in keys) == len(keys)
    assert sum(seen.add(key) for key in keys) == 0
