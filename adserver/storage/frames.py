"""Drawn frames of image slots on disk, within a budget; those not asked for the longest leave first."""

import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

MOST_DISK_BYTES = 256 * 2**20
_PUTS_BETWEEN_SWEEPS = 256
_LEFT_BY_SWEEP = 0.8  # of the budget, so that not every frame has to sweep
log = logging.getLogger("adserver.frames")


class FrameFolder:
    """Frames under `folder`, one file each, named by everything that decides how they look.

    Several processes share it: a frame is whole before it has its name, and one that is gone is drawn again.
    """

    def __init__(self, folder: Path, most_bytes: int = MOST_DISK_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._puts = 0
        self._lock = threading.Lock()
        self._has_failed = False

    def get(self, name: str) -> bytes | None:
        path = self._path(name)
        try:
            frame = path.read_bytes()
            os.utime(path)  # it was asked for
        except FileNotFoundError:
            return None
        except OSError as fault:
            self._tell(fault)
            return None
        return frame or None  # an empty file is what a crash of the machine may leave

    def put(self, name: str, frame: bytes) -> None:
        """Keep a frame; not at any price, since a shopper waits and it can be drawn again."""
        path = self._path(name)
        half = path.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            half.write_bytes(frame)
            half.replace(path)
        except OSError as fault:
            self._tell(fault)
            return
        with self._lock:
            is_due = self._puts % _PUTS_BETWEEN_SWEEPS == 0
            self._puts += 1
        if is_due:
            self.sweep()

    def sweep(self) -> None:
        """Take away the oldest frames beyond the budget."""
        found = sorted(self._found())
        left = sum(size for _, size, _ in found)
        if left <= self._most_bytes:
            return
        for _, size, path in found:
            if left <= self._most_bytes * _LEFT_BY_SWEEP:
                return
            path.unlink(missing_ok=True)
            left -= size

    def _found(self) -> Iterator[tuple[float, int, Path]]:
        """Each frame with when it was last asked for and its bytes."""
        for path in self._folder.glob("*/*"):
            try:
                stat = path.stat()
            except FileNotFoundError:  # another process swept it
                continue
            yield stat.st_mtime, stat.st_size, path

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / name

    def _tell(self, fault: OSError) -> None:
        """Once: a full disk is told of elsewhere, and ads go on without this folder."""
        if not self._has_failed:
            self._has_failed = True
            log.warning("frames are not kept on disk, and are drawn anew after a restart: %s", fault)
