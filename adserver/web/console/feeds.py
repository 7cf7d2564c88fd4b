"""A shop's feeds: added, changed, imported while one looks on, and what each import left out and why."""

from collections import Counter
from functools import partial
from typing import Any, TypeVar

import msgspec
from fastapi.responses import Response
from pydantic import BaseModel, ValidationError

from adserver.domain.campaign import Advertiser
from adserver.domain.catalogue import Feed, RejectedRow
from adserver.domain.identity import read_id, write_id
from adserver.domain.imports import UNDER_WAY, Import, ImportState
from adserver.domain.user import Role
from adserver.flows.manage import Refused
from adserver.web.console import feed_words
from adserver.web.console.feed_file import Sent, SentFile
from adserver.web.console.figures import moment, number
from adserver.web.console.owners import Id, reach_of, shop_of
from adserver.web.console.visit import CurrentDesk, CurrentVisit, Desk, Elsewhere, OwnForm, Visit, see
from adserver.web.flows import CurrentFlows, Flows
from adserver.web.routes import page_router
from adserver.web.schemas.catalogue import FeedChange, FeedDraft, show_feed
from adserver.web.schemas.fields import write_time
from adserver.web.schemas.imports import ImportProgress, show_progress
from adserver.web.schemas.pictures import show_pictures

ROLES = (Role.ADVERTISER, Role.WEBMASTER)
AT_ONCE = 100
EXAMPLES = 5
INTERVALS = (15, 60, 360, 720, 1_440, 10_080)  # minutes
FEW_IMPORTS = 8
MOST_DIGITS = 9  # what is longer is too much however it goes on
Body = TypeVar("Body", bound=BaseModel)

router = page_router("/console/shop/{shop}/feeds")


class Shown(msgspec.Struct, frozen=True):
    """A feed, its newest imports, and how they are told by the API."""

    id: str
    feed: Feed
    imports: list[Import]
    told: list[ImportProgress]

    @property
    def is_busy(self) -> bool:
        busy = UNDER_WAY | {ImportState.QUEUED}
        return bool(self.imports) and self.imports[0].state in busy


class Reason(msgspec.Struct, frozen=True):
    """Why rows were left out, how many of them, and a few."""

    code: str
    rows: int
    examples: list[RejectedRow]


@router.get("")
def feeds(shop: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows) -> Response:
    return _list(shop_of(desk, visit, shop, *ROLES), flows, visit)


@router.post("")
def add(shop: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, form: OwnForm) -> Response:
    """A feed with an address, which is fetched at once where it has a schedule."""
    advertiser = shop_of(desk, visit, shop, *ROLES)
    if not form.get("url", "").strip():
        return _list(advertiser, flows, visit, 422, no="url", given=form)
    feed = _made(advertiser, flows, form)
    if isinstance(feed, str):
        return _list(advertiser, flows, visit, 422, no=feed, given=form)
    if feed.interval_minutes is None and flows.imports.queue(feed, None) is None:
        return _one(advertiser, feed, flows, visit, 503, no="unrecorded")
    return see(_address(feed))


@router.post("/upload")
def add_file(
    shop: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, sent: SentFile
) -> Response:
    """A feed whose file is sent."""
    advertiser = shop_of(desk, visit, shop, *ROLES)
    if sent.file is None:
        return _list(advertiser, flows, visit, 422, no="file", given=sent.fields)
    feed = _made(advertiser, flows, sent.fields | {"url": "", "every": ""})
    if isinstance(feed, str):
        return _list(advertiser, flows, visit, 422, no=feed, given=sent.fields)
    return _queue(advertiser, feed, sent, flows, visit)


@router.post("/pictures")
def retry_pictures(
    shop: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, form: OwnForm
) -> Response:
    flows.pictures.retry(shop_of(desk, visit, shop, *ROLES).key)
    return see(f"/console/shop/{shop}/feeds")


@router.get("/{feed}")
def one_feed(shop: Id, feed: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows) -> Response:
    advertiser, found = _feed_of(desk, visit, flows, shop, feed)
    return _one(advertiser, found, flows, visit)


