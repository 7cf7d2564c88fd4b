"""What `adserver audit` is given: the database file alone."""

from collections.abc import Callable
from typing import Any

from adserver.config import Settings
from adserver.storage.audit import as_json, audit


def audit_database(settings: Settings, progress: Callable[[int], None]) -> dict[str, Any]:
    """What `adserver audit` prints; the file is only read. `progress` hears how many checks were made."""
    if not settings.database_path.exists():
        raise FileNotFoundError(settings.database_path)
    return as_json(audit(settings.database_path, progress))
