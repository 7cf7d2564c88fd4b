"""The round through a worker's connections, which closes those that keep it waiting."""

import socket
from collections.abc import Collection, Iterator
from operator import attrgetter
from typing import Any

from adserver.web.protocol import CuttingProtocol

TAKEN_AT_ONCE = 256
SPARE_SHARE = 4  # one in so many is left for files, and for who comes until the next round


def most_connections(open_files: int) -> int:
    return open_files - open_files // SPARE_SHARE


def close_overdue(connections: Collection[Any], now: float) -> None:
    """End those whose client is too slow for us, or away."""
    for one in _ours(connections):
        if one.is_overdue(now):
            one.transport.abort()


def close_oldest(connections: Collection[Any], most: int) -> None:
    """Make room: of those that owe us a request, the longest silent go first."""
    excess = len(connections) - most
    if excess > 0:
        waiting = [one for one in _ours(connections) if not one.owes_answer]
        for one in sorted(waiting, key=attrgetter("since"))[:excess]:
            one.transport.abort()


def who_waits(listener: socket.socket) -> Iterator[socket.socket]:
    """Connections that nobody has taken yet; uvloop takes one in each turn of its loop, which may be long."""
    for _ in range(TAKEN_AT_ONCE):
        try:
            yield listener.accept()[0]
        except OSError:  # nobody waits, or no file may be opened any more: the next turn shows
            return


def _ours(connections: Collection[Any]) -> list[CuttingProtocol]:
    return [one for one in connections if isinstance(one, CuttingProtocol)]