@router.get("/{feed}/progress")
def progress(shop: Id, feed: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows) -> Response:
    """How far an import has come, for the page's script; nothing once it has come to its end."""
    _, found = _feed_of(desk, visit, flows, shop, feed)
    shown = _shown(found, flows)
    if not shown.is_busy:
        return Response("", media_type="text/html")
    return visit.page("feed_progress.html", **_words(shown.feed, visit), shown=shown)


@router.post("/{feed}")
def change(
    shop: Id, feed: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, form: OwnForm
) -> Response:
    advertiser, found = _feed_of(desk, visit, flows, shop, feed)
    read = _read(FeedChange, _fields(advertiser, form))
    if isinstance(read, str):
        return _one(advertiser, found, flows, visit, 422, no=read, given=form)
    changed = flows.manage.products.change_feed(reach_of(advertiser), advertiser.key, found.key, read.edit)
    if isinstance(changed, Refused):
        return _one(advertiser, found, flows, visit, 422, no=str(changed.reason), given=form)
    return see(_address(found))


@router.post("/{feed}/import")
def import_now(
    shop: Id, feed: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, form: OwnForm
) -> Response:
    advertiser, found = _feed_of(desk, visit, flows, shop, feed)
    if found.url is None:
        return _one(advertiser, found, flows, visit, 422, no="url")
    return _queue(advertiser, found, Sent({}, None), flows, visit)


@router.post("/{feed}/upload")
def upload(
    shop: Id, feed: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, sent: SentFile
) -> Response:
    advertiser, found = _feed_of(desk, visit, flows, shop, feed)
    if sent.file is None:
        return _one(advertiser, found, flows, visit, 422, no="file")
    return _queue(advertiser, found, sent, flows, visit)


@router.post("/{feed}/imports/{import_}/approve")
def approve(
    shop: Id,
    feed: Id,
    import_: Id,
    desk: CurrentDesk,
    visit: CurrentVisit,
    flows: CurrentFlows,
    form: OwnForm,
) -> Response:
    """Somebody's yes to what an import would take away."""
    advertiser, found = _feed_of(desk, visit, flows, shop, feed)
    waiting = flows.imports.one(found, read_id("imp", import_) or 0)
    settled = waiting and flows.imports.approve(found, waiting, wait=False)
    return _settled(advertiser, found, settled, flows, visit)


@router.post("/{feed}/imports/{import_}/reject")
def reject(
    shop: Id,
    feed: Id,
    import_: Id,
    desk: CurrentDesk,
    visit: CurrentVisit,
    flows: CurrentFlows,
    form: OwnForm,
) -> Response:
    advertiser, found = _feed_of(desk, visit, flows, shop, feed)
    waiting = flows.imports.one(found, read_id("imp", import_) or 0)
    settled = waiting and flows.imports.reject(found, waiting)
    return _settled(advertiser, found, settled, flows, visit)


@router.post("/{feed}/delete")
def delete(
    shop: Id, feed: Id, desk: CurrentDesk, visit: CurrentVisit, flows: CurrentFlows, form: OwnForm
) -> Response:
    advertiser, found = _feed_of(desk, visit, flows, shop, feed)
    if not flows.imports.remove(found):
        return _one(advertiser, found, flows, visit, 409, no="busy")
    return see(f"/console/shop/{shop}/feeds")


def _settled(
    advertiser: Advertiser, feed: Feed, settled: Import | None, flows: Flows, visit: Visit
) -> Response:
    if settled is None:
        return _one(advertiser, feed, flows, visit, 409, no="not_waiting")
    return see(_address(feed))


def _queue(advertiser: Advertiser, feed: Feed, sent: Sent, flows: Flows, visit: Visit) -> Response:
    if flows.imports.queue(feed, sent.file) is None:
        return _one(advertiser, feed, flows, visit, 503, no="unrecorded")
    return see(_address(feed))


def _made(advertiser: Advertiser, flows: Flows, form: dict[str, str]) -> Feed | str:
    """A new feed as the form says it, or the name of what is wrong with it."""
    draft = _read(FeedDraft, _fields(advertiser, form))
    if isinstance(draft, str):
        return draft
    made = flows.manage.products.create_feed(reach_of(advertiser), draft.feed(advertiser.key))
    return str(made.reason) if isinstance(made, Refused) else made


