"""The frames of image slots: each drawn once in a child process, kept, and spliced per visitor."""

import threading
from collections import OrderedDict

from adserver.ports import Media, Pictures
from creatives.card import Card, Look
from creatives.formats import FORMATS, Format
from creatives.gif import house_gif, splice

MOST_FRAMES_BYTES = 64 * 2**20


class Draw:
    """GIFs of any visitor's cards. Called from threads: drawing a frame never seen before takes a while."""

    def __init__(self, media: Media, pictures: Pictures) -> None:
        self._media = media
        self._pictures = pictures
        self._frames: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._kept_bytes = 0
        self._lock = threading.Lock()
        self._houses = {name: house_gif(format_, "en") for name, format_ in FORMATS.items() if format_.width}

    def gif(self, cards: list[Card], look: Look, format_: Format) -> bytes:
        """One frame for each card, or one with the look's message where there are none."""
        return splice([self._frame(card, look, format_) for card in _shown(cards)], format_)

    def at_hand(self, cards: list[Card], look: Look, format_: Format) -> bytes | None:
        """The same, where every frame was drawn before; None where one must be."""
        with self._lock:
            frames = [self._kept((card, look, format_.name)) for card in _shown(cards)]
        return None if None in frames else splice([frame for frame in frames if frame], format_)

    def house(self, format_: Format) -> bytes:
        """The picture of an empty slot; drawn before the first request."""
        return self._houses[format_.name]

    def _frame(self, card: Card | None, look: Look, format_: Format) -> bytes:
        key = (card, look, format_.name)
        with self._lock:
            kept = self._kept(key)
        if kept is not None:
            return kept
        frame = self._drawn(card, look, format_)
        with self._lock:
            if key not in self._frames:  # another thread may have drawn it meanwhile
                self._frames[key] = frame
                self._kept_bytes += len(frame)
            while self._kept_bytes > MOST_FRAMES_BYTES:
                self._kept_bytes -= len(self._frames.popitem(last=False)[1])
        return frame

    def _kept(self, key: tuple[object, ...]) -> bytes | None:
        """A frame that was drawn before; under the lock."""
        if key in self._frames:
            self._frames.move_to_end(key)
        return self._frames.get(key)

    def _drawn(self, card: Card | None, look: Look, format_: Format) -> bytes:
        if card is None:
            message = look.message
            address = message.picture if message else None
            picture = self._media.get(address.removeprefix("/media/")) if address else None
            return self._pictures.message_frame(look, format_, picture)
        picture = self._media.get(f"{card.picture}.jpg") if card.picture else None
        return self._pictures.frame(card, look, format_, picture)


def _shown(cards: list[Card]) -> list[Card] | list[None]:
    """Frames of no card show the look's message."""
    return cards or [None]
