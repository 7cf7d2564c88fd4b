"""Due notices go out signed, come back until they are answered, and no receiver holds up another."""

import hashlib
import hmac
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

import pytest

from adserver.domain.identity import write_id
from adserver.domain.notice import FIRST_RETRY_MS, GIVE_UP_MS, Notice
from adserver.flows.notify import PARALLEL_RECEIVERS, Delivery, Notify
from adserver.ports import Deferred, FetchRefused, Writer
from adserver.storage.embedded import Storage, own_storage
from adserver.writes import Outcome, Result, SaveEntity, Write
from tests.contract.outbox import keep, make_notice
from tests.domain.makers import ADVERTISER, NOW_MS, make_advertiser

URL = "https://shop.example/notices"
Posted = tuple[str, bytes, Mapping[str, str]]


class Receivers:
    """A Fetcher whose posts are answered from a table: a status, or the name of what went wrong."""

    def __init__(self) -> None:
        self.answers: dict[str, int | str] = {}
        self.posted: list[Posted] = []

    def fetch(self, url: str, most_bytes: int) -> bytes:
        raise FetchRefused("unreachable")

    def download(self, url: str, most_bytes: int, into: IO[bytes]) -> int:
        raise FetchRefused("unreachable")

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        self.posted.append((url, body, headers))
        answer = self.answers.get(url, 204)
        if isinstance(answer, str):
            raise FetchRefused(answer)
        return answer


class Post:
    """The flow over real storage, with a clock and receivers that a test turns."""

    def __init__(self, folder: Path) -> None:
        self.storage: Storage = own_storage(folder / "adserver.db")
        self.now_ms = NOW_MS
        self.receivers = Receivers()
        self.notify = self.make_notify(self.storage.writer)
        self.open(ADVERTISER, URL)

    def make_notify(self, writer: Writer) -> Notify:
        return Notify(
            writer=writer,
            accounts=self.storage.accounts,
            notices=self.storage.notices,
            fetcher=self.receivers,
            clock=lambda: self.now_ms,
            dice=lambda: 0.0,
            mint_key=lambda: 99,
            server_key=b"k" * 32,
        )

    def open(self, key: int, url: str | None) -> None:
        advertiser = make_advertiser(key=key, public_id=f"shop{key}", webhook_url=url)
        assert self.storage.writer.commit(SaveEntity(advertiser, is_new=True)).result is Result.SAVED

    def keep(self, *notices: Notice) -> None:
        keep(self.storage.path, *notices)

    def run_at(self, now_ms: int) -> int:
        self.now_ms = now_ms
        return self.notify.deliver_due()

    def kept(self, key: int = 1, advertiser_key: int = ADVERTISER) -> tuple[int, int | None, str]:
        """(attempts, when the next is due, status) of a notice."""
        (notice,) = (one for one in self.storage.notices.recent(advertiser_key, 1000) if one.key == key)
        return notice.attempts, notice.due_ms, notice.status


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    post = Post(tmp_path)
    yield post
    post.storage.close()


def test_a_due_notice_is_posted_once_with_a_signature_that_the_secret_verifies(post: Post) -> None:
    notice = make_notice()
    post.keep(notice)
    assert post.run_at(NOW_MS + 4321) == 1
    ((url, body, headers),) = post.receivers.posted
    assert (url, body) == (URL, notice.body)
    sent = str((NOW_MS + 4321) // 1000)
    mac = hmac.new(post.notify.secret(ADVERTISER).encode(), f"{sent}.".encode() + body, hashlib.sha256)
    assert headers == {
        "Content-Type": "application/json",
        "X-Notice-Id": write_id("ntc", 1),
        "X-Notice-Kind": "budget_80",
        "X-Notice-Timestamp": sent,
        "X-Notice-Signature": f"v1={mac.hexdigest()}",
    }
    assert post.kept() == (1, None, "delivered")
    assert post.run_at(NOW_MS + GIVE_UP_MS) == 0
    assert len(post.receivers.posted) == 1


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_any_answer_of_the_two_hundreds_is_an_arrival(post: Post, status: int) -> None:
    post.receivers.answers[URL] = status
    post.keep(make_notice())
    post.run_at(NOW_MS)
    assert post.kept() == (1, None, "delivered")


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (199, "status_199"),
        (301, "status_301"),
        (404, "status_404"),
        (410, "status_410"),
        (500, "status_500"),
        ("timed_out", "timed_out"),
        ("unreachable", "unreachable"),
        ("address_not_allowed", "address_not_allowed"),
    ],
)
def test_anything_else_is_tried_again_twice_as_late_each_time_and_named(
    post: Post, answer: int | str, named: str
) -> None:
    post.receivers.answers[URL] = answer
    post.keep(make_notice())
    due_ms: int | None = NOW_MS
    for attempts in range(1, 6):
        assert due_ms is not None
        assert post.run_at(due_ms - 1) == 0
        assert post.run_at(due_ms) == 1
        expected_ms = due_ms + (FIRST_RETRY_MS << attempts - 1)
        assert post.kept() == (attempts, expected_ms, named)
        due_ms = expected_ms
    post.receivers.answers[URL] = 200
    post.run_at(due_ms)
    assert post.kept() == (6, None, "delivered")


