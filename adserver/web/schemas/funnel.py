"""The funnel as JSON."""

from datetime import date

from pydantic import ConfigDict, Field

from adserver.domain.funnel import Group, Step
from adserver.domain.funnel_report import ExitRow, Figures, StepRow
from adserver.flows.funnel import FunnelReport
from adserver.web.schemas.arrivals import Day
from adserver.web.schemas.fields import ShownTime, Strict


class FunnelQuery(Strict):
    first: Day | None = Field(default=None, alias="from", description="by default 30 days up to `to`")
    last: Day | None = Field(default=None, alias="to", description="itself included; by default today")


class FiguresAnswer(Strict):
    """Null where they would tell of fewer than ten people."""

    visitors: int | None = Field(description="who came as far as this step on a day, or further")
    events: int | None = Field(description="how often it was done")


class StepAnswer(Strict):
    """A step; `others` had seen no ad of the advertiser shortly before, and are not held out from them."""

    step: Step
    total: FiguresAnswer
    exposed: FiguresAnswer
    held_out: FiguresAnswer
    others: FiguresAnswer


class ExitAnswer(Strict):
    after: Step = Field(description="they came no further that day")
    page: str = Field(description="where they were last: a path, `(unknown)`, or `(other)` for smaller ones")
    visitors: int


class FunnelAnswer(Strict):
    """Days are UTC's; a visitor counts once on each."""

    model_config = ConfigDict(serialize_by_alias=True)

    advertiser_id: str
    first: date = Field(serialization_alias="from")
    last: date = Field(serialization_alias="to")
    counted_until: ShownTime = Field(description="what came before is in the figures")
    shop: list[StepAnswer]
    form: list[StepAnswer]
    exits: list[ExitAnswer]


def show_funnel(advertiser_id: str, report: FunnelReport) -> FunnelAnswer:
    return FunnelAnswer(
        advertiser_id=advertiser_id,
        first=report.first,
        last=report.last,
        counted_until=report.counted_until_ms,
        shop=list(map(_show_step, report.shop)),
        form=list(map(_show_step, report.form)),
        exits=list(map(_show_exit, report.exits)),
    )


def _show_step(row: StepRow) -> StepAnswer:
    return StepAnswer(
        step=row.step,
        total=_show(row.total),
        exposed=_show(row.groups[Group.EXPOSED]),
        held_out=_show(row.groups[Group.HELD_OUT]),
        others=_show(row.groups[Group.OTHERS]),
    )


def _show(figures: Figures) -> FiguresAnswer:
    return FiguresAnswer(visitors=figures.visitors, events=figures.events)


def _show_exit(row: ExitRow) -> ExitAnswer:
    return ExitAnswer(after=row.after, page=row.page, visitors=row.visitors)
