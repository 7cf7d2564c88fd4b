"""Imports by the API: at once or beside the request, a yes or a no, and the rows that were left out."""

import csv
import io
import threading
from typing import Any

import pytest
from msgspec.structs import replace

from adserver.domain.fetching import Fetching, Validators
from adserver.domain.identity import read_id
from adserver.writes import SaveEntity
from tests.web.api import Api, World


def feed_of(count: int, *more: str, price: str = "10.00 EUR") -> bytes:
    rows = [
        f"<item><g:id>i{n}</g:id><title>Hat {n}</title><link>https://shop.example/{n}</link>"
        f"<g:price>{price}</g:price></item>\n"
        for n in range(count)
    ]
    body = "".join((*rows, *more))
    return f'<rss xmlns:g="http://base.google.com/ns/1.0"><channel>\n{body}</channel></rss>'.encode()


def bad_row(item_id: str) -> str:
    return f"<item><g:id>{item_id}</g:id><title>Bad</title><link>https://shop.example/x</link></item>\n"


@pytest.fixture
def feed(world: World) -> str:
    return f"/advertisers/{world.advertiser}/feeds/{world.feed}"


def imported(api: Api, feed: str, data: bytes, **params: str) -> dict[str, Any]:
    answer: dict[str, Any] = api.call("POST", f"{feed}/import", content=data, params=params).json()
    return answer


def products(api: Api, world: World) -> int:
    path = f"/advertisers/{world.advertiser}/products"
    return len(api.call("GET", path, params={"limit": 500}).json()["items"])


def test_an_import_beside_the_request_is_told_until_it_is_done(api: Api, world: World, feed: str) -> None:
    answer = api.call("POST", f"{feed}/import", content=feed_of(3), params={"wait": "false"})
    queued = answer.json()
    assert (answer.status_code, queued["state"], queued["uploaded"]) == (202, "queued", True)
    assert (queued["finished_at"], queued["products"]) == (None, None)
    assert api.imports.run_next() == 1
    done = api.call("GET", f"{feed}/imports/{queued['id']}", key=world.advertiser_key).json()
    assert (done["state"], done["products"], done["rows"], done["asked_by"]) == ("done", 3, 3, "api")
    assert done["message"] and done["finished_at"]
    listed = api.call("GET", f"{feed}/imports").json()["items"]
    assert listed == [done]
    told = api.call("GET", feed).json()
    assert told["last_import"]["import_id"] == queued["id"] and told["fresh_at"] and not told["failures"]


def test_nothing_is_queued_where_there_is_nothing_to_import(api: Api, feed: str) -> None:
    answer = api.call("POST", f"{feed}/import", params={"wait": "false"})
    assert (answer.status_code, answer.json()["code"]) == (422, "nothing_to_import")
    assert api.call("GET", f"{feed}/imports").json() == {"items": []}


def test_a_feed_that_lacks_its_currency_is_told_it_and_imported(api: Api, feed: str) -> None:
    body = feed_of(3, price="10.00")
    assert imported(api, feed, body)["fatal"].startswith("currency_needed")
    changed = api.call("PATCH", feed, {"currency": "EUR"})
    assert (changed.status_code, changed.json()["currency"]) == (200, "EUR")
    assert imported(api, feed, body)["products"] == 3
    other = api.call("PATCH", feed, {"currency": "USD"})
    assert (other.status_code, other.json()["code"]) == (422, "currency_mismatch")


def test_a_feed_is_fetched_elsewhere_oftener_and_no_more(api: Api, feed: str) -> None:
    refused = api.call("PATCH", feed, {"schedule": {"every_minutes": 60}})
    assert (refused.status_code, refused.json()["code"]) == (422, "schedule_without_url")
    change = {"url": "https://shop.example/new.xml", "schedule": {"every_minutes": 60}}
    changed = api.call("PATCH", feed, change).json()
    assert (changed["url"], changed["schedule"]) == (change["url"], change["schedule"])
    assert changed["next_fetch_at"] and api.imports.queue_due() == 1
    ended = api.call("PATCH", feed, {"schedule": None}).json()
    assert (ended["url"], ended["schedule"], ended["next_fetch_at"]) == (change["url"], None, None)


def test_a_feed_that_is_read_otherwise_is_not_taken_for_unchanged(api: Api, world: World, feed: str) -> None:
    key = read_id("feed", world.feed)
    assert key is not None
    known = api.storage.feeds.feed(key)
    assert known is not None
    fetching = Fetching(validators=Validators(etag='"1"'), read_ms=api.clock(), failures=2, why="not_fetched")
    api.storage.writer.commit(SaveEntity(replace(known, fetching=fetching), is_new=False))
    api.call("PATCH", feed, {"link_template": "https://shop.example/{id}"})
    changed = api.storage.feeds.feed(key)
    assert changed is not None and not changed.fetching.worth_asking(api.clock())
    assert (changed.fetching.failures, changed.fetching.why) == (0, None)


