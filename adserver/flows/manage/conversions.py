"""Orders that browsers reported: the advertiser approves or declines them, or time approves them."""

from adserver.domain.attribution import PendingConversion
from adserver.domain.visitor import DAY_MS
from adserver.flows.manage.accounts import ManageAccounts
from adserver.flows.manage.desk import NOT_FOUND, Desk, Reach, Refused, Why
from adserver.writes import Result, SettleConversion

PAGE = 200
BY_TIME = "nobody objected in time"


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
