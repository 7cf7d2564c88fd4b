"""Files made to hurt whoever opens them: each is named, in the child, within its time and memory."""

import re
import resource
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from io import BytesIO
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from adserver.outside import pictures as outside
from adserver.outside.pictures import PictureDecoder
from creatives.pictures import MAX_PICTURE_BYTES, MOST_SCANS, PictureRejection, Thumbnail, make_thumbnail
from tests.creatives.samples import encoded, make_picture
from tests.creatives.test_pictures import crowd_of_tiny_frames, extended_webp_header, jpeg_header, photo

MOST_KILOBYTES = 200_000
NOT_A_PICTURE, TOO_MANY_PIXELS = PictureRejection.NOT_A_PICTURE, PictureRejection.TOO_MANY_PIXELS


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def whole_png(width: int, height: int, *chunks: bytes) -> bytes:
    """One bit a pixel and all of it there: 9000 by 9000 are some 10 kB."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(b"\x00" * ((-(-width // 8) + 1) * height), 9)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + b"".join(chunks)
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )


def still_frames(count: int, width: int, height: int) -> bytes:
    frames = [Image.new("P", (width, height), number % 2) for number in range(count)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def many_scans(count: int) -> bytes:
    """A progressive photograph whose last scan comes again and again: each costs as much as the picture."""
    data = photo(600, 600, format_="JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + data[-2:]


def text_bomb() -> bytes:
    return whole_png(99, 99, chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(b"A" * 80_000_000, 9)))


def profile_bomb() -> bytes:
    return whole_png(99, 99, chunk(b"iCCP", b"icc\x00\x00" + zlib.compress(b"\x00" * 300_000_000, 9)))


HTML = b"<!doctype html><title>404</title><script>alert(1)</script>"
SVG = b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 600 600\n(%pipe%id) (w) file\n"
# Made when they are asked for: who only looks for tests need not wait for them.
ATTACKS: dict[str, tuple[Callable[[], bytes], PictureRejection]] = {
    "a PNG of 9000 by 9000 in 10 kB": (lambda: whole_png(9000, 9000), TOO_MANY_PIXELS),
    "a GIF of 40 frames of 4 megapixels": (lambda: still_frames(40, 2000, 2000), TOO_MANY_PIXELS),
    "a GIF of a crowd of frames": (lambda: crowd_of_tiny_frames(400_000), TOO_MANY_PIXELS),
    "a JPEG that says it is 65535 a side": (lambda: jpeg_header(65_535, 65_535), TOO_MANY_PIXELS),
    "a WebP that says it is 16000 a side": (lambda: extended_webp_header(16_000, 16_000), TOO_MANY_PIXELS),
    "a JPEG of three hundred scans": (lambda: many_scans(300), PictureRejection.TOO_MANY_SCANS),
    "a comment of 80 MB": (text_bomb, PictureRejection.DAMAGED),
    "an EPS": (lambda: EPS, NOT_A_PICTURE),
    "an SVG with a script": (lambda: SVG, NOT_A_PICTURE),
    "a page": (lambda: HTML, NOT_A_PICTURE),
    "a TIFF": (lambda: encoded(Image.new("RGB", (99, 99)), "TIFF"), NOT_A_PICTURE),
    "an AVIF": (lambda: b"\x00\x00\x00\x20ftypavif" + b"\x00" * 200, NOT_A_PICTURE),
    "a PDF": (lambda: b"%PDF-1.7\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert(1))>>>>", NOT_A_PICTURE),
    "nothing": (bytes, NOT_A_PICTURE),
    "a JPEG that ends early": (lambda: photo(format_="JPEG")[:-4000], PictureRejection.DAMAGED),
    "a PNG that ends early": (lambda: photo()[:-900], PictureRejection.DAMAGED),
    "a PNG of nonsense": (lambda: photo()[:200] + b"\xff" * 5000, PictureRejection.DAMAGED),
    "too many bytes": (lambda: b"\xff\xd8" + bytes(MAX_PICTURE_BYTES), PictureRejection.TOO_MANY_BYTES),
}  # fmt: skip


@cache
def attack(name: str) -> bytes:
    return ATTACKS[name][0]()


PATIENT_SECONDS = 30.0  # on a machine that does much else; a server waits five


@pytest.fixture(scope="module")
def decoder() -> Iterator[PictureDecoder]:
    decoder = PictureDecoder(children=1, sealed=True, timeout_seconds=PATIENT_SECONDS)
    yield decoder
    decoder.close()


def peak_kilobytes(decoder: PictureDecoder) -> int:
    """What the one child has taken at most."""
    child = decoder._places.get()
    decoder._places.put(child)
    assert child is not None
    told = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{child.pid}/status").read_text())
    assert told is not None
    return int(told[1])


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_named_and_costs_little(decoder: PictureDecoder, name: str) -> None:
    data, rejection = attack(name), ATTACKS[name][1]
    assert isinstance(decoder.thumbnail(make_picture()), Thumbnail)
    ours, theirs = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, peak_kilobytes(decoder)
    assert decoder.thumbnail(data) is rejection  # and none of them is merely DECODER_TOO_SLOW
    assert peak_kilobytes(decoder) - theirs < MOST_KILOBYTES
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - ours < 30_000 + 2 * len(data) // 1000
    assert isinstance(decoder.thumbnail(make_picture()), Thumbnail), "the next picture is none the worse"


def test_the_bomb_of_the_field_is_as_small_as_it_is_said_to_be() -> None:
    assert len(attack("a PNG of 9000 by 9000 in 10 kB")) < 12_000


def test_a_profile_that_swells_is_left_aside(decoder: PictureDecoder) -> None:
    assert isinstance(decoder.thumbnail(profile_bomb()), Thumbnail | PictureRejection)
    assert peak_kilobytes(decoder) < MOST_KILOBYTES


def test_a_picture_that_is_a_script_too_is_only_a_picture_afterwards(decoder: PictureDecoder) -> None:
    comment = b"\x21\xfe\x10/*<script>alert(\x001)*/\x00"
    gif = photo(format_="GIF")
    polyglot = gif[:13] + gif[13:].replace(b"\x2c", comment + b"\x2c", 1) + b"=1;alert(1)//<script>"
    for data in (polyglot, photo(format_="JPEG", comment=b"<script>alert(1)</script>")):
        made = decoder.thumbnail(data)
        assert isinstance(made, Thumbnail)
        assert all(b"alert" not in rendition for rendition in made.files().values())


def test_ordinary_progressive_photographs_have_few_scans(decoder: PictureDecoder) -> None:
    data = photo(800, 800, format_="JPEG", progressive=True)
    assert 1 < data.count(b"\xff\xda") < MOST_SCANS // 4
    assert isinstance(decoder.thumbnail(data), Thumbnail)


FORGING = """
import os, sys, msgspec
from adserver.outside import pictures
whole = pictures.make_thumbnail
def make_thumbnail(data):
    if data == b"forge": return msgspec.structs.replace(whole(sample), hash="../" * 8 + "etc/x")
    if data == b"flood": return msgspec.structs.replace(whole(sample), webp=bytes(50_000_000))
    if data == b"file": open("/etc/hostname").read()
    if data == b"key": open(sys.executable, "rb").read()
    if data == b"call":
        import socket
        socket.create_connection(("127.0.0.1", 9))
    if data == b"write": open("/dev/null", "wb").write(b"x")
    if data == b"run": os.execv("/bin/true", ["true"])
    return whole(data)
