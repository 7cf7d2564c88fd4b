"""Bring a database's tables to the version of this program."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

import migrations


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return config


def migrate(path: Path) -> None:
    """Run what is missing of `migrations/`; harmless when nothing is."""
    engine = create_engine(f"sqlite:///{path}")
    config = _config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()


def newest_version() -> str | None:
    """The version that `migrate` leads to."""
    return ScriptDirectory.from_config(_config()).get_current_head()