def test_a_yes_and_a_no(api: Api, world: World, feed: str) -> None:
    imported(api, feed, feed_of(20))
    refused = imported(api, feed, feed_of(9))
    assert (refused["code"], refused["waits"]) == ("feed_refused", True)
    path = f"{feed}/imports/{refused['import_id']}"
    waiting = api.call("GET", path).json()
    assert (waiting["state"], waiting["fatal"]) == ("waiting_for_a_yes", refused["fatal"])
    assert api.call("POST", f"{path}/reject").json()["state"] == "rejected"
    assert products(api, world) == 21  # one more was put by hand
    refused = imported(api, feed, feed_of(9))
    path = f"{feed}/imports/{refused['import_id']}"
    yes = api.call("POST", f"{path}/approve", key=world.advertiser_key)
    assert (yes.status_code, yes.json()["state"], yes.json()["products"]) == (200, "done", 9)
    assert products(api, world) == 10
    for word in ("approve", "reject"):
        assert api.call("POST", f"{path}/{word}").json()["code"] == "not_waiting"


def test_a_yes_beside_the_request(api: Api, world: World, feed: str) -> None:
    imported(api, feed, feed_of(20))
    refused = imported(api, feed, feed_of(9))
    path = f"{feed}/imports/{refused['import_id']}/approve"
    answer = api.call("POST", path, params={"wait": "false"})
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
    assert products(api, world) == 21
    assert api.imports.run_next() == 1
    assert products(api, world) == 10


def test_rows_that_were_left_out_come_in_pages(api: Api, feed: str) -> None:
    report = imported(api, feed, feed_of(2, *(bad_row(f"b{n}") for n in range(7))))
    path = f"{feed}/imports/{report['import_id']}/rejected"
    seen: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        params = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        answer = api.call("GET", path, params=params).json()
        assert len(answer["items"]) <= 3
        seen, cursor = seen + answer["items"], answer["next_cursor"]
    assert [row["item_id"] for row in seen] == [f"b{n}" for n in range(7)]
    assert [row["line"] for row in seen] == list(range(4, 11))
    assert {row["reason"] for row in seen} == {"missing_price"}
    assert "price" in seen[0]["advice"]


def test_rows_that_were_left_out_come_as_a_sheet_that_runs_nothing(api: Api, feed: str) -> None:
    report = imported(api, feed, feed_of(1, bad_row("=1+1"), bad_row('a,"b"')))
    path = f"{feed}/imports/{report['import_id']}/rejected"
    answer = api.call("GET", path, params={"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert f"rejected-{report['import_id']}.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["item_id"] for row in rows] == ["'=1+1", 'a,"b"']
    assert list(rows[0]) == ["line", "item_id", "reason", "advice"]


@pytest.mark.parametrize("import_id", ["imp_0000000000000", "feed_0000000000000", "1", "..%2f.."])
def test_an_import_that_is_not_of_the_feed_does_not_exist(api: Api, feed: str, import_id: str) -> None:
    assert api.call("GET", f"{feed}/imports/{import_id}").status_code == 404


def test_an_import_of_another_feed_is_not_reached_through_this_one(api: Api, world: World, feed: str) -> None:
    other = (
        f"/advertisers/{world.advertiser}/feeds/"
        + api.make(f"/advertisers/{world.advertiser}/feeds", {})["id"]
    )
    import_id = imported(api, other, feed_of(1))["import_id"]
    assert api.call("GET", f"{other}/imports/{import_id}").status_code == 200
    assert api.call("GET", f"{feed}/imports/{import_id}").status_code == 404


@pytest.mark.parametrize("params", [{"wait": "maybe"}, {"later": "true"}])
def test_a_wish_that_is_misspelled_is_refused(api: Api, feed: str, params: dict[str, str]) -> None:
    assert api.call("POST", f"{feed}/import", params=params).status_code == 422


def test_of_changes_that_meet_none_is_lost(api: Api, world: World) -> None:
    path = f"/advertisers/{world.advertiser}/products"
    fields = ("brand", "mpn", "condition", "title", "product_type", "description", "item_group_id")
    start = threading.Barrier(len(fields))
    answers: set[int] = set()

    def change(field: str) -> None:
        start.wait(30)
        for turn in range(3):
            body = {"products": [{"item_id": world.item, field: f"{field} {turn}"}]}
            while (status := api.call("PATCH", path, body).status_code) == 409:
                pass  # as it says: repeat your change
            answers.add(status)

    threads = [threading.Thread(target=change, args=(field,)) for field in fields]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    settled = api.call("GET", f"{path}/{world.item}").json()
    assert answers == {200}
    assert {field: settled[field] for field in fields} == {field: f"{field} 2" for field in fields}
