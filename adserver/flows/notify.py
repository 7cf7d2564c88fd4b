"""Notices go out to advertisers' own servers, signed, until each was answered or it is time to give up."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from adserver.domain.campaign import Advertiser
from adserver.domain.identity import write_id
from adserver.domain.notice import (
    Notice,
    NoticeKind,
    NoticeStatus,
    next_attempt_ms,
    ping_notice,
    sign_notice,
    webhook_secret,
)
from adserver.ports import Accounts, Clock, Fetcher, FetchRefused, Notices, Writer
from adserver.writes import Result, SettleNotice

log = logging.getLogger("adserver.notify")

MOST_AT_ONCE = 200
PARALLEL_RECEIVERS = 8
TURN_MS = 5_000  # of one receiver in one run; what it leaves undelivered is due in the next


class Delivery(msgspec.Struct, frozen=True):
    """What came of an attempt: the status that was answered, and the failure's name unless it is a 2xx."""

    status: int | None
    failure: str = ""

    @property
    def is_delivered(self) -> bool:
        return not self.failure


class Notify:
    """Each notice arrives at least once, in no promised order; its id tells the receiver of a repeat."""

    def __init__(  # noqa: PLR0913  its ports, by name
        self,
        *,
        writer: Writer,
        accounts: Accounts,
        notices: Notices,
        fetcher: Fetcher,
        clock: Clock,
        dice: Callable[[], float],
        mint_key: Callable[[], int],
        server_key: bytes,
    ) -> None:
        self._writer = writer
        self._accounts = accounts
        self._notices = notices
        self._fetcher = fetcher
        self._clock = clock
        self._dice = dice
        self._mint_key = mint_key
        self._server_key = server_key

    def secret(self, advertiser_key: int) -> str:
        return webhook_secret(self._server_key, advertiser_key)

    def recent(self, advertiser_key: int, limit: int) -> list[Notice]:
        return self._notices.recent(advertiser_key, limit)

    def ping(self, advertiser: Advertiser) -> Delivery | None:
        """Send a notice that is kept nowhere; what came back, None where there is no address."""
        if advertiser.webhook_url is None:
            return None
        key, now_ms = self._mint_key(), self._clock()
        body = ping_notice(key, advertiser.key, now_ms)
        ping = Notice(
            key=key, advertiser_key=advertiser.key, kind=NoticeKind.PING.value, body=body, at_ms=now_ms
        )
        return self._post(advertiser.webhook_url, ping)

    def deliver_due(self, limit: int = MOST_AT_ONCE) -> int:
        """A job: attempt what is due, each receiver in a turn of its own; how many notices were settled."""
        turns: dict[int, list[Notice]] = {}
        for notice in self._notices.due(self._clock(), limit):
            turns.setdefault(notice.advertiser_key, []).append(notice)
        if not turns:
            return 0
        with ThreadPoolExecutor(PARALLEL_RECEIVERS, "notices") as pool:
            return sum(pool.map(self._turn, turns.values()))

    def _turn(self, notices: Sequence[Notice]) -> int:
        """Attempt one receiver's notices; where nobody answers one, nobody would answer the others."""
        advertiser = self._accounts.advertiser(notices[0].advertiser_key)
        url = None if advertiser is None else advertiser.webhook_url
        if url is None:
            return sum(self._settle(notice, notice.attempts, NoticeStatus.NO_ADDRESS) for notice in notices)
        ends_ms = self._clock() + TURN_MS
        settled = 0
        for place, notice in enumerate(notices):
            delivery = self._post(url, notice)
            if delivery.status is None:
                return settled + sum(self._put_off(one, delivery.failure) for one in notices[place:])
            if not self._note(notice, delivery):
                return settled  # nothing can be recorded now: what goes out unrecorded would go out for ever
            settled += 1
            if self._clock() >= ends_ms:
                break
        return settled

    def _note(self, notice: Notice, delivery: Delivery) -> bool:
        if delivery.is_delivered:
            return self._settle(notice, notice.attempts + 1, NoticeStatus.DELIVERED)
        return self._put_off(notice, delivery.failure)

    def _put_off(self, notice: Notice, failure: str) -> bool:
        """After a failed attempt: another one later, or none."""
        attempts = notice.attempts + 1
        due_ms = next_attempt_ms(notice.at_ms, attempts, self._clock(), self._dice())
        if due_ms is None:
            log.warning("notice %s was given up after: %s", write_id("ntc", notice.key), failure)
            return self._settle(notice, attempts, NoticeStatus.GIVEN_UP)
        return self._settle(notice, attempts, failure, due_ms)

    def _settle(self, notice: Notice, attempts: int, status: str, due_ms: int | None = None) -> bool:
        """Whether it is settled, by us or by another courier that was faster."""
        outcome = self._writer.commit(SettleNotice(notice.key, attempts, due_ms, str(status)))
        return outcome.result in (Result.SAVED, Result.CONFLICT)

    def _post(self, url: str, notice: Notice) -> Delivery:
        """One attempt, signed with its own time."""
        timestamp = self._clock() // 1000
        headers = {
            "Content-Type": "application/json",
            "X-Notice-Id": write_id("ntc", notice.key),
            "X-Notice-Kind": notice.kind,
            "X-Notice-Timestamp": str(timestamp),
            "X-Notice-Signature": sign_notice(self.secret(notice.advertiser_key), timestamp, notice.body),
        }
        try:
            status = self._fetcher.post(url, notice.body, headers)
        except FetchRefused as refused:
            return Delivery(None, str(refused))
        return Delivery(status, "" if 200 <= status < 300 else f"status_{status}")
