"""`adserver feed import` tells in a terminal what became of a feed."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from adserver import __main__
from adserver.domain.catalogue import Feed
from adserver.domain.identity import write_id
from adserver.storage.embedded import own_storage
from adserver.writes import SaveEntity
from tests.flows.feeds import make_advertiser, make_feed, make_item

FEED = 3


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a shop and its feed, which the command is told of by the environment."""
    monkeypatch.setenv("ADSERVER_DATA_DIR", str(tmp_path))
    storage = own_storage(tmp_path / "adserver.db")
    advertiser = make_advertiser()
    for entity in (advertiser, Feed(key=FEED, advertiser_key=advertiser.key)):
        storage.writer.commit(SaveEntity(entity, is_new=True))
    storage.close()
    return tmp_path


def run(folder: Path, data: bytes) -> tuple[int, str, str]:
    path = folder / "feed.xml"
    path.write_bytes(data)
    result = CliRunner().invoke(__main__.app, ["feed", "import", write_id("feed", FEED), str(path)])
    return result.exit_code, result.stdout, result.stderr


def test_rows_left_out_are_listed_with_what_to_do(folder: Path) -> None:
    status, out, err = run(folder, make_feed(make_item("a"), make_item("b", "free")))
    assert (status, err) == (0, "")
    assert "1 products are live, 1 rows were left out" in out
    assert "  line 3: b: bad_price. " in out


def test_an_imported_feed_cannot_steer_the_terminal(folder: Path) -> None:
    item_id = "\x9b2J\u202eevil"
    status, out, err = run(folder, make_feed(make_item("a"), make_item(item_id)))
    assert (status, err) == (0, "")
    assert ": bad_id. " in out
    assert "\x9b" not in out
    assert "\u202e" not in out


def test_a_refused_feed_is_told_with_what_to_do(folder: Path) -> None:
    status, _, err = run(folder, b"<html><body>Please log in</body></html>")
    assert status == 1
    assert "nothing was changed: web_page" in err
    assert "what to do: Open the address in a private window" in err
