"""The only file of this room that reads from disk: templates, the scripts, and fonts."""

import warnings
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from jinja2 import DictLoader, Environment, StrictUndefined, Template
from PIL import ImageFont

MOST_GIVEN_FONTS = 64
LARGE_FONT_BYTES = 4_000_000
SYSTEM_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts")
# Of Debian's fonts-noto-core, by name, so that other fonts of a machine change nothing; DejaVu is everywhere.
_SYSTEM_SCRIPTS = ("Hebrew", "Armenian", "Georgian", "Ethiopic", "Thai", "Lao")
SYSTEM_FONTS = (*(f"NotoSans{script}-Regular.ttf" for script in _SYSTEM_SCRIPTS), "DejaVuSans.ttf")
_FONT_ENDINGS = (".ttf", ".otf", ".ttc", ".otc")


class FontUnreadable(UserWarning):
    """A file among the operator's fonts is none; it is left out."""


class Face(NamedTuple):
    """Letters of one weight: a file, which of its fonts, and how bold."""

    path: str
    place: int = 0  # in a collection
    weight: int | None = None  # of a font whose weight can be chosen
    thickened: bool = False  # drawn with a thicker stroke, where there is no bold
    is_large: bool = False


class Family(NamedTuple):
    """A font in both weights. `by_language`: its fonts of other languages, which draw the same letters."""

    regular: Face
    bold: Face
    by_language: tuple[tuple[str, int], ...] = ()


@cache
def text_of(name: str) -> str:
    """A file of `templates/`, as it is."""
    return (files("creatives") / "templates" / name).read_text(encoding="utf-8")


@cache
def sources() -> bytes:
    """All code of this room, which is what decides how a creative looks."""
    modules = sorted(entry.name for entry in files("creatives").iterdir() if entry.name.endswith(".py"))
    return b"".join((files("creatives") / name).read_bytes() for name in modules)


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


# --- fonts -----------------------------------------------------------------------------------------------


def _variable(package: str, name: str) -> Family:
    path = str(files(package) / "files" / name)
    return Family(Face(path, weight=400), Face(path, weight=700))


@cache
def own_families() -> tuple[Family, ...]:
    """From PyPI, all under the Open Font License: the same letters on every machine.

    Roboto: Latin, Greek, Cyrillic, Vietnamese. Noto Sans Arabic. Noto Sans CJK: Chinese, Japanese, Korean.
    """
    east = str(files("noto_cjk_sans_otc") / "NotoSansCJK-Regular.ttc")
    by_language = (("ja", 0), ("ko", 1), ("zh-tw", 3), ("zh-hant", 3), ("zh-hk", 4), ("zh-mo", 4), ("zh", 2))
    return (
        _variable("fontpkg_roboto", "Roboto[wdth,wght].ttf"),
        _variable("fontpkg_noto_sans_arabic", "NotoSansArabic[wdth,wght].ttf"),
        Family(Face(east, 2, is_large=True), Face(east, 2, None, thickened=True, is_large=True), by_language),
    )


def fonts_in(folder: str | None) -> tuple[str, ...]:
    """The fonts that draw what ours cannot: those in the operator's folder, then the system's by name."""
    given = sorted(map(str, _fonts_below(folder)))[:MOST_GIVEN_FONTS] if folder else []
    found = {path.name: str(path) for root in SYSTEM_FOLDERS for path in _fonts_below(root)}
    return (*given, *(found[name] for name in SYSTEM_FONTS if name in found))


def _fonts_below(folder: str) -> Iterator[Path]:
    files_there = (path for path in Path(folder).rglob("*") if path.name.lower().endswith(_FONT_ENDINGS))
    return (path for path in files_there if path.is_file())


def other_families(paths: Iterable[str]) -> tuple[Family, ...]:
    """The families of font files; a file `-Regular` is bold by its neighbour `-Bold`."""
    known = list(paths)
    families = []
    for path in known:
        if "-Bold" in path and path.replace("-Bold", "-Regular") in known:
            continue
        try:
            ImageFont.truetype(path, 24)
        except OSError as fault:
            warnings.warn(FontUnreadable(f"{path} is no font that can be read: {fault}"), stacklevel=2)
            continue
        is_large = Path(path).stat().st_size > LARGE_FONT_BYTES
        families.append(Family(Face(path, is_large=is_large), _bold_of(path, is_large)))
    return tuple(families)


def _bold_of(path: str, is_large: bool) -> Face:
    neighbour = path.replace("-Regular.", "-Bold.")
    if neighbour != path and Path(neighbour).is_file():
        return Face(neighbour, is_large=is_large)
    return Face(path, thickened=True, is_large=is_large)


def open_font(face: Face, size_pixels: int) -> ImageFont.FreeTypeFont:
    # The basic layout is the same in every Pillow; the other one depends on what Pillow finds installed.
    basic = ImageFont.Layout.BASIC
    # By its path: the kernel shares and pages what a font of 20 MB in memory would cost anew for each size.
    font = ImageFont.truetype(face.path, size_pixels, index=face.place, layout_engine=basic)
    if face.weight is not None:
        widths = font.get_variation_axes()[1:]
        font.set_variation_by_axes([face.weight, *(axis["default"] or 0 for axis in widths)])
    return font
