"""The frames of image slots: each drawn once in a child process, kept, and spliced per visitor."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from adserver.ports import Frames, Media, Pictures
from creatives.card import Card, Look
from creatives.formats import FORMATS, Format
from creatives.frame import png_of, splice
from creatives.gif import house_gif
from creatives.plan import drawn_as, plan_for

MOST_FRAMES_BYTES = 64 * 2**20
HALF_SIDE_PIXELS = 300  # of the smaller of our two renditions, which is decoded in a quarter of the time
GIF, PNG = "gif", "png"


class Drawn(NamedTuple):
    """A frame, or a whole picture, and a tag that two have in common only where they are the same."""

    body: bytes
    tag: str


class Draw:
    """Images of any visitor's cards. Called from threads: drawing a frame never seen before takes a while.

    `edition` names everything besides a card and its look that decides how frames look.
    """

    def __init__(self, media: Media, pictures: Pictures, frames: Frames, edition: str) -> None:
        self._media = media
        self._pictures = pictures
        self._on_disk = frames
        self._edition = edition
        self._frames: OrderedDict[tuple[object, ...], Drawn] = OrderedDict()
        self._kept_bytes = 0
        self._lock = threading.Lock()
        houses = {name: house_gif(format_, "en") for name, format_ in FORMATS.items()}
        self._houses = {(name, GIF): _tagged(house) for name, house in houses.items()}
        self._houses |= {(name, PNG): _tagged(png_of(house)) for name, house in houses.items()}

    def image(self, cards: list[Card], look: Look, format_: Format, kind: str = GIF) -> Drawn:
        """A GIF with one frame for each card, or one with the look's message; a PNG shows the first."""
        kept = self.at_hand(cards, look, format_, kind)
        if kept is not None:
            return kept
        frames = [self._frame(card, look, format_) for card in _shown(cards, kind)]
        gif = _spliced(frames, format_)
        if kind == GIF:
            return gif
        return self._keep(_key(_shown(cards, kind)[0], look, format_, kind), _tagged(png_of(gif.body)))

    def at_hand(self, cards: list[Card], look: Look, format_: Format, kind: str = GIF) -> Drawn | None:
        """The same, where everything was drawn before; None where something must be."""
        with self._lock:
            frames = [self._kept(_key(card, look, format_, kind)) for card in _shown(cards, kind)]
        known = [frame for frame in frames if frame is not None]
        if len(known) < len(frames):
            return None
        return known[0] if kind == PNG else _spliced(known, format_)

    def uncovered(self, texts: Sequence[str]) -> list[str]:
        """Of each text the letters that no font draws."""
        return self._pictures.uncovered(tuple(texts))

    def house(self, format_: Format, kind: str = GIF) -> Drawn:
        """The picture of an empty slot; drawn before the first request."""
        return self._houses[format_.name, kind]

    def _frame(self, card: Card | None, look: Look, format_: Format) -> Drawn:
        key = _key(card, look, format_, GIF)
        with self._lock:
            kept = self._kept(key)
        if kept is not None:
            return kept
        name = blake2b(msgspec.msgpack.encode((self._edition, *key)), digest_size=16).hexdigest()
        frame = self._on_disk.get(name)
        if frame is None:
            frame = self._drawn(card, look, format_)
            self._on_disk.put(name, frame)
        return self._keep(key, _tagged(frame))

    def _keep(self, key: tuple[object, ...], drawn: Drawn) -> Drawn:
        with self._lock:
            if key not in self._frames:  # another thread may have drawn it meanwhile
                self._frames[key] = drawn
                self._kept_bytes += len(drawn.body)
            while self._kept_bytes > MOST_FRAMES_BYTES:
                self._kept_bytes -= len(self._frames.popitem(last=False)[1].body)
        return drawn

    def _kept(self, key: tuple[object, ...]) -> Drawn | None:
        """What was drawn before; under the lock."""
        kept = self._frames.get(key)
        if kept is not None:
            self._frames.move_to_end(key)
        return kept

    def _drawn(self, card: Card | None, look: Look, format_: Format) -> bytes:
        if card is None:
            message = look.message
            address = message.picture if message else None
            picture = self._media.get(address.removeprefix("/media/")) if address else None
            return self._pictures.message_frame(look, format_, picture)
        return self._pictures.frame(card, look, format_, self._photo(card, format_))

    def _photo(self, card: Card, format_: Format) -> bytes | None:
        """The rendition that is large enough for the picture's place."""
        if card.picture is None:
            return None
        place = plan_for(drawn_as(format_).name).picture
        half = None
        if max(place.width, place.height) <= HALF_SIDE_PIXELS:
            half = self._media.get(f"{card.picture}-half.jpg")
        return half or self._media.get(f"{card.picture}.jpg")


def _key(card: Card | None, look: Look, format_: Format, kind: str) -> tuple[object, ...]:
    return (card, look, format_.name, kind)


def _shown(cards: list[Card], kind: str) -> Sequence[Card | None]:
    """Frames of no card show the look's message."""
    return (cards[:1] if kind == PNG else cards) or [None]


def _spliced(frames: Sequence[Drawn], format_: Format) -> Drawn:
    if len(frames) == 1:
        return Drawn(splice([frames[0].body], format_), frames[0].tag)
    tag = blake2b("".join(frame.tag for frame in frames).encode(), digest_size=8).hexdigest()
    return Drawn(splice([frame.body for frame in frames], format_), tag)


def _tagged(body: bytes) -> Drawn:
    return Drawn(body, blake2b(body, digest_size=8).hexdigest())
