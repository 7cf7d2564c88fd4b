"""Series become an SVG: the one room that knows the library that draws."""

import hashlib
import re
import sys
from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import msgspec
from fastapi.responses import Response

from adserver.web.console.page import HEADERS

FONTS = 'system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif'
DASHES = ("", "7,4", "2,4", "11,4,2,4", "14,5", "2,2")  # lines are told apart by more than their colours
MOST_LABEL = {False: 34, True: 16}
_UNSEEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML has no place for
_STYLE = re.compile(rb"<style[^>]*>(.*?)</style>", re.DOTALL)


class Series(msgspec.Struct, frozen=True):
    """One line or one kind of bar; None where there is nothing to tell. `is_before`: of the period before."""

    name: str
    values: Sequence[float | None]
    is_before: bool = False


class Look(msgspec.Struct, frozen=True):
    """Where it is looked at."""

    is_dark: bool = False
    is_narrow: bool = False
    is_low: bool = False  # beside other things


class Chart(msgspec.Struct, frozen=True):
    """What is drawn: a value of each series for each label, `write` saying in words what a value is."""

    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    write: Callable[[float], str]
    nothing: str  # said where there is nothing to draw


def lines(chart: Chart, look: Look) -> bytes:
    """A figure over time, a line for each of a few series."""
    drawing = _drawing("Line", chart, look, dots_size=2.5, allow_interruptions=True, include_x_axis=True)
    for number, one in enumerate(chart.series):
        dashes = "5,5" if one.is_before else DASHES[number % len(DASHES)]
        stroke = {"width": 2 if one.is_before else 2.5, "dasharray": dashes}
        drawing.add(_plain(one.name), list(one.values), stroke_style=stroke)
    return _drawn(drawing, chart, look)


def columns(chart: Chart, look: Look) -> bytes:
    """A sum over time; more than one series stand on each other."""
    drawing = _drawing("StackedBar" if len(chart.series) > 1 else "Bar", chart, look)
    for one in chart.series:
        drawing.add(_plain(one.name), list(one.values))
    return _drawn(drawing, chart, look)


def bars(chart: Chart, look: Look) -> bytes:
    """A figure of each of some names, the first on top, each with its figure written beside it."""
    height = 70 + len(chart.labels) * (16 + 14 * len(chart.series))
    drawing = _drawing("HorizontalBar", chart, look, height=height, show_y_guides=False, show_x_labels=False)
    for one in chart.series:
        drawing.add(_plain(one.name), list(reversed(one.values)))
    first = chart.series[0].values if chart.series else ()
    most = MOST_LABEL[look.is_narrow]
    labels = [
        _short(label, most) + ("" if value is None else f" \N{MIDDLE DOT} {chart.write(value)}")
        for label, value in zip(chart.labels, first, strict=True)
    ]
    return _rendered(drawing, chart, list(reversed(labels)))


def image(svg: bytes) -> Response:
    """The picture at an address of its own, under a policy that knows its one style sheet by its digest."""
    style = _STYLE.search(svg)
    digest = b64encode(hashlib.sha256(style[1] if style else b"").digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; sandbox"
    return Response(svg, media_type="image/svg+xml", headers=HEADERS | {"Content-Security-Policy": policy})


@cache
def _library() -> Any:
    """Imported for the first chart: a tenth of a second that a server's start need not wait for.

    It leaves a hook for plug-ins of its own that every later import would be asked through; we have none.
    """
    import pygal

    sys.meta_path[:] = [one for one in sys.meta_path if not isinstance(one, pygal.PluginImportFixer)]
    return pygal


def _drawing(kind: str, chart: Chart, look: Look, **more: Any) -> Any:
    width, height = (350, 270) if look.is_narrow else (1040, 330)
    if look.is_low:
        width, height = (350, 150) if look.is_narrow else (520, 150)
    beside = 1 if look.is_narrow else 3
    rows, reserved = -(-len(chart.series) // beside), len(chart.series) // beside
    usual = {
        "width": width,
        "height": height,
        "style": _style(chart, look),
        "js": (),
        "no_prefix": True,
        "explicit_size": True,
        "margin": 6,
        "spacing": 8,
        "rounded_bars": 2,
        "min_scale": 2 if look.is_low else 3,
        "max_scale": 3 if look.is_low else 5,
        "show_legend": len(chart.series) > 1,
        "legend_at_bottom": True,
        "legend_at_bottom_columns": beside,
        "margin_bottom": 6 + 20 * (rows - reserved),  # the library forgets the last row that is not full
        "truncate_label": -1,
        "title": None,
        "no_data_text": chart.nothing,
        "value_formatter": chart.write,
    }
    drawing = getattr(_library(), kind)(**usual | more)
    drawing.add_xml_filter(_only_what_is_seen(chart))
    return drawing


def _drawn(drawing: Any, chart: Chart, look: Look) -> bytes:
    """With as many of the labels below it as have room."""
    drawing.show_minor_x_labels = False
    width = max((len(label) for label in chart.labels), default=1) * 8 + 16
    room = max(1, (290 if look.is_narrow else 440 if look.is_low else 940) // width)
    drawing.x_labels_major_every = max(1, -(-len(chart.labels) // room))
    return _rendered(drawing, chart, list(chart.labels))


def _rendered(drawing: Any, chart: Chart, labels: list[str]) -> bytes:
    drawing.x_labels = [_plain(label) for label in labels]
    drawn: bytes = drawing.render()
    return drawn


def _style(chart: Chart, look: Look) -> Any:
    """The console's own colours; the period before is drawn in a quiet one."""
    ink, quiet, line = (
        ("#e9eef4", "#a3b0bf", "#303a46") if look.is_dark else ("#17202b", "#556170", "#dde3ea")
    )
    bright = ["#7db4f2", "#f2b36b", "#7fd3a2", "#d9a3ef", "#f28f8f", "#c9d36b"]
    deep = ["#1d5fae", "#b8500a", "#1a7f4b", "#8a3ab0", "#b3261e", "#5d6b00"]
    strong = bright if look.is_dark else deep
    before = "#6c7989" if look.is_dark else "#9aa5b1"
    colours = [before if one.is_before else strong[at % 6] for at, one in enumerate(chart.series)]
    return _library().style.Style(
        background="transparent",
        plot_background="transparent",
        foreground=quiet,
        foreground_strong=ink,
        foreground_subtle=line,
        guide_stroke_color=line,
        major_guide_stroke_color=line,
        guide_stroke_dasharray="0",
        major_guide_stroke_dasharray="0",
        font_family=FONTS,
        label_font_size=13,
        major_label_font_size=13,
        legend_font_size=13,
        no_data_font_size=15,
        opacity="1",
        stroke_opacity="1",
        stroke_width="2.5",
        colors=tuple(colours or strong),
        transition="0s",
    )


def _only_what_is_seen(chart: Chart) -> Callable[[Any], Any]:
    """Without the library's script and remarks; its title is what the chart shows."""

    def clean(root: Any) -> Any:
        for parent in list(root.iter()):
            for child in list(parent):
                if not isinstance(child.tag, str) or child.tag.rpartition("}")[2] == "script":
                    parent.remove(child)
        root.find("title").text = _plain(chart.title)
        return root

    return clean


def _plain(text: str) -> str:
    return _UNSEEN.sub("", text)


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
