"""Charts: what is drawn is what was told, safe from what names hold, under a policy of its own."""

import re
import subprocess
import sys

import pytest
from lxml import etree

from adserver.web.console.charts import Chart, Look, Series, bars, columns, image, lines
from tests.shared_data import PROJECT

DRAWERS = (lines, columns, bars)
LOOKS = [
    Look(dark, narrow, low) for dark in (False, True) for narrow in (False, True) for low in (False, True)
]


def chart_of(*series: Series, labels: int = 3, title: str = "Spent") -> Chart:
    names = [f"{number} Nov" for number in range(1, labels + 1)]
    return Chart(title, names, series, lambda value: f"{value:.2f} EUR", "Nothing here")


def text_of(svg: bytes) -> str:
    return " ".join(etree.fromstring(svg).itertext())


@pytest.mark.parametrize("draw", DRAWERS)
@pytest.mark.parametrize("look", LOOKS, ids=str)
def test_every_chart_is_drawn_in_every_look(draw: object, look: Look) -> None:
    chart = chart_of(Series("Boots", [1.5, None, 3]), Series("Before", [2, 2, 0], is_before=True))
    svg = draw(chart, look)  # type: ignore[operator]
    assert "1 Nov" in text_of(svg)
    assert "Boots" in text_of(svg)
    assert etree.fromstring(svg).findtext("{*}title") == "Spent"


@pytest.mark.parametrize("draw", DRAWERS)
def test_names_are_text_and_never_markup_or_script(draw: object) -> None:
    evil = "<script>alert(1)</script>\x00\x0b\ud800 ]]> \"'&"
    chart = Chart(evil, [evil, "b"], [Series(evil, [1, 2]), Series("b", [1, 2])], str, evil)
    svg = draw(chart, Look())  # type: ignore[operator]
    tree = etree.fromstring(svg)
    assert not tree.xpath("//*[local-name()='script']")
    assert not [name for one in tree.iter() for name in one.attrib if name.startswith("on")]
    assert "<script>alert(1)" in text_of(svg)


@pytest.mark.parametrize("draw", DRAWERS)
def test_nothing_is_said_where_there_is_nothing(draw: object) -> None:
    empty = chart_of(Series("Boots", []), labels=0)
    assert "Nothing here" in text_of(draw(empty, Look()))  # type: ignore[operator]


@pytest.mark.parametrize("draw", DRAWERS)
def test_the_same_chart_is_the_same_file(draw: object) -> None:
    chart = chart_of(Series("Boots", [1, 2, 3]))
    assert draw(chart, Look()) == draw(chart, Look())  # type: ignore[operator]


def test_the_largest_stands_on_top_with_its_figure() -> None:
    svg = bars(Chart("Spent", ["Boots", "Scarf"], [Series("Spent", [5, 2])], "{:.2f} EUR".format, ""), Look())
    tree = etree.fromstring(svg)
    places = {
        "".join(one.itertext()).split()[0]: float(one.get("y"))
        for one in tree.xpath("//*[local-name()='text'][contains(., 'EUR')]")
    }
    assert places["Boots"] < places["Scarf"]
    assert "Boots \N{MIDDLE DOT} 5.00 EUR" in text_of(svg)


def test_lines_are_told_apart_by_more_than_colour() -> None:
    svg = lines(chart_of(*(Series(f"Shop {n}", [n, 2, 3]) for n in range(5))), Look()).decode()
    dashes = re.findall(r"stroke-dasharray:([\d,]*)", svg)
    assert len({one for one in dashes if one}) >= 4


@pytest.mark.parametrize("count", range(1, 8))
def test_every_name_of_the_legend_is_within_the_picture(count: int) -> None:
    for look in (Look(), Look(is_narrow=True)):
        tree = etree.fromstring(columns(chart_of(*(Series(f"S{n}", [1, 2, 3]) for n in range(count))), look))
        height = float(tree.get("height"))
        moved = tree.xpath("//*[@class='legends']")
        for legend in moved:
            top = float(re.findall(r"[\d.]+", legend.get("transform"))[1])
            rows = [float(one.get("y")) for one in legend.xpath(".//*[local-name()='text']")]
            assert all(top + row <= height for row in rows), (count, look)


def test_a_picture_may_load_and_run_nothing() -> None:
    answer = image(lines(chart_of(Series("Boots", [1, 2, 3])), Look()))
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe-inline" not in policy
    assert answer.media_type == "image/svg+xml"


def test_the_library_waits_for_the_first_chart() -> None:
    """It would make a server's start slower, and each worker larger, that draws none."""
    said = "import sys, adserver.main.server; print('pygal' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", said], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_the_library_leaves_no_hook_for_later_imports() -> None:
    lines(chart_of(Series("Boots", [1, 2, 3])), Look())
    assert not [one for one in sys.meta_path if type(one).__module__.startswith("pygal")]
