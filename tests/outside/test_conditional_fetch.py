"""A feed that has not changed is not sent again, and how far a fetch has come is told while it comes."""

import io
import socket

import pytest

from adserver.domain.fetching import NOT_KNOWN, Download, Validators
from adserver.ports import FetchRefused
from tests.outside.test_fetcher import LOCAL, fixed, page, redirect, serving

DATE = "Sun, 22 Nov 2026 10:00:00 GMT"
VERSION = Validators('"v1"', DATE)


def fetch(port: int, known: Validators = NOT_KNOWN, path: str = "/") -> Download:
    return LOCAL.download(f"http://127.0.0.1:{port}{path}", 1_000_000, io.BytesIO(), known)


def test_the_version_of_an_answer_is_told_and_asked_for_next_time() -> None:
    heads: list[str] = []

    def answer(connection: socket.socket, head: str) -> None:
        heads.append(head)
        if "If-None-Match" in head:
            connection.sendall(b"HTTP/1.1 304 Not Modified\r\n\r\n")
        else:
            headers = f'ETag: "v1"\r\nLast-Modified: {DATE}\r\n'
            connection.sendall(page(b"hello", headers=headers))

    with serving(answer) as port:
        first = fetch(port)
        again = fetch(port, first.validators)
    assert first == Download(5, VERSION)
    assert again == Download(0, unchanged=True)
    assert "If-None-Match" not in heads[0] and "If-Modified-Since" not in heads[0]
    assert '\r\nIf-None-Match: "v1"\r\n' in heads[1]
    assert f"\r\nIf-Modified-Since: {DATE}\r\n" in heads[1]


def test_nothing_changed_is_no_answer_to_who_has_not_asked_that() -> None:
    answer = fixed(b"HTTP/1.1 304 Not Modified\r\n\r\n")
    with serving(answer) as port, pytest.raises(FetchRefused, match="status_304"):
        fetch(port)


def test_the_version_is_asked_for_behind_a_redirect_too() -> None:
    def answer(connection: socket.socket, head: str) -> None:
        if head.startswith("GET / "):
            connection.sendall(redirect("/feed.xml"))
        else:
            connection.sendall(b"HTTP/1.1 304 Not Modified\r\n\r\n")

    with serving(answer) as port:
        assert fetch(port, VERSION).unchanged


@pytest.mark.parametrize("etag", ["x" * 201, '"caf\xe9"', ""])
def test_a_version_that_cannot_be_sent_back_is_not_kept(etag: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nETag: {etag}\r\n\r\nx".encode("latin-1")
    with serving(fixed(head)) as port:
        assert fetch(port).validators == NOT_KNOWN


def test_a_fetch_tells_how_far_it_has_come() -> None:
    told: list[tuple[int, int | None]] = []
    body = b"x" * 300_000
    with serving(fixed(page(body))) as port:
        url = f"http://127.0.0.1:{port}/"
        LOCAL.download(url, 1_000_000, io.BytesIO(), heard=lambda *heard: told.append(heard))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (300_000, 300_000)
