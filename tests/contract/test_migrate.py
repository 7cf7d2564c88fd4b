"""Tables are brought up to date at a start, and a start without such work does not load what does it."""

import subprocess
import sys
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from adserver.storage.migrate import NEWEST_VERSION, migrate, version_of
from tests.shared_data import PROJECT

OPEN_AND_TELL = """
import sys
from pathlib import Path
from adserver.storage.embedded import own_storage
own_storage(Path(sys.argv[1])).close()
print("alembic" in sys.modules)
"""


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


def test_only_a_start_that_changes_tables_loads_alembic(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPEN_AND_TELL, str(tmp_path / "adserver.db")]
    told = [
        subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.strip()
        for _ in range(2)
    ]
    assert told == ["True", "False"]
