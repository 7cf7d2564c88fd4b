"""Frames drawn apart are spliced into one valid GIF, small enough, that rests on its best product."""

import warnings
from io import BytesIO
from itertools import pairwise

import pytest
from PIL import Image, ImageChops, ImageSequence

from creatives import lettering
from creatives.card import Brand, Look, Offer
from creatives.colour import AA_CONTRAST, contrast, readable_on
from creatives.fonts import text_width, uncovered
from creatives.formats import FORMATS, RESPONSIVE, Format
from creatives.frame import (
    ANIMATION_SECONDS,
    FRAME_CENTISECONDS,
    MAX_GIF_BYTES,
    most_frame_bytes,
    png_of,
    splice,
)
from creatives.gif import draw_frame, house_gif, message_frame
from creatives.lettering import ScriptNotCovered, Style, cut, wrapped
from creatives.plan import PLANS, Box, Plan, drawn_as, plan_for
from creatives.skin import DARK, LIGHT
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
REGULAR = Style("Regular", 16, "#000000")


def make_look_of(
    brand: Brand, offer: Offer | None = None, headline: str | None = None, button: str | None = None
) -> Look:
    return Look("cards", brand, offer, None, headline, button)


def opened(frame: bytes, format_: Format) -> Image.Image:
    with Image.open(BytesIO(splice([frame], format_))) as gif:
        return gif.convert("RGB")


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
        assert gif.size == (drawn_as(format_).width, drawn_as(format_).height)
        together = [frame.convert("RGB") for frame in ImageSequence.Iterator(gif)]
    assert len(together) == 5
    for frame, joined in zip([*single, single[0]], together, strict=True):
        assert ImageChops.difference(opened(frame, format_), joined).getbbox() is None


def test_a_slot_without_a_size_of_its_own_gets_the_commonest_picture() -> None:
    assert drawn_as(FORMATS[RESPONSIVE]) is FORMATS["300x250"]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_it_moves_for_at_most_fifteen_seconds_and_then_rests_on_the_first_card(count: int) -> None:
    single = frames(FORMATS["320x50"], count)
    with Image.open(BytesIO(splice(single, FORMATS["320x50"]))) as gif:
        durations_ms = [frame.info["duration"] for frame in ImageSequence.Iterator(gif)]
        last = gif.convert("RGB")
        # Pillow gives the repetitions after the first pass; 0 would be for ever.
        repetitions = gif.info.get("loop")
    assert ImageChops.difference(last, opened(single[0], FORMATS["320x50"])).getbbox() is None
    assert repetitions != 0
    assert all(duration_ms >= 1000 / 5 for duration_ms in durations_ms), "at most five frames a second"
    assert durations_ms[:count] == [FRAME_CENTISECONDS * 10] * count
    if count > 1:
        assert sum(durations_ms) / 1000 * ((repetitions or 0) + 1) <= ANIMATION_SECONDS


def test_frames_replace_each_other_too_seldom_to_flash() -> None:
    """WCAG 2.3.1 allows three flashes a second; here not one picture a second becomes another."""
    with Image.open(BytesIO(splice(frames(FORMATS["300x250"], 4), FORMATS["300x250"]))) as gif:
        shown = [(frame.convert("RGB"), frame.info["duration"]) for frame in ImageSequence.Iterator(gif)]
    changes = [at for (one, at), (two, _) in pairwise(shown) if ImageChops.difference(one, two).getbbox()]
    assert len(changes) == 4
    assert min(changes) > 1_000


def test_a_frame_shows_exactly_its_palette_version_of_the_drawing() -> None:
    white = draw_frame(make_card(picture=None), make_look(), FORMATS["300x250"], None)
    pixels = opened(white, FORMATS["300x250"])
    assert pixels.getpixel((10, 10)) == (0x1F, 0x3A, 0x5F)
    assert pixels.getpixel((290, 60)) == (255, 255, 255)


@EVERY_FORMAT
def test_four_frames_of_a_noisy_photograph_stay_within_the_budget(format_: Format) -> None:
    noise = encoded(Image.effect_noise((600, 600), 120).convert("RGB"), "JPEG", quality=95)
    frame = draw_frame(make_card(LONG_TITLES[0]), make_look(), format_, noise)
    assert len(frame) <= most_frame_bytes(format_)
    assert len(splice([frame] * 4, format_)) <= (50_000 if format_.name == "320x50" else MAX_GIF_BYTES)


@EVERY_FORMAT
def test_messages_and_house_creatives_are_valid_gifs(format_: Format) -> None:
    for picture in (None, PICTURE):
        frame = message_frame(make_message_look(), format_, picture)
        with Image.open(BytesIO(splice([frame], format_))) as gif:
            gif.load()
            assert gif.size == (drawn_as(format_).width, drawn_as(format_).height)
    with Image.open(BytesIO(house_gif(format_, "es"))) as gif:
        gif.load()
        assert gif.size == (drawn_as(format_).width, drawn_as(format_).height)


def test_the_same_card_is_drawn_to_the_same_bytes() -> None:
    assert frames(FORMATS["300x250"], 2) == frames(FORMATS["300x250"], 2)


