"""An advertiser's webhook as JSON: where it is, its secret, and what became of its notices."""

from typing import Any

import msgspec
from pydantic import Field

from adserver.domain.campaign import Advertiser
from adserver.domain.identity import write_id
from adserver.domain.notice import Notice
from adserver.flows.notify import Delivery
from adserver.web.schemas.fields import ShownTime, Strict


class NoticeAnswer(Strict):
    id: str
    kind: str
    at: ShownTime
    attempts: int
    status: str = Field(
        description="`waiting`, `delivered`, `given_up`, `no_address`, or the name of the last failure while"
        " another attempt is to come"
    )
    next_at: ShownTime | None = Field(description="of the next attempt")
    body: dict[str, Any] = Field(description="what was or will be posted")


class WebhookAnswer(Strict):
    url: str | None
    secret: str = Field(description="what signatures are checked with")
    recent: list[NoticeAnswer] = Field(description="the latest notices, newest first")


class PingAnswer(Strict):
    delivered: bool
    status: int | None = Field(description="what the receiver answered, if it did")
    failure: str | None = Field(description="why it does not count as delivered")


def show_notice(notice: Notice) -> NoticeAnswer:
    return NoticeAnswer(
        id=write_id("ntc", notice.key),
        kind=notice.kind,
        at=notice.at_ms,
        attempts=notice.attempts,
        status=notice.status or "waiting",
        next_at=notice.due_ms,
        body=msgspec.json.decode(notice.body),
    )


def show_webhook(advertiser: Advertiser, secret: str, recent: list[Notice]) -> WebhookAnswer:
    return WebhookAnswer(
        url=advertiser.webhook_url, secret=secret, recent=[show_notice(notice) for notice in recent]
    )


def show_ping(delivery: Delivery) -> PingAnswer:
    return PingAnswer(
        delivered=delivery.is_delivered, status=delivery.status, failure=delivery.failure or None
    )
