"""The receiver that the documentation shows advertisers, run as it is printed there."""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.shared_data import PROJECT
from tests.simulation.running_server import free_port, wait_until

_PROGRAM = re.compile(r"```python\n(.*?)```", re.DOTALL)


class Receiver:
    """An advertiser's own server; what it took is on its disk before it answers."""

    def __init__(self, folder: Path) -> None:
        (self._program,) = _PROGRAM.findall((PROJECT / "docs" / "webhooks.md").read_text())
        self._taken = folder / "taken.jsonl"
        self._log = folder / "receiver.log"
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}/notices"

    def start(self, secret: str) -> None:
        """Start it, and wait until it takes connections."""
        command = [sys.executable, "-c", self._program, str(self._port), secret]
        with self._taken.open("ab") as taken, self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=taken, stderr=log)
        wait_until(self._listens, "the receiver listens")

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            socket.create_connection(("127.0.0.1", self._port), timeout=5).close()
        except ConnectionRefusedError:
            return False
        return True

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def taken(self) -> list[dict[str, Any]]:
        """Every notice that it took, in the order of arrival."""
        return [json.loads(line) for line in self._taken.read_text().splitlines()]
