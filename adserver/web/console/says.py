"""What the API's refusals say, in the language of whoever reads the page."""

from collections.abc import Callable

import msgspec
from markupsafe import Markup, escape

from adserver.web.problems import PROBLEMS


class Said(msgspec.Struct, frozen=True):
    """A refusal: `title` names it, `detail` says what to do next."""

    title: Markup
    detail: Markup


def said(in_words: Callable[[str], str], refusal: str, figure: str = "") -> Said:
    """A refusal by its name; `figure` is the money that its detail speaks of, as people write it."""
    kind = PROBLEMS[refusal]
    return Said(_shown(in_words(kind.title), figure), _shown(in_words(kind.detail), figure))


def _shown(text: str, figure: str) -> Markup:
    """The API's names of things, which stand between backticks, as code; the figure in place of its name."""
    parts = text.split("`")
    parts[1::2] = [figure if figure and name == "figure_micros" else _code(name) for name in parts[1::2]]
    return Markup("").join(escape(part) for part in parts)


def _code(name: str) -> Markup:
    return Markup("<code>{}</code>").format(name)
