"""What tables are made of: their one collection, and the columns that many of them have."""

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table

metadata = MetaData()


def key(name: str = "key") -> Column[int]:
    """A 63-bit key chosen by us; SQLite stores it as the row's own number."""
    return Column(name, BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False)


def amount(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, default=0)


def entity_table(name: str, owner: str | None = None, *columns: Column[str]) -> Table:
    owners = (Column(owner, BigInteger, nullable=False, index=True),) if owner else ()
    return Table(name, metadata, key(), *owners, *columns, Column("body", LargeBinary, nullable=False))
