"""A report that somebody keeps under a name, to ask for it again."""

import msgspec

from adserver.domain.report import Side

REMOVED = "removed"


class SavedReport(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`query` is what stands behind the `?` of a report's address; the days that it leaves out move on."""

    key: int
    side: Side
    owner_key: int  # the advertiser or publisher; 0 for the network
    name: str
    query: str
    removed: bool = False
    version: int = 1
    created_at_ms: int = 0

    @property
    def owner(self) -> str:
        """Under which it is listed."""
        return REMOVED if self.removed else owner_of(self.side, self.owner_key)


def owner_of(side: Side, owner_key: int) -> str:
    return f"{side}:{owner_key}"
