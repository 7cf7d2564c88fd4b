"""Who pays beforehand spends what was paid, and no more; each payment counts once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from adserver.domain.pricing import AdEvent
from adserver.storage.audit import audit
from adserver.writes import RecordAd
from tests.web.api import Api, World, advertiser_body, charge, everything, make_record, reserve
from tests.web.test_api_refunds import BILLED, money_of, refused


def deposit(
    api: Api, advertiser_id: str, amount_micros: object, reference: object = "B-1", **more: Any
) -> httpx.Response:
    body = {"advertiser_id": advertiser_id, "amount_micros": amount_micros, "reference": reference}
    headers = {"Idempotency-Key": more.pop("key", f"{reference}"[:100])}
    return api.call("POST", "/deposits", body | more, headers=headers)


def funds(api: Api, world: World, caller: str | None = None) -> tuple[bool, int, int | None]:
    told = api.call("GET", f"/advertisers/{world.advertiser}", key=caller).json()
    return told["prepaid"], told["deposited_micros"], told["prepaid_left_micros"]


def set_prepaid(api: Api, world: World, prepaid: bool = True) -> httpx.Response:
    return api.call("PATCH", f"/advertisers/{world.advertiser}", {"prepaid": prepaid})


def delivery(api: Api, world: World) -> str:
    return str(api.call("GET", f"/campaigns/{world.campaign}").json()["delivery"])


def assert_audit_is_clean(api: Api) -> None:
    assert not [finding for finding in audit(api.storage.path) if finding.violation_count]


def test_a_deposit_is_told_and_seen_by_its_advertiser(api: Api, world: World) -> None:
    told = deposit(api, world.advertiser, 1_000_000)
    assert told.status_code == 200, told.text
    assert told.json()["id"].startswith("dep_")
    assert {
        name: told.json()[name] for name in ("advertiser_id", "amount_micros", "currency", "reference")
    } == {
        "advertiser_id": world.advertiser,
        "amount_micros": 1_000_000,
        "currency": "EUR",
        "reference": "B-1",
    }
    assert funds(api, world, world.advertiser_key) == (False, 1_000_000, None)
    listed = api.call(
        "GET", "/deposits", params={"advertiser_id": world.advertiser}, key=world.advertiser_key
    )
    assert listed.json() == {"items": [told.json()], "next_cursor": None}


def test_a_prepaid_account_spends_what_it_has_paid_and_no_more(api: Api, world: World) -> None:
    deposit(api, world.advertiser, 2 * BILLED + 1)
    assert set_prepaid(api, world).json()["prepaid_left_micros"] == 2 * BILLED + 1
    assert delivery(api, world) == "serving"
    charge(api, world, BILLED, 1)
    charge(api, world, BILLED, 2)
    third = make_record(world, AdEvent.CLICK, 3, BILLED)
    assert api.storage.writer.commit(RecordAd((third,))).result == "cap_reached"
    assert funds(api, world) == (True, 2 * BILLED + 1, 1)
    assert delivery(api, world) == "no_deposit"
    deposit(api, world.advertiser, BILLED - 1, "B-2")
    assert delivery(api, world) == "serving"
    assert api.storage.writer.commit(RecordAd((third,))).result == "taken"
    assert_audit_is_clean(api)


def test_a_new_account_may_be_prepaid_from_its_first_day(api: Api) -> None:
    made = api.make("/advertisers", advertiser_body(prepaid=True))
    assert (made["prepaid"], made["deposited_micros"], made["prepaid_left_micros"]) == (True, 0, 0)


def test_who_owes_more_than_was_paid_does_not_become_prepaid(api: Api, world: World) -> None:
    charge(api, world, BILLED)
    reserve(api, world, 1_000)
    deposit(api, world.advertiser, BILLED + 999)
    before = money_of(api)
    assert refused(set_prepaid(api, world)) == (409, "below_spent", BILLED + 1_000)
    assert money_of(api) == before
    deposit(api, world.advertiser, 1, "B-2")
    assert set_prepaid(api, world).status_code == 200
    assert funds(api, world) == (True, BILLED + 1_000, 0)
    assert set_prepaid(api, world, prepaid=False).json()["prepaid_left_micros"] is None
    charge(api, world, BILLED, 78)


def test_what_is_spent_and_pending_is_not_paid_back(api: Api, world: World) -> None:
    deposit(api, world.advertiser, BILLED + 1_500)
    set_prepaid(api, world)
    charge(api, world, BILLED)
    reserve(api, world, 1_000)
    before = money_of(api)
    assert refused(deposit(api, world.advertiser, -501, "back")) == (409, "below_spent", BILLED + 1_000)
    assert money_of(api) == before
    assert deposit(api, world.advertiser, -500, "rest").json()["amount_micros"] == -500
    assert funds(api, world) == (True, BILLED + 1_000, 0)
    assert_audit_is_clean(api)


def test_what_was_never_paid_in_is_not_paid_back(api: Api, world: World) -> None:
    before = money_of(api)
    assert refused(deposit(api, world.advertiser, -1)) == (409, "below_spent", 0)
    assert money_of(api) == before


def test_a_reference_stands_for_one_payment_of_one_account(api: Api, world: World) -> None:
    other = World(api, "B")
    first = deposit(api, world.advertiser, 1_000_000)
    before = money_of(api)
    assert deposit(api, world.advertiser, 1_000_000, key="again").json() == first.json()
    assert refused(deposit(api, world.advertiser, 999_999, key="less")) == (409, "deposit_exists", 1_000_000)
    assert money_of(api) == before
    assert deposit(api, other.advertiser, 5, key="other").json()["id"] != first.json()["id"]
    assert funds(api, other) == (False, 5, None)


def test_a_key_stands_for_one_deposit(api: Api, world: World) -> None:
    first = deposit(api, world.advertiser, 1_000_000, key="one")
    before = everything(api)
    assert deposit(api, world.advertiser, 1_000_000, key="one").content == first.content
    for amount, reference in ((2, "B-1"), (1_000_000, "B-2")):
        response = deposit(api, world.advertiser, amount, reference, key="one")
        assert refused(response) == (422, "idempotency_key_reused", None)
    assert everything(api) == before


def test_deposits_are_listed_in_the_order_they_came(api: Api, world: World) -> None:
    for number in range(5):
        deposit(api, world.advertiser, number + 1, f"B-{number}")
    seen: list[str] = []
    params: dict[str, Any] = {"advertiser_id": world.advertiser, "limit": 2}
    for _ in range(3):
        page = api.call("GET", "/deposits", params=params).json()
        seen += [one["reference"] for one in page["items"]]
        params |= {"cursor": page["next_cursor"]}
    assert (seen, page["next_cursor"]) == ([f"B-{number}" for number in range(5)], None)


@pytest.mark.parametrize(
    "fields",
    [
        {"amount_micros": 0},
        {"amount_micros": 10**15 + 1},
        {"amount_micros": -(10**15) - 1},
        {"amount_micros": 2**63},
        {"amount_micros": 10**18},
        {"amount_micros": 0.5},
        {"amount_micros": None},
        {"reference": ""},
        {"reference": "x" * 10_000},
        {"reference": "jane@shop.example"},
        {"advertiser_id": "x" * 10_000},
        {"currency": "USD"},
    ],
    ids=lambda fields: str(fields)[:60],
)
def test_a_deposit_that_makes_no_sense_is_refused_and_changes_nothing(
    api: Api, world: World, fields: dict[str, object]
) -> None:
    before = everything(api)
    response = deposit(api, **{"advertiser_id": world.advertiser, "amount_micros": 1, "key": "k"} | fields)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert response.json()["errors"][0]["field"].startswith("body")
    assert everything(api) == before


def test_nobody_but_the_operator_notes_a_deposit(api: Api, world: World) -> None:
    body = {"advertiser_id": world.advertiser, "amount_micros": 1, "reference": "B-1"}
    before = everything(api)
    for key in (world.advertiser_key, world.publisher_key):
        response = api.call("POST", "/deposits", body, key, headers={"Idempotency-Key": "one"})
        assert response.json()["code"] == "forbidden"
    unknown = deposit(api, "adv_0000000000000", 1)
    assert unknown.json()["code"] == "not_found"
    assert everything(api) == before


def test_fifty_at_once_by_one_reference_are_one_deposit_and_all_are_told_so(api: Api, world: World) -> None:
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(lambda n: deposit(api, world.advertiser, 7, key=f"{n % 25}"), range(50)))
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert funds(api, world) == (False, 7, None)


@pytest.mark.parametrize("cap", [-1, 0, 10**15 + 1, 10**18, 2**63, 1.5, "1", True], ids=str)
@pytest.mark.parametrize("field", ["daily_budget_micros", "total_budget_micros"])
def test_an_absurd_budget_is_refused_and_changes_nothing(
    api: Api, world: World, field: str, cap: object
) -> None:
    before = everything(api)
    for path in (f"/campaigns/{world.campaign}", f"/advertisers/{world.advertiser}"):
        response = api.call("PATCH", path, {field: cap})
        assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
        assert response.json()["errors"][0]["field"] == f"body.{field}"
    assert everything(api) == before


def test_an_accounts_cap_below_what_is_spent_is_refused_with_the_figure(api: Api, world: World) -> None:
    charge(api, world, BILLED)
    before = everything(api)
    for cap in ("total_budget_micros", "daily_budget_micros"):
        response = api.call("PATCH", f"/advertisers/{world.advertiser}", {cap: BILLED - 1})
        assert refused(response) == (409, "below_spent", BILLED)
    assert everything(api) == before


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"currency": "XYZ"}, "invalid_request"),
        ({"currency": "USD"}, "currency_fixed"),
        ({"timezone": "Europe/Atlantis"}, "unknown_timezone"),
        ({"timezone": "x" * 10_000}, "invalid_request"),
    ],
    ids=str,
)
def test_an_unknown_zone_or_currency_is_refused_and_changes_nothing(
    api: Api, world: World, change: dict[str, str], code: str
) -> None:
    before = everything(api)
    response = api.call("PATCH", f"/advertisers/{world.advertiser}", change)
    assert response.json()["code"] == code
    assert everything(api) == before
