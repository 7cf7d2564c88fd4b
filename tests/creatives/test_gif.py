"""Frames drawn apart are spliced into one valid GIF."""

from io import BytesIO

import pytest
from PIL import Image, ImageChops, ImageSequence

from creatives.card import Offer
from creatives.formats import FORMATS, Format
from creatives.gif import (
    ANIMATION_SECONDS,
    FRAME_CENTISECONDS,
    MAX_FRAME_BYTES,
    MAX_GIF_BYTES,
    draw_frame,
    house_gif,
    message_frame,
    splice,
)
from creatives.lettering import ScriptNotCovered, text_width, uncovered, wrapped
from tests.creatives.samples import (
    HOSTILE_TEXTS,
    LONG_TITLES,
    encoded,
    make_card,
    make_look,
    make_message_look,
    make_picture,
)

PICTURE = make_picture(format_="JPEG")
EVERY_FORMAT = pytest.mark.parametrize("format_", FORMATS.values(), ids=lambda format_: format_.name)


def frames(format_: Format, count: int) -> list[bytes]:
    look = make_look("fr", Offer(percent=10))
    return [
        draw_frame(make_card(f"Title {number}", 10_000_000 * (number + 1)), look, format_, PICTURE)
        for number in range(count)
    ]


@EVERY_FORMAT
def test_spliced_frames_are_the_single_frames_to_the_pixel(format_: Format) -> None:
    single = frames(format_, 4)
    with Image.open(BytesIO(splice(single, format_))) as gif:
        assert gif.size == (format_.width, format_.height)
        together = [frame.convert("RGB") for frame in ImageSequence.Iterator(gif)]
    assert len(together) == 4
    for frame, joined in zip(single, together, strict=True):
        with Image.open(BytesIO(splice([frame], format_))) as alone:
            assert ImageChops.difference(alone.convert("RGB"), joined).getbbox() is None


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_it_moves_for_at_most_fifteen_seconds(count: int) -> None:
    gif = splice(frames(FORMATS["320x50"], count), FORMATS["320x50"])
    with Image.open(BytesIO(gif)) as opened:
        assert getattr(opened, "n_frames", 1) == count
        # Pillow gives the repetitions after the first pass; 0 would be for ever.
        repetitions = opened.info.get("loop")
    assert repetitions != 0
    seconds = count * FRAME_CENTISECONDS / 100 * ((repetitions or 0) + 1)
    assert seconds <= ANIMATION_SECONDS


def test_a_frame_shows_exactly_its_palette_version_of_the_drawing() -> None:
    white = draw_frame(make_card(picture=None), make_look(), FORMATS["300x250"], None)
    with Image.open(BytesIO(splice([white], FORMATS["300x250"]))) as gif:
        pixels = gif.convert("RGB")
    assert pixels.getpixel((10, 10)) == (0x1F, 0x3A, 0x5F)
    assert pixels.getpixel((290, 60)) == (255, 255, 255)


@EVERY_FORMAT
def test_four_frames_of_a_noisy_photograph_stay_within_the_budget(format_: Format) -> None:
    noise = encoded(Image.effect_noise((600, 600), 120).convert("RGB"), "JPEG", quality=95)
    frame = draw_frame(make_card(LONG_TITLES[0]), make_look(), format_, noise)
    assert len(frame) <= MAX_FRAME_BYTES
    assert len(splice([frame] * 4, format_)) <= MAX_GIF_BYTES


@EVERY_FORMAT
def test_messages_and_house_creatives_are_valid_gifs(format_: Format) -> None:
    for picture in (None, PICTURE):
        frame = message_frame(make_message_look(), format_, picture)
        with Image.open(BytesIO(splice([frame], format_))) as gif:
            gif.load()
            assert gif.size == (format_.width, format_.height)
    with Image.open(BytesIO(house_gif(format_, "es"))) as gif:
        gif.load()
        assert gif.size == (format_.width, format_.height)


def test_the_same_card_is_drawn_to_the_same_bytes() -> None:
    assert frames(FORMATS["300x250"], 2) == frames(FORMATS["300x250"], 2)


@pytest.mark.parametrize(
    "text", ["Été à Zürich ĄĘŁŻ ěščřž őű ğış ñ €₺₽", "Ελληνικά ώς Ώ", "Українська Ё Ђ Ј", "Tiếng Việt"]
)
def test_latin_greek_cyrillic_and_vietnamese_are_covered(text: str) -> None:
    assert uncovered(text) == ""


def test_a_script_that_is_not_covered_is_named_and_left_out() -> None:
    with pytest.warns(ScriptNotCovered, match="not drawn: CJK, HIRAGANA"):
        draw_frame(make_card("冬の帽子"), make_look(), FORMATS["300x250"], None)


@pytest.mark.parametrize("hostile", HOSTILE_TEXTS)
def test_hostile_text_is_only_drawn(hostile: str) -> None:
    draw_frame(make_card(hostile), make_look(name=hostile), FORMATS["728x90"], None)


@pytest.mark.parametrize("title", [*LONG_TITLES[:3], "", "a", "x" * 400, "€ " * 200])
@pytest.mark.parametrize("width", [40, 130, 330])
def test_no_line_of_text_is_wider_than_its_box(title: str, width: int) -> None:
    lines = wrapped(title, "Regular", 16, width, 3)
    assert len(lines) <= 3
    assert all(text_width(line, "Regular", 16) <= width for line in lines)
