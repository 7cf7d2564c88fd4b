"""Plain borders come off without a pixel of the product, and what is see-through gets a ground that shows it."""

from io import BytesIO
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw

from creatives.backdrop import GREY, LEAST_SIDE_PIXELS, NEAR_WHITE_FROM, on_a_ground, without_borders
from tests.creatives.samples import encoded

Size = tuple[int, int]


def as_jpeg(image: Image.Image, quality: int = 75) -> Image.Image:
    return Image.open(BytesIO(encoded(image, "JPEG", quality=quality))).convert("RGB")


def scene(width: int, height: int) -> Image.Image:
    """Something at every place, like a photograph that fills its frame."""
    dice = Random(7)
    small = Image.new("RGB", (40, 40))
    small.putdata(
        [(dice.randrange(30, 200), dice.randrange(30, 200), dice.randrange(30, 200)) for _ in range(1600)]
    )
    return small.resize((width, height), Image.Resampling.NEAREST)


def on_paper(thing: Image.Image, size: Size, at: Size, paper: str) -> Image.Image:
    image = Image.new("RGB", size, paper)
    image.paste(thing, at)
    return image


def trimmed(image: Image.Image) -> Image.Image:
    made = without_borders(image)
    assert made is not None
    return made


@pytest.mark.parametrize("paper", ["white", "#fafafa", "#d9d9d9", "#777777", "black", "#0b3d2e"])
@pytest.mark.parametrize("quality", [40, 75, 95])
def test_a_scene_loses_its_plain_border_of_any_colour(paper: str, quality: int) -> None:
    made = trimmed(as_jpeg(on_paper(scene(600, 800), (1400, 1400), (400, 200), paper), quality))
    assert abs(made.width - 600) <= 16 and abs(made.height - 800) <= 16
    assert made.width >= 592 and made.height >= 792


def test_bars_at_two_sides_come_off_and_the_other_two_sides_stay() -> None:
    made = trimmed(on_paper(scene(900, 500), (900, 900), (0, 200), "black"))
    assert (made.width, made.height) == (900, 500)


def test_a_scene_without_a_border_stays_whole() -> None:
    assert trimmed(as_jpeg(scene(1200, 1600))).size == (1200, 1600)


def test_a_product_keeps_a_little_of_the_border_that_it_stands_in() -> None:
    image = Image.new("RGB", (1000, 1000), "#e6e6e6")
    ImageDraw.Draw(image).ellipse((300, 200, 699, 799), fill="maroon")
    made = trimmed(as_jpeg(image))
    assert 400 < made.width <= 440 and 600 < made.height <= 640
    assert all(abs(level - 0xE6) < 6 for level in made.getpixel((0, 0)))


