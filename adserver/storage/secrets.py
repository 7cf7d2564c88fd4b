"""The server's own keys: made once, kept beside the database, readable by its owner only."""

import fcntl
import hmac
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
    proofs: str = ""  # the seed that the heads of days are signed with


def load_keys(folder: Path) -> KeyFile:
    """The keys of this installation; made on first use. Two processes starting at once agree on one file."""
    path = folder / "keys.json"
    if not path.exists():
        _make(path)
    keys = _read(path)
    return keys if keys.proofs else _with_seed(path)


def derived_key(keys: KeyFile, purpose: bytes) -> bytes:
    """A key for one more purpose, which needs no line in the file; it tells nothing of the others."""
    return hmac.digest(bytes.fromhex(keys.orders), b"key for " + purpose, "sha256")


def consents_key(keys: KeyFile) -> bytes:
    """What visitors are known by in proofs of consent: to their writer, and to whoever reads them."""
    return derived_key(keys, b"consents")


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    written = _write(path.parent, KeyFile(1, {1: _new()}, {1: _new()}, _new(), _new()))
    try:
        path.hardlink_to(written)
    except FileExistsError:
        pass  # another process was first; its keys are the installation's
    finally:
        written.unlink()


def _with_seed(path: Path) -> KeyFile:
    """A file of before there were proofs gets a seed, once, whoever else starts at this moment."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # the file itself is about to be another one
        keys = _read(path)
        if not keys.proofs:
            keys.proofs = _new()
            _write(path.parent, keys).replace(path)
            os.fsync(folder)
        return keys
    finally:
        os.close(folder)


def _read(path: Path) -> KeyFile:
    return msgspec.json.decode(path.read_bytes(), type=KeyFile)


def _write(folder: Path, keys: KeyFile) -> Path:
    """The keys in a file of the folder that is not named yet, safe on disk."""
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        file.write(msgspec.json.format(msgspec.json.encode(keys)))
        file.flush()
        os.fsync(file.fileno())
    return Path(file.name)


def _new() -> str:
    return secrets.token_hex(KEY_BYTES)
