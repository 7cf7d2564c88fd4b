"""Untrusted pictures are decoded, and GIF frames drawn, in child processes that may crash or hang alone.

Each child is a fresh interpreter (no fork of a threaded process) with hardly any environment, a limit on its
memory, no right to write files or start processes, and an alarm that ends it even inside a decoder. A sealed
one opens no file and no connection either. The parent speaks with it over a socket pair, one question at a
time: a length, then MessagePack.
"""

import os
import queue
import resource
import signal
import socket
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import msgspec
import PIL
from PIL import Image, MpoImagePlugin, TiffImagePlugin

from adserver.ports import FrameNotDrawn
from creatives.assets import FontUnreadable, fonts_in, own_families, sources
from creatives.card import Card, Look
from creatives.fonts import missing_scripts, uncovered, use_fonts
from creatives.formats import Format
from creatives.gif import draw_frame, message_frame
from creatives.lettering import ScriptNotCovered
from creatives.pictures import (
    FORMATS,
    PictureRejection,
    Thumbnail,
    complete_thumbnail,
    content_hash,
    make_thumbnail,
)

CHILD_MEMORY_BYTES = 1_000_000_000
CHILD_OPEN_FILES = 64
TIMEOUT_SECONDS = 5.0
START_SECONDS = 20.0
MOST_ANSWER_BYTES = 4_000_000
QUESTIONS_OF_A_CHILD = 1_000  # then another takes its place, without what it may have leaked
SEALED = "sealed"
_PLUGINS_READ_LATE = (MpoImagePlugin, TiffImagePlugin)  # by Pillow, where a JPEG is of several or has EXIF
_LENGTH_BYTES = 8
_CHILD_ARGUMENTS = ("-m", "adserver.outside.pictures")


class _MakeThumbnail(msgspec.Struct, tag="thumbnail"):
    data: bytes


class _Complete(msgspec.Struct, tag="complete"):
    data: bytes


class _DrawFrame(msgspec.Struct, tag="frame"):
    card: Card | None  # None: the look's message
    look: Look
    format_: Format
    picture: bytes | None


class _FindUncovered(msgspec.Struct, tag="find_uncovered"):
    texts: tuple[str, ...]


class _Uncovered(msgspec.Struct, tag="uncovered"):
    letters: list[str]


class _Frame(msgspec.Struct, tag="drawn"):
    data: bytes


class _Made(msgspec.Struct, tag="made"):
    thumbnail: Thumbnail


class _Refused(msgspec.Struct, tag="refused"):
    rejection: PictureRejection
    detail: str = ""


_Question = _MakeThumbnail | _Complete | _DrawFrame | _FindUncovered
_Answer = _Made | _Frame | _Uncovered | _Refused


