"""An untrusted product picture becomes our own: decoded with limits, trimmed, fitted, encoded anew.

Run it in the child process of `adserver.outside.pictures`: decoders of untrusted bytes belong in a sandbox.
"""

import hashlib
import re
import warnings
from collections.abc import Callable
from enum import StrEnum
from io import BytesIO
from typing import cast

import msgspec
from PIL import Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError

from creatives.backdrop import on_a_ground, without_borders

MAX_PICTURE_BYTES = 10_000_000  # also bounds the counting of a GIF with a million tiny frames
MAX_PIXELS = 25_000_000  # over all frames: an animation counts with every frame
MOST_SCANS = 64  # five times what encoders make
MIN_SIDE_PIXELS = 32  # smaller ones are tracking dots and placeholders
MAX_SIDE_PIXELS = 600  # twice the widest picture of our formats, for dense screens
HALF_SIDE_PIXELS = 300
WORKING_SIDE_PIXELS = 1800  # reduced to this before anything else, so that later steps are cheap
MOST_FRAMES_TRIED = 10  # of an animation that begins with nothing
# Chosen by looking at photographs and weighing them; docs/pictures.md has the figures.
JPEG_QUALITY = 80
WEBP_QUALITY = 80
DENSE_WEBP_QUALITY = 75  # of the full size: on a dense screen its pixels are half as large
_SPACES = {"RGB": "RGB", "CMYK": "CMYK", "L": "GRAY"}  # of colour profiles, by mode
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
# Pillow refuses beyond this on its own; we turn its warning into an error below.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


class PictureRejection(StrEnum):
    """Why a picture is not shown."""

    TOO_MANY_BYTES = "picture_too_many_bytes"
    NOT_A_PICTURE = "picture_not_png_jpeg_gif_or_webp"
    TOO_MANY_PIXELS = "picture_too_many_pixels"
    TOO_MANY_SCANS = "picture_too_many_scans"  # of a progressive JPEG, each as costly as the picture
    TOO_SMALL = "picture_too_small"
    BLANK = "picture_blank"  # one single white
    DAMAGED = "picture_damaged"  # begins well and then does not decode
    DECODER_TOO_SLOW = "picture_decoder_too_slow"
    DECODER_DIED = "picture_decoder_died"


class Thumbnail(msgspec.Struct, frozen=True):
    """A picture of ours in four renditions, named by the content of its full JPEG."""

    data: bytes  # the full JPEG
    width: int
    height: int
    hash: str  # see `content_hash`
    webp: bytes
    half: bytes  # the JPEG for screens of one pixel a pixel, and for small places
    half_webp: bytes

    def files(self) -> dict[str, bytes]:
        """Each rendition by the name under which it is served; the full JPEG, which tells of all, last."""
        return {
            f"{self.hash}-half.webp": self.half_webp,
            f"{self.hash}-half.jpg": self.half,
            f"{self.hash}.webp": self.webp,
            f"{self.hash}.jpg": self.data,
        }


def content_hash(data: bytes) -> str:
    """The first 32 hexadecimal digits of the SHA-256."""
    return hashlib.sha256(data).hexdigest()[:32]


_NAME = re.compile(r"([0-9a-f]{32})(?:-half)?\.(?:jpg|webp)")


def full_name(name: str) -> str | None:
    """The name of the full JPEG whose rendition is called `name`."""
    read = _NAME.fullmatch(name)
    return f"{read[1]}.jpg" if read else None


def make_thumbnail(data: bytes) -> Thumbnail | PictureRejection:
    """`data` decoded, turned upright, set on a ground, trimmed, fitted and encoded anew."""
    return _safely(data, _thumbnail)


def complete_thumbnail(data: bytes) -> Thumbnail | PictureRejection:
    """A full JPEG that an older version made, as it is, with the renditions that it lacks."""
    return _safely(data, lambda known: _renditions(_opened(known), known))