@settings(max_examples=100, deadline=None)
@given(
    width=st.integers(1, 80), height=st.integers(1, 80), ink=st.integers(0, 255), paper=st.integers(0, 255)
)
def test_no_picture_is_too_small_or_thin_to_be_trimmed(width: int, height: int, ink: int, paper: int) -> None:
    image = Image.new("RGB", (width, height), (paper,) * 3)
    image.putpixel((width // 2, height // 3), (ink,) * 3)
    made = without_borders(image)
    assert made is None or (made.width <= width and made.height <= height)


@settings(max_examples=60, deadline=None)
@given(
    side=st.integers(120, 900),
    place=st.tuples(st.floats(0.02, 0.4), st.floats(0.02, 0.4), st.floats(0.5, 0.97), st.floats(0.5, 0.97)),
    shade=st.integers(0, 200),
    paper=st.sampled_from([255, 250, 230]),
    shape=st.sampled_from(["ellipse", "rectangle", "rounded_rectangle"]),
)
def test_nothing_of_a_product_is_ever_cut(
    side: int, place: tuple[float, float, float, float], shade: int, paper: int, shape: str
) -> None:
    image = Image.new("RGB", (side, side), (paper,) * 3)
    box = [round(edge * side) for edge in place]
    more = {"radius": side // 10} if shape == "rounded_rectangle" else {}
    getattr(ImageDraw.Draw(image), shape)(box, fill=(shade,) * 3, **more)
    made = trimmed(image)
    assert ink(made, paper) == ink(image, paper)


def ink(image: Image.Image, paper: int) -> int:
    """How many pixels are not paper."""
    difference = ImageChops.difference(image, Image.new("RGB", image.size, (paper,) * 3)).convert("L")
    return sum(difference.histogram()[20:])


def test_a_pale_product_on_white_keeps_its_edges() -> None:
    image = Image.new("RGB", (1000, 1000), "white")
    ImageDraw.Draw(image).ellipse((300, 200, 700, 800), fill="#f1f0ec")
    made = trimmed(as_jpeg(image))
    assert made.width >= 400 and made.height >= 600


def test_a_backdrop_that_fades_stays_as_the_photographer_framed_it() -> None:
    backdrop = Image.linear_gradient("L").resize((900, 900)).point(lambda level: 190 + level // 4)
    image = Image.merge("RGB", [backdrop] * 3)
    ImageDraw.Draw(image).ellipse((300, 200, 600, 700), fill="maroon")
    assert trimmed(as_jpeg(image, 90)).size == (900, 900)


def test_the_plain_cover_of_a_book_is_no_border() -> None:
    cover = Image.new("RGB", (500, 700), "#2040a0")
    cover.paste(scene(200, 200), (150, 250))
    made = trimmed(as_jpeg(on_paper(cover, (900, 900), (200, 100), "white")))
    assert abs(made.width - 500) <= 8 and abs(made.height - 700) <= 8


@pytest.mark.parametrize("colour", ["#222222", "#dddddd"])
@pytest.mark.parametrize("line", [1, 3, 5, 8])
def test_a_thin_frame_comes_off_with_the_paper_behind_it(line: int, colour: str) -> None:
    paper = on_paper(scene(300, 400), (1000 - 2 * line,) * 2, (350, 300), "white")
    made = trimmed(on_paper(paper, (1000, 1000), (line, line), colour))
    assert made.width <= 320 and made.height <= 420


def test_noise_in_a_border_is_still_the_border() -> None:
    dice = Random(3)
    image = on_paper(scene(300, 300), (1200, 1200), (450, 450), "#f8f8f8")
    pixels = image.load()
    assert pixels is not None
    for _ in range(300_000):
        x, y = dice.randrange(1200), dice.randrange(1200)
        red, green, blue = pixels[x, y]
        pixels[x, y] = (red + dice.randint(-7, 7), green + dice.randint(-7, 7), blue + dice.randint(-7, 7))
    assert max(trimmed(as_jpeg(image)).size) <= 330


def test_a_speck_is_not_enlarged_into_a_picture() -> None:
    image = Image.new("RGB", (1000, 1000), "white")
    image.putpixel((999, 0), (0, 0, 0))
    image.putpixel((998, 1), (0, 0, 0))
    assert min(trimmed(image).size) >= LEAST_SIDE_PIXELS


def test_a_swatch_of_one_colour_is_a_picture_and_white_is_none() -> None:
    assert trimmed(Image.new("RGB", (300, 200), "#336699")).size == (300, 200)
    assert without_borders(Image.new("RGB", (300, 200), "white")) is None
    assert without_borders(as_jpeg(Image.new("RGB", (300, 200), "#fbfbfb"), 30)) is None
    framed = Image.new("RGB", (300, 300), "white")
    ImageDraw.Draw(framed).rectangle((0, 0, 299, 299), outline="black", width=2)
    assert without_borders(framed) is None


# ---- transparency ----


def cut_out(fill: tuple[int, int, int, int], mode: str = "RGBA") -> Image.Image:
    image = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((40, 30, 160, 170), fill=fill)
    return image.convert(mode)


def contrast(one: tuple[int, ...], other: tuple[int, ...]) -> float:
    def luminance(colour: tuple[int, ...]) -> float:
        parts = [
            level / 255 / 12.92 if level <= 10 else ((level / 255 + 0.055) / 1.055) ** 2.4 for level in colour
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_a_cut_out_product_stands_on_white() -> None:
    made = on_a_ground(cut_out((160, 30, 30, 255)))
    assert (made.mode, made.getpixel((0, 0)), made.getpixel((100, 100))) == (
        "RGB",
        (255, 255, 255),
        (160, 30, 30),
    )


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_a_white_cut_out_stands_on_a_grey_that_shows_it(mode: str) -> None:
    made = on_a_ground(cut_out((250, 250, 250, 255), mode))
    assert made.getpixel((0, 0)) == GREY
    assert min(contrast(GREY, (255, 255, 255)), contrast(GREY, (0, 0, 0))) >= 3


def test_a_white_shirt_with_a_dark_print_is_seen_too() -> None:
    shirt = cut_out((255, 255, 255, 255))
    ImageDraw.Draw(shirt).rectangle((70, 70, 130, 130), fill=(10, 10, 10, 255))
    assert on_a_ground(shirt).getpixel((0, 0)) == GREY


def test_a_dark_product_with_a_white_print_stays_on_white() -> None:
    shirt = cut_out((10, 10, 10, 255))
    ImageDraw.Draw(shirt).rectangle((70, 50, 130, 150), fill=(255, 255, 255, 255))
    assert on_a_ground(shirt).getpixel((0, 0)) == (255, 255, 255)


def test_what_is_half_transparent_is_mixed_with_white() -> None:
    image = Image.new("RGBA", (100, 100), (200, 0, 0, 128))
    made = on_a_ground(image).getpixel((50, 50))
    assert all(abs(one - other) < 3 for one, other in zip(made, (227, 127, 127), strict=True))


def test_an_opaque_picture_with_an_alpha_channel_is_left_as_it_is() -> None:
    image = Image.new("RGBA", (100, 100), (255, 255, 255, 255))
    assert on_a_ground(image).getcolors() == [(10_000, (255, 255, 255))]
    assert NEAR_WHITE_FROM < 255
