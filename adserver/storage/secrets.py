"""The server's own keys: made once, kept beside the database, readable by its owner only."""

import os
import secrets
import tempfile
from pathlib import Path

import msgspec

KEY_BYTES = 32


class KeyFile(msgspec.Struct):
    """Keys by purpose, as hexadecimal; rings by key number, of which `current` signs."""

    current: int
    tokens: dict[int, str]
    cookies: dict[int, str]
    orders: str


def load_keys(folder: Path) -> KeyFile:
    """The keys of this installation; made on first use. Two processes starting at once agree on one file."""
    path = folder / "keys.json"
    if not path.exists():
        _make(path)
    return msgspec.json.decode(path.read_bytes(), type=KeyFile)


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    keys = KeyFile(1, {1: _new()}, {1: _new()}, _new())
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(msgspec.json.format(msgspec.json.encode(keys)))
        file.flush()
        os.fsync(file.fileno())
    try:
        Path(path).hardlink_to(file.name)
    except FileExistsError:
        pass  # another process was first; its keys are the installation's
    finally:
        Path(file.name).unlink()


def _new() -> str:
    return secrets.token_hex(KEY_BYTES)
