"""What was counted of a campaign's refusals as JSON."""

from pydantic import ConfigDict, Field

from adserver.domain.identity import write_id
from adserver.domain.refusal_words import words_of
from adserver.domain.refused import Hour
from adserver.flows.refusals import RefusalReport
from adserver.web.schemas.fields import GivenTime, ShownTime, Strict


class RefusalsQuery(Strict):
    since: GivenTime | None = Field(default=None, alias="from", description="by default a day before `to`")
    until: GivenTime | None = Field(default=None, alias="to", description="by default now; 31 days at most")


class ReasonAnswer(Strict):
    refusal: str
    requests: int
    share: float = Field(description="of all requests")
    says: str
    advice: str = Field(description="what to do next")


class RefusalHourAnswer(Strict):
    at: ShownTime = Field(description="when the hour began")
    shown: int
    refused: dict[str, int]


class RefusalsAnswer(Strict):
    """Requests of visitors whom its shop knows, and of pages it is shown for; others never ask for it."""

    model_config = ConfigDict(serialize_by_alias=True)

    campaign_id: str
    since: ShownTime = Field(serialization_alias="from")
    until: ShownTime = Field(serialization_alias="to")
    says: str
    requests: int
    shown: int
    reasons: list[ReasonAnswer] = Field(description="the most frequent first")
    hours: list[RefusalHourAnswer]


def show_refusals(campaign_key: int, report: RefusalReport) -> RefusalsAnswer:
    refused = report.refused
    return RefusalsAnswer(
        campaign_id=write_id("cmp", campaign_key),
        since=report.since_ms,
        until=report.until_ms,
        says=report.says,
        requests=refused.requests,
        shown=refused.shown,
        reasons=[
            ReasonAnswer(
                refusal=reason,
                requests=n,
                share=refused.share(n),
                says=words_of(reason).says,
                advice=words_of(reason).advice,
            )
            for reason, n in refused.reasons
        ],
        hours=[_show_hour(hour) for hour in refused.hours],
    )


def _show_hour(hour: Hour) -> RefusalHourAnswer:
    refused = {str(reason): n for reason, n in hour.refused.items()}
    return RefusalHourAnswer(at=hour.hour_ms, shown=hour.shown, refused=refused)
