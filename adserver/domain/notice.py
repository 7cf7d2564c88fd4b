"""What an advertiser's own server is told: the notices, how each is signed, and when it is tried again."""

import hmac
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from adserver.domain.budget import REACHED_PERCENT
from adserver.domain.chain import canonical
from adserver.domain.identity import key_of, write_id

FIRST_RETRY_MS = 10_000
MOST_WAIT_MS = 6 * 3_600_000  # between two attempts, however often it failed
GIVE_UP_MS = 3 * 86_400_000  # from the notice, not from its first attempt


class NoticeKind(StrEnum):
    BUDGET_80 = "budget_80"  # spent and pending passed 80 % of a budget
    BUDGET_REACHED = "budget_reached"  # nothing more fits, or the budget is spent to the last micro
    DAY_SEALED = "day_sealed"  # a day's heads were fixed and signed
    IMPORT_WAITS = "import_waits"  # for a yes: much of the catalogue would be gone
    IMPORT_FAILED = "import_failed"  # three times in a row
    PING = "ping"  # asked for by the advertiser, to see whether notices arrive


class NoticeStatus(StrEnum):
    """What became of a notice; one that failed and will be tried again says the failure's name instead."""

    WAITING = ""
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"
    NO_ADDRESS = "no_address"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A notice and how far its delivery has come; `due_ms` is of the next attempt, None once settled."""

    key: int
    advertiser_key: int
    kind: str
    body: bytes
    at_ms: int
    attempts: int = 0
    due_ms: int | None = None
    status: str = NoticeStatus.WAITING


def kind_of_percent(percent: int) -> NoticeKind:
    return NoticeKind.BUDGET_REACHED if percent >= REACHED_PERCENT else NoticeKind.BUDGET_80


def budget_notice_key(owner_key: int, day: int, cap: int, percent: int) -> int:
    """The notice's key: reaching the same mark of the same budget once more is no news.

    A budget that was changed is another budget, whose marks are told again.
    """
    parts = (number.to_bytes(8, "big", signed=True) for number in (owner_key, day, cap, percent))
    return key_of(b"notice", *parts)


def budget_notice(  # noqa: PLR0913, PLR0917  one figure of the notice each
    key: int,
    percent: int,
    owner_key: int,
    is_campaign: bool,
    advertiser_key: int,
    day: int,
    cap: int,
    spent: int,
    pending: int,
    at_ms: int,
) -> bytes:
    """That a budget of a campaign or account is used up to `percent`; `day` 0 is its whole life."""
    return notice_body(
        key,
        kind_of_percent(percent),
        advertiser_key,
        at_ms,
        budget="daily" if day else "total",
        campaign_id=write_id("cmp", owner_key) if is_campaign else None,
        cap_micros=cap,
        day=day or None,
        pending_micros=pending,
        spent_micros=spent,
    )


def import_notice(
    kind: NoticeKind, feed_key: int, import_key: int, advertiser_key: int, at_ms: int, reason: str
) -> tuple[int, bytes]:
    """That an import waits for a yes, or failed again and again; its key, and what it says."""
    key = key_of(b"import", kind.encode(), import_key.to_bytes(8, "big"))
    feed_id, import_id = write_id("feed", feed_key), write_id("imp", import_key)
    body = notice_body(key, kind, advertiser_key, at_ms, feed_id=feed_id, import_id=import_id, reason=reason)
    return key, body


def ping_notice(key: int, advertiser_key: int, at_ms: int) -> bytes:
    return notice_body(key, NoticeKind.PING, advertiser_key, at_ms)


def notice_body(key: int, kind: NoticeKind, advertiser_key: int, at_ms: int, **more: object) -> bytes:
    """What every notice says, and what one of its kind says besides, as canonical JSON."""
    return canonical(
        {
            "advertiser_id": write_id("adv", advertiser_key),
            "at": datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "id": write_id("ntc", key),
            "kind": kind,
            **more,
        }
    )


def webhook_secret(server_key: bytes, advertiser_key: int) -> str:
    """What an advertiser checks signatures with; derived each time, so that it is stored nowhere."""
    return hmac.digest(server_key, b"webhook:%d" % advertiser_key, "sha256").hex()


def sign_notice(secret: str, timestamp: int, body: bytes) -> str:
    """The signature of one attempt; its time is signed too, so that an old one cannot be played again."""
    return "v1=" + hmac.digest(secret.encode(), b"%d." % timestamp + body, "sha256").hex()


def next_attempt_ms(noticed_ms: int, attempts: int, now_ms: int, dice: float) -> int | None:
    """When to try again after `attempts` failed ones; None when it is time to give up.

    The wait doubles each time; `dice` in [0, 1) takes up to half of it away, so that the notices of a
    receiver that was down do not all come back at one moment.
    """
    longest_ms = min(FIRST_RETRY_MS << min(attempts - 1, 32), MOST_WAIT_MS)
    due_ms = now_ms + longest_ms - int(longest_ms / 2 * dice)
    return due_ms if due_ms <= noticed_ms + GIVE_UP_MS else None
