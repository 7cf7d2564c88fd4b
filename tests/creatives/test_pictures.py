"""An untrusted picture becomes a safe thumbnail or a named rejection."""

import hashlib
import resource
import struct
import time
import zlib
from io import BytesIO

import pytest
from PIL import Image, ImageCms, ImageDraw

from creatives.pictures import (
    MAX_PICTURE_BYTES,
    MAX_SIDE_PIXELS,
    PictureRejection,
    Thumbnail,
    make_thumbnail,
)
from tests.creatives.samples import encoded, make_picture


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
    data = bytearray(make_picture(64, 64, format_="JPEG"))
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
        (make_picture()[:400], PictureRejection.DAMAGED),
        (make_picture(format_="JPEG")[:-900], PictureRejection.DAMAGED),
        (make_picture(1, 1), PictureRejection.TOO_SMALL),
        (make_picture(20, 400), PictureRejection.TOO_SMALL),
        (encoded(Image.new("RGB", (300, 300), "white"), "PNG"), PictureRejection.BLANK),
        (encoded(Image.new("RGBA", (300, 300), (0, 0, 0, 0)), "PNG"), PictureRejection.BLANK),
    ],
    ids=lambda value: value.name if isinstance(value, PictureRejection) else "",
)
def test_a_bad_picture_is_refused_by_name_within_a_second(data: bytes, rejection: PictureRejection) -> None:
    before_kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started_seconds = time.perf_counter()
    assert make_thumbnail(data) is rejection
    assert time.perf_counter() - started_seconds < 1
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
        encoded(Image.new("I;16", (900, 1200), 30_000), "PNG")
        if source == "I"
        else make_picture(900, 1200, mode, format_)
    )
    made = make_thumbnail(data)
    assert isinstance(made, Thumbnail)
    image = opened(made)
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (made.width, made.height))
    assert made.width in (449, 450)  # black and white leaves a white row at the edge
    assert (made.height, made.extension) == (600, "jpg")
    assert made.hash == hashlib.sha256(made.data).hexdigest()[:32]


def test_a_deep_grey_keeps_its_brightness() -> None:
    image = opened(make_thumbnail(encoded(Image.new("I;16", (100, 100), 257 * 100), "PNG")))
    assert abs(image.getpixel((50, 50))[0] - 100) <= 1


def test_transparency_becomes_white() -> None:
    image = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    ImageDraw.Draw(image).rectangle((0, 0, 99, 49), fill=(200, 0, 0, 128))
    ImageDraw.Draw(image).rectangle((0, 50, 9, 99), fill=(0, 0, 0, 255))
    made = opened(make_thumbnail(encoded(image, "PNG")))
    assert all(abs(a - b) < 6 for a, b in zip(made.getpixel((50, 20)), (227, 127, 127), strict=True))
    assert min(made.getpixel((80, 90))) > 250


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


def test_a_colour_profile_is_applied_and_then_dropped() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    made = make_thumbnail(encoded(Image.new("RGB", (99, 99), "#336699"), "PNG", icc_profile=profile))
    assert "icc_profile" not in opened(made).info
    damaged = make_thumbnail(encoded(Image.new("RGB", (99, 99), "#336699"), "PNG", icc_profile=b"nonsense"))
    assert isinstance(damaged, Thumbnail)


def test_white_borders_are_trimmed() -> None:
    image = Image.new("RGB", (1000, 1000), (253, 254, 252))
    ImageDraw.Draw(image).rectangle((400, 300, 599, 699), fill="navy")
    made = make_thumbnail(encoded(image, "PNG"))
    assert isinstance(made, Thumbnail)
    assert (made.width, made.height) == (200, 400)


def test_a_small_picture_is_not_enlarged() -> None:
    made = make_thumbnail(make_picture(80, 60))
    assert isinstance(made, Thumbnail)
    assert (made.width, made.height) == (80, 60)


def test_a_long_thin_picture_keeps_a_side() -> None:
    made = make_thumbnail(make_picture(12_000, 40))
    assert isinstance(made, Thumbnail)
    assert (made.width, made.height >= 1) == (MAX_SIDE_PIXELS, True)


def test_what_hides_behind_a_picture_does_not_survive() -> None:
    made = make_thumbnail(make_picture(format_="GIF") + b"*/=1;alert(1)//<script>")
    assert isinstance(made, Thumbnail)
    assert b"alert" not in made.data
