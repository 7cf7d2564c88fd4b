"""What became of clicks, as JSON and as the rows of a sheet."""

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from adserver.domain.arrival import Arrived, Grouping
from adserver.flows.arrivals import ArrivalReport, ArrivalRow
from adserver.web.schemas.fields import Strict

_DAY = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")


def _read_day(given: object) -> date:
    try:
        return date.fromisoformat(given if isinstance(given, str) and _DAY.fullmatch(given) else "")
    except ValueError:
        raise PydanticCustomError(
            "not_a_day", "A day is written like 2026-11-28, from the year 2000 on"
        ) from None


Day = Annotated[date, BeforeValidator(_read_day), WithJsonSchema({"type": "string", "format": "date"})]


class ArrivalsQuery(Strict):
    first: Day | None = Field(default=None, alias="from", description="by default 30 days up to `to`")
    last: Day | None = Field(default=None, alias="to", description="itself included; by default today")
    group_by: Grouping = Grouping.CAMPAIGN
    format: Literal["json", "csv"] = "json"


class ArrivedAnswer(Strict):
    """Rates are null where they would be shares of nothing."""

    clicks: int
    clicks_suspect: int = Field(description="recorded and not billed; of these no landing is counted")
    landed: int
    landing_rate: float | None = Field(description="of `clicks`")
    seconds_to_land_median: float | None = Field(description="from the click, by our clock; 600 at most")
    seconds_to_land_p90: float | None
    seconds_to_load_median: float | None = Field(
        description="what of it was the landing page's own, by the browser's clock"
    )
    engaged: int = Field(description="landed, and stayed ten seconds or turned to another page")
    bounce_rate: float | None = Field(description="of `landed`, who did not")


class _Group(Strict):
    id: str | None = Field(description="of the campaign or site")
    name: str = Field(description="the campaign's or site's, the page's address, or the day")


class ArrivalRowAnswer(ArrivedAnswer, _Group):
    """The clicks of a campaign, page, day or site; of what is beyond the first 500, `(other)`."""


class ArrivalsAnswer(Strict):
    """Days are UTC's, and those of the clicks."""

    model_config = ConfigDict(serialize_by_alias=True)

    advertiser_id: str
    first: date = Field(serialization_alias="from")
    last: date = Field(serialization_alias="to")
    group_by: Grouping
    rows: list[ArrivalRowAnswer]
    total: ArrivedAnswer


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 3)


def _figures(arrived: Arrived) -> dict[str, int | float | None]:
    return {
        "clicks": arrived.clicks,
        "clicks_suspect": arrived.clicks_suspect,
        "landed": arrived.landed,
        "landing_rate": _rounded(arrived.landing_rate),
        "seconds_to_land_median": _rounded(arrived.seconds_to_land(0.5)),
        "seconds_to_land_p90": _rounded(arrived.seconds_to_land(0.9)),
        "seconds_to_load_median": _rounded(arrived.seconds_to_load(0.5)),
        "engaged": arrived.engaged,
        "bounce_rate": _rounded(arrived.bounce_rate),
    }


def show_row(row: ArrivalRow) -> ArrivalRowAnswer:
    return ArrivalRowAnswer(id=row.id, name=row.name, **_figures(row.arrived))


def show_arrivals(advertiser_id: str, report: ArrivalReport, by: Grouping) -> ArrivalsAnswer:
    return ArrivalsAnswer(
        advertiser_id=advertiser_id,
        first=report.first,
        last=report.last,
        group_by=by,
        rows=list(map(show_row, report.rows)),
        total=ArrivedAnswer(**_figures(report.total)),
    )
