"""A picture of the ratios: a bar for each case, with what it must reach and what is aimed at."""

from collections.abc import Sequence
from html import escape

from tests.bench.report import Row

WIDTH, LEFT, LINE, TOP = 760, 190, 26, 46
FULL = 1.1  # the ratio at the right edge
BAR, SPREAD, MUST, AIM, INK, GRID = "#2f6f9f", "#12344d", "#c0392b", "#2e8b57", "#222", "#ddd"


def picture(rows: Sequence[Row], note: str) -> str:
    """An SVG document; `note` says what machine it was."""
    height = TOP + LINE * len(rows) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" font-family="sans-serif" font-size="12" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        _text(10, 20, "Requests per second, as a share of what a bare ASGI callable answers"),
        *_grid(TOP + LINE * len(rows)),
        *(part for place, row in enumerate(rows) for part in _bar(row, TOP + LINE * place)),
        _text(10, height - 12, note),
        _text(WIDTH - 250, height - 12, "must", MUST),
        _text(WIDTH - 205, height - 12, "aim", AIM),
        _text(WIDTH - 170, height - 12, "thin line: all rounds"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _x(ratio: float) -> float:
    return round(LEFT + min(ratio, FULL) / FULL * (WIDTH - LEFT - 20), 1)


def _grid(bottom: int) -> list[str]:
    steps = [step / 5 for step in range(6)]
    lines = [f'<path d="M{_x(step)} {TOP - 8}V{bottom}" stroke="{GRID}"/>' for step in steps]
    return lines + [_text(_x(step) - 8, TOP - 12, f"{step:.1f}") for step in steps]


def _bar(row: Row, top: int) -> list[str]:
    ratio, case = row.ratio, row.case
    name = row.name if row.workers == 1 else f"{row.name}, {row.workers} workers"
    middle = top + LINE / 2 - 4
    parts = [
        _text(10, top + 13, name),
        f'<rect x="{LEFT}" y="{top}" width="{_x(ratio.median) - LEFT:.1f}" height="{LINE - 8}" fill="{BAR}"/>',
        f'<path d="M{_x(ratio.least)} {middle}H{_x(ratio.most)}" stroke="{SPREAD}" stroke-width="2"/>',
        _text(_x(max(ratio.most, ratio.median)) + 6, top + 13, f"{ratio.median:.2f}"),
    ]
    for target, colour in ((case.must, MUST), (case.aim, AIM)) if case else ():
        if target:
            parts.append(f'<path d="M{_x(target)} {top - 2}v{LINE - 4}" stroke="{colour}" stroke-width="3"/>')
    return parts


def _text(x: float, y: float, words: str, colour: str = INK) -> str:
    return f'<text x="{x}" y="{y}" fill="{colour}">{escape(words)}</text>'
