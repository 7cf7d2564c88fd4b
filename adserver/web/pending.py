"""An answer that waits for its batch or picture, and is given once to whoever holds the connection."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from adserver.web.answers import Answer
from adserver.writes import Outcome


class Pending:
    """Made by `make` of the name of what became of it: the first that is told counts.

    The listener makes it, so that a fault in making is its own, and holds up none of the batch.
    """

    __slots__ = ("_listener", "_name", "make")

    def __init__(self, make: Callable[[str], Answer]) -> None:
        self.make = make
        self._name: str | None = None
        self._listener: Callable[[Pending], None] | None = None

    def hear(self, outcome: Outcome) -> None:
        self.tell(outcome.result)

    def tell(self, name: str) -> None:
        if self._name is not None:
            return
        self._name = name
        if self._listener is not None:
            self._listener(self)

    def then(self, listener: Callable[["Pending"], None]) -> None:
        """Call the one listener there is: now, where it is known already."""
        self._listener = listener
        if self._name is not None:
            listener(self)

    def answer(self) -> Answer:
        """Once it was told."""
        assert self._name is not None
        return self.make(self._name)


def in_time(work: Coroutine[Any, Any, Answer]) -> Pending:
    """The answer that a coroutine gives, by and by."""
    task = asyncio.ensure_future(work)
    pending = Pending(lambda _: task.result())
    task.add_done_callback(lambda _: pending.tell("done"))
    return pending


async def waited(pending: Pending) -> Answer:
    """The answer, for those who wait in a coroutine."""
    told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    pending.then(lambda _: None if told.done() else told.set_result(None))  # whoever waited may have gone
    await told
    return pending.answer()
