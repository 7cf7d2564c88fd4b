"""Prometheus' text format as its documentation defines it, read strictly; written without the server's code."""

import re

_SERIES = re.compile(
    r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)'
)
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
_PARTS = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}

Series = tuple[str, tuple[tuple[str, str], ...]]


def read_exposition(text: str) -> dict[Series, float]:
    """Every series with its value; fails where a line is none, belongs to no family, or comes twice."""
    assert text.endswith("\n")
    series: dict[Series, float] = {}
    family, kind, helped = "", "", ""
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            helped = line.split(" ", 3)[2]
        elif line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family == helped and kind in _PARTS, line
        else:
            found = _SERIES.fullmatch(line)
            assert found is not None, line
            assert found[1] in {family + part for part in _PARTS[kind]}, line
            key = (found[1], tuple(_LABEL.findall(found[2] or "")))
            assert key not in series, line
            series[key] = float(found[3])
    return series


def value(series: dict[Series, float], name: str, /, **labels: str) -> float:
    """Of one series; 0 where it is not there."""
    return series.get((name, tuple(labels.items())), 0.0)
