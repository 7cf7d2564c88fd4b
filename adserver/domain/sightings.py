"""How often a browser was shown each ad on one site, as the cookie kept for that site tells."""

from bisect import insort
from collections.abc import Callable, Mapping
from typing import NamedTuple

from adserver.domain.visitor import Profile, Shown

HOUR_MS = 3_600_000

# A creative's key, an hour since 1970, and how often it was shown in that hour. Cookies of before there were
# caps of creatives have the campaign's key instead.
Seen = tuple[int, int, int]


class Ad(NamedTuple):
    """Whose ad it was; 0 where that is not known any more."""

    campaign_key: int
    creative_key: int = 0
    advertiser_key: int = 0


def profile_of(seen: tuple[Seen, ...], ad_of: Callable[[int], Ad] = Ad) -> Profile:
    """A profile that knows nothing but how often each ad was shown.

    Nobody remembers the minute, so each counts as long as if it had been the hour's last: never over a cap.
    """
    sights: dict[int, list[tuple[int, Ad]]] = {}
    for key, hour, times in seen:
        ad = ad_of(key)
        for _ in range(times):
            insort(sights.setdefault(ad.campaign_key, []), (_end_ms(hour), ad))
    return Profile(0, shown=[_shown(of_campaign) for of_campaign in sights.values()])


def _shown(sights: list[tuple[int, Ad]]) -> Shown:
    ad = sights[0][1]
    times, creatives = [at_ms for at_ms, _ in sights], [one.creative_key for _, one in sights]
    return Shown(ad.campaign_key, times, ad.advertiser_key, creatives)


def noted(
    seen: tuple[Seen, ...], creative_key: int, now_ms: int, periods_ms: Mapping[int, int]
) -> tuple[Seen, ...]:
    """The list with one more ad, without what no cap needs any longer; newest last.

    `periods_ms` holds the longest period of the caps that count each; what is not in it needs no count.
    """
    hour, times = now_ms // HOUR_MS, 1
    kept = []
    for one in seen:
        if one[:2] == (creative_key, hour):
            times += one[2]
        elif _end_ms(one[1]) + periods_ms.get(one[0], 0) > now_ms:
            kept.append(one)
    return (*kept, (creative_key, hour, times))


def seconds_needed(seen: tuple[Seen, ...], now_ms: int, periods_ms: Mapping[int, int]) -> int:
    """For how long the list is of use: until the last of it no longer counts."""
    until_ms = max(_end_ms(hour) + periods_ms.get(key, 0) for key, hour, _ in seen)
    return -(-(until_ms - now_ms) // 1_000)


def _end_ms(hour: int) -> int:
    """The last moment of an hour."""
    return (hour + 1) * HOUR_MS - 1
