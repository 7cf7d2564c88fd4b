"""An untrusted picture becomes a safe thumbnail or a named rejection."""

import hashlib
import resource
import struct
import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageCms, ImageDraw

from creatives.pictures import (
    MAX_PICTURE_BYTES,
    MAX_SIDE_PIXELS,
    PictureRejection,
    Thumbnail,
    complete_thumbnail,
    content_hash,
    full_name,
    make_thumbnail,
)
from tests.creatives.samples import encoded


def photo(
    width: int = 300, height: int = 400, mode: str = "RGB", format_: str = "PNG", **options: object
) -> bytes:
    """A disc before a wall of stripes, so that no border of it is plain."""
    image = Image.new("RGB", (width, height), "#8899aa")
    draw = ImageDraw.Draw(image)
    for x in range(0, width + height, 16):
        draw.line((x, 0, x - height, height), fill="#334455", width=8)
    draw.ellipse((width // 4, height // 4, width * 3 // 4, height * 3 // 4), fill="#c02020")
    return encoded(image.convert(mode), format_, **options)


def png_header(width: int, height: int, mode: str = "L") -> bytes:
    """A PNG that says it is large, with a few rows of nothing: small to send, huge to decode."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    colour_type = {"L": 0, "RGB": 2, "RGBA": 6}[mode]
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    rows = zlib.compress(b"\x00" * (len(mode) * width + 1) * min(height, 2000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def animation(count: int, side: int, format_: str) -> bytes:
    stills = [Image.new("P", (side, side), number) for number in range(count)]
    return encoded(stills[0], format_, save_all=True, append_images=stills[1:])


def crowd_of_tiny_frames(count: int) -> bytes:
    frame = b"\x2c" + struct.pack("<HHHH", 0, 0, 1, 1) + b"\x00" + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HH", 64, 64) + b"\x80\x00\x00" + b"\x00" * 6 + frame * count + b"\x3b"


def jpeg_header(width: int, height: int) -> bytes:
    data = bytearray(photo(64, 64, format_="JPEG"))
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", height, width)
    return bytes(data)


def extended_webp_header(width: int, height: int) -> bytes:
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x10\x00\x00\x00"
    body += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little") + b"\x00" * 40
    return b"RIFF" + struct.pack("<I", len(body)) + body


def opened(made: Thumbnail | PictureRejection) -> Image.Image:
    assert isinstance(made, Thumbnail)
    return Image.open(BytesIO(made.data))


@pytest.mark.parametrize(
    ("data", "rejection"),
    [
        (png_header(9000, 9000, "RGB"), PictureRejection.TOO_MANY_PIXELS),
        (png_header(5100, 5000), PictureRejection.TOO_MANY_PIXELS),
        (jpeg_header(65_500, 65_500), PictureRejection.TOO_MANY_PIXELS),
        (extended_webp_header(16_000, 16_000), PictureRejection.TOO_MANY_PIXELS),
        (animation(40, 1000, "GIF"), PictureRejection.TOO_MANY_PIXELS),
        (crowd_of_tiny_frames(200_000), PictureRejection.TOO_MANY_PIXELS),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 600 600\n", PictureRejection.NOT_A_PICTURE),
        (
            b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
            PictureRejection.NOT_A_PICTURE,
        ),
        (encoded(Image.new("RGB", (99, 99)), "BMP"), PictureRejection.NOT_A_PICTURE),
        (encoded(Image.new("RGB", (99, 99)), "TIFF"), PictureRejection.NOT_A_PICTURE),
        (b"", PictureRejection.NOT_A_PICTURE),
        (b"\x00" * (MAX_PICTURE_BYTES + 1), PictureRejection.TOO_MANY_BYTES),
        (photo()[:400], PictureRejection.DAMAGED),
        (photo(format_="JPEG")[:-900], PictureRejection.DAMAGED),
        (photo(1, 1), PictureRejection.TOO_SMALL),
        (photo(20, 400), PictureRejection.TOO_SMALL),
        (encoded(Image.new("RGB", (300, 300), "white"), "PNG"), PictureRejection.BLANK),
        (encoded(Image.new("RGBA", (300, 300), (0, 0, 0, 0)), "PNG"), PictureRejection.BLANK),
    ],
    ids=lambda value: value.name if isinstance(value, PictureRejection) else "",
)
def test_a_bad_picture_is_refused_by_name(data: bytes, rejection: PictureRejection) -> None:
    before_kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert make_thumbnail(data) is rejection
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kilobytes < 60_000


@pytest.mark.parametrize(
    ("mode", "format_"),
    [
        ("RGB", "JPEG"), ("CMYK", "JPEG"), ("L", "JPEG"), ("RGB", "PNG"), ("RGBA", "PNG"), ("P", "PNG"), ("LA", "PNG"),
        ("1", "PNG"), ("I;16", "PNG"), ("P", "GIF"), ("RGB", "WEBP"), ("RGBA", "WEBP"),
    ],
)  # fmt: skip
def test_every_mode_becomes_a_small_plain_jpeg(mode: str, format_: str) -> None:
    source = "I" if mode == "I;16" else mode
    data = (
        encoded(Image.open(BytesIO(photo(900, 1200, "L"))).convert("I;16"), "PNG")
        if source == "I"
        else photo(900, 1200, mode, format_)
    )
    made = make_thumbnail(data)
    assert isinstance(made, Thumbnail)
    image = opened(made)
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (made.width, made.height))
    assert made.width in (449, 450)  # black and white leaves a white row at the edge
    assert made.height == 600
    assert made.hash == hashlib.sha256(made.data).hexdigest()[:32]


def test_a_deep_grey_keeps_its_brightness() -> None:
    image = opened(make_thumbnail(encoded(Image.new("I;16", (100, 100), 257 * 100), "PNG")))
    assert abs(image.getpixel((50, 50))[0] - 100) <= 1


def test_a_picture_is_turned_upright_as_its_camera_says() -> None:
    image = Image.new("RGB", (400, 200), "red")
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "a camera's maker"
    made = make_thumbnail(encoded(image, "JPEG", exif=exif, comment=b"secret"))
    assert isinstance(made, Thumbnail)
    assert (made.width, made.height) == (200, 400)
    assert b"maker" not in made.data
    assert b"secret" not in made.data
    assert not opened(made).getexif()


def wide_profile() -> bytes:
    """A colour profile whose red, green and blue are far stronger than sRGB's, made as Adobe's is."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for name, (x, y, z) in {
        b"rXYZ": (0.60974, 0.31111, 0.01947),
        b"gXYZ": (0.20528, 0.62567, 0.06087),
        b"bXYZ": (0.14919, 0.06322, 0.74457),
    }.items():
        entry = data.index(name)
        at = int.from_bytes(data[entry + 4 : entry + 8], "big") + 8
        data[at : at + 12] = b"".join(round(value * 65536).to_bytes(4, "big") for value in (x, y, z))
    return bytes(data)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_wide_colour_profile_is_applied_and_then_dropped(mode: str) -> None:
    image = Image.new("RGB", (99, 99), (60, 180, 80)).convert(mode)
    made = opened(make_thumbnail(encoded(image, "PNG", icc_profile=wide_profile())))
    assert "icc_profile" not in made.info
    red, green, _ = made.getpixel((50, 50))
    assert red < 30 and green > 178, "a colour of the wide space is stronger in ours"


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "CMYK"])
def test_a_profile_that_does_not_fit_is_left_aside(mode: str) -> None:
    format_ = "JPEG" if mode == "CMYK" else "PNG"
    image = Image.new("RGB", (99, 99), "#777777").convert(mode)
    for profile in (b"nonsense", wide_profile()[:200], *([] if mode == "RGB" else [wide_profile()])):
        made = opened(make_thumbnail(encoded(image, format_, icc_profile=profile)))
        assert all(abs(level - 0x77) < 8 for level in made.getpixel((50, 50)))


