"""What may be read of visits to shops, and of what is learnt of them."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from adserver.domain.sessions import ShopSessions, Visit
from adserver.domain.shop_learning import Learnt


class Visits(Protocol):
    """Events by slice of time: a number that each event has, and that grows."""

    def uncut(self, kept_ms: int) -> tuple[int, list[int]]:
        """The oldest slice of so much time, and those since with visits that are not in sessions yet."""
        ...

    def visits(self, slice_: int, after: int, limit: int) -> list[Visit]:
        """Of a slice those with an event key above `after`; only of visitors whom we may remember."""
        ...


class Recommendations(Protocol):
    """What is learnt of each shop, and whose sessions are others by now."""

    def outdated(self, learnt_before_ms: int) -> list[tuple[int, int]]:
        """Shops whose sessions changed since they were learnt of, with the state of those."""
        ...

    def sessions(self, advertiser_key: int) -> list[ShopSessions]: ...
    def learnt(self, advertiser_key: int, product_keys: Iterable[int]) -> Mapping[int, Learnt]:
        """Of the products; OF_SHOP among them asks for the shop's bestsellers."""
        ...
