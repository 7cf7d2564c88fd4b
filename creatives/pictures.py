"""An untrusted product picture becomes a safe thumbnail: decoded with limits, redrawn, re-encoded.

Run it in the child process of `adserver.outside.pictures`: decoders of untrusted bytes belong in a sandbox.
"""

import hashlib
import warnings
from enum import StrEnum
from io import BytesIO
from typing import cast

import msgspec
from PIL import Image, ImageChops, ImageCms, ImageFile, ImageOps, UnidentifiedImageError

MAX_PICTURE_BYTES = 10_000_000  # also bounds the counting of a GIF with a million tiny frames
MAX_PIXELS = 25_000_000  # over all frames: an animation counts with every frame
MIN_SIDE_PIXELS = 32  # smaller ones are tracking dots and placeholders
MAX_SIDE_PIXELS = 600  # twice the widest picture of our formats, for dense screens
WORKING_SIDE_PIXELS = 1800  # reduced to this before anything else, so that later steps are cheap
JPEG_QUALITY = 85
WHITE_FROM = 244  # a grey level from which a border counts as white: JPEG noise stays within 11 of 255
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
# Pillow refuses beyond this on its own; we turn its warning into an error below.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


class PictureRejection(StrEnum):
    """Why a picture is not shown."""

    TOO_MANY_BYTES = "picture_too_many_bytes"
    NOT_A_PICTURE = "picture_not_png_jpeg_gif_or_webp"
    TOO_MANY_PIXELS = "picture_too_many_pixels"
    TOO_SMALL = "picture_too_small"
    BLANK = "picture_blank"  # one single white
    DAMAGED = "picture_damaged"  # begins well and then does not decode
    DECODER_TOO_SLOW = "picture_decoder_too_slow"
    DECODER_DIED = "picture_decoder_died"


class Thumbnail(msgspec.Struct, frozen=True):
    """A JPEG of ours, named by its content."""

    data: bytes
    width: int
    height: int
    hash: str  # the first 32 hexadecimal digits of its SHA-256

    @property
    def extension(self) -> str:
        return "jpg"


def make_thumbnail(data: bytes) -> Thumbnail | PictureRejection:
    """`data` decoded, turned upright, flattened on white, trimmed, fitted and encoded anew."""
    if len(data) > MAX_PICTURE_BYTES:
        return PictureRejection.TOO_MANY_BYTES
    if _webp_pixels(data) > MAX_PIXELS:
        return PictureRejection.TOO_MANY_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            return _thumbnail(data)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            return PictureRejection.TOO_MANY_PIXELS
        except UnidentifiedImageError:
            return PictureRejection.NOT_A_PICTURE
        except MemoryError:  # says nothing about the picture: the child process names it
            raise
        except Exception:  # decoders raise whatever they like on broken bytes (OSError, struct.error, ...)
            return PictureRejection.DAMAGED


def _thumbnail(data: bytes) -> Thumbnail | PictureRejection:
    with Image.open(BytesIO(data), formats=FORMATS) as opened:  # reads the header only
        refused = _refused(opened)
        if refused is not None:
            return refused
        drawn = _drawn_on_white(_upright(opened))
    box = _content_box(drawn)
    if box is None:
        return PictureRejection.BLANK
    fitted = drawn.crop(box)
    fitted.thumbnail((MAX_SIDE_PIXELS, MAX_SIDE_PIXELS), Image.Resampling.LANCZOS)
    return _encoded(fitted)


def _refused(opened: ImageFile.ImageFile) -> PictureRejection | None:
    """Judged on the header, before a pixel is decoded."""
    width, height = opened.size
    if width * height > MAX_PIXELS:
        return PictureRejection.TOO_MANY_PIXELS
    if width * height * getattr(opened, "n_frames", 1) > MAX_PIXELS:
        return PictureRejection.TOO_MANY_PIXELS
    if min(width, height) < MIN_SIDE_PIXELS:
        return PictureRejection.TOO_SMALL
    return None


def _upright(opened: ImageFile.ImageFile) -> Image.Image:
    """The first frame, not much larger than needed, turned as its EXIF says, in sRGB."""
    # A JPEG decodes straight to a half, a quarter or an eighth: less memory, less time.
    opened.draft(None, (WORKING_SIDE_PIXELS, WORKING_SIDE_PIXELS))
    profile = opened.info.get("icc_profile")
    image: Image.Image = _eight_bits(opened)
    image.thumbnail((WORKING_SIDE_PIXELS, WORKING_SIDE_PIXELS), Image.Resampling.BOX)
    return _in_srgb(ImageOps.exif_transpose(image), profile)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Palettes and deep greys become modes that can be resized and flattened."""
    if image.mode.startswith("I"):  # 16-bit grey: 0 to 65535
        return image.convert("I").point(lambda level: level * (1 / 257)).convert("L")
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("P", "PA") or "transparency" in image.info:
        return image.convert("RGBA")
    image.load()
    return image


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Colours as the picture's own profile means them; without a usable one they are taken as sRGB."""
    if not profile or image.mode not in ("RGB", "CMYK"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        return cast(Image.Image, ImageCms.profileToProfile(image, source, target, outputMode="RGB"))
    except (ImageCms.PyCMSError, OSError):
        return image


def _drawn_on_white(image: Image.Image) -> Image.Image:
    """A fresh RGB image, so that no metadata, comment or profile of the original survives."""
    canvas = Image.new("RGB", image.size, "white")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        opaque = image.convert("RGBA")
        canvas.paste(opaque, mask=opaque.getchannel("A"))
    else:
        canvas.paste(image.convert("RGB"))
    return canvas


def _content_box(image: Image.Image) -> tuple[int, int, int, int] | None:
    """The picture without its uniform white borders; None when it is white all over."""
    red, green, blue = image.split()
    darkest = ImageChops.darker(ImageChops.darker(red, green), blue)
    return darkest.point([255 if level < WHITE_FROM else 0 for level in range(256)]).getbbox()


def _encoded(image: Image.Image) -> Thumbnail:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True, progressive=True)
    data = buffer.getvalue()
    return Thumbnail(data, image.width, image.height, hashlib.sha256(data).hexdigest()[:32])


def _webp_pixels(data: bytes) -> int:
    """Pixels an extended WebP says it has, since its decoder reserves the canvas when it is merely opened."""
    if data[:4] != b"RIFF" or data[8:16] != b"WEBPVP8X" or len(data) < 30:
        return 0
    width = int.from_bytes(data[24:27], "little") + 1
    height = int.from_bytes(data[27:30], "little") + 1
    return width * height
