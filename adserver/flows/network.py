"""The operator says who runs the network, and sees how far its first run has come."""

from collections.abc import Callable
from enum import StrEnum
from functools import cache
from zoneinfo import available_timezones

import msgspec
from msgspec.structs import replace

from adserver.domain.countries import COUNTRIES
from adserver.domain.network import Check, Network, Running
from adserver.ports import Clock, Networks, Writer
from adserver.writes import Result, SaveEntity
from pixel.amounts import CURRENCIES

MOST_LETTERS = 200


class NotTold(StrEnum):
    """Why nothing of the network was changed."""

    NAME_TOO_LONG = "name_too_long"
    UNKNOWN_COUNTRY = "unknown_country"
    UNKNOWN_CURRENCY = "unknown_currency"
    UNKNOWN_TIMEZONE = "unknown_timezone"
    CONFLICT = "conflict"


class Progress(msgspec.Struct, frozen=True):
    """Which of the checks have been seen."""

    reached: frozenset[Check]

    @property
    def is_complete(self) -> bool:
        return len(self.reached) == len(Check)


class ManageNetwork:
    """`running` is how the server was started; `region_files` looks into the data folder."""

    def __init__(
        self,
        writer: Writer,
        networks: Networks,
        clock: Clock,
        running: Running,
        region_files: Callable[[], tuple[str, ...]],
    ) -> None:
        self._writer = writer
        self._networks = networks
        self._clock = clock
        self.running = running
        self.region_files = region_files

    def network(self) -> Network:
        """As it was told; an empty one where nothing was."""
        return self._networks.network() or Network()

    def progress(self) -> Progress:
        backup = {Check.BACKUP} if self.network().backs_up else set()
        return Progress(self._networks.reached() | backup)

    def change(self, edit: Callable[[Network], Network]) -> Network | NotTold:
        """Each step keeps what it asks, so that whoever is interrupted goes on where they were."""
        known = self.network()
        wished = edit(known)
        flaw = _flaw(wished)
        if flaw is not None:
            return flaw
        began_ms = known.created_at_ms or self._clock()
        kept = replace(wished, key=known.key, version=known.version + 1, created_at_ms=began_ms)
        outcome = self._writer.commit(SaveEntity(kept, is_new=known.version == 0))
        return kept if outcome.result is Result.SAVED else NotTold.CONFLICT


def _flaw(network: Network) -> NotTold | None:
    if len(network.name) > MOST_LETTERS:
        return NotTold.NAME_TOO_LONG
    if network.country and network.country not in COUNTRIES:
        return NotTold.UNKNOWN_COUNTRY
    if network.currency and network.currency not in CURRENCIES:
        return NotTold.UNKNOWN_CURRENCY
    if network.timezone and network.timezone not in _timezones():
        return NotTold.UNKNOWN_TIMEZONE
    return None


@cache
def _timezones() -> frozenset[str]:
    """The zones do not change while we run, and to list them reads a folder."""
    return frozenset(available_timezones())
