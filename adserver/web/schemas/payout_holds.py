"""Holds of earnings as JSON."""

from typing import Annotated

from pydantic import Field, WithJsonSchema

from adserver.domain.identity import write_id
from adserver.domain.payout_hold import Ending, PayoutHold
from adserver.flows.manage import Held
from adserver.web.schemas.fields import GivenTime, Paging, Reason, ShownTime, SlotId, Strict, id_reader

PublisherId = Annotated[int, id_reader("pub"), WithJsonSchema({"type": "string"})]


class HoldList(Paging):
    publisher_id: PublisherId | None = None


class HoldDraft(Strict):
    publisher_id: PublisherId
    slot_id: SlotId | None = Field(default=None, description="none: all of the publisher's")
    since: GivenTime = Field(description="when the earnings were made; closed months stay as they are")
    until: GivenTime | None = Field(default=None, description="none: whatever is earned until it ends")
    reason: Reason

    def hold(self) -> PayoutHold:
        return PayoutHold(
            key=0,
            publisher_key=self.publisher_id,
            slot_key=self.slot_id,
            since_ms=self.since,
            until_ms=self.until,
            reason=self.reason,
            placed_ms=0,
        )


class HeldSum(Strict):
    currency: str
    charges: int
    earned_micros: int = Field(description="the publisher's share")
    charged_micros: int = Field(description="what the advertisers paid for it")


class HoldAnswer(Strict):
    id: str
    publisher_id: str
    slot_id: str | None
    since: ShownTime
    until: ShownTime | None
    reason: str
    placed_at: ShownTime
    ended_at: ShownTime | None
    ending: Ending | None


class HeldAnswer(HoldAnswer):
    sums: list[HeldSum] = Field(description="by currency, as far as it is earned by now")


def show_hold(hold: PayoutHold) -> HoldAnswer:
    return HoldAnswer(**_hold(hold))


def show_held(held: Held) -> HeldAnswer:
    sums = [
        HeldSum(
            currency=one.currency,
            charges=one.charges,
            earned_micros=one.earned,
            charged_micros=one.charged,
        )
        for one in held.sums
    ]
    return HeldAnswer(**_hold(held.hold), sums=sums)


def _hold(hold: PayoutHold) -> dict[str, object]:
    return {
        "id": write_id("hold", hold.key),
        "publisher_id": write_id("pub", hold.publisher_key),
        "slot_id": None if hold.slot_key is None else write_id("slot", hold.slot_key),
        "since": hold.since_ms,
        "until": hold.until_ms,
        "reason": hold.reason,
        "placed_at": hold.placed_ms,
        "ended_at": hold.ended_ms,
        "ending": hold.ending,
    }