def test_an_animation_that_begins_with_nothing_is_shown_as_it_goes_on() -> None:
    nothing = Image.new("RGB", (200, 200), "white")
    shoe = nothing.copy()
    ImageDraw.Draw(shoe).rectangle((40, 80, 160, 140), fill="maroon")
    for format_ in ("GIF", "WEBP", "PNG"):
        moving = encoded(nothing, format_, save_all=True, append_images=[nothing, shoe], duration=100)
        made = opened(make_thumbnail(moving))
        assert made.width < 140 and made.getpixel((made.width // 2, made.height // 2))[0] > 100
    blank = encoded(nothing, "GIF", save_all=True, append_images=[nothing, nothing], duration=100)
    assert make_thumbnail(blank) is PictureRejection.BLANK


def test_a_photograph_with_its_preview_behind_it_is_one_picture() -> None:
    main = Image.open(BytesIO(photo(4000, 3000))).convert("RGB")
    several = encoded(main, "MPO", save_all=True, append_images=[main, main])
    made = make_thumbnail(several)
    assert isinstance(made, Thumbnail) and (made.width, made.height) == (600, 450)


def test_a_picture_has_four_renditions_of_two_sizes_and_two_encodings() -> None:
    made = make_thumbnail(photo(900, 1200))
    assert isinstance(made, Thumbnail)
    read = {name.removeprefix(made.hash): Image.open(BytesIO(data)) for name, data in made.files().items()}
    assert {ending: (image.format, image.size) for ending, image in read.items()} == {
        ".jpg": ("JPEG", (450, 600)),
        ".webp": ("WEBP", (450, 600)),
        "-half.jpg": ("JPEG", (225, 300)),
        "-half.webp": ("WEBP", (225, 300)),
    }
    assert list(made.files())[-1] == f"{made.hash}.jpg", "the one that tells of all is written last"


def test_the_same_picture_becomes_the_same_bytes() -> None:
    assert make_thumbnail(photo(700, 500)) == make_thumbnail(photo(700, 500))


def test_a_picture_of_an_older_version_keeps_its_bytes_and_gets_the_rest() -> None:
    kept = encoded(Image.open(BytesIO(photo(600, 400))).convert("RGB"), "JPEG", quality=85)
    made = complete_thumbnail(kept)
    assert isinstance(made, Thumbnail)
    assert (made.data, made.hash) == (kept, content_hash(kept))
    assert Image.open(BytesIO(made.half_webp)).size == (300, 200)
    assert complete_thumbnail(kept[:-300]) is PictureRejection.DAMAGED


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("ab" * 16 + ".webp", "ab" * 16 + ".jpg"),
        ("ab" * 16 + "-half.jpg", "ab" * 16 + ".jpg"),
        ("ab" * 16 + ".jpg", "ab" * 16 + ".jpg"),
        ("ab" * 16 + ".png", None),
        ("AB" * 16 + ".webp", None),
        ("../keys.webp", None),
        ("ab" * 16 + "-half.webp\n", None),
    ],
)
def test_the_name_of_a_rendition_tells_its_pictures(name: str, full: str | None) -> None:
    assert full_name(name) == full


