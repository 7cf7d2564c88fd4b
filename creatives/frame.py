"""A drawing becomes the bytes of one frame; frames that were drawn apart are joined to an animation.

A frame carries its own colour table, so those of different visitors join without being encoded again.
"""

from collections.abc import Sequence
from io import BytesIO

from PIL import Image

from creatives.colour import WHITE, rgb
from creatives.formats import Format
from creatives.plan import Box, drawn_as

MAX_GIF_BYTES = 150_000  # the IAB's initial load for the common sizes
MAX_SMALL_GIF_BYTES = 50_000  # and for those of a telephone's edge
SMALL_HEIGHT = 50
MAX_FRAMES = 4
_JOINING_BYTES = 128  # header, loop, and what stands before and behind the frames
ANIMATION_SECONDS = 15  # then it rests
FRAME_CENTISECONDS = 240  # long enough to read a title and a price
REST_CENTISECONDS = 30
# What stands around the photograph has a palette of its own, so that letters stay crisp whatever it shows.
_OWN_COLOURS = 40
# The photograph's colours, whether it is dithered, and its bytes as a share of the first line's, as measured:
# few colours, dithered, show a face without bands where more of them, not dithered, do not.
_QUALITIES = (
    (208, True, 1.0), (112, True, 0.89), (72, True, 0.78), (48, True, 0.66), (28, True, 0.53),
    (14, True, 0.4), (24, False, 0.35), (8, False, 0.2), (3, False, 0.1),
)  # fmt: skip
_HOPE = 1.12  # pictures differ by so much from the shares above
# Of a photograph with no more pixels than these, more colours cannot be told apart, and take twice the time.
_FEW_PIXELS, _ENOUGH_COLOURS = 24_000, 112
_FEW_COLOURS = 28  # so few are wanted for their bytes
_PIN_DISTANCE = 6  # of 255, per channel
# White and its pale neighbours, which an average of colours would make one, or tint with a badge's edge.
# Pillow looks colours up by fours: whatever stood between white and 248 would be taken for white.
_WHITISH = 248
_PALE = tuple(channel for level in (255, 248, 244, 240, 236, 232, 228, 224) for channel in [level] * 3)
_KEEP, _RESTORE = 1, 3  # what becomes of a frame once its time is over
# One pixel that nobody sees, behind the last card: restored to what was before it, the picture is the first.
_REST = (
    b"\x21\xf9\x04" + bytes([_KEEP << 2 | 1]) + REST_CENTISECONDS.to_bytes(2, "little") + b"\x00\x00"
    b"\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x80" + bytes(6) + b"\x02\x02\x44\x01\x00"
)


def most_frame_bytes(format_: Format) -> int:
    """So many, and any four frames of that size fit."""
    most = MAX_SMALL_GIF_BYTES if drawn_as(format_).height <= SMALL_HEIGHT else MAX_GIF_BYTES
    return (most - _JOINING_BYTES) // MAX_FRAMES


def splice(frames: Sequence[bytes], format_: Format) -> bytes:
    """Frames joined to a GIF that moves for at most fifteen seconds and then rests on its first.

    Each of the others is taken away again when its time is over, which leaves the first one standing.
    """
    drawn = drawn_as(format_)
    size = drawn.width.to_bytes(2, "little") + drawn.height.to_bytes(2, "little")
    header = b"GIF89a" + size + b"\x70\x00\x00"  # no global colour table
    if len(frames) == 1:
        return b"".join((header, _control(_KEEP), frames[0], b"\x3b"))
    plays = ANIMATION_SECONDS * 100 // (FRAME_CENTISECONDS * len(frames) + REST_CENTISECONDS)
    # The block counts repetitions after the first pass; a count of 0 would mean for ever.
    loop = b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + (plays - 1).to_bytes(2, "little") + b"\x00"
    others = (part for frame in frames[1:] for part in (_control(_RESTORE), frame))
    return b"".join((header, loop if plays > 1 else b"", _control(_KEEP), frames[0], *others, _REST, b"\x3b"))


