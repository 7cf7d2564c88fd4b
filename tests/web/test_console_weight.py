"""A first page is light: with all that it loads it stays below 200 KB, uncompressed."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from adserver.web.console import ASSETS
from tests.web.console import enter, submit
from tests.web.visiting import Visiting

MOST_BYTES = 200_000
ASSET = re.compile(r'(?:src|href)="(/console/[a-z_]+\.(?:css|js|svg))"')
PAGES = ("/console", "/console/account", "/console/network/users", "/console/network/keys", "/console/start")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    world = Visiting(Path(tmp_path_factory.mktemp("console")))
    yield world
    world.close()


def weight(world: Visiting, page: str) -> int:
    """Of a page and everything that it names of ours."""
    return len(page.encode()) + sum(
        len(world.browser().ask("GET", address).content) for address in {*ASSET.findall(page)}
    )


def test_every_page_with_all_that_it_loads_is_light(world: Visiting) -> None:
    log_in = world.browser().ask("GET", "/console/login").text
    assert "/console/console.css" in log_in
    operator = enter(world, "operator@example.org")
    pages = [operator.ask("GET", path).text for path in PAGES]
    pages.append(operator.ask("GET", f"/console/shop/{world.advertiser}/campaigns").text)
    for language in ("fr", "en"):  # the longest words, and the usual ones
        submit(operator, "/console/account/language", language=language)
        pages += [operator.ask("GET", path).text for path in PAGES]
    assert max(weight(world, page) for page in [log_in, *pages]) < MOST_BYTES


def test_all_that_any_first_pages_load_together_is_light(world: Visiting) -> None:
    """A page of any room is at most the shared files and its own."""
    sizes = {name: len(world.browser().ask("GET", f"/console/{name}").content) for name in ASSETS}
    shared = sum(sizes.pop(name) for name in ("console.css", "console.js", "mark.svg"))
    rooms = {name.partition(".")[0] for name in sizes}
    own = [sum(sizes.get(f"{room}{kind}", 0) for kind in (".css", ".js", ".svg")) for room in rooms]
    assert shared + max(own, default=0) < MOST_BYTES / 2
