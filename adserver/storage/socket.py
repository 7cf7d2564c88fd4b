"""The way to a writer in another process: batches over a Unix socket, sent again until answered."""

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import msgspec

from adserver.domain.in_flight import NOTHING_EXPECTED, Expected, summed
from adserver.storage.newest import NewestChange
from adserver.storage.postbox import UNRECORDED, Finish, Postbox
from adserver.storage.under_way import News
from adserver.storage.writer import LocalWriter
from adserver.writes import Outcome, Write

log = logging.getLogger("adserver.writer")

PATIENCE_SECONDS = 5.0  # how long a batch waits for a writer that is being restarted
RETRY_SECONDS = 0.05
LISTEN_SECONDS = 0.1  # the longest that a process knows nothing of what the others do
LAST_SECONDS = 3.0  # how long a closing writer still serves those who are connected
SHORT_SECONDS = 0.5  # before a process that has no files or threads left tries again to let somebody in
MOST_BYTES_AT_ONCE = 65_536  # from the event loop: well below what the socket takes without waiting
_HEAD = 4


class Batch(msgspec.Struct, array_like=True):
    """`resent` when an earlier sending was not answered: it may have been committed.

    `waiting` is what its sender keeps for the batches after it.
    """

    resent: bool
    writes: list[Write]
    waiting: int


class Answer(msgspec.Struct, array_like=True):
    """The outcomes, and the news; `in_flight` holds the campaigns that changed since the last answer."""

    sequence: int
    outcomes: list[Outcome]
    records: bool
    in_flight: dict[int, Expected]
    waiting: int  # for the disk, in all processes


_encode = msgspec.msgpack.Encoder().encode
_decode_batch = msgspec.msgpack.Decoder(Batch).decode
_decode_answer = msgspec.msgpack.Decoder(Answer).decode


def _framed(message: Batch | Answer) -> bytes:
    body = _encode(message)
    return len(body).to_bytes(_HEAD, "big") + body


def _receive(connection: socket.socket, arrived: bytes = b"") -> bytes:
    """One frame, of which some may have arrived; ConnectionError when the other side is gone."""
    head = _exactly(connection, _HEAD, arrived[:_HEAD])
    return _exactly(connection, int.from_bytes(head, "big"), arrived[_HEAD:])


def _exactly(connection: socket.socket, size: int, arrived: bytes) -> bytes:
    parts = bytearray(arrived)
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
        self._waiting: dict[int, int] = {}  # of each connection's sender
        self._closing = False
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        path.chmod(0o600)
        self._listener.listen()
        threading.Thread(target=self._accept, name="writer socket", daemon=True).start()

    def close(self) -> None:
        """Take no new connections; whoever is connected may finish first: all may end at the same time."""
        self._closing = True
        _hang_up(self._listener)
        self._listener.close()
        deadline = time.monotonic() + LAST_SECONDS
        for thread in self._serving:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _accept(self) -> None:
        """Until we close: a process that is short of files or threads now may have some in a while."""
        while not self._closing:
            try:
                self._let_in(self._listener.accept()[0])
            except (OSError, RuntimeError) as error:
                if not self._closing:
                    log.error("nobody new can be let in to write: %s", error)
                    time.sleep(SHORT_SECONDS)

    def _let_in(self, connection: socket.socket) -> None:
        thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
        try:
            thread.start()
        except RuntimeError:
            connection.close()  # it will ask again
            raise
        self._serving = [*(known for known in self._serving if known.is_alive()), thread]

    def _serve(self, connection: socket.socket) -> None:
        number = connection.fileno()
        with connection, self._writer.listening() as news:
            try:
                while True:
                    batch = _decode_batch(_receive(connection))
                    self._waiting[number] = batch.waiting
                    self._writer.post_all(batch.writes, batch.resent, partial(self._answer, connection, news))
            except (ConnectionError, OSError):
                return  # the worker is gone; what it sent is committed, and will be sent again
            finally:
                self._waiting.pop(number, None)

    def _answer(self, connection: socket.socket, news: News, outcomes: list[Outcome]) -> None:
        """By the thread that has committed the batch: the one that reads is spared the way there and back.

        An empty batch reaches no disk: it only asks for the news. The sequence is read last: whoever hears of
        money that is no longer under way must hear, too, that there are charges to look at.
        """
        told = news()
        waiting = self._writer.waiting + sum(list(self._waiting.values()))
        answer = Answer(self._writer.sequence, outcomes, self._writer.records, told, waiting)
        frame = _framed(answer)
        try:
            sent = connection.send(frame, socket.MSG_DONTWAIT)
            if sent < len(frame):  # a worker that is slow to read much holds nobody else up
                threading.Thread(target=_send_rest, args=(connection, frame[sent:]), daemon=True).start()
        except (OSError, RuntimeError):  # the worker is gone, or sends its batch again: it is not answered
            _hang_up(connection)


def _send_rest(connection: socket.socket, rest: bytes) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(rest)


