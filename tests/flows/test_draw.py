"""Frames are kept within a budget of bytes, each counted once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from adserver.flows import draw
from creatives.card import Brand, Look
from creatives.formats import FORMATS

FORMAT = FORMATS["300x250"]
FRAME = b"f" * 100


class SlowPictures:
    """Draws the first frame for as many threads at once as there are at the barrier."""

    def __init__(self, barrier: threading.Barrier) -> None:
        self.barrier = barrier
        self.drawn: list[str] = []

    def message_frame(self, look: Look, *_: object) -> bytes:
        self.drawn.append(look.brand.name)
        if look.brand.name == "first":
            self.barrier.wait(10)
        return FRAME


def test_a_frame_that_two_threads_draw_at_once_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draw, "splice", lambda frames, _: frames[0])
    monkeypatch.setattr(draw, "MOST_FRAMES_BYTES", 2 * len(FRAME))
    pictures: Any = SlowPictures(threading.Barrier(2))
    nothing: Any = None
    drawing = draw.Draw(nothing, pictures)

    def show(name: str) -> bytes:
        return drawing.gif([], Look(template="message", brand=Brand(name=name)), FORMAT)

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(show, ["first", "first"])) == [FRAME, FRAME]
    assert [show("second"), show("second"), show("first")] == [FRAME] * 3
    assert pictures.drawn == ["first", "first", "second"]