def _safely(
    data: bytes, make: Callable[[bytes], Thumbnail | PictureRejection]
) -> Thumbnail | PictureRejection:
    if len(data) > MAX_PICTURE_BYTES:
        return PictureRejection.TOO_MANY_BYTES
    if _webp_pixels(data) > MAX_PIXELS:
        return PictureRejection.TOO_MANY_PIXELS
    if data[:2] == b"\xff\xd8" and data.count(b"\xff\xda") > MOST_SCANS:
        return PictureRejection.TOO_MANY_SCANS
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            return make(data)
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
        # A JPEG decodes straight to a half, a quarter or an eighth: less memory, less time.
        opened.draft(None, (WORKING_SIDE_PIXELS, WORKING_SIDE_PIXELS))
        for number in range(min(_frames(opened), MOST_FRAMES_TRIED)):
            opened.seek(number)
            shown = without_borders(on_a_ground(_upright(opened)))
            if shown is not None:
                return _renditions(shown)
    return PictureRejection.BLANK


def _opened(data: bytes) -> Image.Image:
    with Image.open(BytesIO(data), formats=FORMATS) as opened:
        return on_a_ground(opened)


def _frames(opened: ImageFile.ImageFile) -> int:
    if opened.format == "MPO":  # a photograph with its preview or its brightness behind it
        return 1
    return int(getattr(opened, "n_frames", 1))


def _refused(opened: ImageFile.ImageFile) -> PictureRejection | None:
    """Judged on the header, before a pixel is decoded."""
    width, height = opened.size
    if width * height > MAX_PIXELS:
        return PictureRejection.TOO_MANY_PIXELS
    if width * height * _frames(opened) > MAX_PIXELS:
        return PictureRejection.TOO_MANY_PIXELS
    if min(width, height) < MIN_SIDE_PIXELS:
        return PictureRejection.TOO_SMALL
    return None


def _upright(opened: ImageFile.ImageFile) -> Image.Image:
    """A frame, not much larger than needed, turned as its EXIF says, in sRGB."""
    profile = opened.info.get("icc_profile")
    image = _eight_bits(opened)
    image = image.reduce(max(1, -(-max(image.size) // WORKING_SIDE_PIXELS)))
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
    if not profile:
        return image
    alpha = image.getchannel("A") if image.mode in ("RGBA", "LA") else None
    opaque = image.convert("RGB" if image.mode == "RGBA" else "L") if alpha else image
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        if source.profile.xcolor_space.strip() != _SPACES.get(opaque.mode):
            return image  # a profile of something else, as cameras and converters leave behind
        target = ImageCms.createProfile("sRGB")
        made = cast(Image.Image, ImageCms.profileToProfile(opaque, source, target, outputMode="RGB"))
    except (ImageCms.PyCMSError, OSError):
        return image
    if alpha:
        made.putalpha(alpha)
    return made


def _renditions(image: Image.Image, known: bytes | None = None) -> Thumbnail:
    """`image` at both sizes, never enlarged, in both encodings; `known` is its full JPEG, if there is one."""
    full, half = _fitted(image, MAX_SIDE_PIXELS), _fitted(image, HALF_SIDE_PIXELS)
    data = known or _jpeg(full)
    return Thumbnail(
        data,
        full.width,
        full.height,
        content_hash(data),
        _webp(full, DENSE_WEBP_QUALITY),
        _jpeg(half),
        _webp(half, WEBP_QUALITY),
    )


def _fitted(image: Image.Image, side_pixels: int) -> Image.Image:
    # A copy: whoever asks for another size starts from the same pixels.
    fitted = image.copy()
    fitted.thumbnail((side_pixels, side_pixels), Image.Resampling.LANCZOS)
    return fitted


def _jpeg(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True, progressive=True)
    return buffer.getvalue()


def _webp(image: Image.Image, quality: int) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "WEBP", quality=quality, method=4)
    return buffer.getvalue()


def _webp_pixels(data: bytes) -> int:
    """Pixels an extended WebP says it has, since its decoder reserves the canvas when it is merely opened."""
    if data[:4] != b"RIFF" or data[8:16] != b"WEBPVP8X" or len(data) < 30:
        return 0
    width = int.from_bytes(data[24:27], "little") + 1
    height = int.from_bytes(data[27:30], "little") + 1
    return width * height
