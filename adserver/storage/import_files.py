"""Files of imports beside the database, and locks that their processes hold for as long as they live."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO

from adserver.domain.imports import Import
from adserver.ports import Part


class ImportFolder:
    """A sub-folder for each feed; the kernel lets go of the lock of a process that was killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def claim(self, name: str, *, patient: bool) -> AbstractContextManager[object] | None:
        """Hold `name` alone among all processes and threads; None where another does and we do not wait."""
        locks = self._folder / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        file = (locks / sha256(name.encode()).hexdigest()[:32]).open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if patient else fcntl.LOCK_NB))
        except BlockingIOError:
            file.close()
            return None
        return _held(file)

    def keep(self, owner: Import, part: Part, file: IO[bytes]) -> None:
        """Whole and on disk before its name exists."""
        path = self._path(owner, part)
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f"{owner.key}.", delete=False) as kept:
            shutil.copyfileobj(file, kept, 1 << 20)
            kept.flush()
            os.fsync(kept.fileno())
        Path(kept.name).replace(path)

    def open(self, owner: Import, part: Part) -> IO[bytes] | None:
        path = self._path(owner, part)
        return path.open("rb") if path.exists() else None

    def drop(self, owner: Import, part: Part) -> None:
        self._path(owner, part).unlink(missing_ok=True)

    def keep_only(self, feed_key: int, import_keys: Collection[int]) -> None:
        """Each file's name begins with its import's key, of copies that broke off too; keys grow with time.

        What is newer than all that are known belongs to one that is just being asked for.
        """
        newest = max(import_keys, default=0)
        for path in self._of_feed(feed_key).glob("*.*"):
            key = int(path.name.partition(".")[0])
            if key < newest and key not in import_keys:
                path.unlink(missing_ok=True)

    def _of_feed(self, feed_key: int) -> Path:
        return self._folder / f"{feed_key}"

    def _path(self, owner: Import, part: Part) -> Path:
        return self._of_feed(owner.feed_key) / f"{owner.key}.{part}"


@contextmanager
def _held(file: IO[bytes]) -> Iterator[object]:
    with file:
        yield file
