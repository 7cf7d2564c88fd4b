"""Frames are kept within a budget of bytes, each counted once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from adserver.flows import draw
from adserver.storage.frames import FrameFolder
from creatives.card import Brand, Card, Look
from creatives.formats import FORMATS, Format
from creatives.frame import png_of, splice
from creatives.gif import draw_frame
from tests.creatives.samples import make_card, make_look, make_picture

FORMAT = FORMATS["300x250"]
FRAME = b"f" * 100


class NoFrames:
    """A disk that keeps nothing."""

    def get(self, name: str) -> bytes | None:
        return None

    def put(self, name: str, frame: bytes) -> None:
        pass


class CountedPictures:
    """Draws for real, and remembers what it was asked for."""

    def __init__(self) -> None:
        self.pictures: list[bytes | None] = []

    def frame(self, card: Card, look: Look, format_: Format, picture: bytes | None) -> bytes:
        self.pictures.append(picture)
        return draw_frame(card, look, format_, picture)


class Renditions:
    """Thumbnails of one product, and which of them were asked for."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.asked: list[str] = []

    def get(self, name: str) -> bytes | None:
        self.asked.append(name)
        return make_picture(300, 200, format_="JPEG") if name in self.names else None


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
    drawing = draw.Draw(nothing, pictures, NoFrames(), "first")

    def show(name: str) -> bytes:
        return drawing.image([], Look(template="message", brand=Brand(name=name)), FORMAT).body

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(show, ["first", "first"])) == [FRAME, FRAME]
    assert [show("second"), show("second"), show("first")] == [FRAME] * 3
    assert pictures.drawn == ["first", "first", "second"]


def drawing_over(folder: Path, pictures: CountedPictures, edition: str = "first") -> draw.Draw:
    media: Any = Renditions("a.jpg")
    counted: Any = pictures
    return draw.Draw(media, counted, FrameFolder(folder), edition)


def test_a_frame_outlives_the_process_until_the_drawing_changes(tmp_path: Path) -> None:
    cards, pictures = [make_card(picture="a"), make_card("Scarf", picture="a")], CountedPictures()
    first = drawing_over(tmp_path, pictures).image(cards, make_look(), FORMAT)
    again = drawing_over(tmp_path, pictures).image(cards, make_look(), FORMAT)
    assert again == first
    assert len(pictures.pictures) == 2
    drawing_over(tmp_path, pictures, "second").image(cards, make_look(), FORMAT)
    assert len(pictures.pictures) == 4


def test_the_same_cards_have_the_same_tag_and_others_another(tmp_path: Path) -> None:
    drawing, look = drawing_over(tmp_path, CountedPictures()), make_look()
    hat, scarf = make_card("Hat"), make_card("Scarf")
    both = drawing.image([hat, scarf], look, FORMAT)
    assert drawing.at_hand([hat, scarf], look, FORMAT) == both
    drawn = [drawing.image(cards, look, FORMAT) for cards in ([scarf, hat], [hat], [scarf])]
    still = drawing.image([hat, scarf], look, FORMAT, draw.PNG)
    assert len({both.tag, still.tag, *(one.tag for one in drawn)}) == 5


def test_a_png_shows_the_first_card_and_is_made_once(tmp_path: Path) -> None:
    pictures, look = CountedPictures(), make_look()
    drawing = drawing_over(tmp_path, pictures)
    cards = [make_card("Hat", picture=None), make_card("Scarf", picture=None)]
    assert drawing.at_hand(cards, look, FORMAT, draw.PNG) is None
    png = drawing.image(cards, look, FORMAT, draw.PNG)
    assert drawing.at_hand(cards[:1], look, FORMAT, draw.PNG) is png
    assert png.body == png_of(splice([draw_frame(cards[0], look, FORMAT, None)], FORMAT))
    assert len(pictures.pictures) == 1


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        (("a-half.jpg", "a.jpg"), ["a-half.jpg", "a.jpg"]),
        (("a.jpg",), ["a-half.jpg", "a.jpg", "a.jpg"]),
    ],
)
def test_the_smaller_rendition_is_drawn_where_it_is_large_enough(there: list[str], asked: list[str]) -> None:
    media: Any = Renditions(*there)
    pictures: Any = CountedPictures()
    drawing = draw.Draw(media, pictures, NoFrames(), "first")
    for size in ("300x250", "970x250"):
        drawing.image([make_card(picture="a")], make_look(), FORMATS[size])
    assert media.asked == asked
    assert None not in pictures.pictures
