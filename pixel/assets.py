"""The one loader of this room's package data: the snippet merchants paste."""

from functools import cache
from importlib.resources import files

from pixel.compact import compact


@cache
def tag_script() -> bytes:
    """tag.js as it is served at `/m/tag.js`."""
    return compact(files("pixel").joinpath("tag.js").read_text(encoding="utf-8")).encode()
