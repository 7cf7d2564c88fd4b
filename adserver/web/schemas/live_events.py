"""What comes in at a shop just now, as JSON."""

from pydantic import Field

from adserver.flows.live_view import Looked, Seen
from adserver.web.schemas.fields import ShownTime, Strict
from pixel.consent import Basis
from pixel.events import EventName, Flaw, Rejection

MOST = 200


class LiveAsked(Strict):
    after: int = Field(default=0, ge=0, le=2**53, description="a number: only what came after that event")
    limit: int = Field(default=50, ge=1, le=MOST)


class LiveItem(Strict):
    item_id: str
    title: str | None = Field(description="of the catalogue's product; null where it has none of this id")


class LiveEventAnswer(Strict):
    number: int
    at: ShownTime
    event: EventName | None = Field(description="null where it could not be read, or was none")
    items: list[LiveItem] = Field(description="the first five")
    items_count: int
    value_micros: int | None
    currency: str | None
    consent: Basis | None = Field(description="what was allowed rests on it, or why nothing was")
    kept: bool
    again: bool = Field(description="told before, and counted once")
    reason: Rejection | None = Field(description="why it was not kept")
    flaws: list[Flaw] = Field(description="fields that were left out")
    site: str | None = Field(description="the page's host, where it is none of the account's")
    by_server: bool = Field(description="told by your own server")


class LiveAnswer(Strict):
    watched_until: ShownTime = Field(description="what comes is kept until then; each look moves it on")
    items: list[LiveEventAnswer] = Field(description="the newest first, of the last 15 minutes")


def show_looked(looked: Looked) -> LiveAnswer:
    return LiveAnswer(watched_until=looked.watched_until_ms, items=[_show(one) for one in looked.seen])


def _show(seen: Seen) -> LiveEventAnswer:
    event = seen.event
    return LiveEventAnswer(
        number=seen.number,
        at=event.at_ms,
        event=None if event.name is None else EventName(event.name),
        items=[LiveItem(item_id=one, title=_title(seen, one)) for one in event.item_ids],
        items_count=event.items,
        value_micros=event.value_micros,
        currency=event.currency,
        consent=None if event.basis is None else Basis(event.basis),
        kept=event.reason is None,
        again=event.again,
        reason=None if event.reason is None else Rejection(event.reason),
        flaws=[Flaw(flaw) for flaw in event.flaws],
        site=event.site,
        by_server=event.by_server,
    )


def _title(seen: Seen, item_id: str) -> str | None:
    product = seen.products.get(item_id)
    return None if product is None else product.title