def _hang_up(connection: socket.socket) -> None:
    """So that whoever reads from it, on either side, sees its end."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class RemoteWriter:
    """A worker's or command's end: one batch in flight, resent after the writer is back.

    A worker with nothing to write asks all the same, so that it hears of a full disk, of changes and of
    other workers' ads in time.
    """

    def __init__(self, path: Path, newest: NewestChange | None = None) -> None:
        self._path = path
        self._newest = newest or NewestChange()
        self._connection: socket.socket | None = None
        self._told_sequence = 0
        self.records = True
        self.waiting = 0
        self._in_flight: dict[int, Expected] = {}
        self._in_flight_of: dict[int, Expected] = {}  # by advertiser
        self._away_since: float | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked: list[Write] | None = None  # on the loop: what is not answered yet
        self._arrived = bytearray()  # of its answer
        self._postbox = Postbox(self._deliver, "postbox", LISTEN_SECONDS, self._begin)
        self.submit = self._postbox.submit
        self.commit = self._postbox.commit
        self.commit_many = self._postbox.commit_many

    @property
    def sequence(self) -> int:
        """By its own answers, and at once where it was forked beside the writer."""
        return max(self._told_sequence, self._newest.number)

    def in_flight(self, campaign_key: int) -> Expected | None:
        return self._in_flight.get(campaign_key)

    def under_way(self, campaign_keys: Sequence[int]) -> Mapping[int, Expected]:
        return self._in_flight  # all that was told: no less than what is asked

    def most_under_way(self, advertiser_key: int) -> Expected:
        return self._in_flight_of.get(advertiser_key, NOTHING_EXPECTED)

    def on_loop(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """On which loop, from now on; called on it, as is None when it ends.

        The answer that it waits for is the thread's to hear: what was sent is with a writer that lives.
        """
        connection, asked, arrived = self._connection, self._asked, bytes(self._arrived)
        if connection is not None and asked is not None:
            self._forget_asked(connection)
            self._postbox.hand_over(partial(self._hear_for_loop, connection, asked, arrived))
        self._loop = loop
        self._postbox.on_loop(loop)

    def close(self) -> None:
        self._postbox.close()
        if self._connection is not None:
            self._connection.close()

    # ---- on the event loop: a batch goes and its answer comes without a thread ----

    def _begin(self, writes: list[Write], resent: bool) -> Finish | None:
        """Send a batch, where that can be done at once: anything else is left to the thread."""
        connection, loop = self._connection, self._loop
        frame = _framed(Batch(resent, writes, self._postbox.waiting))
        if connection is None or loop is None or len(frame) > MOST_BYTES_AT_ONCE:
            return partial(self._deliver, writes, resent)
        try:
            sent = connection.send(frame, socket.MSG_DONTWAIT)
        except OSError:
            sent = 0
        if sent < len(frame):
            self._hang_up()
            return partial(self._deliver, writes, True)
        self._asked = writes
        loop.add_reader(connection, self._read, connection)
        return None

    def _read(self, connection: socket.socket) -> None:
        try:
            part = connection.recv(MOST_BYTES_AT_ONCE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        self._arrived += part
        end = _HEAD + int.from_bytes(self._arrived[:_HEAD], "big")
        if not part and self._asked is not None:
            self._leave_to_thread(self._asked)
        elif len(self._arrived) >= max(end, _HEAD + 1):
            try:
                answer = _decode_answer(self._arrived[_HEAD:])
            except msgspec.DecodeError:  # of a writer of another version: it is asked again, aloud
                self._leave_to_thread(self._asked or [])
                return
            self._forget_asked(connection)
            self._hear(answer)
            self._postbox.arrived(answer.outcomes)

    def _leave_to_thread(self, writes: list[Write]) -> None:
        """It sends again what was not answered; it may have been committed."""
        if self._connection is not None:
            self._forget_asked(self._connection)
        self._hang_up()
        self._postbox.hand_over(partial(self._deliver, writes, True))

    def _forget_asked(self, connection: socket.socket) -> None:
        self._asked, self._arrived = None, bytearray()
        if self._loop is not None:
            self._loop.remove_reader(connection)

    # ---- on the postbox's thread ----

    def _deliver(self, writes: list[Write], resent: bool = False) -> list[Outcome]:
        """The outcomes, or UNRECORDED for all when no writer answered in time.

        The time counts from when the writer went away: what is tried later does not wait all over again.
        A question for the news is asked once: the next comes soon, and no write waits behind it.
        """
        while True:
            try:
                return self._exchange(Batch(resent, writes, self._postbox.waiting))
            except OSError:
                self._hang_up()
                resent = True
            if self._is_out_of_patience() or not writes:
                return [UNRECORDED] * len(writes)
            time.sleep(RETRY_SECONDS)

    def _is_out_of_patience(self) -> bool:
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
            log.warning("the writer is away; what is written waits for it %s seconds", PATIENCE_SECONDS)
        return now - self._away_since > PATIENCE_SECONDS

    def _exchange(self, batch: Batch) -> list[Outcome]:
        connection = self._connection or self._connect()
        connection.setblocking(True)  # uvloop takes that from whatever it watches
        connection.sendall(_framed(batch))
        return self._answered(connection)

    def _hear_for_loop(self, connection: socket.socket, writes: list[Write], arrived: bytes) -> list[Outcome]:
        """The answer to what the loop has sent, which left before all of that arrived."""
        try:
            connection.setblocking(True)
            return self._answered(connection, arrived)
        except OSError:
            self._hang_up()
            return self._deliver(writes, True)

    def _answered(self, connection: socket.socket, arrived: bytes = b"") -> list[Outcome]:
        answer = _decode_answer(_receive(connection, arrived))
        self._hear(answer)
        return answer.outcomes

    def _hear(self, answer: Answer) -> None:
        self._told_sequence = max(self._told_sequence, answer.sequence)
        # After the sequence, as a decision reads them the other way.
        self._in_flight_of.update(summed(self._in_flight_of, self._in_flight, answer.in_flight))
        self._in_flight.update(answer.in_flight)
        self.records = answer.records
        self.waiting = answer.waiting
        self._away_since = None

    def _connect(self) -> socket.socket:
        """To a writer that tells all it knows; what another told before is no longer so."""
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(self._path))
        except OSError:
            connection.close()
            raise
        self._connection, self._in_flight, self._in_flight_of = connection, {}, {}
        return connection

    def _hang_up(self) -> None:
        self.records = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None
