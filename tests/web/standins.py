"""What stands in a test for the world outside, and for the processes that draw."""

from collections.abc import Mapping, Sequence
from typing import IO

from adserver.domain.fetching import Download
from adserver.flows.draw import GIF, Drawn
from adserver.ports import FetchRefused, FrameNotDrawn
from creatives.card import Card, Look
from creatives.fonts import uncovered
from creatives.formats import Format
from creatives.frame import png_of, splice
from creatives.gif import draw_frame, message_frame


class NoNetwork:
    """The world outside of a test: nothing answers."""

    def fetch(self, url: str, most_bytes: int) -> bytes:
        raise FetchRefused("no network here")

    def download(
        self, url: str, most_bytes: int, into: IO[bytes], known: object = None, heard: object = None
    ) -> Download:
        raise FetchRefused("no network here")

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        raise FetchRefused("no network here")


class DrawnHere:
    """Draws in this process, since a test's pictures are its own; `fails` as a child process may."""

    fails = False

    def image(self, cards: list[Card], look: Look, format_: Format, kind: str = GIF) -> Drawn:
        if self.fails:
            raise FrameNotDrawn("the child has died")
        frames = [draw_frame(card, look, format_, None) for card in cards]
        gif = splice(frames or [message_frame(look, format_, None)], format_)
        return Drawn(gif if kind == GIF else png_of(gif), "")

    def uncovered(self, texts: Sequence[str]) -> list[str]:
        if self.fails:
            raise FrameNotDrawn("the child has died")
        return [uncovered(text) for text in texts]
