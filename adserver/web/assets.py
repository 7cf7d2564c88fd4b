"""The web room's own files: the one place that reads them from the package."""

from functools import cache
from importlib.resources import files


@cache
def slot_script() -> bytes:
    """slot.js as it is served to publishers' pages: shortened, see `make scripts`."""
    return files("adserver.web").joinpath("slot.min.js").read_bytes()