def test_photographs_weigh_what_a_card_can_bear(shared_data: Path) -> None:
    """Twenty-four of a shop's own: the median of a card's WebP at one pixel a pixel is 8 to 15 kB."""
    photographs = sorted((shared_data / "images").rglob("*.jpg"))
    made = [make_thumbnail(path.read_bytes()) for path in photographs]
    halves = sorted(len(one.half_webp) for one in made if isinstance(one, Thumbnail))
    assert len(halves) == len(photographs) == 24
    assert 8_000 < halves[len(halves) // 2] < 15_000
    assert halves[-1] < 25_000
    assert all(len(one.webp) < 65_000 for one in made if isinstance(one, Thumbnail))


def test_a_small_picture_is_not_enlarged() -> None:
    made = make_thumbnail(photo(80, 60))
    assert isinstance(made, Thumbnail)
    assert (made.width, made.height) == (80, 60)
    assert made.half == made.data
    half_only = make_thumbnail(photo(400, 200))
    assert isinstance(half_only, Thumbnail) and (half_only.width, half_only.height) == (400, 200)
    assert Image.open(BytesIO(half_only.half)).size == (300, 150)


def test_a_long_thin_picture_keeps_a_side() -> None:
    made = make_thumbnail(photo(12_000, 40))
    assert isinstance(made, Thumbnail)
    assert (made.width, made.height >= 1) == (MAX_SIDE_PIXELS, True)


def test_what_hides_behind_a_picture_does_not_survive() -> None:
    made = make_thumbnail(photo(format_="GIF") + b"*/=1;alert(1)//<script>")
    assert isinstance(made, Thumbnail)
    assert b"alert" not in made.data
