"""What a profile remembers of ads that were seen: in order, bounded, and read as it was written before."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.visitor import MOST_SHOWN, Profile, Shown
from adserver.storage.batch import decode_profile, encode_profile
from tests.domain.makers import ADVERTISER, CAMPAIGN, CREATIVE, NOW_MS, make_product
from tests.domain.test_peace import see

BOOTS = make_product("boots")


def test_a_profile_of_before_is_read_and_counted_on() -> None:
    old = msgspec.msgpack.encode(
        [5, [[ADVERTISER, [], [[BOOTS.key, NOW_MS]]]], [[CAMPAIGN, [NOW_MS - 1]]], []]
    )
    profile = decode_profile(old)
    assert profile.shown == [Shown(CAMPAIGN, [NOW_MS - 1])] and profile.shops[0].purchases[0].group_key == 0
    see(profile, [NOW_MS])
    assert profile.shown == [Shown(CAMPAIGN, [NOW_MS - 1, NOW_MS], ADVERTISER, [0, CREATIVE])]
    assert decode_profile(encode_profile(profile)) == profile


@given(st.lists(st.integers(0, 30), max_size=3 * MOST_SHOWN))
def test_times_are_kept_in_order_and_bounded_with_a_creative_for_each(offsets: list[int]) -> None:
    profile = Profile(0)
    for offset in offsets:
        see(profile, [NOW_MS + offset], creative_key=offset)
    for shown in profile.shown:
        assert shown.at_ms == sorted(shown.at_ms) and len(shown.at_ms) <= MOST_SHOWN
        assert [at_ms - NOW_MS for at_ms in shown.at_ms] == shown.creative_keys
