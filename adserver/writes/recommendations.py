"""What may be written of sessions, and of what is learnt of them."""

import msgspec

from adserver.domain.sessions import ShopSessions


class BeginSlice(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """A slice of time is about to be cut; whoever is erased from it meanwhile ends that."""

    slice: int


class KeepSessions(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The sessions of a slice of time, of each shop with the time of its oldest visit; they replace what was
    kept of the slice. Slices before `oldest` are none any more. CONFLICT, and nothing is kept, where somebody
    was erased from the slice since it was begun.
    """

    slice: int
    through_key: int
    oldest: int
    shops: tuple[tuple[int, int, ShopSessions], ...]


class KeepLearnt(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Parts of a new version of what is learnt of a shop: it does not hold yet."""

    advertiser_key: int
    version: int
    parts: tuple[tuple[int, bytes], ...]


class UseLearnt(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """From now on this version holds, whose parts are kept; it was learnt of that state of the sessions."""

    advertiser_key: int
    version: int
    parts: int
    learnt_of: int


class DropLearnt(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """Let go of a few parts of versions that do not hold; the figure says how many, 0 where none is left."""

    advertiser_key: int
    most: int
