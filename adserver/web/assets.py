"""The web room's own files: the one place that reads them from the package."""

from functools import cache
from importlib.resources import files


@cache
def slot_script() -> bytes:
    """The script that publishers' pages load."""
    return files("adserver.web").joinpath("slot.js").read_bytes()