class PictureDecoder:
    """A small pool of child processes. Its methods block: call them from threads, as many as you like.

    `sealed` ones are for untrusted pictures, and cannot draw: that takes fonts. `nice`: others go first.
    """

    def __init__(
        self,
        children: int = 2,
        timeout_seconds: float = TIMEOUT_SECONDS,
        memory_bytes: int = CHILD_MEMORY_BYTES,
        fonts: Path | None = None,
        *,
        sealed: bool = False,
        nice: int = 0,
    ) -> None:
        """`fonts` is the operator's folder of them."""
        self._fonts = fonts
        self._sealed = sealed
        self._nice = nice
        self._timeout_seconds = timeout_seconds
        self._memory_bytes = memory_bytes
        # An empty place stands for a child that is started when it is first needed.
        self._places: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        for _ in range(children):
            self._places.put(None)
        self._children = children

    def thumbnail(self, data: bytes) -> Thumbnail | PictureRejection:
        """A merchant's picture as our own."""
        return self._made(_MakeThumbnail(data))

    def complete(self, data: bytes) -> Thumbnail | PictureRejection:
        """A full JPEG of ours as it is, with the renditions that it lacks."""
        return self._made(_Complete(data))

    def _made(self, question: _Question) -> Thumbnail | PictureRejection:
        answer = self._ask(question)
        if isinstance(answer, _Made):
            # A picture may have taken its child over: what it then says is not believed.
            forged = answer.thumbnail.hash != content_hash(answer.thumbnail.data)
            return PictureRejection.DECODER_DIED if forged else answer.thumbnail
        return answer.rejection if isinstance(answer, _Refused) else PictureRejection.DECODER_DIED

    def frame(self, card: Card, look: Look, format_: Format, picture: bytes | None) -> bytes:
        """One encoded GIF frame of `card`, or FrameNotDrawn."""
        return self._drawn(_DrawFrame(card, look, format_, picture))

    def message_frame(self, look: Look, format_: Format, picture: bytes | None) -> bytes:
        """One encoded GIF frame of the look's message, or FrameNotDrawn."""
        return self._drawn(_DrawFrame(None, look, format_, picture))

    def uncovered(self, texts: tuple[str, ...]) -> list[str]:
        """Of each text the letters that no font draws, or FrameNotDrawn: the fonts are the children's."""
        answer = self._ask(_FindUncovered(texts))
        if isinstance(answer, _Uncovered):
            return answer.letters
        raise _not_drawn(answer)

    def close(self) -> None:
        """Ends the children; waits for questions under way, at most as long as those may last."""
        for _ in range(self._children):
            child = self._places.get()
            if child is not None:
                child.end()

    def _drawn(self, question: _DrawFrame) -> bytes:
        answer = self._ask(question)
        if isinstance(answer, _Frame):
            return answer.data
        raise _not_drawn(answer)

    def _ask(self, question: _Question) -> _Answer:
        child = self._places.get()
        kept = None
        try:
            if child is None or not child.is_alive():
                _end(child)
                child = self._started()
            answer = child.ask(question)
            kept = child if child.questions < QUESTIONS_OF_A_CHILD else None
            return answer
        except TimeoutError:
            return _Refused(PictureRejection.DECODER_TOO_SLOW)
        except (OSError, EOFError, msgspec.MsgspecError):
            return _Refused(PictureRejection.DECODER_DIED)
        finally:
            if kept is None:  # an answer may still be on its way: do not listen to it again
                _end(child)
            self._places.put(kept)

    def _started(self) -> "_Child":
        child = _Child(self._timeout_seconds, self._memory_bytes, self._fonts, sealed=self._sealed)
        if self._nice:
            with suppress(ProcessLookupError):  # it is asked next, and its death told then
                os.setpriority(os.PRIO_PROCESS, child.pid, self._nice)
        return child


class _Child:
    """One child process, seen from the parent."""

    def __init__(
        self, timeout_seconds: float, memory_bytes: int, fonts: Path | None, *, sealed: bool
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self.questions = 0
        ours, theirs = socket.socketpair()
        limits = [
            str(theirs.fileno()),
            str(memory_bytes),
            str(timeout_seconds),
            str(fonts or ""),
            SEALED if sealed else "",
        ]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, *_CHILD_ARGUMENTS, *limits],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                # No secrets of ours in there: only where to find our code.
                env={"PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)},
            )
        self._socket = ours
        self.pid = self._process.pid
        # Starting takes longer than a picture, above all on a busy machine: it has a clock of its own.
        try:
            _receive(ours, time.monotonic() + timeout_seconds + START_SECONDS)
        except BaseException:
            self.end()
            raise

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, question: _Question) -> _Answer:
        self.questions += 1
        deadline_seconds = time.monotonic() + self._timeout_seconds
        _send(self._socket, msgspec.msgpack.encode(question), deadline_seconds)
        answer: _Answer = msgspec.msgpack.decode(_receive(self._socket, deadline_seconds), type=_Answer)
        return answer

    def end(self) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()


def _not_drawn(answer: _Answer) -> FrameNotDrawn:
    return FrameNotDrawn(f"{answer.rejection} {answer.detail}" if isinstance(answer, _Refused) else "")


def _end(child: "_Child | None") -> None:
    if child is not None:
        child.end()


def _send(connection: socket.socket, data: bytes, deadline_seconds: float | None) -> None:
    _limit(connection, deadline_seconds)
    connection.sendall(len(data).to_bytes(_LENGTH_BYTES, "big") + data)


def _receive(connection: socket.socket, deadline_seconds: float | None) -> bytes:
    length = int.from_bytes(_exactly(connection, _LENGTH_BYTES, deadline_seconds), "big")
    if deadline_seconds is not None and length > MOST_ANSWER_BYTES:
        raise EOFError
    return _exactly(connection, length, deadline_seconds)


def _exactly(connection: socket.socket, length: int, deadline_seconds: float | None) -> bytes:
    received = bytearray()
    while len(received) < length:
        _limit(connection, deadline_seconds)
        piece = connection.recv(min(length - len(received), 1 << 20))
        if not piece:
            raise EOFError
        received += piece
    return bytes(received)


