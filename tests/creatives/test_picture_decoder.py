"""The child processes that decode: they may crash, hang or swell without anyone but the picture minding."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from adserver.outside import pictures as outside
from adserver.outside.pictures import FrameNotDrawn, PictureDecoder
from creatives.formats import FORMATS
from creatives.gif import draw_frame, message_frame
from creatives.pictures import PictureRejection, Thumbnail, make_thumbnail
from tests.creatives.samples import make_card, make_look, make_message_look, make_picture

PICTURE = make_picture(format_="JPEG")
FORMAT = FORMATS["300x250"]
MISBEHAVING = """
import os, sys, time
from adserver.outside import pictures
whole = pictures.make_thumbnail
def make_thumbnail(data):
    if data == b"crash": os.abort()
    if data == b"hang": time.sleep(60)
    if data == b"swell": bytearray(2_000_000_000)
    return whole(data)
pictures.make_thumbnail = make_thumbnail
pictures.child(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
"""


@pytest.fixture(scope="module")
def decoder() -> Iterator[PictureDecoder]:
    decoder = PictureDecoder()
    yield decoder
    decoder.close()


@pytest.fixture
def misbehaving(monkeypatch: pytest.MonkeyPatch) -> Iterator[PictureDecoder]:
    monkeypatch.setattr(outside, "_CHILD_ARGUMENTS", ("-c", MISBEHAVING))
    decoder = PictureDecoder(children=1, timeout_seconds=1.5)
    yield decoder
    decoder.close()


def test_a_child_makes_the_same_thumbnail(decoder: PictureDecoder) -> None:
    assert decoder.thumbnail(PICTURE) == make_thumbnail(PICTURE)


def test_a_child_names_the_same_rejections(decoder: PictureDecoder) -> None:
    assert decoder.thumbnail(b"no picture") is PictureRejection.NOT_A_PICTURE
    assert decoder.thumbnail(PICTURE[:-900]) is PictureRejection.DAMAGED


def test_a_child_draws_the_same_frames(decoder: PictureDecoder) -> None:
    look, message = make_look(), make_message_look()
    assert decoder.frame(make_card(), look, FORMAT, PICTURE) == draw_frame(make_card(), look, FORMAT, PICTURE)
    assert decoder.message_frame(message, FORMAT, None) == message_frame(message, FORMAT, None)


def test_a_frame_that_cannot_be_drawn_is_named(decoder: PictureDecoder) -> None:
    with pytest.raises(FrameNotDrawn, match="UnidentifiedImageError"):
        decoder.frame(make_card(), make_look(), FORMAT, b"no picture")


def test_many_threads_share_few_children(decoder: PictureDecoder) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(decoder.thumbnail, [PICTURE] * 24))
    assert set(made) == {make_thumbnail(PICTURE)}


@pytest.mark.parametrize(
    ("data", "rejection"),
    [
        (b"crash", PictureRejection.DECODER_DIED),
        (b"hang", PictureRejection.DECODER_TOO_SLOW),
        (b"swell", PictureRejection.DECODER_DIED),
    ],
)
def test_after_a_child_misbehaved_the_next_picture_still_works(
    misbehaving: PictureDecoder, data: bytes, rejection: PictureRejection
) -> None:
    started_seconds = time.monotonic()
    assert misbehaving.thumbnail(data) is rejection
    assert time.monotonic() - started_seconds < 10
    assert isinstance(misbehaving.thumbnail(PICTURE), Thumbnail)


def test_a_child_that_was_killed_is_replaced() -> None:
    decoder = PictureDecoder(children=1)
    assert isinstance(decoder.thumbnail(PICTURE), Thumbnail)
    child = decoder._places.get()
    assert child is not None
    decoder._places.put(child)
    os.kill(child._process.pid, signal.SIGKILL)
    assert decoder.thumbnail(PICTURE) in (PictureRejection.DECODER_DIED, make_thumbnail(PICTURE))
    assert isinstance(decoder.thumbnail(PICTURE), Thumbnail)
    decoder.close()


def test_one_child_draws_every_script_in_every_size_within_its_memory() -> None:
    decoder = PictureDecoder(children=1)
    titles = {
        "ja": "冬の帽子「ニット帽」",
        "ko": "겨울 니트 모자",
        "zh": "冬季针织帽",
        "zh-TW": "冬季針織帽",
        "ar": "قبعة شتوية",
    }
    try:
        for language, title in titles.items():
            look = make_look(language, headline=title, button=title, name=title)
            for format_ in FORMATS.values():
                frame = decoder.frame(make_card(title, language=language), look, format_, PICTURE)
                assert frame == draw_frame(make_card(title, language=language), look, format_, PICTURE)
        assert [len(letters) for letters in decoder.uncovered(("帽子", "ऊनी"))] == [0, 3]
    finally:
        decoder.close()
