"""A pixel's diagnosis as JSON."""

from pydantic import Field

from adserver.domain.finding import Finding, Severity
from adserver.domain.item_id import ItemIdRule
from adserver.domain.item_mapping import MatchedBy, Proposal
from adserver.domain.pixel_doctor import EventFigures
from adserver.flows.pixel_doctor import Examined
from adserver.web.schemas.accounts import ItemIdRuleBody, show_rule
from adserver.web.schemas.fields import ShownTime, Strict
from pixel.events import EventName


class EventAnswer(Strict):
    event: EventName
    last_seen_at: ShownTime = Field(description="the beginning of the hour it came last")
    per_hour_24h: float
    per_hour_7d: float
    items_7d: int = Field(description="items that it named")
    sampled_ids: int = Field(description="of those, different ids that were looked up; 200 at most")
    found_share: float | None = Field(description="of the sampled ids, in the catalogue")


class FindingAnswer(Strict):
    code: str
    severity: Severity
    event: str | None
    figures: dict[str, float]
    message: str = Field(description="what to do, in words")


class ProposalAnswer(Strict):
    matched_by: MatchedBy = Field(description="`rule`: the server can do it, as `item_id_rule`")
    item_id_rule: ItemIdRuleBody | None
    share: float = Field(description="of the sampled ids, which it would find")


class PixelAnswer(Strict):
    """How an advertiser's pixel does: figures of nine days, and what is wrong, errors first."""

    item_id_rule: ItemIdRuleBody | None
    events: list[EventAnswer]
    consent: dict[str, float] = Field(description="shares of the day's requests by ground, or by why not")
    findings: list[FindingAnswer]
    proposed_mapping: ProposalAnswer | None


def _show_event(figures: EventFigures) -> EventAnswer:
    return EventAnswer(
        event=figures.event,
        last_seen_at=figures.last_hour_ms,
        per_hour_24h=round(figures.per_hour_day, 3),
        per_hour_7d=round(figures.per_hour_week, 3),
        items_7d=figures.items,
        sampled_ids=figures.sampled_ids,
        found_share=None if figures.found_share is None else round(figures.found_share, 3),
    )


def _show_finding(finding: Finding) -> FindingAnswer:
    return FindingAnswer(
        code=finding.code,
        severity=finding.severity,
        event=finding.event,
        figures={name: round(figure, 3) for name, figure in finding.figures.items()},
        message=finding.message,
    )


def _show_proposal(proposal: Proposal | None) -> ProposalAnswer | None:
    if proposal is None:
        return None
    return ProposalAnswer(
        matched_by=proposal.by,
        item_id_rule=show_rule(proposal.rule),
        share=round(proposal.matched / proposal.of, 3),
    )


def show_pixel(rule: ItemIdRule | None, examined: Examined) -> PixelAnswer:
    diagnosis = examined.diagnosis
    return PixelAnswer(
        item_id_rule=show_rule(rule),
        events=[_show_event(figures) for figures in diagnosis.events],
        consent={basis: round(share, 3) for basis, share in diagnosis.consent.items()},
        findings=[_show_finding(finding) for finding in diagnosis.findings],
        proposed_mapping=_show_proposal(examined.proposal),
    )
