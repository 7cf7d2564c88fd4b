"""What may be read of the network as a whole."""

from typing import Protocol

from adserver.domain.network import Check, Network


class Networks(Protocol):
    def network(self) -> Network | None: ...
    def reached(self) -> frozenset[Check]: ...
