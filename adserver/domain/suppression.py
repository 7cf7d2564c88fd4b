"""Lists of an advertiser's own visitors to whom its ads are never shown: its customers, or its staff."""

import msgspec

MOST_LISTED = 1_000_000  # of one list
MOST_LISTS = 50  # of one advertiser


class SuppressionList(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Whom it names is kept apart, by visitor. It holds for `campaign_keys`, or all where there are none.

    One that is not `active` keeps whom it names, and holds for nothing.
    """

    key: int
    advertiser_key: int
    name: str
    campaign_keys: tuple[int, ...] = ()
    active: bool = True
    version: int = 1
    created_at_ms: int = 0

    def holds_for(self, campaign_key: int) -> bool:
        return self.active and (not self.campaign_keys or campaign_key in self.campaign_keys)


class ListVisitors(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Put visitors on a list."""

    list_key: int
    advertiser_key: int
    upload_key: int
    visitor_keys: tuple[int, ...]
    at_ms: int


class UnlistOthers(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Take at most so many off a list whom this upload does not name; the figure is how many they were."""

    list_key: int
    upload_key: int
    most: int
