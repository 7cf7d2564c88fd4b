"""What one worker holds in memory: its picture of the campaigns, and counts on their way to storage."""

import msgspec

from adserver.domain.budget import Calendar
from adserver.domain.pacing import InFlight
from adserver.domain.snapshot import Snapshot
from adserver.domain.tally import Tally


class Memory(msgspec.Struct, frozen=True):
    """Shared by a worker's flows; lost with it, and nothing that was acknowledged with it."""

    snapshot: Snapshot
    calendar: Calendar
    in_flight: InFlight
    tally: Tally


def new_memory() -> Memory:
    return Memory(Snapshot(), Calendar(), InFlight(), Tally())
