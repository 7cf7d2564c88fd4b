"""Who acts now: told once, where a request or a job begins, and carried by every change that comes of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from adserver.domain.audit_log import OURSELVES, Actor

_acting: ContextVar[Actor] = ContextVar("acting", default=OURSELVES)


def acting() -> Actor:
    return _acting.get()


def act_as(actor: Actor) -> None:
    """For the rest of this request or thread."""
    _acting.set(actor)


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    token = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(token)
