"""What reports tell: metrics, what they may be grouped by, and the ratios that follow from sums."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum

import msgspec


class Dimension(StrEnum):
    """What a report may be grouped by."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    ADVERTISER = "advertiser"
    CAMPAIGN = "campaign"
    CREATIVE = "creative"
    PRODUCT = "product"
    PUBLISHER = "publisher"
    SITE = "site"
    SLOT = "slot"
    COUNTRY = "country"
    DEVICE = "device"
    AUDIENCE = "audience"
    REFUSAL = "refusal"  # why a campaign was not shown, or a slot stayed empty
    ARM = "arm"  # of one experiment, which a filter names


TIMES = (
    Dimension.HOUR,
    Dimension.DAY,
    Dimension.WEEK,
    Dimension.MONTH,
    Dimension.QUARTER,
    Dimension.YEAR,
)
PREFIXES = {  # of ids; countries, devices and refusals are their own names
    Dimension.ADVERTISER: "adv",
    Dimension.CAMPAIGN: "cmp",
    Dimension.CREATIVE: "crv",
    Dimension.PRODUCT: "prd",
    Dimension.PUBLISHER: "pub",
    Dimension.SITE: "site",
    Dimension.SLOT: "slot",
    Dimension.AUDIENCE: "aud",
}


class Metric(StrEnum):
    """What a report tells of each group. Money is whole micros of the row's currency."""

    REQUESTS = "requests"
    FILLS = "fills"
    IMPRESSIONS = "impressions"
    VIEWABLE = "viewable"
    VIEWABILITY = "viewability"
    CLICKS = "clicks"
    CTR = "ctr"
    CONVERSIONS = "conversions"
    CONVERSION_RATE = "conversion_rate"
    SPEND = "spend_micros"
    REVENUE = "revenue_micros"  # the publisher's share
    ECPM = "ecpm_micros"
    ECPC = "ecpc_micros"
    ECPA = "ecpa_micros"
    VALUE = "value_micros"  # of the orders that are credited to ads
    ROAS = "roas"
    IROAS = "iroas"
    REACH = "reach"
    FREQUENCY = "frequency"
    UNBILLED_AT_CAP = "unbilled_at_cap"
    REFUSALS = "refusals"


class Side(StrEnum):
    """Whose report it is: what it may tell differs."""

    NETWORK = "network"
    ADVERTISER = "advertiser"
    PUBLISHER = "publisher"


class ReportRefusal(StrEnum):
    """Why a report is not made."""

    BAD_PERIOD = "bad_period"  # days in no order, or more of them than a report spans
    NOT_KEPT_SO_LONG = "not_kept_so_long"  # hours, products and the like leave before days do
    UNANSWERABLE = "unanswerable"  # this metric has no meaning by this dimension: `what` names both
    NOT_YOURS = "not_yours"  # a metric or dimension that this side is not told: `what` names it
    UNKNOWN_FILTER = "unknown_filter"  # nothing of that id is within reach: `what` names the dimension
    TOO_MANY_ROWS = "too_many_rows"
    EXPERIMENT_NEEDED = "experiment_needed"  # arms are those of one experiment


class ReportRefused(msgspec.Struct, frozen=True):
    reason: ReportRefusal
    what: str = ""


class ReportQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Days are the account's own, both included. Filters are keys, or names of countries and devices."""

    metrics: tuple[Metric, ...]
    group_by: tuple[Dimension, ...] = ()
    first: date
    last: date
    compare: bool = False  # with the period before
    filters: Mapping[Dimension, frozenset[int | str]] = {}
    experiment_key: int = 0  # whose arms, where they are asked for


class GroupName(msgspec.Struct, frozen=True):
    """A row's place in one dimension: an id (or begin of a time) and what people call it."""

    id: str
    name: str


Figure = int | float | None


class ReportRow(msgspec.Struct, frozen=True):
    """A group in one currency (none where no money is told); `figures` in the order of the metrics.

    `before` are those of the period before. `few_visitors`: reach is not told, since it is below ten.
    """

    group: tuple[GroupName, ...]
    currency: str | None
    figures: tuple[Figure, ...]
    before: tuple[Figure, ...] | None = None
    few_visitors: bool = False


class Report(msgspec.Struct, frozen=True):
    """`totals` are of all groups together, one of each currency; `before` is the period compared with."""

    query: ReportQuery
    timezone: str
    rows: list[ReportRow]
    totals: list[ReportRow]
    until_ms: int  # everything up to this moment is in it
    before: tuple[date, date] | None = None
