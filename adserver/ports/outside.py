"""What the flows ask of the world outside."""

from collections.abc import Callable, Mapping
from typing import IO, Protocol

from adserver.domain.caller import Place
from adserver.domain.fetching import NOT_KNOWN, Download, Validators
from creatives.card import Card, Look
from creatives.formats import Format
from creatives.pictures import PictureRejection, Thumbnail


class Geo(Protocol):
    def place(self, address: str) -> Place | None:
        """Where an address is; None where that is not known."""
        ...


Heard = Callable[[int, int | None], None]  # bytes so far, and of how many, where the answer says it


class FetchRefused(Exception):
    """A fetch that was not made or not finished; the message names why and reveals no port's state."""


class Fetcher(Protocol):
    def fetch(self, url: str, most_bytes: int) -> bytes:
        """The body at `url`, or FetchRefused."""
        ...

    def download(
        self,
        url: str,
        most_bytes: int,
        into: IO[bytes],
        known: Validators = NOT_KNOWN,
        heard: Heard | None = None,
    ) -> Download:
        """Write the body at `url` into a file, for what is too large for memory.

        `known` asks for it only where it is another version. `heard` is told while it comes.
        """
        ...

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Send a body to `url`; the status that came back, or FetchRefused where none did."""
        ...


class Signer(Protocol):
    """The server's signature under what it may never deny; anyone checks it with the public key."""

    @property
    def public_key(self) -> bytes: ...
    def sign(self, message: bytes) -> bytes: ...


class FrameNotDrawn(Exception):
    """A frame could not be drawn; show the house picture instead."""


class Frames(Protocol):
    """Drawn frames of image slots that outlive the process; whatever was let go is drawn again."""

    def get(self, name: str) -> bytes | None: ...
    def put(self, name: str, frame: bytes) -> None: ...


class Pictures(Protocol):
    """Pictures decoded and drawn apart from us; blocks, so call it from a thread."""

    def thumbnail(self, data: bytes) -> Thumbnail | PictureRejection: ...
    def complete(self, data: bytes) -> Thumbnail | PictureRejection: ...
    def frame(self, card: Card, look: Look, format_: Format, picture: bytes | None) -> bytes: ...
    def message_frame(self, look: Look, format_: Format, picture: bytes | None) -> bytes: ...
    def uncovered(self, texts: tuple[str, ...]) -> list[str]: ...
