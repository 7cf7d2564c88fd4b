"""`make eval`: runs the evaluations, prints a table, and writes build/eval.json."""

import argparse
import importlib
import sys
from pathlib import Path

import msgspec

from tests.eval.figures import Figure, Options

SECTIONS = ("recommendation", "rates", "exploration", "bandit", "experiments")
RESULT = Path("build/eval.json")


def main() -> int:
    """0 where every figure keeps its bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder with train.txt and test.txt of your own clicks")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="this section; may be repeated")
    asked = parser.parse_args()
    figures: list[Figure] = []
    for section in asked.only or (("recommendation",) if asked.data else SECTIONS):
        print(f"{section} ...", file=sys.stderr, flush=True)
        found = importlib.import_module(f"tests.eval.{section}").run(Options(asked.data))
        for figure in found:
            print(line_of(figure), flush=True)
        figures += found
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2))
    broken = [figure for figure in figures if not figure.holds]
    print(f"{len(figures)} figures in {RESULT}; out of bounds: {len(broken)}")
    return 1 if broken else 0


def line_of(figure: Figure) -> str:
    """The figure as a line of the table."""
    interval = "" if figure.low is None else f"[{figure.low:.4f}, {figure.high:.4f}]"
    bounds = [
        f"{word} {bound:g}"
        for word, bound in (("at least", figure.at_least), ("at most", figure.at_most), ("aim", figure.aim))
        if bound is not None
    ]
    verdict = "" if figure.at_least is figure.at_most is None else ("ok" if figure.holds else "OUT OF BOUNDS")
    left = f"{figure.section:15} {figure.name:48} {figure.value:10.4f} {interval:18}"
    return f"{left} {', '.join(bounds):28} {verdict} {figure.note}".rstrip()


if __name__ == "__main__":
    sys.exit(main())
