"""What frames every page of the console: the language, what was done, and where one is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.console import enter, submit, words_of
from tests.web.visiting import Browser, Visiting


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    world = Visiting(Path(tmp_path_factory.mktemp("console")))
    yield world
    world.close()


@pytest.fixture(scope="module")
def operator(world: Visiting) -> Browser:
    return enter(world, "operator@example.org")


def test_a_chosen_language_holds_from_the_next_page_on(operator: Browser) -> None:
    for language, title in (("it", "Il tuo account"), ("fr", "Votre compte"), ("en", "Your account")):
        done = submit(operator, "/console/account/language", language=language)
        assert done.headers["location"] == "/console/account?done=saved"
        page = operator.ask("GET", "/console/account").text
        assert f'<html lang="{language}">' in page
        assert title in page
    assert submit(operator, "/console/account/language", language="xx").status_code == 303
    assert '<html lang="en">' in operator.ask("GET", "/console/account").text


def test_what_was_done_is_said_in_words_of_ours_only(operator: Browser) -> None:
    assert "Saved." in words_of(operator.ask("GET", "/console/account?done=saved").text)
    page = operator.ask("GET", "/console/account?done=<b>Pay me</b>").text
    assert "Pay me" not in page
    assert 'role="status"' not in page
