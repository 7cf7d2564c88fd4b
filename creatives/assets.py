"""The only file of this room that reads package data: templates, the beacon script and the fonts."""

from functools import cache, lru_cache
from importlib.resources import files
from io import BytesIO

from jinja2 import DictLoader, Environment, StrictUndefined, Template
from PIL import ImageFont

FONT_PACKAGE = "font_roboto"  # Apache-2.0, from PyPI as font-roboto: Latin, Greek, Cyrillic, Vietnamese


@cache
def text_of(name: str) -> str:
    """A file of `templates/`, as it is."""
    return (files("creatives") / "templates" / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    files_of_ours = [entry.name for entry in (files("creatives") / "templates").iterdir()]
    names = [name for name in files_of_ours if name.endswith((".j2", ".css"))]
    return Environment(
        loader=DictLoader({name: text_of(name) for name in names}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def template(name: str) -> Template:
    return _environment().get_template(name)


@cache
def _font_bytes(weight: str) -> bytes:
    return (files(FONT_PACKAGE) / "files" / f"Roboto-{weight}.ttf").read_bytes()


@lru_cache(maxsize=64)
def font(weight: str, size_pixels: int) -> ImageFont.FreeTypeFont:
    """A Roboto of `weight` ("Regular", "Bold"); kept, since opening one costs a millisecond."""
    # The basic layout is the same in every Pillow; the other one depends on what Pillow was built with.
    return ImageFont.truetype(BytesIO(_font_bytes(weight)), size_pixels, layout_engine=ImageFont.Layout.BASIC)
