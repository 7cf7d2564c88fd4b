"""What was billed may be given back: in whole or in part, once for each refund, and never more."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from adserver.domain.identity import write_id
from adserver.storage.audit import audit
from tests.web.api import NOW_MS, Api, World, charge, conversion_body, everything, sell

DAY_MS = 86_400_000
BILLED = 250_000  # a click of the world's campaign


def refund(
    api: Api, charge: str, key: str = "one", caller: str | None = None, **fields: Any
) -> httpx.Response:
    body = {"charge_id": charge, "reason": "returned"} | fields
    return api.call("POST", "/refunds", body, caller, headers={"Idempotency-Key": key})


def refund_order(api: Api, world: World, caller: str | None = None, **fields: Any) -> httpx.Response:
    body = {"advertiser_id": world.advertiser, "order_id": "R-1001", "reason": "returned"} | fields
    return api.call("POST", "/refunds", body, caller, headers={"Idempotency-Key": "an-order"})


def spent(api: Api, world: World) -> tuple[int, int]:
    told = api.call("GET", f"/campaigns/{world.campaign}").json()
    return told["spend_micros"], told["spend_today_micros"]


def refused(response: httpx.Response) -> tuple[int, str, int | None]:
    problem = response.json()
    return response.status_code, problem["code"], problem.get("figure_micros")


def assert_audit_is_clean(api: Api) -> None:
    assert not [finding for finding in audit(api.storage.path) if finding.violation_count]


def test_a_refund_gives_back_what_is_left_to_the_budgets_of_the_day(api: Api, world: World) -> None:
    charge_id = charge(api, world, BILLED)
    answer = refund(api, charge_id)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "result": "refunded",
        "charge_id": charge_id,
        "refund_id": "full",
        "amount_micros": BILLED,
        "currency": "EUR",
        "campaign_id": world.campaign,
        "day": "2026-11-18",
        "reason": "returned",
        "refunded_at": answer.json()["refunded_at"],
    }
    assert spent(api, world) == (0, 0)
    assert_audit_is_clean(api)


def test_parts_are_refunded_until_nothing_is_left(api: Api, world: World) -> None:
    charge_id = charge(api, world, BILLED)
    first = refund(api, charge_id, "a", refund_id="a", amount_micros=150_000)
    assert (first.json()["amount_micros"], spent(api, world)) == (150_000, (100_000, 100_000))
    before = money_of(api)
    more = refund(api, charge_id, "b", refund_id="b", amount_micros=100_001)
    assert refused(more) == (409, "over_refunded", 100_000)
    assert money_of(api) == before
    rest = refund(api, charge_id, "c", refund_id="c")
    assert (rest.json()["amount_micros"], spent(api, world)) == (100_000, (0, 0))
    assert refused(refund(api, charge_id, "d", refund_id="d")) == (409, "over_refunded", 0)
    assert_audit_is_clean(api)


def money_of(api: Api) -> dict[str, list[Any]]:
    """Everything but the receipts, in which a refusal is kept too."""
    return {name: rows for name, rows in everything(api).items() if name != "receipts"}


def test_a_refunds_name_stands_for_one_refund(api: Api, world: World) -> None:
    charge_id = charge(api, world, BILLED)
    part = {"refund_id": "part", "amount_micros": 150_000}
    first = refund(api, charge_id, "a", **part)
    before = money_of(api)
    assert refund(api, charge_id, "b", **part).json() == first.json()
    others: list[dict[str, Any]] = [
        {"amount_micros": 100_000},
        {"amount_micros": None},
        {"reason": "another"},
    ]
    for number, other in enumerate(others):
        told = refund(api, charge_id, f"other-{number}", **part | other)
        assert refused(told) == (409, "refund_differs", 150_000)
    assert money_of(api) == before


def test_a_part_of_a_charge_is_not_refunded_under_the_name_of_the_whole(api: Api, world: World) -> None:
    """A shop that cancels the order later asks for all of it, by the name of the whole."""
    sell(api, world)
    before = everything(api)
    for name in ({}, {"refund_id": "full"}):
        response = refund_order(api, world, amount_micros=500_000, **name)
        assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert everything(api) == before


def test_a_refusal_is_repeated_as_it_was_told(api: Api, world: World) -> None:
    charge_id = charge(api, world, BILLED)
    wish = {"refund_id": "too much", "amount_micros": BILLED + 1}
    first = refund(api, charge_id, "a", **wish)
    assert refused(first) == (409, "over_refunded", BILLED)
    assert refund(api, charge_id, "b", refund_id="b", amount_micros=150_000).status_code == 200
    again = refund(api, charge_id, "a", **wish)
    assert (again.status_code, again.content) == (first.status_code, first.content)


def test_an_order_is_refunded_by_its_advertiser(api: Api, world: World) -> None:
    charge_id = sell(api, world)
    told = refund_order(api, world, world.advertiser_key, refund_id="a", amount_micros=500_000).json()
    assert (told["charge_id"], told["amount_micros"]) == (charge_id, 500_000)
    assert spent(api, world) == (1_500_000, 1_500_000)


def test_after_the_refund_days_only_the_operator_refunds_an_order(api: Api, world: World) -> None:
    sell(api, world)
    api.now_ms = NOW_MS + 30 * DAY_MS + 1
    before = money_of(api)
    assert refused(refund_order(api, world, world.advertiser_key)) == (409, "refund_too_late", None)
    assert money_of(api) == before
    assert refund_order(api, world, api.operator).json()["amount_micros"] == 2_000_000


def test_advertisers_do_not_refund_by_charge_nor_what_is_anothers(api: Api, world: World) -> None:
    other = World(api, "B")
    charge_id = sell(api, world)
    before = everything(api)
    assert refund(api, charge_id, caller=world.advertiser_key).json()["code"] == "forbidden"
    assert refund_order(api, world, other.advertiser_key).json()["code"] == "not_found"
    assert refund_order(api, world, world.publisher_key).json()["code"] == "forbidden"
    assert everything(api) == before
    assert refund_order(api, other, other.advertiser_key).json()["code"] == "not_charged"


def test_a_key_that_was_used_for_something_else_refunds_nothing(api: Api, world: World) -> None:
    charge_id = charge(api, world, BILLED)
    refund(api, charge_id, refund_id="a", amount_micros=1)
    api.call("POST", "/publishers", {"name": "A"}, headers={"Idempotency-Key": "two"})
    before = everything(api)
    for response in (refund(api, charge_id, refund_id="a", amount_micros=2), refund(api, charge_id, "two")):
        assert refused(response) == (422, "idempotency_key_reused", None)
    assert everything(api) == before


def test_what_was_not_billed_is_not_refunded(api: Api, world: World) -> None:
    order = conversion_body(world.advertiser)
    told = api.call("POST", "/conversions", order, headers={"Idempotency-Key": "told"}).json()
    assert told["result"] == "unattributed"
    before = money_of(api)
    assert refused(refund(api, write_id("chg", 1))) == (404, "not_charged", None)
    assert refused(refund_order(api, world)) == (404, "not_charged", None)
    assert money_of(api) == before


@pytest.mark.parametrize(
    "fields",
    [
        {"amount_micros": 0, "refund_id": "r"},
        {"amount_micros": -1, "refund_id": "r"},
        {"amount_micros": 10**15 + 1, "refund_id": "r"},
        {"amount_micros": 2**63, "refund_id": "r"},
        {"amount_micros": 1.5, "refund_id": "r"},
        {"amount_micros": "1", "refund_id": "r"},
        {"refund_id": ""},
        {"refund_id": "x" * 10_000},
        {"refund_id": "jane@shop.example"},
        {"reason": ""},
        {"reason": None},
        {"charge_id": "x" * 10_000},
        {"charge_id": "cmp_0000000000000"},
        {"charge_id": None},
        {"charge_id": 7},
        {"order_id": "R-1"},
        {"event": "sign_up"},
        {"charge_id": None, "order_id": "R-1"},
        {"forced": True},
    ],
    ids=lambda fields: str(fields)[:60],
)
def test_a_refund_that_makes_no_sense_is_refused_and_changes_nothing(
    api: Api, world: World, fields: dict[str, object]
) -> None:
    charge_id = charge(api, world, BILLED)
    before = everything(api)
    response = refund(api, charge_id, **fields)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert "jane" not in response.text and "xxx" not in response.text
    assert everything(api) == before


@pytest.mark.parametrize(
    "fields",
    [
        {"order_id": "x" * 10_000},
        {"order_id": "R-1", "lead_id": "L-1"},
        {"order_id": None},
        {"event": "sign_up"},
        {"lead_id": "L-1", "order_id": None},
        {"advertiser_id": None},
        {"advertiser_id": "adv_none"},
    ],
    ids=lambda fields: str(fields)[:60],
)
def test_an_order_to_refund_is_named_as_conversions_are(
    api: Api, world: World, fields: dict[str, object]
) -> None:
    sell(api, world)
    before = everything(api)
    assert refund_order(api, world, **fields).json()["code"] == "invalid_request"
    assert everything(api) == before


def test_refunds_are_listed_page_by_page(api: Api, world: World) -> None:
    other = World(api, "B")
    charge_ids = [charge(api, world, BILLED, 77 + number) for number in range(5)]
    for charge_id in charge_ids:
        refund(api, charge_id, charge_id)
    refund(api, charge(api, other, BILLED, 99), "other")
    for query in ({}, {"campaign_id": world.campaign}):
        seen: list[str] = []
        params: dict[str, Any] = {"advertiser_id": world.advertiser, "limit": 2} | query
        for _ in range(3):
            page = api.call("GET", "/refunds", params=params, key=world.advertiser_key).json()
            seen += [one["charge_id"] for one in page["items"]]
            params |= {"cursor": page["next_cursor"]}
        assert page["next_cursor"] is None
        assert sorted(seen) == sorted(charge_ids)


def test_another_campaigns_refunds_are_not_listed(api: Api, world: World) -> None:
    other = World(api, "B")
    refund(api, charge(api, other, BILLED, 99))
    for key in (world.advertiser_key, api.operator):
        params = {"advertiser_id": world.advertiser, "campaign_id": other.campaign}
        assert api.call("GET", "/refunds", params=params, key=key).status_code == 404
    mine = api.call("GET", "/refunds", params={"advertiser_id": world.advertiser}).json()
    assert mine == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("cursor", ["", "x", "cur_0000000000000", "cur_0000000000000.x", "é"])
def test_a_made_up_cursor_is_refused(api: Api, world: World, cursor: str) -> None:
    params = {"advertiser_id": world.advertiser, "cursor": cursor}
    assert api.call("GET", "/refunds", params=params).json()["code"] == "invalid_request"


def test_fifty_at_once_under_one_key_are_one_refund_and_one_answer(api: Api, world: World) -> None:
    charge_id = charge(api, world, BILLED)
    with ThreadPoolExecutor(50) as threads:
        wish = {"refund_id": "r", "amount_micros": 100_000}
        answers = list(threads.map(lambda _: refund(api, charge_id, **wish), range(50)))
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert spent(api, world) == (150_000, 150_000)


def test_fifty_at_once_by_one_name_are_one_refund_and_all_are_told_so(api: Api, world: World) -> None:
    charge_id = charge(api, world, BILLED)
    with ThreadPoolExecutor(50) as threads:
        wish = {"refund_id": "r", "amount_micros": 100_000}
        answers = list(threads.map(lambda n: refund(api, charge_id, f"{n}", **wish), range(50)))
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert spent(api, world) == (150_000, 150_000)
    assert_audit_is_clean(api)
