"""Advertisers and publishers: the operator opens accounts, their owners change what is theirs."""

from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace

from adserver.domain.budget import local_day
from adserver.domain.campaign import Advertiser
from adserver.domain.experiment import dated_holdout
from adserver.domain.identity import write_id
from adserver.domain.slot import Publisher
from adserver.flows.manage.checks import dated_hold, owner_may, sound_advertiser
from adserver.flows.manage.desk import NOT_FOUND, Desk, Reach, ReceiptOf, Refused, Why, until_settled
from adserver.writes import Scope

T = TypeVar("T")


class ManageAccounts:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def advertiser(self, reach: Reach, key: int) -> Advertiser | Refused:
        found = self._desk.accounts.advertiser(key) if reach.advertiser(key) else None
        return NOT_FOUND if found is None else found

    def listed(
        self, reach: Reach, advertiser_key: int | None, read: Callable[[int | None], list[T]]
    ) -> list[T] | Refused:
        """What `read` has of the advertiser; of all that the caller reaches where none is named."""
        if advertiser_key is None and not reach.is_operator:
            advertiser_key = reach.owner_key if reach.scope is Scope.ADVERTISER else None
            if advertiser_key is None:
                return []
        if advertiser_key is not None:
            owner = self.advertiser(reach, advertiser_key)
            if isinstance(owner, Refused):
                return owner
        return read(advertiser_key)

    def advertisers(self, reach: Reach, after: int, limit: int) -> list[Advertiser]:
        if reach.is_operator:
            return self._desk.accounts.advertisers(after, limit)
        own = self._own(reach, Scope.ADVERTISER, after)
        found = self._desk.accounts.advertiser(own) if own is not None else None
        return [] if found is None else [found]

    def open_advertiser(
        self, reach: Reach, draft: Advertiser, receipt_of: ReceiptOf[Advertiser] | None = None
    ) -> Advertiser | Refused:
        """Open an account; its keys, version and time of creation are ours to give."""
        if not reach.is_operator:
            return Refused(Why.FORBIDDEN)
        sound = sound_advertiser(draft, fetch_private=self._desk.fetch_private)
        if isinstance(sound, Why):
            return Refused(sound)
        desk, now_ms = self._desk, self._desk.clock()
        public_id = write_id("m", desk.mint_key())
        sound = dated_holdout(replace(sound, holdout_bps=0), sound, now_ms)
        opened = replace(sound, key=desk.mint_key(), public_id=public_id, version=1, created_at_ms=now_ms)
        return desk.create(opened, receipt_of, today=local_day(now_ms, opened.timezone))

    def change_advertiser(
        self, reach: Reach, key: int, edit: Callable[[Advertiser], Advertiser]
    ) -> Advertiser | Refused:
        return until_settled(lambda: self._change_advertiser(reach, key, edit))

    def _change_advertiser(
        self, reach: Reach, key: int, edit: Callable[[Advertiser], Advertiser]
    ) -> Advertiser | Refused:
        known = self.advertiser(reach, key)
        if isinstance(known, Refused):
            return known
        wished = sound_advertiser(edit(known), fetch_private=self._desk.fetch_private)
        if isinstance(wished, Why):
            return Refused(wished)
        if not (reach.is_operator or owner_may(known, wished)):
            return Refused(Why.FORBIDDEN)
        now_ms = self._desk.clock()
        changed = replace(
            dated_holdout(known, dated_hold(known, wished, now_ms), now_ms),
            key=known.key,
            public_id=known.public_id,
            version=known.version + 1,
            created_at_ms=known.created_at_ms,
        )
        return self._desk.replace(changed, today=local_day(now_ms, changed.timezone))

    def publisher(self, reach: Reach, key: int) -> Publisher | Refused:
        found = self._desk.accounts.publisher(key) if reach.publisher(key) else None
        return NOT_FOUND if found is None else found

    def publishers(self, reach: Reach, after: int, limit: int) -> list[Publisher]:
        if reach.is_operator:
            return self._desk.accounts.publishers(after, limit)
        own = self._own(reach, Scope.PUBLISHER, after)
        found = self._desk.accounts.publisher(own) if own is not None else None
        return [] if found is None else [found]

    def open_publisher(
        self, reach: Reach, draft: Publisher, receipt_of: ReceiptOf[Publisher] | None = None
    ) -> Publisher | Refused:
        if not reach.is_operator:
            return Refused(Why.FORBIDDEN)
        opened = replace(draft, key=self._desk.mint_key(), created_at_ms=self._desk.clock())
        return self._desk.create(opened, receipt_of)

    def change_publisher(
        self, reach: Reach, key: int, edit: Callable[[Publisher], Publisher]
    ) -> Publisher | Refused:
        """Change a publisher; what share of the revenue is theirs, only the operator says."""
        known = self.publisher(reach, key)
        if isinstance(known, Refused):
            return known
        wished = replace(edit(known), key=known.key, created_at_ms=known.created_at_ms)
        if wished.revenue_share_bps != known.revenue_share_bps and not reach.is_operator:
            return Refused(Why.FORBIDDEN)
        return self._desk.replace(wished)

    def _own(self, reach: Reach, scope: Scope, after: int) -> int | None:
        """The caller's own account, where it lies on the page after `after`."""
        if reach.scope is not scope or reach.owner_key is None or reach.owner_key <= after:
            return None
        return reach.owner_key
