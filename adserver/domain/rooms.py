"""How much each of an advertiser's campaigns can still spend at least: so that few are asked one by one."""

from collections.abc import Callable

import msgspec

from adserver.domain.budget import Bucket


class _Room(msgspec.Struct, frozen=True):
    """No balance of the advertiser or its campaigns has less; some had as much when it was reckoned."""

    change: int
    day: int
    micros: float
    exact: bool


class Rooms:
    """By advertiser, the least that is left of any of its budgets; spending lowers it without reckoning.

    One thread tells of changes, any may ask: what was reckoned before a change is never taken for newer.
    """

    def __init__(self) -> None:
        self._changes: dict[int, int] = {}
        self._rooms: dict[int, _Room] = {}

    def forget(self, advertiser_key: int) -> None:
        """Its campaigns or budgets are others now."""
        self._changes[advertiser_key] = self._changes.get(advertiser_key, 0) + 1

    def lower(self, advertiser_key: int, moved: Bucket) -> None:
        """One of its balances has moved, and stands already where whoever reckons will find it."""
        change, room = self._changes.get(advertiser_key, 0), self._rooms.get(advertiser_key)
        self._changes[advertiser_key] = change + 1
        if room is not None and room.change == change:
            micros = min(room.micros, room_of(moved))
            self._rooms[advertiser_key] = _Room(change + 1, room.day, micros, exact=False)

    def holds(self, advertiser_key: int, day: int, micros: int, reckon: Callable[[], float]) -> bool:
        """Whether each of its balances has room for as much; `reckon` tells what the least of them has."""
        change, room = self._changes.get(advertiser_key, 0), self._rooms.get(advertiser_key)
        is_of_now = room is not None and room.change == change and room.day == day
        if room is None or not is_of_now or (room.micros < micros and not room.exact):
            room = self._rooms[advertiser_key] = _Room(change, day, reckon(), exact=True)
        return room.micros >= micros


def room_of(bucket: Bucket) -> float:
    return float("inf") if bucket.remaining is None else bucket.remaining
