"""Who changed what and when: the difference between two states of an entity, without its secrets."""

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

import msgspec

DAY_MS = 86_400_000
AUDIT_RETENTION_DAYS = 400  # a year, and the month in which it is looked at
MOST_FIELDS, MOST_LETTERS = 40, 200
HIDDEN = "•••"  # in the place of a secret, which has changed

# Of nobody's interest, since another field says it, or it changes with every write.
_NOISE = frozenset(
    "type key version created_at_ms totp_used_step code_taken_key last_import fetching low_ms".split()
)
_SECRET = frozenset("digest password_hash totp_secret recovery_digests secret url webhook_url".split())


class ActorKind(StrEnum):
    USER = "user"  # in the console
    KEY = "key"  # of the API
    JOB = "job"
    SERVER = "server"  # its command line, or what it does by itself


class Actor(msgspec.Struct, frozen=True, array_like=True):
    """Who acts: a user by their address, an API key by its name."""

    kind: ActorKind
    key: int = 0
    name: str = ""

    @property
    def is_somebody(self) -> bool:
        return self.kind in (ActorKind.USER, ActorKind.KEY)


OURSELVES = Actor(ActorKind.SERVER)


class Action(StrEnum):
    CREATED = "created"
    CHANGED = "changed"
    LOGGED_IN = "logged_in"
    DEPOSITED = "deposited"
    REFUNDED = "refunded"


class Difference(msgspec.Struct, frozen=True, array_like=True):
    """A field as it was and as it is, each as JSON; None where there was none."""

    field: str
    before: str | None
    after: str | None


class Entry(msgspec.Struct, frozen=True):
    """One line of the log."""

    number: int
    at_ms: int
    actor: Actor
    action: Action
    kind: str  # of the entity
    key: int
    name: str
    differences: tuple[Difference, ...] = ()


class Asked(msgspec.Struct, frozen=True):
    """Which lines: those before a number, by somebody, of an entity, a kind, an action; None: all."""

    before: int | None = None
    actor: str | None = None  # part of the name
    kind: str | None = None
    key: int | None = None
    action: Action | None = None


def differences(before: bytes | None, after: bytes) -> tuple[Difference, ...]:
    """Of two states of an entity, encoded as JSON; at most so many, the first ones."""
    old = {} if before is None else dict(_flat(msgspec.json.decode(before)))
    new = dict(_flat(msgspec.json.decode(after)))
    names = [*new, *(name for name in old if name not in new)]
    found = [
        _difference(name, old.get(name), new.get(name))
        for name in names
        if old.get(name) != new.get(name) and (before is not None or new[name] not in _NOTHING)
    ]
    return tuple(found[:MOST_FIELDS])


_NOTHING: tuple[Any, ...] = (None, False, 0, "", [], {})


def _flat(body: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested parts by their dotted names; lists stay whole."""
    for name, value in body.items():
        if not prefix and name in _NOISE:
            continue
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _difference(name: str, before: Any, after: Any) -> Difference:
    is_secret = any(part in _SECRET for part in name.split("."))
    show = _hidden if is_secret else _short
    return Difference(name, show(before), show(after))


def _hidden(value: Any) -> str | None:
    return None if value in (None, "", []) else HIDDEN


def _short(value: Any) -> str | None:
    if value is None:
        return None
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 1] + "…"
