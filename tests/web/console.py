"""Somebody who works in the console: invited, logged in, and sending its forms."""

import re

import httpx

from adserver.domain.user import Grant, Role
from adserver.flows.users import Invited
from adserver.main import users_beside
from tests.web.visiting import OWN, Browser, Visiting

PASSWORD = "four old wet boots"
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
