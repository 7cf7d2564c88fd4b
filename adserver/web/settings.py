"""Every setting with its value and what it means, in each language; the English is the README's own."""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

import msgspec

HIDDEN = "•••"


class Setting(msgspec.Struct, frozen=True):
    """A setting as the server has read it; `value` is for people."""

    name: str
    value: str
    is_default: bool


@cache
def meanings(language: str) -> Mapping[str, str]:
    """What each setting is for, in a language."""
    text = (files("adserver.web") / "settings_words" / f"{language}.txt").read_text("utf-8")
    pairs = (line.partition(" | ") for line in text.splitlines())
    return {name: meaning for name, _, meaning in pairs}


def in_english(settings: Iterable[Setting]) -> list[dict[str, object]]:
    words = meanings("en")
    return [msgspec.structs.asdict(one) | {"meaning": words[one.name]} for one in settings]