@pytest.mark.parametrize(
    "text",
    [
        "Été à Zürich ĄĘŁŻ ěščřž őű ğış ñ €₺₽",
        "Ελληνικά ώς Ώ",
        "Українська Ё Ђ Ј",
        "Tiếng Việt",
        "ﻗﻤﻴﺺ ٣",
        "冬の帽子ー 针织帽",
        "모자",
    ],
)
def test_letters_from_latin_to_korean_are_covered_on_every_machine(text: str) -> None:
    assert uncovered(text) == ""


def test_a_script_that_is_not_covered_is_named_and_left_out() -> None:
    with pytest.warns(ScriptNotCovered, match="not drawn: DEVANAGARI: no font .* ADSERVER_FONTS"):
        draw_frame(make_card("ऊनी टोपी"), make_look(), FORMATS["300x250"], None)


def test_emoji_are_left_out_without_a_word_about_scripts() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain, merry = (
            draw_frame(make_card(title), make_look(), FORMATS["300x250"], None)
            for title in ("Pizza rack", "Pizza rack \U0001f355\ufe0f")
        )
    assert merry == plain


@pytest.mark.parametrize("hostile", HOSTILE_TEXTS)
def test_hostile_text_is_only_drawn(hostile: str) -> None:
    draw_frame(make_card(hostile), make_look(name=hostile), FORMATS["728x90"], None)


@pytest.mark.parametrize(
    "title", [*LONG_TITLES, "冬の帽子ニット帽レディース防寒あったかい", "", "a", "x" * 400, "€ " * 200]
)
@pytest.mark.parametrize("width", [40, 130, 330])
def test_no_line_of_text_is_wider_than_its_box(title: str, width: int) -> None:
    lines = wrapped(title, REGULAR, width, 3)
    assert len(lines) <= 3
    assert all(text_width(line, "Regular", 16) <= width for line in lines)


def test_a_number_is_never_cut_in_the_middle() -> None:
    for width in range(20, 200):
        shown = cut("Oak chair 1.299,00", REGULAR, width)
        assert "1" not in shown or "1.299,00" in shown, shown


def test_the_png_is_the_first_frame_to_the_pixel() -> None:
    for format_ in FORMATS.values():
        single = frames(format_, 2)
        with Image.open(BytesIO(png_of(splice(single, format_)))) as png:
            assert png.format == "PNG"
            assert ImageChops.difference(png.convert("RGB"), opened(single[0], format_)).getbbox() is None


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("rtl", [False, True])
def test_no_part_overlaps_another_or_the_edge(name: str, rtl: bool) -> None:
    plan, format_ = plan_for(name, rtl=rtl), FORMATS[name]
    margin = min(format_.width, format_.height) * 0.02
    parts = [plan.brand, plan.label, plan.picture, plan.words, plan.button]
    for number, part in enumerate(parts):
        assert part.left >= margin and part.right <= format_.width - margin
        for other in parts[number + 1 :]:
            assert not _overlap(part, other), (part, other)
    for part in (plan.picture, plan.words, plan.button):
        assert not _overlap(part, plan.band)


def _overlap(one: Box, other: Box) -> bool:
    beside = one.right <= other.left or other.right <= one.left
    return not (beside or one.bottom <= other.top or other.bottom <= one.top)


@pytest.mark.parametrize("name", [name for name, plan in PLANS.items() if plan.picture.height > 100])
def test_the_picture_has_two_fifths_of_the_card(name: str) -> None:
    """Of what the brand's band leaves; a strip of 100 pixels or less is as wide as no product is."""
    plan, format_ = PLANS[name], FORMATS[name]
    card = format_.width * format_.height - plan.band.width * plan.band.height
    assert plan.picture.width * plan.picture.height >= card * 0.4


def test_who_reads_from_the_right_finds_everything_in_the_mirror() -> None:
    plan: Plan = plan_for("300x250", rtl=True)
    assert plan.picture.left > plan.words.right > plan.words.left
    assert plan_for("300x250").picture.right < plan_for("300x250").words.left


@pytest.mark.parametrize("accent", ["#d9480f", "#ffffff", "#000000", "#ffee00", "#1a1a2e"])
def test_a_price_in_the_brands_colour_can_be_read_on_light_and_on_dark(accent: str) -> None:
    for skin in (LIGHT, DARK):
        assert contrast(readable_on(accent, skin.ground), skin.ground) >= AA_CONTRAST
        for words in (skin.ink, skin.words, skin.grey):
            assert contrast(words, skin.ground) >= AA_CONTRAST
        assert contrast(skin.grey, skin.foot) >= AA_CONTRAST


def test_a_dark_brand_stands_on_dark_ground() -> None:
    dark = Brand("Velvet & Rye", theme="dark")
    frame = draw_frame(make_card(), make_look_of(dark), FORMATS["300x250"], PICTURE)
    assert opened(frame, FORMATS["300x250"]).getpixel((290, 60)) == (0x18, 0x1B, 0x20)


