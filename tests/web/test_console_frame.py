"""What frames every page of the console: the language, what was done, and where one is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adserver.domain.identity import read_id
from adserver.domain.user import Grant, Role
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


def test_an_address_that_is_none_is_told_on_a_page_of_the_console(world: Visiting, operator: Browser) -> None:
    for browser in (operator, world.browser()):
        answer = browser.ask("GET", "/console/nowhere")
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "There is no such page" in answer.text
        assert answer.headers["cache-control"] == "no-store"
    assert "Log out" in operator.ask("GET", "/console/nowhere").text
    assert operator.ask("GET", "/api/v1/nowhere").json()["code"] == "unauthenticated"


def test_what_no_page_understands_is_refused_in_words(operator: Browser) -> None:
    assert submit(operator, "/console/network/users/one/disable").status_code == 404
    assert operator.ask("DELETE", "/console").status_code == 405
    too_large = submit(operator, "/console/network/users", email="a" * 70_000)
    assert (too_large.status_code, "That is too large" in too_large.text) == (413, True)


def test_a_fault_of_ours_says_what_to_do_and_tells_nothing(
    world: Visiting, operator: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the secret of secrets")

    monkeypatch.setattr(type(world.storage.accounts), "advertisers", broken)
    answer = operator.ask("GET", "/console")
    assert answer.status_code == 500
    assert "Something broke on our side" in answer.text
    assert "secret" not in answer.text


def test_who_works_for_several_accounts_changes_between_them_on_every_page(world: Visiting) -> None:
    shop, publisher = Grant(Role.ADVERTISER, read_id("adv", world.advertiser)), _publisher(world)
    both = enter(world, "both@example.org", shop, Grant(Role.PUBLISHER, read_id("pub", publisher)))
    page = both.ask("GET", f"/console/shop/{world.advertiser}/campaigns").text
    assert "Second Press" in page
    assert f'href="/console/shop/{world.advertiser}/campaigns" aria-current="true"' in page
    one = enter(world, "one@example.org", shop)
    assert "Second Press" not in one.ask("GET", f"/console/shop/{world.advertiser}/campaigns").text


def test_another_accounts_name_is_not_told(world: Visiting) -> None:
    publisher = _publisher(world)
    stranger = enter(world, "stranger@example.org", Grant(Role.PUBLISHER, read_id("pub", publisher)))
    assert "Autumn" not in stranger.ask("GET", f"/console/shop/{world.advertiser}/nowhere").text
    name = world.change("GET", f"/advertisers/{world.advertiser}")["name"]
    assert name not in stranger.ask("GET", f"/console/shop/{world.advertiser}/nowhere").text


def _publisher(world: Visiting) -> str:
    return str(world.change("POST", "/publishers", name="Second Press")["id"])
