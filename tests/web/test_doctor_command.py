"""`adserver doctor` finds out how an installation is, while a server runs over it and while none does."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adserver import __main__
from adserver.config import Settings
from adserver.main.beside import examine_installation
from adserver.storage.embedded import own_storage
from adserver.storage.migrate import NEWEST_VERSION
from adserver.storage.secrets import load_keys
from adserver.writes import SaveEntity, TakeLease
from tests.domain.makers import make_advertiser
from tests.domain.test_installation import feed

FREE_PORT_OF_NOBODY = "http://127.0.0.1:9"  # discard: nothing listens there


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ADSERVER_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ADSERVER_BASE_URL", FREE_PORT_OF_NOBODY)
    return tmp_path


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes, float], None]]:
    """Answer at the base URL: with this body, by a clock so many seconds behind."""
    servers = []

    def serve(body: bytes, seconds_behind: float) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response_only(200)
                self.send_header("Date", formatdate(time.time() - seconds_behind, usegmt=True))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None: ...

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("ADSERVER_BASE_URL", f"http://127.0.0.1:{server.server_port}")

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def doctor(*options: str) -> tuple[int, str]:
    result = CliRunner().invoke(__main__.app, ["doctor", *options])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.stdout


def examined() -> tuple[int, dict[str, Any], list[str]]:
    status, output = doctor("--json")
    document = json.loads(output)
    return status, document, [finding["code"] for finding in document["findings"]]


def make_database(folder: Path) -> None:
    own_storage(folder / "adserver.db").close()


def test_before_the_first_start_it_says_how_to_start(folder: Path) -> None:
    status, document, codes = examined()
    assert (status, document["healthy"], document["serving"]) == (1, False, False)
    assert "no_database" in codes and "not_reached" in codes
    assert sorted(folder.iterdir()) == []  # it made nothing


def test_a_folder_that_does_not_exist_is_said_to_be_missing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADSERVER_DATA_DIR", str(folder / "nowhere"))
    status, output = doctor()
    assert status == 1
    assert "ERROR   folder_not_writable" in output and "No such file" in output


def test_with_a_database_and_no_server_nothing_serious_is_wrong(folder: Path) -> None:
    make_database(folder)
    status, document, codes = examined()
    assert (status, document["healthy"], document["serving"]) == (0, True, False)
    assert "not_serving" in codes
    status, output = doctor()
    assert status == 0
    assert "server       not running" in output and f"version {NEWEST_VERSION}" in output


def test_while_a_writer_runs_it_reads_beside_it_and_misses_the_jobs(
    folder: Path, served: Callable[[bytes, float], None]
) -> None:
    served(b"ok", 0)
    storage = own_storage(folder / "adserver.db")
    try:
        status, document, codes = examined()
        assert (status, document["serving"]) == (1, True)
        assert "no_jobs" in codes and not {"not_reached", "other_server", "clock_skew"} & set(codes)
        now_ms = time.time_ns() // 1_000_000
        storage.writer.commit(TakeLease("credit conversions", "me", now_ms, now_ms + 5_000))
        assert examined()[0] == 0
        storage.writer.commit(SaveEntity(make_advertiser(), is_new=True))
        storage.writer.commit(SaveEntity(feed("unreachable"), is_new=True))
        status, _, codes = examined()
        assert (status, "feed_failed" in codes) == (0, True)
    finally:
        storage.close()


def test_a_server_that_died_is_not_taken_for_a_running_one(folder: Path) -> None:
    make_database(folder)
    (folder / "adserver.sock").touch()
    assert examined()[1]["serving"] is False


def test_another_server_at_the_base_url_is_told(folder: Path, served: Callable[[bytes, float], None]) -> None:
    make_database(folder)
    served(b"It works!", 0)
    assert "other_server" in examined()[2]


@pytest.mark.parametrize(("seconds_behind", "status"), [(0, 0), (20, 0), (3_600, 1), (-3_600, 1)])
def test_a_clock_that_is_off_is_told_with_how_far(
    folder: Path, served: Callable[[bytes, float], None], seconds_behind: int, status: int
) -> None:
    make_database(folder)
    served(b"ok", seconds_behind)
    found, document, codes = examined()
    assert (found, "clock_skew" in codes) == (status, seconds_behind != 0)
    for finding in document["findings"]:
        if finding["code"] == "clock_skew":
            assert abs(finding["figures"]["skew_seconds"] - seconds_behind) < 5


def test_secrets_that_others_may_read_are_serious(folder: Path) -> None:
    make_database(folder)
    load_keys(folder)
    assert examined()[0] == 0
    keys = folder / "keys.json"
    keys.chmod(0o644)
    assert "keys_not_private" in examined()[2] and examined()[0] == 1
    keys.chmod(0o600)
    year_ago = time.time() - 401 * 86_400
    os.utime(keys, (year_ago, year_ago))
    assert (examined()[0], "keys_old" in examined()[2]) == (0, True)


def test_a_database_of_garbage_is_told_and_left_alone(folder: Path) -> None:
    path = folder / "adserver.db"
    path.write_bytes(b"not a database, by any means" * 100)
    before = path.read_bytes()
    assert "database_unreadable" in examined()[2]
    assert path.read_bytes() == before


def test_tables_of_another_version_are_told(folder: Path) -> None:
    storage = own_storage(folder / "adserver.db")
    connection = storage.writer._committer._connection  # type: ignore[union-attr]
    connection.execute("UPDATE alembic_version SET version_num = '0000'")
    try:
        assert "not_migrated" in examined()[2]
    finally:
        storage.close()


def test_the_region_is_said_as_it_is_set(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "region_strict" in examined()[2]
    monkeypatch.setenv("ADSERVER_DEFAULT_REGION", "open")
    assert "region_open" in examined()[2]
    monkeypatch.setenv("ADSERVER_GEOIP_PATH", str(tmp_path / "missing.mmdb"))
    assert "geoip_unreadable" in examined()[2]


def test_the_folder_of_a_database_elsewhere_is_the_one_that_is_examined(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADSERVER_DATABASE_URL", f"sqlite:///{folder}/elsewhere/a.db")
    found = examine_installation(Settings())
    assert (found.folder, found.database) == (str(folder / "elsewhere"), None)
