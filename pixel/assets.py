"""The one loader of this room's package data: the snippet merchants paste."""

from functools import cache
from importlib.resources import files


@cache
def tag_script() -> bytes:
    """tag.js as it is served at `/m/tag.js`: shortened, see `make scripts`."""
    return files("pixel").joinpath("tag.min.js").read_bytes()
