"""A feed's address may be anybody's: nothing inside is reached, nothing grows without bound, and what is live stays."""

import gzip
import socket
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from msgspec.structs import replace

from adserver.domain.catalogue import ImportReport
from adserver.domain.feed_xml import FeedLimits
from adserver.domain.imports import ImportState
from adserver.outside import fetcher as fetcher_module
from adserver.outside.fetcher import HttpFetcher
from tests.flows.feeds import make_feed, make_item
from tests.flows.import_office import Office, items
from tests.outside.test_fetcher import Answer, fixed, page, redirect, serving

MEGABYTE = 1_000_000
MOST_MEMORY_BYTES = 40 * MEGABYTE  # a tenth of what the smallest of these would take
OPENING = b'<rss xmlns:g="http://base.google.com/ns/1.0"><channel>\n'


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Three products are live, whatever comes."""
    office = Office(tmp_path)
    office.run(items(3))
    office.save(replace(office.feed, interval_minutes=None))
    yield office
    office.close()


def import_from(
    office: Office, url: str, fetcher: HttpFetcher, limits: FeedLimits | None = None
) -> ImportReport:
    """What a job makes of a feed at this address."""
    office.site = fetcher  # type: ignore[assignment]
    office.imports = office.make_imports(office.make_steps(limits))
    office.add_feed(9, url)
    office.feed_key = 9
    assert office.fetch_due() == 1
    report = office.feed.last_import
    assert report is not None
    return report


def assert_refused(office: Office, report: ImportReport, fatal: str) -> None:
    assert report.fatal is not None and report.fatal.startswith(fatal), report.fatal
    assert office.states() == [ImportState.FAILED]
    assert sorted(office.live()) == ["0", "1", "2"]
    assert office.feed.fetching.failures == 1
    assert office.files() <= {"left_out"}


@contextmanager
def little_memory() -> Iterator[None]:
    """Fails where more was held at once than a stream needs."""
    tracemalloc.start()
    try:
        yield
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < MOST_MEMORY_BYTES, f"{peak_bytes:,} bytes"


# ---- to the inside ----


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data/", "address_not_allowed"),
        ("http://127.0.0.1/", "address_not_allowed"),
        ("http://127.1/", "address_not_allowed"),
        ("http://127.1:8000/", "port_not_allowed"),
        ("http://0x7f000001/", "address_not_allowed"),
        ("http://2130706433/", "address_not_allowed"),
        ("http://0177.0.0.1/", "bad_address"),
        ("http://0/", "address_not_allowed"),
        ("http://localhost/", "address_not_allowed"),
        ("http://[::1]/", "address_not_allowed"),
        ("http://[::ffff:10.0.0.1]/", "address_not_allowed"),
        ("http://[::ffff:7f00:1]/", "address_not_allowed"),
        ("http://[64:ff9b::7f00:1]/", "address_not_allowed"),
        ("http://10.0.0.1/", "address_not_allowed"),
        ("http://shop@127.0.0.1/", "address_not_allowed"),
        ("file:///etc/passwd", "scheme_not_allowed"),
        ("gopher://127.0.0.1:6379/_FLUSHALL", "scheme_not_allowed"),
    ],
)
def test_a_feed_never_comes_from_the_inside(office: Office, url: str, reason: str) -> None:
    assert_refused(office, import_from(office, url, HttpFetcher()), f"not_fetched: {reason}")


def test_a_refusal_does_not_tell_whether_anybody_listens(office: Office) -> None:
    with serving(fixed(page(b"secret"))) as port:
        answered = import_from(office, f"http://127.0.0.1:{port}/", HttpFetcher()).fatal
    office.now_ms += 86_400_000
    office.fetch_due()
    last = office.feed.last_import
    assert last is not None and last.fatal == answered == "not_fetched: port_not_allowed"


@contextmanager
def outside(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """127.0.0.1 and one port stand for the open internet; 127.0.0.2 stays inside."""
    with serving(answer) as port:
        monkeypatch.setattr(fetcher_module, "is_public", lambda address: address == "127.0.0.1")
        monkeypatch.setattr(fetcher_module, "_PORTS", (80, 443, port))
        yield port


@pytest.mark.parametrize("to", ["http://127.0.0.2/", "//127.0.0.2/", "file:///etc/passwd", "http://[::1]/"])
def test_a_redirect_to_the_inside_is_not_followed(
    office: Office, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    with outside(fixed(redirect(to)), monkeypatch) as port:
        report = import_from(office, f"http://127.0.0.1:{port}/", HttpFetcher())
    assert "_not_allowed" in (report.fatal or "")
    assert_refused(office, report, "not_fetched: ")


def test_a_name_that_flips_is_reached_at_the_address_that_was_checked(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [["127.0.0.1"], ["127.0.0.2"]]
    flipping = HttpFetcher(resolve=lambda host, port: answers.pop(0))
    with outside(fixed(page(items(4))), monkeypatch) as port:
        report = import_from(office, f"http://flip.test:{port}/", flipping)
        assert (report.products, answers) == (4, [["127.0.0.2"]])
        office.now_ms += 3_600_000
        assert office.fetch_due() == 1  # by now it leads inside
    last = office.feed.last_import
    assert last is not None and last.fatal == "not_fetched: address_not_allowed"
    assert len(office.live()) == 4


# ---- without end ----


def fetched(
    office: Office, answer: Answer, limits: FeedLimits | None = None, **seconds: float
) -> ImportReport:
    fetcher = HttpFetcher(allow_private=True, **seconds)  # type: ignore[arg-type]
    with serving(answer) as port, little_memory():
        return import_from(office, f"http://127.0.0.1:{port}/feed.xml", fetcher, limits)


@cache
def bomb() -> bytes:
    return gzip.compress(OPENING + b" " * (400 * MEGABYTE))


@pytest.mark.parametrize(
    "make_answer",
    [
        lambda: page(bomb()),
        lambda: page(bomb(), headers="Content-Encoding: gzip\r\n"),
        lambda: page(gzip.compress(bomb())),
    ],
    ids=["a compressed file", "a compressed answer", "twice"],
)
def test_what_is_small_and_becomes_large_is_left_early(
    office: Office, make_answer: Callable[[], bytes]
) -> None:
    report = fetched(office, fixed(make_answer()))
    assert_refused(office, report, "")
    assert any(name in (report.fatal or "") for name in ("too_large", "archive", "not_well_formed"))


def test_a_body_without_end_is_left_at_its_limit(office: Office) -> None:
    def endless(connection: socket.socket, _: str) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"10000\r\n" + b"x" * 65_536 + b"\r\n")

    report = fetched(office, endless, FeedLimits(most_bytes=MEGABYTE))
    assert_refused(office, report, "not_fetched: too_large")


def test_a_server_that_drips_is_left_at_the_deadline(office: Office) -> None:
    def drip(connection: socket.socket, _: str) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not connection.send(b"x") or not connection.recv(1):  # until the other side hangs up
            pass

    report = fetched(office, drip, download_seconds=0.3)
    assert_refused(office, report, "not_fetched: timed_out")


def test_rows_without_end_are_left_at_their_limit(office: Office) -> None:
    report = fetched(office, fixed(page(items(1_001))), FeedLimits(rows=1_000))
    assert_refused(office, report, "too_large")


def test_a_megabyte_of_title_is_one_row_that_is_left_out(office: Office) -> None:
    long = make_item("long").replace("Thing long", "x" * 700_000)
    report = fetched(office, fixed(page(make_feed(make_item("a"), long, make_item("b")))))
    assert (report.products, [row.reason for row in report.rejected]) == (2, ["field_too_long"])


def test_a_row_without_end_refuses_the_feed(office: Office) -> None:
    row = b"<item><g:id>a</g:id><title>" + b"x" * (8 * MEGABYTE)
    assert_refused(office, fetched(office, fixed(page(OPENING + row))), "too_large")


# ---- XML ----

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BODY = make_feed(make_item("a").replace("Thing a", "&l9;")).decode()
DOCUMENTS = {
    "billion laughs": f'<!DOCTYPE rss [<!ENTITY l0 "ha">{LAUGHS}]>{BODY}',
    "quadratic": f'<!DOCTYPE rss [<!ENTITY l9 "{"x" * 100_000}">]>' + BODY.replace("&l9;", "&l9;" * 5_000),
    "a local file": f'<!DOCTYPE rss [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>{BODY}',
    "a parameter entity": f'<!DOCTYPE rss [<!ENTITY % p SYSTEM "http://127.0.0.1/x.dtd"> %p;]>{BODY}',
    "an external DTD": f'<!DOCTYPE rss SYSTEM "http://127.0.0.1/x.dtd">{BODY}',
    "behind a comment": f'<?xml version="1.0"?><!-- a --><!DOCTYPE rss [<!ENTITY l9 "x">]>{BODY}',
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_a_feed_that_declares_entities_is_refused(office: Office, document: str) -> None:
    assert_refused(office, fetched(office, fixed(page(document.encode()))), "dtd_forbidden")


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_another_encoding_is_no_way_around_that(office: Office, document: str) -> None:
    report = fetched(office, fixed(page(document.encode("utf-16"))))
    assert_refused(office, report, "")
    assert (report.fatal or "").startswith(("dtd_forbidden", "not_well_formed"))


def test_an_entity_that_nobody_declared_is_no_way_in_either(office: Office) -> None:
    assert_refused(office, fetched(office, fixed(page(BODY.encode()))), "not_well_formed")