from tests.creatives.samples import make_picture
sample = make_picture()
import socket
pictures.make_thumbnail = make_thumbnail
pictures.child(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), *sys.argv[4:])
"""


@pytest.fixture
def forging(monkeypatch: pytest.MonkeyPatch) -> Iterator[PictureDecoder]:
    """A decoder whose child was taken over by a picture."""
    monkeypatch.setattr(outside, "_CHILD_ARGUMENTS", ("-c", FORGING))
    decoder = PictureDecoder(children=1, sealed=True, timeout_seconds=PATIENT_SECONDS)
    yield decoder
    decoder.close()


@pytest.mark.parametrize("order", [b"forge", b"flood"])
def test_what_a_child_that_was_taken_over_says_is_not_believed(forging: PictureDecoder, order: bytes) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert forging.thumbnail(order) is PictureRejection.DECODER_DIED
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000
    assert isinstance(forging.thumbnail(make_picture()), Thumbnail)


@pytest.mark.parametrize("order", [b"file", b"key", b"call", b"write"])
def test_a_sealed_child_reaches_no_file_and_no_host(forging: PictureDecoder, order: bytes) -> None:
    assert forging.thumbnail(order) is PictureRejection.DAMAGED  # it was refused, and said so
    refusal = forging._ask(outside._MakeThumbnail(order))
    assert isinstance(refusal, outside._Refused) and "Too many open files" in refusal.detail


@pytest.mark.parametrize(
    "data",
    [
        photo(900, 1200, mode, format_)
        for mode, format_ in (
            ("RGB", "JPEG"), ("CMYK", "JPEG"), ("L", "JPEG"), ("RGBA", "PNG"), ("P", "PNG"), ("LA", "PNG"), ("1", "PNG"),
            ("P", "GIF"), ("RGBA", "WEBP"),
        )
    ],
)  # fmt: skip
def test_a_sealed_child_reads_what_any_reads(decoder: PictureDecoder, data: bytes) -> None:
    assert decoder.thumbnail(data) == make_thumbnail(data)


def test_a_sealed_child_reads_photographs_with_a_preview_or_a_profile(decoder: PictureDecoder) -> None:
    image = Image.open(BytesIO(photo())).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 8
    several = encoded(image, "MPO", save_all=True, append_images=[image], exif=exif)
    assert decoder.thumbnail(several) == make_thumbnail(several)


def test_a_sealed_child_completes_an_older_versions_picture(decoder: PictureDecoder) -> None:
    made = make_thumbnail(photo())
    assert isinstance(made, Thumbnail)
    completed = decoder.complete(made.data)
    assert isinstance(completed, Thumbnail)
    assert completed.hash == made.hash and msgspec.structs.replace(completed, data=b"").half_webp


def test_a_child_gives_its_place_to_another_after_so_many_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "QUESTIONS_OF_A_CHILD", 2)
    decoder = PictureDecoder(children=1, sealed=True, nice=5)
    pids = []
    for _ in range(3):
        assert decoder.thumbnail(b"no picture") is NOT_A_PICTURE
        child = decoder._places.get()
        decoder._places.put(child)
        pids.append(None if child is None else child.pid)
    decoder.close()
    assert pids[0] is not None and pids[1] is None and pids[2] not in (None, pids[0])
