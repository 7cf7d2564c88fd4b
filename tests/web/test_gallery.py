"""Our pictures over HTTP: kept for ever by whoever asks, of the right type, and never made on the event loop."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from adserver.outside.pictures import PictureDecoder
from creatives.pictures import PictureRejection, Thumbnail, make_thumbnail
from tests.creatives.samples import make_picture
from tests.web.visiting import Browser, Visiting

TYPES = {".jpg": "image/jpeg", "-half.jpg": "image/jpeg", ".webp": "image/webp", "-half.webp": "image/webp"}
NOBODYS = "ab" * 16


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visiting]:
    world = Visiting(tmp_path_factory.mktemp("gallery"))
    yield world
    world.close()


@pytest.fixture
def browser(world: Visiting) -> Browser:
    return world.browser()


def hung(world: Visiting, width: int, *, alone: bool = False) -> Thumbnail:
    """A picture in the gallery; `alone` without its renditions, as older versions left them."""
    made = make_thumbnail(make_picture(width, 500))
    assert isinstance(made, Thumbnail)
    world.storage.media.put(made)
    if alone:
        folder = world.storage.path.parent / "media"
        for path in folder.rglob(f"{made.hash}*"):
            if path.name != f"{made.hash}.jpg":
                path.unlink()
    return made


@pytest.mark.parametrize("ending", TYPES)
def test_a_rendition_may_be_kept_for_ever_and_shown_anywhere(
    world: Visiting, browser: Browser, ending: str
) -> None:
    made = hung(world, 400)
    answer = browser.ask("GET", f"/media/{made.hash}{ending}")
    assert (answer.status_code, answer.content) == (200, made.files()[f"{made.hash}{ending}"])
    assert answer.headers["content-type"] == TYPES[ending]
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "set-cookie" not in answer.headers


def test_who_has_it_already_is_told_so_in_a_few_bytes(world: Visiting, browser: Browser) -> None:
    address = f"/media/{hung(world, 410).hash}.webp"
    tag = browser.ask("GET", address).headers["etag"]
    for known in (tag, f"W/{tag}", f'"another", {tag}', "*"):
        answer = browser.ask("GET", address, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
        assert "content-length" not in answer.headers and "content-type" not in answer.headers
    assert browser.ask("GET", address, headers={"If-None-Match": '"another"'}).status_code == 200


def test_a_head_tells_what_would_come(world: Visiting, browser: Browser) -> None:
    made = hung(world, 420)
    answer = browser.ask("HEAD", f"/media/{made.hash}-half.jpg")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) == len(made.half)


@pytest.mark.parametrize(
    "name",
    [f"{NOBODYS}.jpg", f"{NOBODYS}-half.webp", f"{NOBODYS}.gif", f"{NOBODYS}.svg", "..%2fkeys.json", ""],
)
def test_what_is_no_picture_of_ours_is_not_there(browser: Browser, name: str) -> None:
    answer = browser.ask("GET", f"/media/{name}", headers={"If-None-Match": "*"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/plain; charset=utf-8")
    assert "immutable" not in answer.headers["cache-control"], "it may be hung tomorrow"


def test_an_older_versions_picture_gets_its_renditions_when_they_are_asked_for(
    world: Visiting, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = hung(world, 430, alone=True)
    asked: list[bytes] = []
    complete = PictureDecoder.complete
    monkeypatch.setattr(
        PictureDecoder, "complete", lambda decoder, data: asked.append(data) or complete(decoder, data)
    )
    with ThreadPoolExecutor(6) as readers:
        addresses = [f"/media/{made.hash}{ending}" for ending in (".webp", "-half.webp", "-half.jpg")] * 2
        answers = list(readers.map(lambda address: world.browser().ask("GET", address), addresses))
    assert [answer.status_code for answer in answers] == [200] * 6
    assert len(asked) == 1, "once for all three"
    assert answers[1].content == answers[4].content == world.storage.media.get(f"{made.hash}-half.webp")


def test_a_picture_that_cannot_be_read_again_is_not_there_and_is_logged(
    world: Visiting,
    browser: Browser,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = hung(world, 440, alone=True)
    monkeypatch.setattr(PictureDecoder, "complete", lambda *_: PictureRejection.DAMAGED)
    assert browser.ask("GET", f"/media/{made.hash}.webp").status_code == 404
    assert f"{made.hash}.jpg cannot be read again: picture_damaged" in caplog.text
    monkeypatch.undo()
    assert browser.ask("GET", f"/media/{made.hash}.webp").status_code == 200
