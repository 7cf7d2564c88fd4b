"""Holds of earnings, read by key or by publisher."""

from adserver.domain.payout_hold import PayoutHold
from adserver.storage.entities import entity, page_of
from adserver.storage.sqlite import Reader


class SqliteHolds:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def hold(self, key: int) -> PayoutHold | None:
        return entity(self._reader, PayoutHold, key)

    def holds(self, publisher_key: int | None, after: int, limit: int) -> list[PayoutHold]:
        return page_of(self._reader, PayoutHold, publisher_key, after, limit)
