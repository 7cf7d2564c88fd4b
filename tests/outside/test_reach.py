"""Whether the server is reached at its address is answered in every case, never by an exception."""

import time
from email.utils import formatdate

import httpx
import pytest

from adserver.outside.reach import reach

URL = "https://cards.example"


def answering(monkeypatch: pytest.MonkeyPatch, answer: httpx.Response | Exception) -> list[str]:
    asked: list[str] = []

    def get(url: str, **options: object) -> httpx.Response:
        asked.append(url)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(httpx, "get", get)
    return asked


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (httpx.ConnectError("refused"), "refused"),
        (httpx.ReadTimeout("slow"), "it took too long"),
        (httpx.RemoteProtocolError(""), "RemoteProtocolError"),
        (httpx.InvalidURL("no such port"), "no such port"),
    ],
)
def test_what_keeps_it_from_being_reached_is_told(
    monkeypatch: pytest.MonkeyPatch, fault: Exception, words: str
) -> None:
    answering(monkeypatch, fault)
    answered = reach(URL)
    assert (answered.is_ours, answered.fault, answered.skew_ms) == (False, words, None)


@pytest.mark.parametrize(
    ("status", "body", "is_ours"), [(200, "ok", True), (200, "It works!", False), (400, "ok", False)]
)
def test_only_our_own_answer_is_ours(
    monkeypatch: pytest.MonkeyPatch, status: int, body: str, is_ours: bool
) -> None:
    asked = answering(monkeypatch, httpx.Response(status, text=body))
    answered = reach(URL)
    assert (answered.is_ours, answered.fault) == (is_ours, None)
    assert asked == [f"{URL}/healthz"]


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_without_a_readable_date_no_clocks_are_compared(monkeypatch: pytest.MonkeyPatch, date: str) -> None:
    answering(monkeypatch, httpx.Response(200, text="ok", headers={"Date": date}))
    assert reach(URL).skew_ms is None


@pytest.mark.parametrize("seconds_behind", [0, 600, -600])
def test_the_skew_is_how_far_our_clock_is_ahead(monkeypatch: pytest.MonkeyPatch, seconds_behind: int) -> None:
    date = formatdate(time.time() - seconds_behind, usegmt=True)
    answering(monkeypatch, httpx.Response(200, text="ok", headers={"Date": date}))
    skew_ms = reach(URL).skew_ms
    assert skew_ms is not None and abs(skew_ms - seconds_behind * 1_000) < 10_000
