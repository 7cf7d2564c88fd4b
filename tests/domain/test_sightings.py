"""What a site's cookie counts is never less than what was shown, and is dropped when no cap needs it."""

from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.campaign import PERIOD_MS, FrequencyCap, Period
from adserver.domain.contender import contender_of
from adserver.domain.eligibility import Refusal, sight_refusal
from adserver.domain.peace import Sights
from adserver.domain.sightings import HOUR_MS, Seen, noted, profile_of, seconds_needed
from adserver.domain.snapshot import Rates
from tests.domain.makers import CAMPAIGN, DAY_MS, NOW_MS, make_campaign, make_creative

NOW_HOUR = NOW_MS // HOUR_MS
DAILY = {CAMPAIGN: DAY_MS}


def seen_at(*times_ms: int, campaign_key: int = CAMPAIGN, period_ms: int = DAY_MS) -> tuple[Seen, ...]:
    """The list after ads of one campaign at these times."""
    seen: tuple[Seen, ...] = ()
    for at_ms in times_ms:
        seen = noted(seen, campaign_key, at_ms, {campaign_key: period_ms})
    return seen


def test_ads_of_one_hour_are_counted_together() -> None:
    in_one_hour = seen_at(
        *[NOW_HOUR * HOUR_MS + n for n in (0, 1, HOUR_MS - 1)], NOW_HOUR * HOUR_MS + HOUR_MS
    )
    assert in_one_hour == ((CAMPAIGN, NOW_HOUR, 3), (CAMPAIGN, NOW_HOUR + 1, 1))


def test_the_campaign_shown_last_is_the_newest() -> None:
    seen = noted(((CAMPAIGN, NOW_HOUR, 1), (71, NOW_HOUR, 1)), CAMPAIGN, NOW_MS, DAILY | {71: DAY_MS})
    assert seen == ((71, NOW_HOUR, 1), (CAMPAIGN, NOW_HOUR, 2))


def test_what_no_cap_needs_any_longer_is_dropped() -> None:
    day_ago = NOW_HOUR - 24
    seen = ((CAMPAIGN, day_ago - 1, 1), (CAMPAIGN, day_ago, 1), (71, NOW_HOUR - 1, 1), (72, day_ago, 1))
    kept = noted(seen, 73, NOW_MS, DAILY | {72: 7 * DAY_MS, 73: HOUR_MS})
    assert kept == ((CAMPAIGN, day_ago, 1), (72, day_ago, 1), (73, NOW_HOUR, 1))


def test_the_list_is_kept_until_the_last_of_it_no_longer_counts() -> None:
    until_hour_ends = -(-((NOW_HOUR + 1) * HOUR_MS - 1 - NOW_MS) // 1_000)
    seen = seen_at(NOW_MS, period_ms=HOUR_MS)
    assert seconds_needed(seen, NOW_MS, {CAMPAIGN: HOUR_MS}) == until_hour_ends + 3_600
    older = ((72, NOW_HOUR - 10, 1), *seen)
    periods_ms = {CAMPAIGN: HOUR_MS, 72: 7 * DAY_MS}
    assert seconds_needed(older, NOW_MS, periods_ms) == until_hour_ends + (7 * 24 - 10) * 3_600


@given(
    st.lists(st.integers(0, 8 * DAY_MS), min_size=1, max_size=40).map(sorted),
    st.integers(1, 6),
    st.sampled_from(Period),
)
def test_a_cap_is_never_exceeded_in_any_period(offsets_ms, most, per) -> None:
    """Whenever the page is opened, an ad is shown if the list lets it; then the true times are looked at."""
    campaign = make_campaign(frequency_cap=FrequencyCap(most, per))
    contender = contender_of(campaign, [make_creative()], Rates())
    seen, shown = (), []
    for at_ms in (NOW_MS + offset_ms for offset_ms in offsets_ms):
        no = sight_refusal(contender, Sights(profile_of(seen), at_ms))
        assert no in (None, Refusal.FREQUENCY_CAP)
        if no is None:
            seen = noted(seen, CAMPAIGN, at_ms, {CAMPAIGN: PERIOD_MS[per]})
            shown.append(at_ms)
    for at_ms in shown:
        assert sum(at_ms <= one < at_ms + PERIOD_MS[per] for one in shown) <= most
