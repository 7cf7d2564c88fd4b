"""The server's signature under the heads of days: Ed25519, by a seed of its own."""

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class HeadSigner:
    """Signs with the key behind a seed of 32 bytes; the library is loaded when the first is asked for."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed

    @cached_property
    def public_key(self) -> bytes:
        """What anyone checks the signatures with."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    @cached_property
    def _key(self) -> "Ed25519PrivateKey":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self._seed)
