"""Tables are brought up to date at a start, and a start without such work does not load what does it."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from adserver.domain.approval import Reviewed, live_version
from adserver.domain.campaign import Approval
from adserver.storage import migrate as migrating
from adserver.storage.embedded import own_storage
from adserver.storage.migrate import NEWEST_VERSION, migrate, version_of
from tests.new_database import by_alembic
from tests.shared_data import PROJECT

MIGRATE_AND_DIE = """
import os
import sys
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.engine import Engine
from adserver.storage.migrate import migrate
@event.listens_for(Engine, "after_cursor_execute")
def die_half_way(connection, cursor, statement, *rest):
    if "creatives_by_approval" in statement:
        os._exit(9)
migrate(Path(sys.argv[1]))
"""
OPEN_AND_TELL = """
import sys
from pathlib import Path
from adserver.storage.embedded import own_storage
own_storage(Path(sys.argv[1])).close()
print("alembic" in sys.modules)
"""


@pytest.fixture(autouse=True)
def alembic_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrating, "_run_alembic", by_alembic)


def test_the_newest_version_is_the_last_of_the_line() -> None:
    config = Config()
    config.set_main_option("script_location", str(PROJECT / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == NEWEST_VERSION


def test_a_new_file_gets_the_newest_tables_and_keeps_them(tmp_path: Path) -> None:
    path = tmp_path / "adserver.db"
    assert version_of(path) is None
    for _ in range(2):
        migrate(path)
        assert version_of(path) == NEWEST_VERSION


def test_creatives_from_before_there_were_approvals_are_approved_and_shown(tmp_path: Path) -> None:
    path = tmp_path / "adserver.db"
    at_first(path)
    body = b'{"type":"Creative","key":700,"campaign_key":70,"template":"cards","brand":{"name":"Shop"}}'
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO creatives (key, campaign_key, body) VALUES (700, 70, ?)", (body,))
        connection.commit()
    storage = own_storage(path)
    (creative,) = storage.campaigns.reviewed(Reviewed(Approval.APPROVED), -1, 9)
    assert live_version(creative) == creative == storage.campaigns.creative(700)
    assert storage.campaigns.reviewed(Reviewed(Approval.PENDING), -1, 9) == []
    storage.close()


def at_first(path: Path) -> None:
    """A database as the first version of the tables made it."""
    config = Config()
    config.set_main_option("script_location", str(PROJECT / "migrations"))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()


def test_a_change_of_tables_that_is_killed_half_way_is_done_by_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "adserver.db"
    at_first(path)
    program = [sys.executable, "-c", MIGRATE_AND_DIE, str(path)]
    assert subprocess.run(program, cwd=PROJECT, check=False).returncode == 9
    assert version_of(path) == "0001"
    migrate(path)
    assert version_of(path) == NEWEST_VERSION


def test_only_a_start_that_changes_tables_loads_alembic(tmp_path: Path) -> None:
    program = [sys.executable, "-c", OPEN_AND_TELL, str(tmp_path / "adserver.db")]
    told = [
        subprocess.run(program, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.strip()
        for _ in range(2)
    ]
    assert told == ["True", "False"]
