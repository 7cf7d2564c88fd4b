"""Our own pictures, one file each, named by their content."""

import os
import re
import tempfile
from pathlib import Path

from creatives.pictures import Thumbnail

_NAME = re.compile(r"[0-9a-f]{32}\.(jpg|png|webp|gif)\Z")


class MediaFolder:
    """Pictures under `folder`, spread over 256 sub-folders; written once, never changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, thumbnail: Thumbnail) -> None:
        """Keep a picture; whole and on disk before its name exists."""
        path = self._path(f"{thumbnail.hash}.{thumbnail.extension}")
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(thumbnail.data)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(path)

    def get(self, name: str) -> bytes | None:
        """The bytes of `hash.extension`, or None where there is no such picture."""
        if not _NAME.match(name):
            return None
        path = self._path(name)
        return path.read_bytes() if path.exists() else None

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / name
