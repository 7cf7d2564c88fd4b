"""Image creatives of several sizes on one sheet, to be looked at side by side."""

from collections.abc import Sequence
from io import BytesIO

from PIL import Image

WIDTH = 1_020
MARGIN = 12
_GROUND = "#c9ced6"


def contact_sheet(gifs: Sequence[bytes]) -> bytes:
    """The first frame of each GIF, row by row, as one PNG."""
    tiles = [_first_frame(gif) for gif in gifs]
    places: list[tuple[int, int]] = []
    left = top = MARGIN
    row_height = 0
    for tile in tiles:
        if left > MARGIN and left + tile.width + MARGIN > WIDTH:
            left, top, row_height = MARGIN, top + row_height + MARGIN, 0
        places.append((left, top))
        left, row_height = left + tile.width + MARGIN, max(row_height, tile.height)
    sheet = Image.new("RGB", (WIDTH, top + row_height + MARGIN), _GROUND)
    for tile, place in zip(tiles, places, strict=True):
        sheet.paste(tile, place)
    buffer = BytesIO()
    sheet.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def _first_frame(gif: bytes) -> Image.Image:
    with Image.open(BytesIO(gif), formats=("GIF",)) as opened:
        return opened.convert("RGB")
