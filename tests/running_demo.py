"""The demo as a process of its own, the way an operator starts it: its address, its API, its ledger."""

import atexit
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from adserver.storage.audit import as_json, audit
from tests.shared_data import PROJECT

PATIENCE_SECONDS = 10.0


class RunningDemo:
    """`adserver demo --port 0 --json` on a data folder; an empty one becomes a copy of one that was begun before."""

    def __init__(self, folder: Path, *, anew: bool = False) -> None:
        self.folder = folder
        if not anew and not any(folder.iterdir()):
            shutil.copytree(_begun(), folder, ignore=shutil.ignore_patterns("*.sock"), dirs_exist_ok=True)
        command = [sys.executable, "-m", "adserver", "demo", "--port", "0", "--json", "--data", str(folder)]
        self._process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the demo ended before it was ready"
        self.told: dict[str, Any] = json.loads(line)
        self.url: str = self.told["base_url"]
        self.port = self.url.rsplit(":", 1)[1]
        key = {"Authorization": f"Bearer {self.told['operator_key']}"}
        # Nothing here is encrypted: without certificates to read, a client is there at once.
        self.api = httpx.Client(base_url=f"{self.url}/api/v1", headers=key, verify=False)

    def campaign(self, model: str) -> dict[str, Any]:
        return dict(self.api.get(f"/campaigns/{self.told['campaigns'][model]}").raise_for_status().json())

    def spent(self) -> dict[str, int]:
        """What each of the shop's campaigns was charged so far."""
        return {model: self.campaign(model)["spend_micros"] for model in self.told["campaigns"]}

    def audit(self) -> dict[str, Any]:
        """What `adserver audit` finds in the data folder, without a start of Python; fails unless all invariants hold."""
        found = as_json(audit(self.folder / "adserver.db"))
        assert found["clean"], found
        return found

    def close(self) -> int:
        self.api.close()
        self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(20)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return status


@cache
def _begun() -> Path:
    """The folder of a demo that has drawn its pictures, which takes seconds, and was ended."""
    folder = Path(tempfile.mkdtemp(prefix="demo-"))
    atexit.register(shutil.rmtree, folder)
    RunningDemo(folder, anew=True).close()
    return folder


def until(holds: Callable[[], bool]) -> None:
    """Wait for what happens beside us, such as an order being credited."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
