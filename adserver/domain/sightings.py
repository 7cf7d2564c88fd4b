"""How often a browser was shown each campaign on one site, as the cookie kept for that site tells."""

from collections.abc import Mapping

from adserver.domain.visitor import Profile, Shown

HOUR_MS = 3_600_000

Seen = tuple[int, int, int]  # a campaign's key, an hour since 1970, and how often it was shown in that hour


def profile_of(seen: tuple[Seen, ...]) -> Profile:
    """A profile that knows nothing but how often each campaign was shown.

    Nobody remembers the minute, so each counts as long as if it had been the hour's last: never over a cap.
    """
    shown: dict[int, Shown] = {}
    for campaign_key, hour, times in seen:
        known = shown.setdefault(campaign_key, Shown(campaign_key, []))
        known.at_ms.extend([_end_ms(hour)] * times)
    return Profile(0, shown=list(shown.values()))


def noted(
    seen: tuple[Seen, ...], campaign_key: int, now_ms: int, periods_ms: Mapping[int, int]
) -> tuple[Seen, ...]:
    """The list with one more ad of a campaign, without what no cap needs any longer; newest last.

    `periods_ms` holds the period of each campaign's cap; what is not in it needs no count.
    """
    hour, times = now_ms // HOUR_MS, 1
    kept = []
    for one in seen:
        if one[:2] == (campaign_key, hour):
            times += one[2]
        elif _end_ms(one[1]) + periods_ms.get(one[0], 0) > now_ms:
            kept.append(one)
    return (*kept, (campaign_key, hour, times))


def seconds_needed(seen: tuple[Seen, ...], now_ms: int, periods_ms: Mapping[int, int]) -> int:
    """For how long the list is of use: until the last of it no longer counts."""
    until_ms = max(_end_ms(hour) + periods_ms.get(campaign_key, 0) for campaign_key, hour, _ in seen)
    return -(-(until_ms - now_ms) // 1_000)


def _end_ms(hour: int) -> int:
    """The last moment of an hour."""
    return (hour + 1) * HOUR_MS - 1
