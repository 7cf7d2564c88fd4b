"""A network of any size, made quickly: its accounts and products through the writer, its profiles by SQL alone."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from adserver.domain.retention import due_ms
from adserver.domain.visitor import Profile, fold_event
from adserver.storage.batch import DEFAULT_RETENTION, encode_profile
from adserver.storage.embedded import own_storage
from adserver.storage.sqlite import prepared
from adserver.storage.tables import profiles
from pixel.events import EventName
from tests.bench.world import (
    DAY_MS,
    Size,
    Visitor,
    World,
    accounts,
    advertiser_key,
    commit,
    products,
    proof_of_consent,
)
from tests.domain.makers import make_event

KNOWN = 10_000  # visitors who send requests, however many there are
ROWS_AT_ONCE = 100_000

_INSERT = prepared(profiles.insert())


def make_large_world(folder: Path, size: Size, tell: Callable[[str], None]) -> World:
    """As `make_world` does, but for events and consents: of each visitor there is the profile only."""
    world = World(folder, size._replace(visitors=min(KNOWN, size.visitors)))
    storage = own_storage(folder / "adserver.db")
    try:
        tell(f"preparing {size.shops:,} shops")
        commit(storage.writer.commit_many, accounts(world))
        tell(f"preparing {size.shops * size.products_of_a_shop:,} products")
        commit(storage.writer.commit_many, products(world))
    finally:
        storage.close()
    tell(f"preparing {size.visitors:,} visitors")
    _insert(folder / "adserver.db", _rows(world, size.visitors // len(world.visitors)))
    return world


def _insert(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    """Nothing is lost that could not be made again: the disk is not waited for."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -1000000")
        while some := list(islice(rows, ROWS_AT_ONCE)):
            connection.execute("BEGIN")
            connection.executemany(_INSERT, some)
            connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _rows(world: World, of_each: int) -> Iterator[dict[str, Any]]:
    """Those who send requests lie scattered among so many others, who remember the same and never come back."""
    dice, at_ms = Random(3), world.clock() - DAY_MS
    for visitor in world.visitors:
        profile = _profile(world, visitor, at_ms)
        row = {
            "seen_ms": at_ms,
            "due_ms": due_ms(profile, DEFAULT_RETENTION, at_ms),
            "body": encode_profile(profile),
        }
        yield {"visitor_key": visitor.key, **row}
        for _ in range(of_each - 1):
            yield {"visitor_key": dice.getrandbits(62) + 1, **row}


def _profile(world: World, visitor: Visitor, at_ms: int) -> Profile:
    """Of one visit to each of the visitor's shops."""
    profile, proof = Profile(at_ms), proof_of_consent(world)
    for shop in visitor.shops:
        event = make_event(EventName.VIEW_ITEM, *world.viewed(visitor, shop))
        fold_event(profile, advertiser_key(shop), event, at_ms)
    for known in profile.shops:
        known.proof = proof.digest
    return profile
