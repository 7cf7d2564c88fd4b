"""How many belong to an audience, as it was last counted."""

import msgspec


class AudienceSize(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`counted_ms` is when; 0 before it ever was. `reachable` are those who were at our slots of late."""

    members: int = 0
    counted_ms: int = 0
    reachable: int = 0


UNCOUNTED = AudienceSize()
