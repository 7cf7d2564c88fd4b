"""Proofs of consent as JSON."""

from collections.abc import Sequence

from pydantic import Field

from adserver.domain.consent_record import ConsentRecord, Ended, write_proof
from adserver.web.schemas.fields import ShownTime, Strict
from pixel.consent import Basis


class ConsentAnswer(Strict):
    kind: Basis = Field(description="`tcf`: a TCF string; `asserted`: the page's own word, or Consent Mode's")
    proof: str = Field(description="the first 63 bits of the SHA-256 of what was said")
    cmp: str = Field(description="the tool's number on the IAB's list, or its name")
    given_at: ShownTime | None = Field(description="as the tool says")
    site: str = Field(description="the page's host; empty where the shop's server told it")
    first_seen_at: ShownTime
    ended_at: ShownTime | None
    ended_by: Ended | None


class ConsentsAnswer(Strict):
    """What a visitor's profile stands on, or stood on, at one advertiser; the oldest first."""

    items: list[ConsentAnswer]


def show_consents(records: Sequence[ConsentRecord]) -> ConsentsAnswer:
    return ConsentsAnswer(items=[_show(record) for record in records])


def _show(record: ConsentRecord) -> ConsentAnswer:
    return ConsentAnswer(
        kind=Basis(record.kind),
        proof=write_proof(record.proof),
        cmp=record.cmp,
        given_at=record.given_ms,
        site=record.site,
        first_seen_at=record.first_seen_ms,
        ended_at=record.ended_ms,
        ended_by=None if record.ended_by is None else Ended(record.ended_by),
    )
