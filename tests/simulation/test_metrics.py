"""/metrics of a real server: the same figures whoever is asked, none of a visitor, and reached by nobody else."""

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from tests.simulation.browser import Browser, Connection, ask_once
from tests.simulation.running_server import RunningServer, free_port, wait_until
from tests.simulation.scrape import Series, read_exposition, value
from tests.simulation.shop import CPM, NEWS_PAGE, Shop, ask_slot, make_shop, tell

ITEM = "7"
VIEWS = 5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("metrics"), workers=2, metrics=str(free_port())) as running:
        yield running


@pytest.fixture(scope="module")
def shop(server: RunningServer) -> Shop:
    return make_shop(server, [ITEM], {"cpm": CPM | {"total_budget_micros": 1_000_000}})


def scraped(server: RunningServer) -> dict[Series, float]:
    answer = ask_once(f"http://127.0.0.1:{server.environment['ADSERVER_METRICS']}", "GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return read_exposition(answer.body.decode())


async def visit(server: RunningServer, shop: Shop) -> None:
    """Each view by a connection of its own, so by either worker; then an ad, seen twice; and a robot."""
    browser = Browser()
    for _ in range(VIEWS):
        async with Connection(server.url) as connection:
            assert (await tell(browser, connection, shop, "view_item", f"&id={ITEM}")).event == "accepted"
    async with Connection(server.url) as connection:
        shown = await ask_slot(browser, connection, shop.slots["300x250"])
        assert shown is not None
        for told in ("taken", "repeated"):
            answer = await browser.get(connection, f"/i?t={shown.token}&debug=1", NEWS_PAGE)
            assert answer.charge == told
        said = {**browser.headers("shop.example"), "User-Agent": "curl/8.0"}
        await connection.ask("GET", f"/m/e?m={shop.public_id}", said)


def test_what_happened_is_told_once_for_all_workers(server: RunningServer, shop: Shop) -> None:
    asyncio.run(visit(server, shop))

    def are_counted() -> bool:
        """By both workers, each of which reports once a second."""
        told = scraped(server)
        robots = value(told, "adserver_rejections_total", reason="robot")
        return robots == 1 and value(told, "adserver_effect_lag_seconds_count") == VIEWS

    wait_until(are_counted, "all is counted")
    told = scraped(server)
    assert value(told, "adserver_events_total", name="view_item") == VIEWS
    assert value(told, "adserver_slot_requests_total", result="filled") == 1
    assert value(told, "adserver_charges_total", result="taken") == 1
    assert value(told, "adserver_charges_total", result="repeated") == 1
    assert value(told, "adserver_effect_lag_seconds_bucket", le="+Inf") == VIEWS
    assert value(told, "adserver_effect_lag_seconds_sum") < VIEWS * 10
    assert value(told, "adserver_writer_commit_seconds_count") > 0
    assert value(told, "adserver_writer_writes_total") > VIEWS
    assert value(told, "adserver_writer_records") == 1
    assert value(told, "adserver_file_bytes", file="database") > 0


def test_each_job_tells_when_it_last_began(server: RunningServer, shop: Shop) -> None:
    def ran() -> dict[str, float]:
        name = "adserver_job_last_run_timestamp_seconds"
        return {dict(labels)["job"]: at for (series, labels), at in scraped(server).items() if series == name}

    wait_until(lambda: {"credit conversions", "seal days", "purge what is old"} <= set(ran()), "jobs run")
    before = ran()["credit conversions"]
    wait_until(lambda: ran()["credit conversions"] > before, "a job runs again")


def test_labels_name_no_account_campaign_or_visitor(server: RunningServer, shop: Shop) -> None:
    told = {text for _, labels in scraped(server) for _, text in labels}
    ids = [shop.advertiser_id, shop.public_id, *shop.slots.values(), *shop.campaigns.values()]
    assert not any(one in text for one in ids for text in told)
    assert all(not text.isdigit() or len(text) < 5 for text in told)


def test_its_port_answers_nothing_else_and_the_public_one_does_not_answer_it(
    server: RunningServer, shop: Shop
) -> None:
    port = server.environment["ADSERVER_METRICS"]
    for path in ("/", "/metrics/", f"/slot/{shop.slots['300x250']}", "/api/v1/campaigns"):
        assert ask_once(f"http://127.0.0.1:{port}", "GET", path).status == 404
    key = {"Authorization": f"Bearer {server.key()}"}
    assert ask_once(server.url, "GET", "/metrics", key).status == 404


@pytest.mark.slow
def test_it_is_told_again_after_its_process_was_killed(server: RunningServer, shop: Shop) -> None:
    before = value(scraped(server), "adserver_events_total", name="view_item")
    old = server.children()["jobs"]
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: server.children().get("jobs", old) != old, "the jobs are started again")

    def is_told() -> bool:
        try:
            return value(scraped(server), "adserver_events_total", name="view_item") >= before
        except ConnectionError:
            return False

    wait_until(is_told, "it is told again")
