"""Starting and stopping: settings that are wrong say so, jobs go on past a failure and end in time."""

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from adserver import __main__, jobs, processes
from adserver.config import Settings
from adserver.domain.retention import Retention
from adserver.domain.tally import Tally
from adserver.domain.validity import Limits
from adserver.domain.visitor import DAY_MS
from adserver.main.beside import create_operator_key, read_geo, tell_region
from adserver.storage.embedded import own_storage
from adserver.writes import Outcome, Result
from tests.simulation.running_server import free_port

TAKEN = Outcome(Result.SAVED)


def holding(result: Result) -> Any:
    return SimpleNamespace(
        writer=SimpleNamespace(commit=lambda write: Outcome(result)), vitals=SimpleNamespace(job_runs=list)
    )


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("RANKING_RATES", "EUR=nan", "above 0"),
        ("RANKING_RATES", "EUR=inf", "above 0"),
        ("RANKING_RATES", "EUR=0", "above 0"),
        ("RANKING_RATES", "EUR", "EUR=1, USD=0.92"),
        ("TRUSTED_PROXIES", "10.0.0.0/8, proxy", "proxy is no address or network"),
        ("LOG_LEVEL", "loud", "debug, info"),
        ("TIMEZONE", "Europe/Atlantis", "an IANA name"),
        ("STRICT_COUNTRIES", "BR, Brazil", "Brazil: countries are two letters"),
        ("TCF_VENDOR_ID", "0", "greater than or equal to 1"),
        ("KEEP_VIEWS_DAYS", "31", "less than or equal to 30"),
        ("KEEP_PURCHASES_DAYS", "0", "greater than or equal to 1"),
        ("KEEP_CONSENT_PROOF_DAYS", "0", "greater than or equal to 1"),
        ("MOST_VISITOR_CLICKS", "-1", "greater than or equal to 0"),
    ],
)
def test_a_wrong_setting_is_refused_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, field: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"ADSERVER_{field}", value)
    with pytest.raises(ValidationError, match=said):
        Settings()


def test_hosts_and_levels_may_be_written_in_capitals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADSERVER_HOSTS", "Ads.Example.COM")
    monkeypatch.setenv("ADSERVER_LOG_LEVEL", "WARNING")
    settings = Settings()
    assert (settings.hosts, settings.log_level) == (("ads.example.com",), "warning")


def test_what_is_kept_and_allowed_is_the_operators_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADSERVER_KEEP_VIEWS_DAYS", "7")
    monkeypatch.setenv("ADSERVER_KEEP_CONSENT_PROOF_DAYS", "30")
    monkeypatch.setenv("ADSERVER_MOST_NETWORK_CLICKS", "0")
    monkeypatch.setenv("ADSERVER_MOST_NAMELESS_CLICKS", "7")
    monkeypatch.setenv("ADSERVER_MOST_NAMELESS_VIEWS", "8")
    monkeypatch.setenv("ADSERVER_STRICT_COUNTRIES", "br, in")
    settings = Settings()
    assert settings.retention == Retention(views_ms=7 * DAY_MS, consent_proofs_ms=30 * DAY_MS)
    assert settings.limits == Limits(network_clicks=0, nameless_clicks=7, nameless_views=8)
    assert settings.strict_countries == ("BR", "IN")


def test_a_database_of_addresses_that_cannot_be_read_ends_the_start_in_one_sentence(tmp_path: Path) -> None:
    settings = Settings(geoip_path=tmp_path / "none.mmdb")
    for start in (read_geo, tell_region):
        with pytest.raises(SystemExit, match=r"^adserver: ADSERVER_GEOIP_PATH: .*none\.mmdb cannot be read"):
            start(settings)


def test_a_start_says_where_visitors_are_taken_to_be(caplog: pytest.LogCaptureFixture) -> None:
    tell_region(Settings())
    assert "all visitors are taken to be in a region that is 'strict'" in caplog.text


def test_addresses_that_are_fetched_are_not_logged() -> None:
    __main__._settings()
    assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)
    assert not logging.getLogger("httpcore").isEnabledFor(logging.INFO)


@pytest.mark.parametrize("workers", ["0", "201"])
def test_a_server_has_1_to_200_workers(workers: str) -> None:
    assert CliRunner().invoke(__main__.app, ["serve", "--workers", workers]).exit_code == 2


def test_a_key_that_was_not_kept_is_not_shown() -> None:
    with pytest.raises(SystemExit, match="could not be kept"):
        create_operator_key(holding(Result.UNRECORDED), lambda: 0, "operator")


def test_a_lease_is_taken_again_where_the_clock_has_gone_back_under_its_holder() -> None:
    now_ms, taken = [10_000_000], []
    kept: Any = SimpleNamespace(
        writer=SimpleNamespace(commit=lambda lease: taken.append(lease) or TAKEN),
        vitals=SimpleNamespace(job_runs=list),
    )
    job = jobs.Job("any", 10, lambda: 0)
    runner = jobs.Runner([job], kept, lambda: now_ms[0], "me", Tally())
    for clock, times in ((10_000_000, 1), (10_000_001, 1), (5_000_000, 2), (5_000_001, 2)):
        now_ms[0] = clock
        runner._run(job)
        assert len(taken) == times


def test_a_job_at_work_does_not_keep_the_server_from_stopping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "STOP_SECONDS", 0.1)
    at_work, end = threading.Event(), threading.Event()

    def run() -> int:
        at_work.set()
        end.wait(30)
        return 0

    runner = jobs.Runner([jobs.Job("slow", 10, run)], holding(Result.SAVED), lambda: 0, "me", Tally())
    running = threading.Thread(target=runner.run, daemon=True)
    running.start()
    assert at_work.wait(5)
    runner.stop()
    running.join(5)
    assert not running.is_alive() and runner.left_at_work
    end.set()


def test_a_process_that_may_not_tell_its_name_works_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "OWN_NAME", tmp_path / "comm")
    processes.tell_name("worker 1")
    assert (tmp_path / "comm").read_text() == "worker 1"
    for forbidden in (tmp_path, tmp_path / "comm" / "of none"):
        monkeypatch.setattr(processes, "OWN_NAME", forbidden)
        processes.tell_name("worker 2")
    assert (tmp_path / "comm").read_text() == "worker 1"


STOPPED_EARLY = """
import os, signal
from adserver.config import Settings
from adserver.processes import Supervisor

def interrupted():
    for pid in (os.getppid(), os.getpid()):
        os.kill(pid, signal.SIGINT)

supervisor = Supervisor("127.0.0.1", 0, 1, Settings())
supervisor._work["writer"] = interrupted
supervisor._work["worker 1"] = supervisor._work["jobs"] = lambda: print("begun", flush=True)
supervisor.run(ready=lambda: print("ready", flush=True))
"""


def test_a_server_that_is_interrupted_while_it_starts_ends_and_blames_nobody(tmp_path: Path) -> None:
    environment = {**os.environ, "ADSERVER_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-c", STOPPED_EARLY]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "the database was not opened" not in done.stderr


def test_a_start_on_the_folder_of_a_server_that_runs_ends_in_one_sentence(tmp_path: Path) -> None:
    storage = own_storage(tmp_path / "adserver.db")
    environment = {**os.environ, "ADSERVER_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "adserver", "serve", "--port", str(free_port())]
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=60)
    storage.close()
    assert done.returncode == 1
    assert f"adserver: another server is using {tmp_path / 'adserver.db'}" in done.stderr
    assert "starting it again" not in done.stderr and "Traceback" not in done.stderr
