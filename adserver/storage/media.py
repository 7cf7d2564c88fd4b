"""Our own pictures, a file for each rendition, named by their content."""

import os
import re
import tempfile
from pathlib import Path

from creatives.pictures import Thumbnail

_NAME = re.compile(r"[0-9a-f]{32}(-half)?\.(jpg|png|webp|gif)")


class MediaFolder:
    """Pictures under `folder`, spread over 256 sub-folders; written once, never changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, thumbnail: Thumbnail) -> None:
        """Keep a picture's renditions; each whole and on disk before its name exists."""
        for name, data in thumbnail.files().items():
            self._put(name, data)

    def _put(self, name: str, data: bytes) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no picture's name")
        path = self._path(name)
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(path)

    def get(self, name: str) -> bytes | None:
        """The bytes of a rendition, or None where there is no such picture."""
        if not _NAME.fullmatch(name):
            return None
        path = self._path(name)
        return path.read_bytes() if path.exists() else None

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / name