def test_the_advertisers_headline_and_button_and_the_promised_code_are_drawn() -> None:
    plain = make_look("en", Offer(percent=10))
    promised = make_look("en", Offer(percent=10, pool=True))
    said = [
        plain,
        promised,
        make_look_of(plain.brand, Offer(percent=10), headline="Still yours"),
        make_look_of(plain.brand, Offer(percent=10), button="Take it"),
    ]
    assert len({draw_frame(make_card(), look, FORMATS["300x250"], PICTURE) for look in said}) == 4


def drawn_texts(monkeypatch: pytest.MonkeyPatch, look: Look, format_: Format) -> list[str]:
    """The pieces of text of a frame, in the order in which they are drawn."""
    said: list[str] = []
    mask = lettering._mask
    monkeypatch.setattr(lettering, "_mask", lambda text, *rest: said.append(text) or mask(text, *rest))
    draw_frame(make_card("Lambswool beanie", 129_900_000, 159_900_000), look, format_, PICTURE)
    return said


@pytest.mark.parametrize("name", ["300x250", "336x280", "970x250", "160x600", "300x600"])
def test_a_headline_as_long_as_the_api_takes_it_is_drawn_whole(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    headline = "Noch unentschlossen? Die Auswahl wartet!"
    look = make_look_of(Brand("Velvet & Rye"), Offer(percent=10, code="SAVE10"), headline)
    said = drawn_texts(monkeypatch, look, FORMATS[name])
    assert headline in " ".join(said)


@pytest.mark.parametrize("name", ["300x250", "160x600"])
def test_a_word_of_a_message_is_not_broken_for_a_few_pixels(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    mask = lettering._mask
    monkeypatch.setattr(lettering, "_mask", lambda text, *rest: said.append(text) or mask(text, *rest))
    message_frame(make_message_look("Noch unentschlossen? Ihre Auswahl wartet"), FORMATS[name], PICTURE)
    assert any("unentschlossen?" in line for line in said)


def test_a_tiny_picture_is_not_blown_up_to_squares() -> None:
    picture = make_picture(40, 40)
    frame = opened(draw_frame(make_card(), make_look(), FORMATS["300x250"], picture), FORMATS["300x250"])
    box = plan_for("300x250").picture
    grey = [pixel for pixel in frame.crop(box).get_flattened_data() if pixel != (255, 255, 255)]
    assert 70 * 70 < len(grey) <= 80 * 80


@pytest.mark.parametrize("format_", [FORMATS["300x250"], FORMATS["970x250"], FORMATS["320x50"]])
def test_a_white_product_is_neither_tinted_by_a_badge_nor_lost(format_: Format) -> None:
    photo = Image.new("RGB", (300, 300), "white")
    photo.paste("#fbfbfb", (60, 60, 240, 240))
    picture = encoded(photo, "PNG")
    frame = draw_frame(make_card(), make_look("en", Offer(percent=15)), format_, picture)
    box = plan_for(format_.name).picture
    middle = opened(frame, format_).crop(box).getpixel(((box.right - box.left) // 2, box.height // 2))
    assert max(middle) - min(middle) <= 1
    assert 246 <= middle[0] <= 251


def test_a_dithered_photograph_keeps_its_gradients() -> None:
    """A soft ramp, as of skin or sky, comes out as a ramp: averaged over a patch it is never a step off."""
    ramp = Image.linear_gradient("L").resize((256, 256))
    face = Image.merge(
        "RGB",
        (
            ramp.point(lambda level: 150 + level * 80 // 255),
            ramp.point(lambda level: 110 + level * 70 // 255),
            ramp.point(lambda level: 90 + level * 60 // 255),
        ),
    )
    frame = draw_frame(make_card(), make_look(), FORMATS["300x250"], encoded(face, "JPEG", quality=95))
    place = plan_for("300x250").picture
    drawn = opened(frame, FORMATS["300x250"]).crop(
        (place.left + 30, place.top + 30, place.left + 120, place.top + 170)
    )
    rows = [drawn.resize((1, 14), Image.Resampling.BOX).getpixel((0, row))[0] for row in range(14)]
    steps = [two - one for one, two in pairwise(rows)]
    assert all(0 < step <= 10 for step in steps), rows


@pytest.mark.parametrize("hostile", HOSTILE_TEXTS)
def test_a_hostile_headline_and_button_are_only_drawn(hostile: str) -> None:
    look = make_look_of(Brand(hostile), Offer(percent=10, code=hostile), headline=hostile, button=hostile)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_frame(make_card(hostile), look, FORMATS["160x600"], None)


def test_a_code_is_shown_whole_or_not_at_all() -> None:
    """A code with its end cut off is one that no shop knows."""

    def drawn(offer: Offer) -> bytes:
        return draw_frame(make_card(), make_look_of(Brand("Velvet"), offer), FORMATS["320x100"], PICTURE)

    without = drawn(Offer(percent=10))
    assert drawn(Offer(percent=10, code="SAVE10")) != without
    assert drawn(Offer(percent=10, code="SUMMER-2026-ABCDEFGHIJKLMNOP")) == without
