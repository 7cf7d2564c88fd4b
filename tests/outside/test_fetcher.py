"""A fetch ends in time and within its size, and never reaches where it must not."""

import gzip
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from adserver.domain.fetching import Download
from adserver.outside import fetcher as fetcher_module
from adserver.outside.fetcher import HttpFetcher, resolve_host
from adserver.ports import FetchRefused

Answer = Callable[[socket.socket, str], None]


@contextmanager
def serving(answer: Answer, host: str = "127.0.0.1") -> Iterator[int]:
    """A server that hands each connection and its request's head to `answer`; its port."""
    listener = socket.create_server((host, 0))
    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=speak, args=(connection,)))
            threads[-1].start()

    def speak(connection: socket.socket) -> None:
        connection.settimeout(5)
        with connection:
            try:
                answer(connection, connection.recv(65_536).decode("latin-1"))
            except OSError:
                return  # the fetcher went away, which is often the point

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in [accepting, *threads]:
            thread.join()


def page(body: bytes, status: str = "200 OK", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def fixed(answer: bytes) -> Answer:
    return lambda connection, _: connection.sendall(answer)


def redirect(to: str) -> bytes:
    return page(b"", "302 Found", f"Location: {to}\r\n")


def refusal_of(fetcher: HttpFetcher, url: str, most_bytes: int = 1000) -> str:
    with pytest.raises(FetchRefused) as raised:
        fetcher.fetch(url, most_bytes)
    return str(raised.value)


LOCAL = HttpFetcher(allow_private=True)
GUARDED = HttpFetcher()


def test_a_body_is_fetched_whole_or_into_a_file() -> None:
    with serving(fixed(page(b"hello"))) as port:
        assert LOCAL.fetch(f"http://127.0.0.1:{port}/a", 1000) == b"hello"
        file = io.BytesIO()
        assert LOCAL.download(f"http://127.0.0.1:{port}/a", 1000, file) == Download(5)
        assert file.getvalue() == b"hello"


def test_the_host_is_asked_for_by_name_at_the_address_that_was_checked() -> None:
    heads: list[str] = []

    def answer(connection: socket.socket, head: str) -> None:
        heads.append(head)
        connection.sendall(page(b"x"))

    fetcher = HttpFetcher(allow_private=True, resolve=lambda host, port: ["127.0.0.1"])
    with serving(answer) as port:
        fetcher.fetch(f"http://Shop.Example:{port}/a?b=1", 1000)
    assert f"\r\nHost: shop.example:{port}\r\n" in heads[0]
    assert heads[0].startswith("GET /a?b=1 HTTP/1.1\r\n")


def test_tls_is_asked_for_by_name_too() -> None:
    hellos: list[str] = []
    fetcher = HttpFetcher(allow_private=True, resolve=lambda host, port: ["127.0.0.1"])
    with serving(lambda _, hello: hellos.append(hello)) as port:
        assert refusal_of(fetcher, f"https://shop.example:{port}/") == "unreachable"
    assert "shop.example" in hellos[0]


def test_another_address_of_the_host_is_tried() -> None:
    fetcher = HttpFetcher(allow_private=True, resolve=lambda host, port: ["127.0.0.9", "127.0.0.1"])
    with serving(fixed(page(b"x"))) as port:
        assert fetcher.fetch(f"http://shop.example:{port}/", 1000) == b"x"


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://0x7f000001/",
        "http://2130706433/",
        "http://0/",
        "http://localhost/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "https://10.0.0.1/",
    ],
)
def test_an_address_inside_is_refused_before_anything_is_sent(url: str) -> None:
    assert refusal_of(GUARDED, url) == "address_not_allowed"


def test_one_address_inside_among_others_refuses_the_host() -> None:
    fetcher = HttpFetcher(resolve=lambda host, port: ["93.184.216.34", "10.0.0.1"])
    assert refusal_of(fetcher, "http://shop.example/") == "address_not_allowed"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/passwd", "scheme_not_allowed"),
        ("gopher://127.0.0.1/", "scheme_not_allowed"),
        ("//shop.example/", "scheme_not_allowed"),
        ("", "scheme_not_allowed"),
        ("http://", "bad_address"),
        ("http://shop.example:6379/", "port_not_allowed"),
        ("http://127.0.0.1:6379/", "port_not_allowed"),
        ("http://[::1/", "bad_address"),
        ("http://a\x00b/", "bad_address"),
        ("http://shop.example:x/", "bad_address"),
    ],
)
def test_what_is_no_public_web_address_is_refused(url: str, reason: str) -> None:
    fetcher = HttpFetcher(resolve=lambda host, port: ["93.184.216.34"])
    assert refusal_of(fetcher, url) == reason


