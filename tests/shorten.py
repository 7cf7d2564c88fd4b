"""The two scripts that other people's pages load, as they are served: `python -m tests.shorten` after a change."""

from pathlib import Path

import minify

ROOT = Path(__file__).parent.parent
SCRIPTS = (ROOT / "pixel" / "tag.js", ROOT / "adserver" / "web" / "slot.js")
LANGUAGE = 2018  # the ECMAScript that they are written in, and that browsers of the last five years read


def served(script: Path) -> Path:
    return script.with_suffix(".min.js")


def shortened(script: Path) -> str:
    """The same program, in fewer bytes."""
    minify.config({"js-version": LANGUAGE})
    return minify.string("application/javascript", script.read_text(encoding="utf-8"))


if __name__ == "__main__":
    for one in SCRIPTS:
        served(one).write_text(shortened(one), encoding="utf-8")
        print(f"{served(one).relative_to(ROOT)}: {served(one).stat().st_size} bytes")