@pytest.mark.parametrize("answer", [500, "address_not_allowed"])
def test_after_three_days_it_is_given_up_and_never_posted_again(post: Post, answer: int | str) -> None:
    post.receivers.answers[URL] = answer
    post.keep(make_notice())
    due_ms: int | None = NOW_MS
    while due_ms is not None:
        assert post.run_at(due_ms) == 1
        attempts, due_ms, status = post.kept()
    assert status == "given_up"
    assert 15 < attempts == len(post.receivers.posted) < 40
    assert post.run_at(NOW_MS + 10 * GIVE_UP_MS) == 0
    assert len(post.receivers.posted) == attempts


def test_a_notice_that_waited_for_days_through_no_fault_of_its_receiver_is_still_attempted(
    post: Post,
) -> None:
    post.keep(make_notice())
    post.run_at(NOW_MS + 2 * GIVE_UP_MS)
    assert post.kept() == (1, None, "delivered")


def test_without_an_address_a_notice_is_kept_unsent(post: Post) -> None:
    post.open(55, None)
    post.keep(make_notice(1, advertiser_key=55), make_notice(2, advertiser_key=56))  # 56 there is none
    assert post.run_at(NOW_MS) == 2
    assert post.kept(1, 55) == post.kept(2, 56) == (0, None, "no_address")
    assert not post.receivers.posted
    assert post.notify.recent(55, 10)[0].body == make_notice(1).body


def test_a_receiver_that_does_not_answer_is_asked_once_for_all_that_is_due(post: Post) -> None:
    post.receivers.answers[URL] = "timed_out"
    post.keep(*(make_notice(key) for key in range(1, 11)))
    assert post.run_at(NOW_MS) == 10
    assert len(post.receivers.posted) == 1
    assert {post.kept(key) for key in range(1, 11)} == {(1, NOW_MS + FIRST_RETRY_MS, "timed_out")}


def test_a_notice_that_its_receiver_refuses_does_not_hold_up_the_next(post: Post) -> None:
    post.receivers.answers[URL] = 500
    post.keep(make_notice(1), make_notice(2))
    assert post.run_at(NOW_MS) == 2
    assert len(post.receivers.posted) == 2


def test_receivers_that_hang_do_not_keep_others_from_their_notices(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All but one of the threads hang until the last receiver was told: in one thread nobody would be."""
    told = threading.Event()

    def answer(url: str, body: bytes, headers: Mapping[str, str]) -> int:
        if url == URL:
            told.set()
            return 204
        if not told.wait(30):
            raise AssertionError("the receiver that answers had to wait")
        raise FetchRefused("timed_out")

    monkeypatch.setattr(post.receivers, "post", answer)
    hanging = range(100, 100 + PARALLEL_RECEIVERS - 1)
    for key in hanging:
        post.open(key, f"https://hanging.example/{key}")
    post.keep(*(make_notice(key, advertiser_key=key, due_ms=NOW_MS - 1) for key in hanging))
    post.keep(make_notice(1))
    assert post.run_at(NOW_MS) == PARALLEL_RECEIVERS
    assert post.kept() == (1, None, "delivered")
    assert {post.kept(key, key)[2] for key in hanging} == {"timed_out"}


def test_a_slow_receivers_turn_ends_and_the_rest_stays_due(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(url: str, body: bytes, headers: Mapping[str, str]) -> int:
        post.now_ms += 3_000
        return 204

    monkeypatch.setattr(post.receivers, "post", slowly)
    post.keep(*(make_notice(key) for key in (1, 2, 3)))
    assert post.run_at(NOW_MS) == 2
    assert [notice.attempts for notice in post.storage.notices.due(post.now_ms, 10)] == [0]
    assert post.notify.deliver_due() == 1


def test_where_nothing_can_be_recorded_no_second_notice_goes_out(post: Post) -> None:
    class FullDisk:
        sequence = 0
        records = False

        def submit(self, write: Write) -> Deferred:
            raise AssertionError("a job commits")

        def commit(self, write: Write) -> Outcome:
            return Outcome(Result.UNRECORDED)

    post.keep(make_notice(1), make_notice(2))
    assert post.make_notify(FullDisk()).deliver_due() == 0
    assert len(post.receivers.posted) == 1
    assert post.run_at(NOW_MS) == 2  # they are due still: at least once


def test_a_ping_tells_what_came_back_and_is_kept_nowhere(post: Post) -> None:
    advertiser = make_advertiser(webhook_url=URL)
    assert post.notify.ping(advertiser) == Delivery(204)
    post.receivers.answers[URL] = 418
    assert post.notify.ping(advertiser) == Delivery(418, "status_418")
    post.receivers.answers[URL] = "port_not_allowed"
    assert post.notify.ping(advertiser) == Delivery(None, "port_not_allowed")
    assert post.notify.ping(make_advertiser()) is None
    assert [headers["X-Notice-Kind"] for _, _, headers in post.receivers.posted] == ["ping"] * 3
    assert post.notify.recent(ADVERTISER, 10) == []
