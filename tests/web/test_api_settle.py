"""Approvals and declines by file, and cancellations by the merchant's server, over HTTP."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from adserver.domain.attribution import conversion_key
from adserver.domain.identity import write_id
from adserver.domain.pricing import AdEvent
from adserver.writes import CreditConversion, StoreEvent
from pixel.events import Event, EventName
from tests.domain.makers import DAY_MS
from tests.web.api import (
    NOW_MS,
    Api,
    World,
    click_id,
    conversion_body,
    everything,
    key_behind,
    make_record,
    reserve,
    sell,
)

BASKET = 80_000_000


@pytest.fixture
def world(api: Api) -> World:
    return World(api)


def pend(api: Api, world: World, reference: str, event: EventName = EventName.PURCHASE) -> str:
    """An order or lead that a browser told under its own id, and that is pending; our id for it."""
    advertiser_key = key_behind(world.advertiser)
    key = conversion_key(api.secrets.orders, advertiser_key, event, reference)
    api.storage.writer.commit(
        StoreEvent(key, advertiser_key, 0, first=False, event=Event(event), at_ms=NOW_MS, conversion_key=key)
    )
    write = CreditConversion(key, False, make_record(world, AdEvent.CONVERSION, key, 1_000), reserve=True)
    assert api.storage.writer.commit(write).result == "pending"
    return write_id("cnv", key)


def send(api: Api, world: World, text: str | bytes, key: str | None = None) -> httpx.Response:
    headers = {"Content-Type": "text/csv"}
    asked = {"advertiser_id": world.advertiser}
    own = world.advertiser_key if key is None else key
    return api.call("POST", "/conversions/settle", key=own, content=text, headers=headers, params=asked)


def results(response: httpx.Response) -> list[tuple[int, str]]:
    assert response.status_code == 200, response.text
    return [(row["line"], row["result"]) for row in response.json()["rows"]]


def standing(api: Api, world: World) -> tuple[int, int]:
    told = api.call("GET", f"/campaigns/{world.campaign}").json()
    return told["spend_micros"], told["pending_micros"]


# ---- by file ----


def test_a_file_settles_each_of_its_rows_by_our_id(api: Api, world: World) -> None:
    good, bad = reserve(api, world), reserve(api, world)
    text = f"conversion_id,decision,reason\n{good},approve,\n{bad},decline,sent back\n"
    response = send(api, world, text)
    assert results(response) == [(2, "taken"), (3, "declined")]
    assert response.json()["counts"] == {"taken": 1, "declined": 1}
    assert standing(api, world) == (1_000, 0)
    assert results(send(api, world, text)) == [(2, "taken"), (3, "declined")]  # the same file once more
    assert standing(api, world) == (1_000, 0)


def test_a_file_settles_by_the_shops_own_ids(api: Api, world: World) -> None:
    pend(api, world, "R-1")
    pend(api, world, "R-1", EventName.GENERATE_LEAD)
    text = 'order_id,event,decision,reason\r\n"R-1",,approve,\r\nR-1,generate_lead,decline,"wrong number, twice"\r\n'
    assert results(send(api, world, text.encode("utf-8-sig"))) == [(2, "taken"), (3, "declined")]
    assert standing(api, world) == (1_000, 0)


def test_a_spreadsheets_file_is_read_with_its_semicolons_and_what_is_undecided_waits(
    api: Api, world: World
) -> None:
    good, bad, waits = (reserve(api, world) for _ in range(3))
    head = "conversion_id;decision;reason;campaign;kind;value;value_currency;cost;clicked;arrived;approves_itself"
    rows = [f"{good};Approve;;a;b;1,5;EUR;2;c;d;e", f"{bad};decline;sent back;;;;;;;;", f"{waits};;;;;;;;;;"]
    response = send(api, world, "\r\n".join([head, *rows, ";;;;;;;;;;"]))
    assert results(response) == [(2, "taken"), (3, "declined"), (4, "undecided")]
    assert standing(api, world) == (1_000, 1_000)


def test_each_row_that_cannot_be_settled_says_why_and_the_others_are(api: Api, world: World) -> None:
    done, waits = reserve(api, world), reserve(api, world)
    key = world.advertiser_key
    assert api.call("POST", f"/conversions/{done}/approve", key=key).status_code == 200
    rows = [
        "cnv_0000000000000,approve,",
        f"{done},decline,too late",
        "nonsense,approve,",
        f"{waits},perhaps,",
        f"{waits},decline,",
        f"{waits},decline",
        f"{waits},decline,a,b",
        "",
        f"{waits},approve,",
        f"{waits},decline,changed my mind",
    ]
    response = send(api, world, "\n".join(["conversion_id,decision,reason", *rows]))
    assert results(response) == [
        (2, "not_found"),
        (3, "not_pending"),
        (4, "bad_row"),
        (5, "bad_row"),
        (6, "bad_row"),
        (7, "bad_row"),
        (8, "bad_row"),
        (10, "taken"),
        (11, "not_pending"),
    ]
    columns = [row["column"] for row in response.json()["rows"] if row["result"] == "bad_row"]
    assert columns == ["conversion_id", "decision", "reason", None, None]
    assert "nonsense" not in response.text
    assert standing(api, world) == (2_000, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "decision,reason\n",
        "conversion_id,order_id,decision,reason\n",
        "conversion_id,event,decision,reason\n",
        "conversion_id,decision,reason,reason\n",
        "conversion_id,decision,reason,note\n",
        "Conversion_id,decision,reason\n",
        "conversion_id|decision|reason\n",
        b"conversion_id,decision,reason\n\xff\xfe",
        'conversion_id,decision,reason\n"open,approve,\n',
        'conversion_id,decision,reason\n"a"b,approve,\n',
        "{}",
    ],
)
def test_a_file_that_cannot_be_read_changes_nothing(api: Api, world: World, text: str | bytes) -> None:
    waits = reserve(api, world)
    before = everything(api)
    whole = text if isinstance(text, bytes) else f"{text}{waits},approve,\n"
    response = send(api, world, whole if text else text)
    assert (response.status_code, response.json()["code"]) == (422, "bad_csv")
    assert everything(api) == before


def test_a_file_of_too_many_rows_is_refused_as_a_whole(
    api: Api, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adserver.web.schemas.settlements.MOST_ROWS", 2)
    ids = [reserve(api, world) for _ in range(3)]
    lines = ["conversion_id,decision,reason", *(f"{one},approve," for one in ids)]
    response = send(api, world, "\n".join(lines))
    assert (response.status_code, response.json()["code"]) == (413, "too_many_rows")
    assert standing(api, world) == (0, 3_000)
    assert len(results(send(api, world, "\n".join(lines[:3])))) == 2


def test_a_long_file_is_settled_page_by_page(api: Api, world: World) -> None:
    for n in range(5):
        pend(api, world, f"R-{n}")
    rows = [f"R-{n},approve," for n in [*range(450), *range(5)]]
    found = results(send(api, world, "\n".join(["order_id,decision,reason", *rows])))
    assert [name for _, name in found] == ["taken"] * 5 + ["not_found"] * 445 + ["taken"] * 5
    assert [line for line, _ in found] == list(range(2, 457))
    assert standing(api, world) == (5_000, 0)


def test_nobody_settles_anothers_orders_by_file(api: Api, world: World) -> None:
    waits = reserve(api, world)
    other = World(api, "B")
    text = f"conversion_id,decision,reason\n{waits},approve,\n"
    assert results(send(api, other, text)) == [(2, "not_found")]
    assert send(api, world, text, other.advertiser_key).status_code == 404
    assert send(api, world, text, world.publisher_key).status_code == 403
    pend(api, world, "R-5")
    assert results(send(api, other, "order_id,decision,reason\nR-5,approve,\n")) == [(2, "not_found")]
    assert standing(api, world) == (0, 2_000)


# ---- cancellations ----


def cancel(
    api: Api, world: World, order_id: str = "R-1001", key: str = "c-1", **fields: object
) -> httpx.Response:
    body = {
        "advertiser_id": world.advertiser,
        "event": "purchase",
        "order_id": order_id,
        "reason": "sent back",
    }
    headers = {"Idempotency-Key": key}
    return api.call("POST", "/conversions/cancel", body | fields, world.advertiser_key, headers=headers)


def basket_campaign(api: Api, world: World) -> str:
    """A campaign paid by a twentieth of the basket."""
    campaign = api.make(
        "/campaigns",
        {
            "advertiser_id": world.advertiser,
            "name": "Share",
            "status": "active",
            "pricing_model": "cpa",
            "basket_bps": 500,
            "max_charge_micros": 10_000_000,
        },
    )
    identity: str = campaign["id"]
    return identity


def test_a_cancelled_order_is_refunded_and_its_repeat_is_answered_the_same(api: Api, world: World) -> None:
    sell(api, world)
    first = cancel(api, world)
    assert first.json() == {"result": "refunded", "refunded_micros": 2_000_000, "pending_micros": None}
    assert cancel(api, world).content == first.content
    assert cancel(api, world, key="c-2").json() == first.json()  # by its refund_id
    assert standing(api, world) == (0, 0)


def test_twenty_cancellations_at_once_are_one(api: Api, world: World) -> None:
    sell(api, world)
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda n: cancel(api, world, key=f"c-{n % 2}"), range(20)))
    assert {answer.json()["result"] for answer in answers} == {"refunded"}
    assert standing(api, world) == (0, 0)


def test_a_pending_order_that_is_cancelled_waits_no_longer(api: Api, world: World) -> None:
    pend(api, world, "R-1001")
    assert cancel(api, world).json()["result"] == "declined"
    assert standing(api, world) == (0, 0)


def test_an_order_that_was_cancelled_first_is_told_in_vain(api: Api, world: World) -> None:
    campaign = basket_campaign(api, world)
    assert cancel(api, world).json()["result"] == "not_charged"
    body = conversion_body(world.advertiser, rtclid=click_id(api, world, campaign))
    for key in ("o-1", "o-1", "o-2"):
        told = api.call("POST", "/conversions", body, headers={"Idempotency-Key": key}).json()
        expected = ("duplicate", None) if key == "o-2" else ("not_billable", "cancelled")
        assert (told["result"], told["reason"]) == expected
        assert told["charge_id"] is None


def test_returned_goods_lower_a_share_of_the_basket(api: Api, world: World) -> None:
    campaign = basket_campaign(api, world)
    body = conversion_body(
        world.advertiser, rtclid=click_id(api, world, campaign), value_micros=BASKET, items=[{"item_id": "a"}]
    )
    told = api.call("POST", "/conversions", body, headers={"Idempotency-Key": "o-1"}).json()
    assert told["result"] == "taken"
    part = {"refund_id": "r1", "returned_micros": 20_000_000, "currency": "EUR"}
    assert cancel(api, world, **part).json()["refunded_micros"] == 1_000_000
    assert cancel(api, world, key="c-2").json()["refunded_micros"] == 3_000_000
    assert cancel(api, world, key="c-3", refund_id="again").json()["result"] == "nothing_left"
    assert api.call("GET", f"/campaigns/{campaign}").json()["spend_micros"] == 0


@pytest.mark.parametrize(
    ("fields", "code", "status"),
    [
        ({"returned_micros": 1, "currency": "USD", "refund_id": "r2"}, "other_currency", 409),
        ({"reason": "another reason"}, "refund_differs", 409),
    ],
)
def test_a_cancellation_that_cannot_be_is_refused_by_name(
    api: Api, world: World, fields: dict[str, object], code: str, status: int
) -> None:
    campaign = basket_campaign(api, world)
    body = conversion_body(world.advertiser, rtclid=click_id(api, world, campaign), value_micros=BASKET)
    api.call("POST", "/conversions", body, headers={"Idempotency-Key": "o-1"})
    cancel(api, world)
    response = cancel(api, world, key="c-2", **fields)
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_an_order_is_cancelled_within_the_advertisers_refund_days(api: Api, world: World) -> None:
    sell(api, world)
    changed = api.call("PATCH", f"/advertisers/{world.advertiser}", {"refund_days": 5})
    assert changed.json()["refund_days"] == 5
    api.now_ms = NOW_MS + 5 * DAY_MS + 1
    response = cancel(api, world)
    assert (response.status_code, response.json()["code"]) == (409, "refund_too_late")
    api.now_ms -= 1
    assert cancel(api, world, key="c-2").json()["result"] == "refunded"


@pytest.mark.parametrize("days", [-1, 91, "30", 2.5, True])
def test_refund_days_are_up_to_ninety(api: Api, world: World, days: object) -> None:
    response = api.call("PATCH", f"/advertisers/{world.advertiser}", {"refund_days": days})
    assert response.json()["errors"][0]["field"] == "body.refund_days"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"order_id": "x" * 10_000}, "order_id"),
        ({"order_id": "jane@mail.example"}, "order_id"),
        ({"refund_id": "x" * 101}, "refund_id"),
        ({"returned_micros": 0, "currency": "EUR", "refund_id": "r"}, "returned_micros"),
        ({"returned_micros": -5, "currency": "EUR", "refund_id": "r"}, "returned_micros"),
        ({"returned_micros": 10**19, "currency": "EUR", "refund_id": "r"}, "returned_micros"),
        ({"returned_micros": 5, "refund_id": "r"}, "body"),
        ({"returned_micros": 5, "currency": "EUR"}, "body"),
        ({"returned_micros": 5, "currency": "EUR", "refund_id": "full"}, "body"),
        ({"currency": "EUR"}, "body"),
        ({"reason": ""}, "reason"),
        ({"event": "page_view"}, "event"),
        ({"event": "generate_lead"}, "body"),
    ],
)
def test_an_unsound_cancellation_names_its_field(
    api: Api, world: World, fields: dict[str, object], field: str
) -> None:
    before = everything(api)
    response = cancel(api, world, **fields)
    assert response.status_code == 422
    assert field in response.json()["errors"][0]["field"]
    assert everything(api) == before


def test_a_cancellation_demands_an_idempotency_key(api: Api, world: World) -> None:
    body = {"advertiser_id": world.advertiser, "event": "purchase", "order_id": "R-1", "reason": "no"}
    response = api.call("POST", "/conversions/cancel", body)
    assert (response.status_code, response.json()["code"]) == (400, "idempotency_key_required")


# ---- orders that cannot be ----


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"occurred_at": "1970-01-01T00:00:00Z"}, "occurred_at_out_of_range"),
        ({"occurred_at": "2099-12-31T23:59:59Z"}, "occurred_at_out_of_range"),
        ({"occurred_at": "2100-01-01T00:00:00Z"}, "invalid_request"),
        ({"occurred_at": "0001-01-01T00:00:00Z"}, "invalid_request"),
        ({"occurred_at": "2026-11-18T12:00:00"}, "invalid_request"),
        ({"order_id": "x" * 10_000}, "invalid_request"),
        ({"order_id": ""}, "invalid_request"),
        ({"order_id": "R\u0000"}, "invalid_request"),
        ({"value_micros": -1}, "invalid_request"),
        ({"value_micros": 10**19}, "invalid_request"),
        ({"items": [{"item_id": "x" * 10_000}]}, "invalid_request"),
        ({"items": [{"item_id": "a"}] * 201}, "invalid_request"),
    ],
)
def test_an_order_that_cannot_be_is_refused_and_changes_nothing(
    api: Api, world: World, fields: dict[str, object], code: str
) -> None:
    before = everything(api)
    body = conversion_body(world.advertiser) | fields
    headers = {"Idempotency-Key": "o-1"}
    response = api.call("POST", "/conversions", body, headers=headers)
    assert (response.status_code, response.json()["code"]) == (422, code)
    assert everything(api) == before
    assert (
        api.call("POST", "/conversions", conversion_body(world.advertiser), headers=headers).status_code
        == 200
    )


def test_the_items_of_an_order_decide_where_a_campaign_asks_for_its_product(api: Api, world: World) -> None:
    campaign = basket_campaign(api, world)
    changed = api.call("PATCH", f"/campaigns/{campaign}", {"product_match": "same_item"}).json()
    assert changed["product_match"] == "same_item"
    click = click_id(api, world, campaign, version=changed["version"])
    body = conversion_body(world.advertiser, rtclid=click, items=[{"item_id": "boots-1"}])
    told = api.call("POST", "/conversions", body, headers={"Idempotency-Key": "o-1"}).json()
    assert (told["result"], told["reason"]) == ("unattributed", "other_product")
    bad = api.call("PATCH", f"/campaigns/{campaign}", {"product_match": "same_colour"})
    assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "body.product_match")
