"""Where an address is, by the operator's MaxMind database; read again when its file is replaced."""

import logging
import threading
import time
from pathlib import Path
from typing import Any

import maxminddb

from adserver.domain.caller import Place

log = logging.getLogger("adserver.geo")

LOOK_SECONDS = 60.0


class GeoUnreadable(Exception):
    """The file is not there, or is no such database; the message says which in one sentence."""


class GeoFile:
    """Answers from the file as it was opened last; one that cannot be read leaves the former in use.

    The file must be replaced by renaming another over it, as geoipupdate does: what is open is mapped into
    memory, and must not change there.
    """

    def __init__(self, path: Path, seconds: Any = time.monotonic) -> None:
        self._path = path
        self._seconds = seconds
        self._stamp = _stamp(path)
        self._reader = _open(path)
        self._looked_at = seconds()
        self._looking = threading.Lock()

    def place(self, address: str) -> Place | None:
        """The country and, where the database knows it, the region of an address."""
        if self._seconds() - self._looked_at >= LOOK_SECONDS:
            self._look()
        try:
            record: Any = self._reader.get(address)
        except (ValueError, maxminddb.InvalidDatabaseError):  # no address of its kinds, or a torn entry
            return None
        country = record.get("country", {}).get("iso_code") if isinstance(record, dict) else None
        if not country:
            return None
        regions = [one.get("iso_code") for one in record.get("subdivisions") or ()]
        return Place(country, *regions[:2])

    def _look(self) -> None:
        with self._looking:
            self._looked_at = self._seconds()
            try:
                stamp = _stamp(self._path)
                if stamp != self._stamp:
                    self._stamp, self._reader = stamp, _open(self._path)
                    log.info("%s was read again", self._path.name)
            except GeoUnreadable as fault:
                log.warning("%s; the one read before stays in use", fault)


def _stamp(path: Path) -> tuple[int, int, int]:
    """What changes when the file is replaced."""
    try:
        state = path.stat()
    except OSError as error:
        raise GeoUnreadable(f"{path} cannot be read: {error.strerror}") from None
    return state.st_ino, state.st_size, state.st_mtime_ns


def _open(path: Path) -> maxminddb.Reader:
    try:
        return maxminddb.open_database(path)
    except maxminddb.InvalidDatabaseError:
        raise GeoUnreadable(f"{path} is no MaxMind database (.mmdb)") from None
    except OSError as error:
        raise GeoUnreadable(f"{path} cannot be read: {error.strerror}") from None
