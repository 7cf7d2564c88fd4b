"""Proof of consent: what each profile stands on, written with its fold, and kept for years after its end."""

import sqlite3

from sqlalchemy import bindparam, exists, insert, select, update

from adserver.domain.consent_record import ConsentRecord, Ended, digest_of_visitor
from adserver.storage.sqlite import Reader, prepared
from adserver.storage.tables import consents
from pixel.consent_proof import ConsentProof

_STATEMENT = tuple(column.name for column in consents.c if column.name not in ("ended_ms", "ended_by"))
_IS_OPEN = exists().where(
    consents.c.digest == bindparam("digest"),
    consents.c.advertiser_key == bindparam("advertiser_key"),
    consents.c.proof == bindparam("proof"),
    consents.c.ended_ms.is_(None),
)
_BEGIN = prepared(
    insert(consents)
    .prefix_with("OR REPLACE")
    .from_select(_STATEMENT, select(*[bindparam(name) for name in _STATEMENT]).where(~_IS_OPEN))
)
_end = (
    update(consents)
    .where(consents.c.digest == bindparam("of_visitor"), consents.c.ended_ms.is_(None))
    .values(ended_ms=bindparam("at_ms"), ended_by=bindparam("by"))
)
_END_ALL = prepared(_end)
_END = prepared(_end.where(consents.c.advertiser_key == bindparam("of_advertiser")))
_COLUMNS = tuple(consents.c[name] for name in ConsentRecord.__struct_fields__)
_OF_VISITOR = prepared(
    select(*_COLUMNS)
    .where(consents.c.digest == bindparam("digest"))
    .order_by(consents.c.advertiser_key, consents.c.first_seen_ms, consents.c.proof)
)


def begin(
    connection: sqlite3.Connection,
    visitor_key: int,
    advertiser_key: int,
    proof: ConsentProof,
    at_ms: int,
) -> None:
    """From now on the advertiser's part of the profile stands on this; once, until it ends."""
    row = {
        "digest": digest_of_visitor(visitor_key),
        "advertiser_key": advertiser_key,
        "proof": proof.digest,
        "first_seen_ms": at_ms,
        "kind": proof.kind,
        "cmp": proof.cmp,
        "given_ms": proof.given_ms,
        "site": proof.site,
    }
    connection.execute(_BEGIN, row)


def end(
    connection: sqlite3.Connection, visitor_key: int, by: Ended, at_ms: int, advertiser_key: int = 0
) -> None:
    """Nothing stands on the visitor's consents any longer: those to one advertiser, or 0 for all."""
    row = {"of_visitor": digest_of_visitor(visitor_key), "at_ms": at_ms, "by": by}
    if advertiser_key:
        connection.execute(_END, row | {"of_advertiser": advertiser_key})
    else:
        connection.execute(_END_ALL, row)


class SqliteConsents:
    """Consents as those may read them who know the visitor's id."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def given(self, visitor_key: int) -> list[ConsentRecord]:
        """All of a visitor's, the oldest of each advertiser first."""
        rows = self._reader.rows(_OF_VISITOR, {"digest": digest_of_visitor(visitor_key)})
        return [ConsentRecord(*row) for row in rows]
