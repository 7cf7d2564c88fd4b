"""Proofs as JSON: a chain's balance, head and signed days."""

from typing import Annotated, Any, Literal

from pydantic import Field

from adserver.domain.proof import DailyHead
from adserver.flows.prove import Proof
from adserver.web.schemas.fields import Paging, Strict

Day = Annotated[int, Field(ge=20_000_101, le=99_991_231)]


class ProofQuery(Strict):
    since: Day | None = Field(
        default=None, description="a day, yyyymmdd: the 100 signed heads from it on, not the newest 100"
    )


class EntriesQuery(Paging):
    format: Literal["json", "ndjson"] = Field(
        default="json", description="`ndjson`: the whole chain, each line the bytes that were hashed"
    )


class HeadAnswer(Strict):
    """How a chain stood when a UTC day was sealed. `signature` is of all but itself, and of `owner`."""

    day: int = Field(description="yyyymmdd, in UTC")
    entries: int
    head: str
    spent_micros: int
    pending_micros: int
    signature: str


class ProofAnswer(Strict):
    owner: str = Field(description="the campaign's or advertiser's id, as it is signed")
    currency: str
    total_cap_micros: int | None = Field(description="of an account that pays first, its deposits at most")
    daily_cap_micros: int | None
    spent_micros: int = Field(description="charged, less what was refunded")
    pending_micros: int
    refunded_micros: int
    entries: int
    head: str
    public_key: str
    heads: list[HeadAnswer]


class ProofKeyAnswer(Strict):
    algorithm: Literal["Ed25519"]
    public_key: str


class EntriesAnswer(Strict):
    items: list[dict[str, Any]]
    next_cursor: str | None


def show_head(head: DailyHead) -> HeadAnswer:
    assert head.signature is not None, "only signed heads are shown"
    return HeadAnswer(
        day=head.day,
        entries=head.entries,
        head=head.head.hex(),
        spent_micros=head.spent,
        pending_micros=head.pending,
        signature=head.signature.hex(),
    )


def show_proof(owner: str, currency: str, proof: Proof, public_key: bytes) -> ProofAnswer:
    standing = proof.standing
    return ProofAnswer(
        owner=owner,
        currency=currency,
        total_cap_micros=standing.total_cap,
        daily_cap_micros=standing.daily_cap,
        spent_micros=standing.spent,
        pending_micros=standing.pending,
        refunded_micros=standing.refunded,
        entries=standing.entries,
        head=standing.head.hex(),
        public_key=public_key.hex(),
        heads=[show_head(head) for head in proof.heads],
    )
