"""What became of clicks: each landing counted once, on its click's own day, and summed up for reports."""

from typing import Any

from sqlalchemy import bindparam, func, literal_column, select, update

from adserver.domain.arrival import (
    FIGURES,
    LOADED,
    STAY_MS,
    TOOK,
    Arrived,
    ClickPlace,
    Grouped,
    Grouping,
    NoLanding,
    bucket_of,
)
from adserver.domain.pricing import AdEvent
from adserver.domain.visitor import DAY_MS
from adserver.storage.batch import Batch
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.tables import ad_events, arrivals
from adserver.writes import AdRecord, Outcome, RecordArrival, Result
from pixel.events import EventName

_COLUMNS = (
    "campaign_key",
    "slot_key",
    "product_key",
    "creative_key",
    "at_ms",
    "not_billed",
    "landed_ms",
    "engaged",
)
_CLICK = prepared(
    select(*(ad_events.c[name] for name in _COLUMNS)).where(ad_events.c.charge_id == bindparam("click_id"))
)
_MARK = prepared(
    update(ad_events)
    .where(ad_events.c.charge_id == bindparam("click_id"))
    .values(landed_ms=bindparam("landed_ms"), engaged=bindparam("engaged"))
)


def count_click(batch: Batch, record: AdRecord) -> None:
    """A click that may be landed, or apart from it one that is suspect."""
    place = ClickPlace(
        record.advertiser_key,
        record.at_ms - record.at_ms % DAY_MS,
        record.campaign_key,
        record.slot_key,
        record.product_key,
        0 if record.product_key else record.creative_key,
    )
    batch.count_click(place, "clicks_suspect" if record.not_billed else "clicks")


def record_arrival(batch: Batch, write: RecordArrival) -> Outcome:
    """Count a landing, or that who landed stayed; a landing that does not count, by the name of why."""
    click_id = write.impression_id << 2 | AdEvent.CLICK
    click = batch.pending_row("ad_events", click_id) or _on_disk(batch, click_id)
    if write.event is EventName.LANDED:
        reason = _why_not(click)
        if reason is not None:
            batch.count(write.advertiser_key, f"landing_{reason}", write.at_ms)
        elif click is not None:
            _land(batch, write, click)
            _keep(batch, click_id, click)
    elif click is not None and _stayed(click, write):
        click["engaged"] = True
        batch.count_click(_place(write.advertiser_key, click), "engaged")
        _keep(batch, click_id, click)
    return Outcome(Result.ACCEPTED)


def _why_not(click: dict[str, Any] | None) -> NoLanding | None:
    if click is None:
        return NoLanding.NO_CLICK
    if click["not_billed"]:
        return NoLanding.SUSPECT
    return None if click["landed_ms"] is None else NoLanding.REPEATED


def _land(batch: Batch, write: RecordArrival, click: dict[str, Any]) -> None:
    click["landed_ms"] = write.at_ms
    figures = ["landed", TOOK[bucket_of(write.at_ms - write.clicked_ms)]]
    if write.loading_ms is not None:
        figures.append(LOADED[bucket_of(write.loading_ms)])
    batch.count_click(_place(write.advertiser_key, click), *figures)


def _stayed(click: dict[str, Any], write: RecordArrival) -> bool:
    """The tag says so, or something else is told long enough after the landing."""
    if click["landed_ms"] is None or click["engaged"]:
        return False
    least_ms = 0 if write.event is EventName.ENGAGED else STAY_MS
    return bool(write.at_ms - click["landed_ms"] >= least_ms)


def _on_disk(batch: Batch, click_id: int) -> dict[str, Any] | None:
    row = batch.connection.execute(_CLICK, {"click_id": click_id}).fetchone()
    return None if row is None else dict(zip(_COLUMNS, row, strict=True))


def _keep(batch: Batch, click_id: int, click: dict[str, Any]) -> None:
    """What this batch is yet to insert was changed already."""
    if batch.pending_row("ad_events", click_id) is None:
        batch.connection.execute(_MARK, click | {"click_id": click_id})


def _place(advertiser_key: int, click: dict[str, Any]) -> ClickPlace:
    return ClickPlace(
        advertiser_key,
        click["at_ms"] - click["at_ms"] % DAY_MS,
        click["campaign_key"],
        click["slot_key"],
        click["product_key"],
        0 if click["product_key"] else click["creative_key"],
    )


# ---- reading ----

_GROUPED_BY = {
    Grouping.CAMPAIGN: ("campaign_key",),
    Grouping.PAGE: ("campaign_key", "product_key", "creative_key"),
    Grouping.DAY: ("day_ms",),
    Grouping.SITE: ("slot_key",),
}
_SUMS = [func.sum(arrivals.c[name]) for name in FIGURES]
_WITHIN = (
    arrivals.c.advertiser_key == bindparam("advertiser_key"),
    arrivals.c.day_ms >= bindparam("since_ms"),
    arrivals.c.day_ms < bindparam("until_ms"),
)
_TOTAL = prepared(select(*_SUMS).where(*_WITHIN))


def _groups(names: tuple[str, ...]) -> str:
    """The largest first."""
    keys = [
        arrivals.c[name] if name in names else literal_column("0")
        for name in ClickPlace.__struct_fields__
        if name != "advertiser_key"
    ]
    by = [arrivals.c[name] for name in names]
    size = func.sum(arrivals.c.clicks + arrivals.c.clicks_suspect).desc()
    grouped = select(*keys, *_SUMS).where(*_WITHIN).group_by(*by)
    return prepared(grouped.order_by(size, *by).limit(bindparam("most")))


_GROUPS = {by: _groups(names) for by, names in _GROUPED_BY.items()}


class SqliteArrivals:
    """The sums as reports read them."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def total(self, advertiser_key: int, since_ms: int, until_ms: int) -> Arrived:
        within = {"advertiser_key": advertiser_key, "since_ms": since_ms, "until_ms": until_ms}
        row = self._reader.row(_TOTAL, within)
        return Arrived() if row is None or row[0] is None else Arrived(row)

    def groups(
        self, advertiser_key: int, since_ms: int, until_ms: int, by: Grouping, limit: int
    ) -> list[Grouped]:
        """The `limit` largest groups, by clicks of every kind."""
        within = {"advertiser_key": advertiser_key, "since_ms": since_ms, "until_ms": until_ms}
        rows = self._reader.rows(_GROUPS[by], within | {"most": limit})
        keys = len(ClickPlace.__struct_fields__) - 1
        return [Grouped(ClickPlace(advertiser_key, *row[:keys]), Arrived(row[keys:])) for row in rows]