def _fields(advertiser: Advertiser, form: dict[str, str]) -> dict[str, Any]:
    """The form in the shape of the API's body."""
    every = form.get("every", "")
    return {
        "url": form.get("url", "").strip() or None,
        "currency": advertiser.currency if form.get("currency") else None,
        "link_template": form.get("link_template", "").strip() or None,
        "schedule": {"every_minutes": int(every[:MOST_DIGITS])}
        if every.isascii() and every.isdigit()
        else None,
    }


def _read(kind: type[Body], fields: dict[str, Any]) -> Body | str:
    try:
        return kind.model_validate(fields)
    except ValidationError as flaw:
        return str(flaw.errors()[0]["loc"][0])


def _feed_of(desk: Desk, visit: Visit, flows: Flows, shop: str, feed: str) -> tuple[Advertiser, Feed]:
    advertiser = shop_of(desk, visit, shop, *ROLES)
    found = flows.manage.products.feed(reach_of(advertiser), advertiser.key, read_id("feed", feed) or 0)
    if isinstance(found, Refused):
        raise Elsewhere(f"/console/shop/{shop}/feeds")
    return advertiser, found


def _address(feed: Feed) -> str:
    return f"/console/shop/{write_id('adv', feed.advertiser_key)}/feeds/{write_id('feed', feed.key)}"


def _shown(feed: Feed, flows: Flows) -> Shown:
    imports = flows.imports.recent(feed)
    return Shown(write_id("feed", feed.key), feed, imports, [show_progress(one) for one in imports])


def _words(feed: Feed | None, visit: Visit, timezone: str = "UTC") -> dict[str, Any]:
    """What every page of feeds is written with."""
    language = visit.language
    return {
        "number": partial(number, language=language),
        "moment": lambda at_ms: moment(at_ms, timezone, language),
        "instant": write_time,
        "state_in_words": partial(feed_words.state_in_words, language=language),
        "row_in_words": partial(feed_words.row_in_words, language=language),
        "note_in_words": partial(feed_words.note_in_words, language=language),
        "fatal_in_words": partial(feed_words.fatal_in_words, language=language),
        "picture_in_words": partial(feed_words.picture_in_words, language=language),
        "address": "" if feed is None else _address(feed),
        "api": "" if feed is None else _address(feed).replace("/console/shop", "/api/v1/advertisers", 1),
    }


def _list(
    advertiser: Advertiser,
    flows: Flows,
    visit: Visit,
    status: int = 200,
    *,
    no: str | None = None,
    given: dict[str, str] | None = None,
) -> Response:
    found = flows.manage.products.feeds(reach_of(advertiser), advertiser.key, -1, AT_ONCE)
    shop = write_id("adv", advertiser.key)
    return visit.page(
        "feeds.html",
        status=status,
        no=no,
        given=given or {},
        shop=shop,
        advertiser=advertiser,
        feeds=[] if isinstance(found, Refused) else [_shown(one, flows) for one in found],
        pictures=show_pictures(flows.pictures.counts(advertiser.key)),
        pictures_api=f"/api/v1/advertisers/{shop}/pictures",
        intervals=INTERVALS,
        **_words(None, visit, advertiser.timezone),
    )


def _one(
    advertiser: Advertiser,
    feed: Feed,
    flows: Flows,
    visit: Visit,
    status: int = 200,
    *,
    no: str | None = None,
    given: dict[str, str] | None = None,
) -> Response:
    shown = _shown(feed, flows)
    last = next((one for one in shown.imports if one.report is not None), None)
    return visit.page(
        "feed.html",
        status=status,
        no=no,
        given=given,
        shop=write_id("adv", advertiser.key),
        advertiser=advertiser,
        shown=shown,
        last=last,
        last_id=None if last is None else write_id("imp", last.key),
        place=None if last is None else shown.imports.index(last),
        reasons=[] if last is None else _reasons(flows.imports.left_out(last)),
        told=show_feed(feed),
        few_imports=FEW_IMPORTS,
        intervals=sorted({*INTERVALS, *([feed.interval_minutes] if feed.interval_minutes else [])}),
        **_words(feed, visit, advertiser.timezone),
    )


def _reasons(rows: list[RejectedRow]) -> list[Reason]:
    """The most frequent first."""
    return [
        Reason(code, n, [row for row in rows if row.reason == code][:EXAMPLES])
        for code, n in Counter(row.reason for row in rows).most_common()
    ]