def png_of(gif: bytes) -> bytes:
    """The first frame of a GIF of ours as a PNG, to the pixel."""
    buffer = BytesIO()
    with Image.open(BytesIO(gif), formats=("GIF",)) as opened:
        opened.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def encoded_frame(
    canvas: Image.Image, photo: Box | None, format_: Format, exact: Sequence[str] = ()
) -> bytes:
    """The best quality whose bytes fit the budget; colours named in `exact` are shown as they are."""
    most = most_frame_bytes(format_)
    around = _around(canvas, photo, (*exact, WHITE))
    if photo is None:
        return _frame_bytes(around)
    picture = canvas.crop(photo)
    is_small = picture.width * picture.height <= _FEW_PIXELS
    frame, best = b"", 0.0
    for colours, dithered, share in _QUALITIES:
        if is_small and colours > _ENOUGH_COLOURS:
            continue
        if best * share > most * _HOPE:  # it would not fit either
            continue
        frame = _frame_bytes(_with_picture(around, picture, photo, colours, dithered))
        best = best or len(frame) / share  # bytes of the first line, whether or not it was tried
        if len(frame) <= most:
            break
    return frame


def _control(disposal: int) -> bytes:
    return b"\x21\xf9\x04" + bytes([disposal << 2]) + FRAME_CENTISECONDS.to_bytes(2, "little") + b"\x00\x00"


def _around(canvas: Image.Image, photo: Box | None, exact: Sequence[str]) -> Image.Image:
    """All but the photograph, in few colours."""
    bare = canvas
    if photo is not None:
        bare = canvas.copy()
        bare.paste(exact[-1], photo)
    flat = bare.quantize(_OWN_COLOURS if photo else 256, method=Image.Quantize.FASTOCTREE)
    for colour in exact:
        _pin(flat, rgb(colour), _PIN_DISTANCE)
    return flat


def _with_picture(
    around: Image.Image, picture: Image.Image, place: Box, colours: int, dithered: bool
) -> Image.Image:
    """The photograph in colours of its own, set into what stands around it."""
    palette = _palette_of(picture, colours)
    dither = Image.Dither.FLOYDSTEINBERG if dithered else Image.Dither.NONE
    flat = picture.quantize(palette=palette, dither=dither)
    own, shift = around.getpalette() or [], len(flat.getpalette() or []) // 3
    together = around.point([min(255, index + shift) for index in range(256)])
    together.putpalette([*(flat.getpalette() or []), *own])
    flat.putpalette(together.getpalette() or [])
    together.paste(flat, (place.left, place.top))
    return together


def _palette_of(picture: Image.Image, colours: int) -> Image.Image:
    """Nothing but a palette: the photograph's own colours, and the pale ones where there is room for them."""
    own = picture.quantize(colours, method=Image.Quantize.FASTOCTREE).getpalette() or []
    known = zip(own[0::3], own[1::3], own[2::3], strict=True)
    white = rgb(WHITE)
    clear = [channel for colour in known for channel in (white if min(colour) > _WHITISH else colour)]
    palette = Image.new("P", (1, 1))
    palette.putpalette([*clear, *(_PALE if colours > _FEW_COLOURS else _PALE[:3])])
    return palette


def _pin(indexed: Image.Image, exact: tuple[int, int, int], distance: int) -> None:
    """A palette averages neighbours: a colour of the brand and white are put right where they are near."""
    palette = indexed.getpalette() or []
    red, green, blue = exact
    entries = zip(palette[0::3], palette[1::3], palette[2::3], strict=True)
    off = [max(abs(one - red), abs(two - green), abs(three - blue)) for one, two, three in entries]
    nearest = off.index(min(off))
    if 0 < off[nearest] <= distance:
        palette[nearest * 3 : nearest * 3 + 3] = exact
        indexed.putpalette(palette)


def _frame_bytes(indexed: Image.Image) -> bytes:
    """Pillow's encoding of one picture, its global colour table made the frame's own."""
    buffer = BytesIO()
    indexed.save(buffer, "GIF", optimize=False, interlace=False)
    gif = buffer.getvalue()
    bits = gif[10] & 0b111
    table_end = 13 + 3 * (2 << bits)
    start = _image_start(gif, table_end)
    descriptor = gif[start : start + 9] + bytes([0b1000_0000 | bits])
    return descriptor + gif[13:table_end] + gif[start + 10 : -1]


def _image_start(gif: bytes, position: int) -> int:
    """Where the image descriptor stands, behind any extension blocks."""
    while gif[position] == 0x21:
        position += 2
        while gif[position]:
            position += gif[position] + 1
        position += 1
    return position
