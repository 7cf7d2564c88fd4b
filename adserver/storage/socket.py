"""The way to a writer in another process: batches over a Unix socket, sent again until answered."""

import contextlib
import logging
import socket
import threading
import time
from pathlib import Path

import msgspec

from adserver.storage.writer import UNRECORDED, LocalWriter, Postbox
from adserver.writes import Outcome, Write

log = logging.getLogger("adserver.writer")

PATIENCE_SECONDS = 5.0  # how long a batch waits for a writer that is being restarted
RETRY_SECONDS = 0.05
LAST_SECONDS = 3.0  # how long a closing writer still serves those who are connected
_HEAD = 4


class Batch(msgspec.Struct, array_like=True):
    """`resent` when an earlier sending was not answered: it may have been committed."""

    resent: bool
    writes: list[Write]


class Answer(msgspec.Struct, array_like=True):
    sequence: int
    outcomes: list[Outcome]
    records: bool


_encode = msgspec.msgpack.Encoder().encode
_decode_batch = msgspec.msgpack.Decoder(Batch).decode
_decode_answer = msgspec.msgpack.Decoder(Answer).decode


def _send(connection: socket.socket, body: bytes) -> None:
    connection.sendall(len(body).to_bytes(_HEAD, "big") + body)


def _receive(connection: socket.socket) -> bytes:
    """One frame; ConnectionError when the other side is gone."""
    length = int.from_bytes(_exactly(connection, _HEAD), "big")
    return _exactly(connection, length)


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            raise ConnectionError("the other side closed the socket")
        parts += part
    return bytes(parts)


class WriterSocket:
    """Lets other processes write through our LocalWriter, which merges all their batches into its own."""

    def __init__(self, writer: LocalWriter, path: Path) -> None:
        self._writer = writer
        self._serving: list[threading.Thread] = []
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen()
        threading.Thread(target=self._accept, name="writer socket", daemon=True).start()

    def close(self) -> None:
        """Take no new connections; whoever is connected may finish first: all may end at the same time."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        deadline = time.monotonic() + LAST_SECONDS
        for thread in self._serving:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            thread.start()
            self._serving = [*(known for known in self._serving if known.is_alive()), thread]

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while True:
                    batch = _decode_batch(_receive(connection))
                    outcomes = self._writer.commit_all(batch.writes, batch.resent)
                    _send(connection, _encode(Answer(self._writer.sequence, outcomes, self._writer.records)))
            except (ConnectionError, OSError):
                return  # the worker is gone; what it sent is committed, and will be sent again


class RemoteWriter:
    """A worker's or command's end: one batch in flight, resent after the writer is back."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: socket.socket | None = None
        self.sequence = 0
        self.records = True
        self._away_since: float | None = None
        self._postbox = Postbox(self._deliver, "postbox")
        self.submit = self._postbox.submit
        self.commit = self._postbox.commit
        self.on_loop = self._postbox.on_loop

    def close(self) -> None:
        self._postbox.close()
        if self._connection is not None:
            self._connection.close()

    def _deliver(self, writes: list[Write], _resent: bool = False) -> list[Outcome]:
        """The outcomes, or UNRECORDED for all when no writer answered in time.

        The time counts from when the writer went away: what is tried later does not wait all over again.
        """
        resent = False
        while True:
            try:
                return self._exchange(Batch(resent, writes))
            except OSError:
                self._hang_up()
                resent = True
            if self._is_out_of_patience():
                return [UNRECORDED] * len(writes)
            time.sleep(RETRY_SECONDS)

    def _is_out_of_patience(self) -> bool:
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
            log.warning("the writer is away; what is written waits for it %s seconds", PATIENCE_SECONDS)
        return now - self._away_since > PATIENCE_SECONDS

    def _exchange(self, batch: Batch) -> list[Outcome]:
        if self._connection is None:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(str(self._path))
            self._connection = connection
        _send(self._connection, _encode(batch))
        answer = _decode_answer(_receive(self._connection))
        self.sequence = max(self.sequence, answer.sequence)
        self.records = answer.records
        self._away_since = None
        return answer.outcomes

    def _hang_up(self) -> None:
        self.records = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None
