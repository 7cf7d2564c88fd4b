"""What may be written of reports' sums."""

import msgspec

from adserver.domain.report_sums import DayPlace, Place, Source, Sums


class RollReport(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """What came of a source after one place, up to another; CONFLICT where that was taken in already.

    Money has a place in each campaign's chain instead: `entries` are (campaign, after, until).
    """

    source: Source
    after: int
    until: int
    entries: tuple[tuple[int, int, int], ...]
    parts: tuple[tuple[Place, Sums], ...]
    days: tuple[tuple[DayPlace, Sums], ...]
