"""Orders that browsers reported: the advertiser approves or declines them, or time approves them."""

from collections.abc import Sequence

import msgspec

from adserver.domain.attribution import Asked, PendingConversion, Told, conversion_key
from adserver.domain.visitor import DAY_MS
from adserver.flows.manage.accounts import ManageAccounts
from adserver.flows.manage.desk import NOT_FOUND, Desk, Reach, Refused, Why
from adserver.writes import Result, SettleConversion
from pixel.events import EventName

PAGE = 200
BY_TIME = "nobody objected in time"


class Wish(msgspec.Struct, frozen=True):
    """The advertiser's word on one browser's order, by our id for it or else by the order's own."""

    conversion_key: int | None
    event: EventName
    reference: str
    approve: bool
    reason: str


Settled = Result | Why


class ManageConversions:
    def __init__(self, desk: Desk, accounts: ManageAccounts) -> None:
        self._desk = desk
        self._accounts = accounts

    def pending(
        self, reach: Reach, advertiser_key: int, after: int, limit: int
    ) -> list[PendingConversion] | Refused:
        """What waits for this advertiser's word, and reserves its price meanwhile."""
        owner = self._accounts.advertiser(reach, advertiser_key)
        if isinstance(owner, Refused):
            return owner
        return self._desk.pending.conversions(advertiser_key, self._desk.clock(), after, limit)

    def told(self, reach: Reach, advertiser_key: int, asked: Asked) -> list[Told] | Refused:
        """The advertiser's orders and leads, whoever told them, and what became of each."""
        owner = self._accounts.advertiser(reach, advertiser_key)
        if isinstance(owner, Refused):
            return owner
        return self._desk.pending.told(advertiser_key, asked)

    def key_of(self, advertiser_key: int, event: EventName, reference: str) -> int:
        """Of an order or lead, by the name that its shop gave it."""
        return conversion_key(self._desk.order_secret, advertiser_key, event, reference)

    def settle(self, reach: Reach, key: int, *, approve: bool, reason: str) -> PendingConversion | Refused:
        """Bill a pending conversion, or set its reserve free."""
        found = self._desk.pending.reported(key)
        if found is None or not reach.advertiser(found.advertiser_key):
            return NOT_FOUND
        outcome = self._desk.writer.commit(SettleConversion(key, approve, reason, self._desk.clock()))
        if outcome.result is Result.UNRECORDED:
            return Refused(outcome.result)
        wanted = Result.TAKEN if approve else Result.DECLINED
        return found if outcome.result in (wanted, Result.REPEATED) else Refused(Why.NOT_PENDING)

    def settle_many(
        self, reach: Reach, advertiser_key: int, wishes: Sequence[Wish]
    ) -> list[Settled] | Refused:
        """What became of each, in their order; the same once more is answered the same."""
        owner = self._accounts.advertiser(reach, advertiser_key)
        if isinstance(owner, Refused):
            return owner
        settled: list[Settled] = []
        for first in range(0, len(wishes), PAGE):
            settled += self._settle_page(advertiser_key, wishes[first : first + PAGE])
        return settled

    def _settle_page(self, advertiser_key: int, wishes: Sequence[Wish]) -> list[Settled]:
        keys = [self._key_of(advertiser_key, wish) for wish in wishes]
        now_ms = self._desk.clock()
        outcomes = iter(
            self._desk.writer.commit_many(
                [
                    SettleConversion(key, wish.approve, wish.reason, now_ms)
                    for key, wish in zip(keys, wishes, strict=True)
                    if key is not None
                ]
            )
        )
        return [
            Why.NOT_FOUND if key is None else _settled(wish, next(outcomes).result)
            for key, wish in zip(keys, wishes, strict=True)
        ]

    def _key_of(self, advertiser_key: int, wish: Wish) -> int | None:
        """Of a browser's order that is this advertiser's."""
        key = wish.conversion_key
        if key is None:
            key = self.key_of(advertiser_key, wish.event, wish.reference)
        found = self._desk.pending.reported(key)
        return key if found is not None and found.advertiser_key == advertiser_key else None

    def approve_due(self) -> int:
        """A job: approve what nobody declined within the advertiser's `validation_days`."""
        done, after = 0, -1
        while advertisers := self._desk.accounts.advertisers(after, PAGE):
            done += sum(self._approve_due_of(one.key, one.validation_days) for one in advertisers)
            after = advertisers[-1].key
        return done

    def _approve_due_of(self, advertiser_key: int, validation_days: int) -> int:
        now_ms = self._desk.clock()
        due = self._desk.pending.conversions(advertiser_key, now_ms - validation_days * DAY_MS, -1, PAGE)
        for conversion in due:
            self._desk.writer.commit(SettleConversion(conversion.key, True, BY_TIME, now_ms))
        return len(due)


def _settled(wish: Wish, result: Result) -> Settled:
    wanted = Result.TAKEN if wish.approve else Result.DECLINED
    if result in (wanted, Result.REPEATED):
        return wanted
    return result if result is Result.UNRECORDED else Why.NOT_PENDING
