"""Proof of consent: what each profile stands on, written with its fold, and kept for years after its end."""

import sqlite3
from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, delete, exists, func, insert, literal_column, select, tuple_, update

from adserver.domain.consent_record import MOST_PROOFS, ConsentRecord, Ended, digest_of_visitor
from adserver.storage.sqlite import Reader, numbered, prepared
from adserver.storage.tables import consents
from pixel.consent_proof import ConsentProof

_STATEMENT = tuple(column.name for column in consents.c if column.name not in ("ended_ms", "ended_by"))
_IS_OPEN = exists().where(
    consents.c.digest == bindparam("digest"),
    consents.c.advertiser_key == bindparam("advertiser_key"),
    consents.c.proof == bindparam("proof"),
    consents.c.ended_ms.is_(None),
)
_BEGIN = numbered(
    insert(consents)
    .prefix_with("OR REPLACE")
    .from_select(_STATEMENT, select(*[bindparam(name) for name in _STATEMENT]).where(~_IS_OPEN)),
    _STATEMENT,
)
_of_shop = (
    consents.c.digest == bindparam("of_visitor"),
    consents.c.advertiser_key == bindparam("of_advertiser"),
)
_END = prepared(
    update(consents)
    .where(*_of_shop, consents.c.ended_ms.is_(None))
    .values(ended_ms=bindparam("at_ms"), ended_by=bindparam("by"))
)
_KEPT = prepared(select(func.count()).where(*_of_shop))
_too_many = (
    select(consents.c.proof, consents.c.first_seen_ms)
    .where(*_of_shop)
    .order_by(consents.c.ended_ms.is_not(None), consents.c.first_seen_ms.desc())
    .limit(literal_column("-1"))
    .offset(bindparam("most"))
)
_LEAVE = prepared(
    delete(consents).where(*_of_shop, tuple_(consents.c.proof, consents.c.first_seen_ms).in_(_too_many))
)
_COLUMNS = tuple(consents.c[name] for name in ConsentRecord.__struct_fields__)
_OF_VISITOR = prepared(
    select(*_COLUMNS).where(*_of_shop).order_by(consents.c.first_seen_ms, consents.c.proof)
)


class Proving:
    """Writes proofs within a transaction, under digests that only this installation's key makes."""

    def __init__(self, connection: sqlite3.Connection, key: bytes) -> None:
        self._connection = connection
        self._key = key

    def begin(self, visitor_key: int, advertiser_key: int, proof: ConsentProof, at_ms: int) -> None:
        """From now on the advertiser's part of the profile stands on this; once, until it ends.

        No page can write more than a few for one visitor, whatever it says.
        """
        shop = _shop(visitor_key, advertiser_key, self._key)
        told = (proof.digest, at_ms, proof.kind, proof.cmp, proof.given_ms, proof.site)
        if not self._connection.execute(_BEGIN, (shop["of_visitor"], advertiser_key, *told)).rowcount:
            return
        if self._connection.execute(_KEPT, shop).fetchone()[0] > MOST_PROOFS:
            self._connection.execute(_LEAVE, shop | {"most": MOST_PROOFS})

    def end(self, visitor_key: int, advertiser_keys: Iterable[int], by: Ended, at_ms: int) -> None:
        """Nothing stands on the visitor's consents to these advertisers any longer."""
        for advertiser_key in advertiser_keys:
            shop = _shop(visitor_key, advertiser_key, self._key)
            self._connection.execute(_END, shop | {"at_ms": at_ms, "by": by})


def _shop(visitor_key: int, advertiser_key: int, key: bytes) -> dict[str, Any]:
    digest = digest_of_visitor(visitor_key, advertiser_key, key)
    return {"of_visitor": digest, "of_advertiser": advertiser_key}


class SqliteConsents:
    """Consents as those may read them who know the visitor's id."""

    def __init__(self, reader: Reader, key: bytes) -> None:
        self._reader = reader
        self._key = key

    def given(self, visitor_key: int, advertiser_key: int) -> list[ConsentRecord]:
        """All that the visitor gave to the advertiser, the oldest first."""
        rows = self._reader.rows(_OF_VISITOR, _shop(visitor_key, advertiser_key, self._key))
        return [ConsentRecord(*row) for row in rows]
