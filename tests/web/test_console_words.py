"""Every word of the console is there in every language, with the same places for what is filled in."""

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from adserver.web.console.page import LANGUAGES, language_of, translations
from adserver.web.console.says import said as said_of
from adserver.web.problems import PROBLEMS

WEB = Path(__file__).parents[2] / "adserver" / "web"
TEMPLATES = [("templates/console/**.html", "jinja2.ext.babel_extract"), ("console/**.py", "python")]
KEYWORDS = {"_": None, "words": None, "ngettext": (1, 2)}
PLACES = re.compile(r"%\((\w+)\)s")


def said() -> set[str]:
    options = {"templates/console/**.html": {"trim_blocks": "true"}}
    found = extract_from_dir(WEB, TEMPLATES, options, keywords=KEYWORDS)
    refusals = {text for kind in PROBLEMS.values() for text in (kind.title, kind.detail)}
    return {one[2] if isinstance(one[2], str) else one[2][0] for one in found} | refusals


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_every_word_is_translated_and_none_is_left_over(language: str) -> None:
    catalogue = []
    for path in sorted((WEB / "console" / "words" / language).glob("*.po")):
        with path.open("rb") as text:
            catalogue += [one for one in read_po(text, locale=language) if one.id]
    known = [one.id if isinstance(one.id, str) else one.id[0] for one in catalogue]
    assert sorted(known) == sorted(said())
    for one in catalogue:
        ids, texts = ([part] if isinstance(part, str) else list(part) for part in (one.id, one.string))
        assert all(texts), one.id
        assert {*PLACES.findall(" ".join(texts))} == {*PLACES.findall(" ".join(ids))}, one.id


def test_a_refusal_is_told_in_the_readers_language_with_its_figure() -> None:
    told = said_of(translations("fr").gettext, "below_spent", "12 € <b>")
    assert told.title == "Il y a déjà plus de dépensé"
    assert told.detail == "Laissez au moins 12 € &lt;b&gt;\u00a0: c&#39;est dépensé ou réservé."
    assert said_of(translations("it").gettext, "bad_sale_price").title == "Nessuno sconto"
    english = said_of(translations("en").gettext, "cpm_not_exact")
    assert english.detail == "Give <code>rate_micros</code> in multiples of 1,000."


def test_signs_stand_off_by_a_space_that_breaks_no_line_and_apostrophes_are_straight() -> None:
    """A colon or question mark of French must not begin a line; and one way of writing in all rooms."""
    for path in sorted((WEB / "console" / "words").glob("*/*.po")):
        with path.open("rb") as text:
            catalogue = [one for one in read_po(text) if one.id]
        for one in catalogue:
            for told in [one.string] if isinstance(one.string, str) else one.string:
                assert "\u2019" not in told, told
                assert path.parent.name != "fr" or not re.search(r" [:;?!»]|« ", told), told


def test_italian_speaks_to_one_person_throughout() -> None:
    for path in sorted((WEB / "console" / "words" / "it").glob("*.po")):
        found = re.findall(
            r"\b(vostr[oaie]|avete|[Ss]cegliete|[Ff]ate|[Ii]nviate)\b", path.read_text("utf-8")
        )
        assert not found, (path.name, found)
    assert not re.search(r"\bvostr|permettervi", (WEB / "settings_words" / "it.txt").read_text("utf-8"))


def test_plurals_follow_the_language() -> None:
    one, many = (
        "Too many attempts. Try again in %(num)s second.",
        "Too many attempts. Try again in %(num)s seconds.",
    )
    french = translations("fr")
    assert french.ngettext(one, many, 1).endswith("seconde.")
    assert french.ngettext(one, many, 0).endswith("seconde.")
    assert french.ngettext(one, many, 2).endswith("secondes.")


@pytest.mark.parametrize(
    ("wanted", "header", "language"),
    [
        ("it", "fr", "it"),
        (None, "fr-CH, fr;q=0.9, en;q=0.8", "fr"),
        (None, "de, it;q=0.5", "it"),
        (None, "de", "en"),
        ("xx", "", "en"),
    ],
)
def test_the_users_language_comes_before_the_browsers(wanted: str | None, header: str, language: str) -> None:
    assert language_of(wanted, header) == language
