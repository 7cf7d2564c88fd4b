"""Bring a database's tables to the version of this program."""

import sqlite3
from contextlib import closing
from pathlib import Path

import migrations

NEWEST_VERSION = "0004"  # that `migrate` leads to

_VERSIONS = "SELECT COUNT(*) FROM sqlite_schema WHERE name = 'alembic_version'"


def migrate(path: Path) -> None:
    """Run what is missing of `migrations/`; harmless when nothing is."""
    if version_of(path) != NEWEST_VERSION:
        _run_alembic(path)


def version_of(path: Path) -> str | None:
    """The version of a database's tables; None where it has none yet. A file that is missing is made."""
    with closing(sqlite3.connect(path)) as connection:
        if not connection.execute(_VERSIONS).fetchone()[0]:
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def _run_alembic(path: Path) -> None:
    """All or nothing, also where the process is killed.

    Its import takes longer than all else of a start, and most starts do without.
    """
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    # Python's sqlite3 begins no transaction for a change of tables; so we begin it ourselves.
    engine = create_engine(f"sqlite:///{path}", connect_args={"isolation_level": None})
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()
