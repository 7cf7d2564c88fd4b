"""Somebody who works in the console: invited, logged in, and sending its forms."""

import re
from html.parser import HTMLParser
from typing import Any

import httpx

from adserver.domain.user import Grant, Role
from adserver.flows.users import Invited
from adserver.main.beside import users_beside
from tests.web.visiting import OWN, Browser, Visiting

PASSWORD = "four old wet boots"
_TAG = re.compile(r"<[^>]*>")
_TOKEN = re.compile(r'name="token" value="([0-9a-f]+)"')


def invitation(world: Visiting, email: str, *grants: Grant) -> str:
    """The path of a link for somebody new."""
    users = users_beside(world.storage, world.server.clock)
    invited = users.invite(None, email, grants or (Grant(Role.OPERATOR),))
    assert isinstance(invited, Invited)
    return f"/console/welcome/{invited.text}"


def enter(world: Visiting, email: str, *grants: Grant) -> Browser:
    """A browser in which somebody new has logged in."""
    browser = world.browser(**OWN)
    answer = send(browser, invitation(world, email, *grants), name="Anna", password=PASSWORD)
    assert answer.headers["location"] == "/console", answer.text
    return browser


def send(browser: Browser, path: str, **fields: str) -> httpx.Response:
    """A form as it was filled in."""
    answer: httpx.Response = browser.ask("POST", path, data=fields)
    return answer


def submit(browser: Browser, path: str, **fields: str) -> httpx.Response:
    """The same, as a page of ours sends it."""
    return send(browser, path, token=token_of(browser), **fields)


def token_of(browser: Browser) -> str:
    found = _TOKEN.search(browser.ask("GET", "/console/account").text)
    assert found is not None
    return found[1]


class Figures(HTMLParser):
    """The figures of a page: where the API tells the same, and what they are to a program."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "data" and "data-api" in told:
            self.found.append((told["data-api"], told["data-path"], told["value"]))


def check_figures(world: Visiting, page: str) -> int:
    """Every figure of a page is what the API answers; how many there are."""
    answers: dict[str, Any] = {}
    figures = Figures(page).found
    for api, path, value in figures:
        if api not in answers:
            answers[api] = world.change("GET", api.removeprefix("/api/v1"))
        told = answers[api]
        for step in path.split("/"):
            told = told[int(step)] if isinstance(told, list) else told[step]
        assert str(told) == value, (api, path)
    return len(figures)


def words_of(page: str) -> str:
    """What a reader sees of a page."""
    return " ".join(_TAG.sub("", page).split())