def _limit(connection: socket.socket, deadline_seconds: float | None) -> None:
    """The rest of the time until the deadline; never zero, which would mean not to wait at all."""
    if deadline_seconds is None:
        connection.settimeout(None)
    else:
        connection.settimeout(max(0.001, deadline_seconds - time.monotonic()))


class FontsFound(NamedTuple):
    """What a child will draw with: the scripts that no font has, and files that are no fonts."""

    missing: tuple[str, ...]
    unreadable: tuple[str, ...]


def look_for_fonts(fonts: Path | None) -> FontsFound:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", FontUnreadable)
        use_fonts(fonts_in(str(fonts) if fonts else None))
    unreadable = [str(one.message).split(" is no font")[0] for one in told]
    return FontsFound(tuple(missing_scripts()), tuple(unreadable))


def edition_of(fonts: Path | None) -> str:
    """Changes whenever a frame of the same card may look otherwise: with our code, Pillow, and any font."""
    known = blake2b(sources(), digest_size=8)
    known.update(PIL.__version__.encode())
    for family in own_families():
        known.update(str(Path(family.regular.path).stat().st_size).encode())
    for path in fonts_in(str(fonts) if fonts else None):
        known.update(f"{path}:{Path(path).stat().st_size}".encode())
    return known.hexdigest()


# --- in the child ----------------------------------------------------------------------------------------


def _answer(question: _Question) -> _Answer:
    if isinstance(question, _MakeThumbnail):
        return _named(make_thumbnail(question.data))
    if isinstance(question, _Complete):
        return _named(complete_thumbnail(question.data))
    if isinstance(question, _FindUncovered):
        return _Uncovered([uncovered(text) for text in question.texts])
    if question.card is None:
        return _Frame(message_frame(question.look, question.format_, question.picture))
    return _Frame(draw_frame(question.card, question.look, question.format_, question.picture))


def _named(made: Thumbnail | PictureRejection) -> _Answer:
    return _Made(made) if isinstance(made, Thumbnail) else _Refused(made)


def _answer_or_refusal(question: _Question) -> _Answer:
    try:
        return _answer(question)
    except MemoryError:
        return _Refused(PictureRejection.DECODER_DIED, "out of memory")
    except Exception as problem:  # whatever a decoder or a drawing raises is the parent's to name
        return _Refused(PictureRejection.DAMAGED, f"{type(problem).__name__}: {problem}"[:200])


def _as_line(message: Warning | str, *_: object, **__: object) -> str:
    return f"adserver: image creatives: {message}\n"


def _confine(memory_bytes: int) -> None:
    for limit, amount in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_NOFILE, CHILD_OPEN_FILES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),  # nor threads; the kernel lets root have both
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (amount, amount))


def _seal() -> None:
    """From now on no file and no connection is opened: what Pillow reads when first needed is read before."""
    exif = Image.Exif()
    exif[0x0112] = 6
    for format_ in FORMATS:
        sample = BytesIO()
        Image.new("RGB", (64, 64), "navy").save(
            sample, format_, **({} if format_ == "GIF" else {"exif": exif})
        )
        made = make_thumbnail(sample.getvalue())
        if not isinstance(made, Thumbnail):
            raise RuntimeError(f"{format_} cannot be read here: {made}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def child(
    descriptor: int, memory_bytes: int, timeout_seconds: float, fonts: str = "", sealed: str = ""
) -> None:
    """Answers questions until the parent is gone; `fonts` is the operator's folder."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us, not a Ctrl-C meant for it
    warnings.simplefilter("ignore")
    # Once per script and file, on the server's own stderr.
    warnings.formatwarning = _as_line
    for named in (ScriptNotCovered, FontUnreadable):
        warnings.simplefilter("default", named)
    use_fonts(fonts_in(fonts))
    _confine(memory_bytes)
    if sealed:
        _seal()
    connection = socket.socket(fileno=descriptor)
    with suppress(OSError, EOFError):
        _send(connection, b"ready", None)
        while True:
            question = msgspec.msgpack.decode(_receive(connection, None), type=_Question)
            # Kept in its default action, SIGALRM ends us even while a decoder in C never returns.
            signal.setitimer(signal.ITIMER_REAL, timeout_seconds + 1)
            answer = _answer_or_refusal(question)
            signal.setitimer(signal.ITIMER_REAL, 0)
            _send(connection, msgspec.msgpack.encode(answer), None)


if __name__ == "__main__":
    child(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), *sys.argv[4:])