def test_an_unknown_host_is_unreachable() -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "no such host")

    assert refusal_of(HttpFetcher(resolve=resolve), "http://shop.example/") == "unreachable"


@pytest.fixture
def public_loopback(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let 127.0.0.1 and one port stand for the open internet; 127.0.0.2 stays inside."""

    def allow(port: int) -> None:
        monkeypatch.setattr(fetcher_module, "is_public", lambda address: address == "127.0.0.1")
        monkeypatch.setattr(fetcher_module, "_PORTS", (80, 443, port))

    return allow


def test_a_redirect_to_the_inside_is_refused(public_loopback: Callable[[int], None]) -> None:
    for inside in ("http://127.0.0.2/", "//127.0.0.2/", "file:///etc/passwd", "http://127.0.0.1:6379/"):
        with serving(fixed(redirect(inside))) as port:
            public_loopback(port)
            assert refusal_of(GUARDED, f"http://127.0.0.1:{port}/").endswith("_not_allowed")


def test_a_name_that_flips_is_asked_once_and_never_reached_inside(
    public_loopback: Callable[[int], None],
) -> None:
    answers = [["127.0.0.1"], ["127.0.0.2"]]
    flipping = HttpFetcher(resolve=lambda host, port: answers.pop(0))
    with serving(fixed(page(b"outside"))) as port:
        public_loopback(port)
        assert flipping.fetch(f"http://flip.test:{port}/", 1000) == b"outside"
    assert answers == [["127.0.0.2"]]


def test_a_name_that_flips_between_redirects_is_refused(public_loopback: Callable[[int], None]) -> None:
    answers = [["127.0.0.1"], ["127.0.0.2"]]
    flipping = HttpFetcher(resolve=lambda host, port: answers.pop(0))
    with serving(fixed(redirect("/again"))) as port:
        public_loopback(port)
        assert refusal_of(flipping, f"http://flip.test:{port}/") == "address_not_allowed"


def test_three_redirects_are_followed_and_no_fourth() -> None:
    def answer(connection: socket.socket, head: str) -> None:
        left = int(head.split()[1][1:])
        connection.sendall(page(b"there") if not left else redirect(f"/{left - 1}"))

    with serving(answer) as port:
        assert LOCAL.fetch(f"http://127.0.0.1:{port}/3", 1000) == b"there"
        assert refusal_of(LOCAL, f"http://127.0.0.1:{port}/4") == "too_many_redirects"


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oops", "304 Not Modified", "206 Partial Content"])
def test_any_status_but_ok_is_refused_by_number(status: str) -> None:
    with serving(fixed(page(b"x", status))) as port:
        assert refusal_of(LOCAL, f"http://127.0.0.1:{port}/") == f"status_{status[:3]}"


def test_a_closed_port_and_a_broken_answer_are_both_unreachable() -> None:
    with serving(fixed(b"not http at all\r\n\r\n")) as port:
        assert refusal_of(LOCAL, f"http://127.0.0.1:{port}/") == "unreachable"
    assert refusal_of(LOCAL, f"http://127.0.0.1:{port}/") == "unreachable"


def test_a_body_that_breaks_off_is_refused() -> None:
    with serving(fixed(page(b"x" * 100)[:-10])) as port:
        assert refusal_of(LOCAL, f"http://127.0.0.1:{port}/") == "unreachable"


def test_a_body_above_the_cap_is_refused_early() -> None:
    sent = 0

    def endless(connection: socket.socket, _: str) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            sent += connection.send(b"10000\r\n" + b"x" * 65_536 + b"\r\n")

    with serving(endless) as port:
        assert refusal_of(LOCAL, f"http://127.0.0.1:{port}/", 1_000_000) == "too_large"
    assert sent < 30_000_000  # what the sockets' buffers take


def test_a_compressed_body_is_capped_by_what_it_becomes() -> None:
    headers = "Content-Encoding: gzip\r\n"
    with serving(fixed(page(gzip.compress(b"plain " * 100), headers=headers))) as port:
        assert LOCAL.fetch(f"http://127.0.0.1:{port}/", 1000) == b"plain " * 100
        assert refusal_of(LOCAL, f"http://127.0.0.1:{port}/", 500) == "too_large"
    bomb = page(gzip.compress(b"\0" * 100_000_000), headers=headers)
    with serving(fixed(bomb)) as port:
        assert refusal_of(LOCAL, f"http://127.0.0.1:{port}/", 10_000_000_000) == "too_large"


@pytest.mark.parametrize(
    ("coding", "body", "reason"),
    [
        ("br", b"x", "encoding_not_known"),
        ("gzip, gzip", b"x", "encoding_not_known"),
        ("gzip", b"not gzip", "encoding_damaged"),
        ("gzip", gzip.compress(b"x" * 100, mtime=0)[:-9], "encoding_damaged"),
    ],
)
def test_a_body_in_a_bad_encoding_is_refused(coding: str, body: bytes, reason: str) -> None:
    with serving(fixed(page(body, headers=f"Content-Encoding: {coding}\r\n"))) as port:
        assert refusal_of(LOCAL, f"http://127.0.0.1:{port}/") == reason


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX-A: "]
)
def test_a_server_that_drips_is_left_at_the_deadline(head: bytes) -> None:
    def drip(connection: socket.socket, _: str) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(b"x")
            time.sleep(0.05)

    fetcher = HttpFetcher(allow_private=True, fetch_seconds=0.4)
    with serving(drip) as port:
        began = time.monotonic()
        assert refusal_of(fetcher, f"http://127.0.0.1:{port}/") == "timed_out"
    assert time.monotonic() - began < 2


def test_a_post_carries_its_body_and_headers_and_answers_the_status() -> None:
    heads: list[str] = []

    def answer(connection: socket.socket, head: str) -> None:
        while not head.endswith('{"a":1}'):
            head += connection.recv(65_536).decode("latin-1")
        heads.append(head)
        connection.sendall(page(b"x" * 100, "202 Accepted"))

    fetcher = HttpFetcher(allow_private=True, resolve=lambda host, port: ["127.0.0.1"])
    with serving(answer) as port:
        assert fetcher.post(f"http://shop.example:{port}/n?x=1", b'{"a":1}', {"X-Notice-Id": "n1"}) == 202
    (head,) = heads
    assert head.startswith("POST /n?x=1 HTTP/1.1\r\n")
    for line in (f"Host: shop.example:{port}", "X-Notice-Id: n1", "Content-Length: 7"):
        assert f"\r\n{line}\r\n" in head


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Again", "308 Moved", "404 No", "500 Oops"])
def test_a_post_is_answered_by_any_status_and_follows_no_redirect(status: str) -> None:
    asked: list[str] = []

    def answer(connection: socket.socket, head: str) -> None:
        asked.append(head)
        connection.sendall(page(b"", status, "Location: /elsewhere\r\n"))

    with serving(answer) as port:
        assert LOCAL.post(f"http://127.0.0.1:{port}/", b"{}", {}) == int(status[:3])
    assert len(asked) == 1


def test_a_post_reads_nothing_of_an_endless_answer() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    def endless(connection: socket.socket, _: str) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")

    with serving(endless) as port:
        assert LOCAL.post(f"http://127.0.0.1:{port}/", b"{}", {}) == 200


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1/", "address_not_allowed"),
        ("https://localhost/", "address_not_allowed"),
        ("https://169.254.169.254/latest/meta-data/", "address_not_allowed"),
        ("https://[::ffff:10.0.0.1]/", "address_not_allowed"),
        ("https://127.0.0.1:6379/", "port_not_allowed"),
        ("file:///etc/passwd", "scheme_not_allowed"),
        ("http://a\x00b/", "bad_address"),
    ],
)
def test_a_post_never_goes_inside_either(url: str, reason: str) -> None:
    with pytest.raises(FetchRefused, match=reason):
        GUARDED.post(url, b"{}", {})


def test_a_post_that_is_not_answered_is_left_at_its_deadline() -> None:
    hung_up = threading.Event()

    def mute(connection: socket.socket, _: str) -> None:
        connection.settimeout(30)
        while connection.recv(65_536):
            pass
        hung_up.set()

    fetcher = HttpFetcher(allow_private=True, post_seconds=0.3)
    with serving(mute) as port:
        with pytest.raises(FetchRefused, match="timed_out"):
            fetcher.post(f"http://127.0.0.1:{port}/", b"{}", {})
        assert hung_up.wait(30)


def test_a_name_that_is_not_answered_is_left_at_the_deadline_too() -> None:
    hanging, answered = threading.Event(), threading.Event()

    def resolve(host: str, port: int) -> list[str]:
        hanging.wait(30)
        answered.set()
        return ["127.0.0.1"]

    fetcher = HttpFetcher(post_seconds=0.2, resolve=resolve)
    with pytest.raises(FetchRefused, match="timed_out"):
        fetcher.post("https://shop.example/", b"{}", {})
    assert not answered.is_set()
    hanging.set()
    assert answered.wait(30)


def test_the_systems_names_for_loopback_are_seen_through() -> None:
    assert resolve_host("127.1", 80) == ["127.0.0.1"]
