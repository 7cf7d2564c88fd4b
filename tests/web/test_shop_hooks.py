"""Shops' own order webhooks over HTTP: proved, read, billed once, given back; every no by its name."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from adserver.domain.shop_hook import signature_of
from adserver.writes import Outcome, Result
from tests.pixel.shop_bodies import (
    body_of,
    shopify_order,
    shopify_refund,
    shopify_refund_line,
    woocommerce_order,
)
from tests.web.api import NOW_MS, Api, World, campaign_body, click_id, conversion_body, everything

SECRET = "0123456789abcdef0123456789abcdef"
SIGNATURE = {"shopify": "X-Shopify-Hmac-Sha256", "woocommerce": "X-WC-Webhook-Signature"}
TOPIC = {"shopify": "X-Shopify-Topic", "woocommerce": "X-WC-Webhook-Topic"}
PAID = {"shopify": "orders/paid", "woocommerce": "order.updated"}
CANCELLED = {"shopify": "orders/cancelled", "woocommerce": "order.updated"}
SHOPS = pytest.mark.parametrize("shop", ["shopify", "woocommerce"])
PRICE = 2_000_000


def order(shop: str, clicked: str | None = None, **fields: Any) -> dict[str, Any]:
    """A paid order whose cart carried the click id."""
    if shop == "shopify":
        attributes = [{"name": "rtclid", "value": clicked}] if clicked else []
        return shopify_order(**{"note_attributes": attributes} | fields)
    meta = [{"id": 1, "key": "_rtclid", "value": clicked}] if clicked else []
    return woocommerce_order(**{"meta_data": meta} | fields)


def cancelled(shop: str, **fields: Any) -> dict[str, Any]:
    said = {"cancelled_at": "2026-11-18T12:00:00+01:00"} if shop == "shopify" else {"status": "cancelled"}
    return order(shop, **said | fields)


def send(
    api: Api,
    world: World,
    shop: str,
    document: object,
    topic: str | None = None,
    secret: str = SECRET,
    signature: str | None = None,
) -> httpx.Response:
    """A delivery of the shop's to the world's advertiser."""
    body = document if isinstance(document, bytes) else body_of(document)
    headers = {
        TOPIC[shop]: PAID[shop] if topic is None else topic,
        SIGNATURE[shop]: signature_of(secret, body) if signature is None else signature,
        "Content-Type": "application/json",
    }
    sent = {name: value.encode("latin-1") for name, value in headers.items() if value}
    path = f"/hooks/{shop}/{world.advertiser}"
    return api.call("POST", path, key="", content=body, headers=sent)


def set_secret(api: Api, world: World, shop: str, secret: str = SECRET) -> None:
    path = f"/advertisers/{world.advertiser}/hooks/{shop}"
    assert api.call("PUT", path, {"secret": secret}, world.advertiser_key).status_code == 200


def spend(api: Api, campaign_id: str) -> int:
    micros: int = api.call("GET", f"/campaigns/{campaign_id}").json()["spend_micros"]
    return micros


def results(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    found: list[str] = response.json()["results"]
    return found


class Sold:
    """An advertiser with a CPA campaign, a click on its ad, and both shops' secrets."""

    def __init__(self, api: Api, world: World, **terms: Any) -> None:
        terms = {"rate_micros": PRICE} | terms
        body = campaign_body(world.advertiser, pricing_model="cpa", **terms)
        self.campaign: str = api.make("/campaigns", body)["id"]
        api.refresh.poll()
        self.click = click_id(api, world, self.campaign)
        for shop in SIGNATURE:
            set_secret(api, world, shop)


@pytest.fixture
def sold(api: Api, world: World) -> Sold:
    return Sold(api, world)


@SHOPS
def test_a_paid_order_with_a_click_is_billed_once_however_often_it_is_sent(
    api: Api, world: World, sold: Sold, shop: str
) -> None:
    document = order(shop, sold.click)
    assert results(send(api, world, shop, document)) == ["taken"]
    assert spend(api, sold.campaign) == PRICE
    with ThreadPoolExecutor(8) as pool:
        again = list(pool.map(lambda _: results(send(api, world, shop, document)), range(49)))
    assert again == [["duplicate"]] * 49
    assert spend(api, sold.campaign) == PRICE


@SHOPS
def test_fifty_deliveries_at_once_are_billed_once(api: Api, world: World, sold: Sold, shop: str) -> None:
    document = order(shop, sold.click)
    with ThreadPoolExecutor(16) as pool:
        said = list(pool.map(lambda _: results(send(api, world, shop, document))[0], range(50)))
    assert sorted(said) == ["duplicate"] * 49 + ["taken"]
    assert spend(api, sold.campaign) == PRICE


@SHOPS
def test_a_cancelled_order_is_given_back_once(api: Api, world: World, sold: Sold, shop: str) -> None:
    send(api, world, shop, order(shop, sold.click))
    for _ in range(3):
        assert results(send(api, world, shop, cancelled(shop), CANCELLED[shop])) == ["refunded"]
        assert spend(api, sold.campaign) == 0
    assert results(send(api, world, shop, order(shop, sold.click))) == ["duplicate"]
    assert spend(api, sold.campaign) == 0


@SHOPS
def test_an_order_that_comes_after_its_cancellation_is_not_billed(
    api: Api, world: World, sold: Sold, shop: str
) -> None:
    assert results(send(api, world, shop, cancelled(shop), CANCELLED[shop])) == ["not_charged"]
    late = send(api, world, shop, order(shop, sold.click))
    assert (results(late), late.json()["reasons"]) == (["not_billable"], ["cancelled"])
    assert spend(api, sold.campaign) == 0


def test_a_shopify_refund_gives_back_its_share_of_the_basket_once(api: Api, world: World) -> None:
    sold = Sold(api, world, rate_micros=0, basket_bps=1_000, max_charge_micros=50_000_000)
    assert results(send(api, world, "shopify", order("shopify", sold.click))) == ["taken"]
    assert spend(api, sold.campaign) == 6_000_000
    refund = shopify_refund(shopify_refund_line("20.00"))
    for _ in range(3):
        assert results(send(api, world, "shopify", refund, "refunds/create")) == ["refunded"]
    updated = order("shopify", sold.click, financial_status="partially_refunded", refunds=[refund])
    assert results(send(api, world, "shopify", updated, "orders/updated")) == ["duplicate", "refunded"]
    assert spend(api, sold.campaign) == 4_000_000
    whole = order("shopify", sold.click, financial_status="refunded")
    assert results(send(api, world, "shopify", whole, "orders/updated")) == ["refunded"]
    assert spend(api, sold.campaign) == 0


def test_each_woocommerce_refund_gives_back_its_share_of_the_basket_once(api: Api, world: World) -> None:
    sold = Sold(api, world, rate_micros=0, basket_bps=1_000, max_charge_micros=50_000_000)
    assert results(send(api, world, "woocommerce", order("woocommerce", sold.click))) == ["taken"]
    assert spend(api, sold.campaign) == 10_000_000
    refunds = [{"id": 801, "reason": "", "total": "-60.00"}]
    updated = order("woocommerce", sold.click, refunds=refunds)
    for _ in range(3):
        assert results(send(api, world, "woocommerce", updated)) == ["duplicate", "refunded"]
    assert spend(api, sold.campaign) == 5_000_000
    refunds.append({"id": 802, "reason": "", "total": "-24.00"})
    updated = order("woocommerce", sold.click, refunds=refunds)
    assert results(send(api, world, "woocommerce", updated)) == ["duplicate", "refunded", "refunded"]
    assert spend(api, sold.campaign) == 3_000_000


def test_an_order_deleted_in_woocommerce_is_given_back(api: Api, world: World, sold: Sold) -> None:
    send(api, world, "woocommerce", order("woocommerce", sold.click))
    assert results(send(api, world, "woocommerce", {"id": 727}, "order.deleted")) == ["refunded"]
    assert spend(api, sold.campaign) == 0


@SHOPS
def test_the_same_order_told_by_the_api_is_a_duplicate(api: Api, world: World, sold: Sold, shop: str) -> None:
    body = conversion_body(world.advertiser, order_id=str(order(shop)["id"]), rtclid=sold.click)
    told = api.call("POST", "/conversions", body, headers={"Idempotency-Key": "a"})
    assert told.json()["result"] == "taken"
    assert results(send(api, world, shop, order(shop, sold.click))) == ["duplicate"]
    assert spend(api, sold.campaign) == PRICE


@SHOPS
def test_an_order_without_a_click_is_nobodys(api: Api, world: World, sold: Sold, shop: str) -> None:
    response = send(api, world, shop, order(shop))
    assert (results(response), response.json()["reasons"]) == (["unattributed"], ["no_touch"])


@SHOPS
def test_a_basket_in_another_currency_is_attributed_and_not_billed(api: Api, world: World, shop: str) -> None:
    sold = Sold(api, world, rate_micros=0, basket_bps=1_000, max_charge_micros=50_000_000)
    response = send(api, world, shop, order(shop, sold.click, currency="USD"))
    assert (results(response), response.json()["reasons"]) == (["not_billable"], ["currency_mismatch"])
    assert spend(api, sold.campaign) == 0


@SHOPS
def test_an_order_beyond_the_budget_is_not_billed(api: Api, world: World, shop: str) -> None:
    sold = Sold(api, world, total_budget_micros=PRICE - 1)
    assert results(send(api, world, shop, order(shop, sold.click))) == ["cap_reached"]
    assert spend(api, sold.campaign) == 0


@SHOPS
@pytest.mark.parametrize("created", ["1970-01-01T00:00:00", "2026-11-10T00:00:00", "2100-01-01T00:00:00"])
def test_an_order_made_long_ago_or_not_yet_is_refused_by_name_and_the_shop_goes_on(
    api: Api, world: World, sold: Sold, shop: str, created: str
) -> None:
    before = everything(api)
    times = {"created_at": f"{created}+00:00"} if shop == "shopify" else {"date_created_gmt": created}
    response = send(api, world, shop, order(shop, sold.click, **times))
    assert results(response) == ["occurred_at_out_of_range"]
    assert everything(api) == before


# ---- what is not believed ----

Unproved = Callable[[Api, World, str], httpx.Response]


def sealed(**how: Any) -> Unproved:
    return lambda api, world, shop: send(api, world, shop, order(shop, "a"), **how)


def tampered(api: Api, world: World, shop: str) -> httpx.Response:
    body = body_of(order(shop, "a"))
    changed = body.replace(b"60.00", b"61.00").replace(b"132.00", b"133.00")
    return send(api, world, shop, changed, signature=signature_of(SECRET, body))


def with_another_shops_header(api: Api, world: World, shop: str) -> httpx.Response:
    body = body_of(order(shop, "a"))
    other = "shopify" if shop == "woocommerce" else "woocommerce"
    headers = {TOPIC[shop]: PAID[shop], SIGNATURE[other]: signature_of(SECRET, body)}
    return api.call("POST", f"/hooks/{shop}/{world.advertiser}", key="", content=body, headers=headers)


def to_nobody(api: Api, world: World, shop: str) -> httpx.Response:
    body = body_of(order(shop, "a"))
    headers = {TOPIC[shop]: PAID[shop], SIGNATURE[shop]: signature_of(SECRET, body)}
    return api.call("POST", f"/hooks/{shop}/adv_0000000000000", key="", content=body, headers=headers)


def to_no_id(api: Api, world: World, shop: str) -> httpx.Response:
    return api.call("POST", f"/hooks/{shop}/x", key="", content=b"{}", headers={SIGNATURE[shop]: "x"})


def without_a_secret(api: Api, world: World, shop: str) -> httpx.Response:
    path = f"/advertisers/{world.advertiser}/hooks/{shop}"
    assert api.call("DELETE", path, key=world.advertiser_key).status_code == 204
    response = send(api, world, shop, order(shop, "a"))
    assert send(api, world, shop, order(shop, "a"), secret="").content == response.content
    return response


def with_the_secret_before(api: Api, world: World, shop: str) -> httpx.Response:
    set_secret(api, world, shop, "f" * 40)
    return send(api, world, shop, order(shop, "a"))


def with_a_key_instead(api: Api, world: World, shop: str) -> httpx.Response:
    return api.call("POST", f"/hooks/{shop}/{world.advertiser}", order(shop, "a"), world.advertiser_key)


@SHOPS
@pytest.mark.parametrize(
    "ask",
    [
        sealed(secret="another secret of the shop"),
        sealed(signature=""),
        sealed(signature="\u00e9"),
        tampered,
        with_another_shops_header,
        to_nobody,
        to_no_id,
        without_a_secret,
        with_the_secret_before,
        with_a_key_instead,
    ],
)
def test_whatever_the_shop_did_not_sign_is_one_and_the_same_refusal(
    api: Api, world: World, sold: Sold, shop: str, ask: Unproved
) -> None:
    response = ask(api, world, shop)
    assert (response.status_code, response.json()["code"]) == (401, "bad_signature")
    assert response.content == to_nobody(api, world, shop).content
    assert api.storage.reader.rows("SELECT * FROM conversions") == []


@SHOPS
def test_a_secret_of_another_advertiser_proves_nothing(api: Api, world: World, sold: Sold, shop: str) -> None:
    other = World(api, "B")
    set_secret(api, other, shop, "another secret of the shop")
    response = send(api, world, shop, order(shop), secret="another secret of the shop")
    assert response.json()["code"] == "bad_signature"


@SHOPS
def test_a_replay_after_a_day_is_refused_and_changes_nothing(
    api: Api, world: World, sold: Sold, shop: str
) -> None:
    api.now_ms = NOW_MS + 86_400_000
    before = everything(api)
    for document in (order(shop, sold.click), cancelled(shop)):
        response = send(api, world, shop, document)
        assert (response.status_code, response.json()["code"]) == (422, "hook_too_old")
    assert everything(api) == before


def test_a_refund_replayed_after_a_day_is_refused(api: Api, world: World, sold: Sold) -> None:
    send(api, world, "shopify", order("shopify", sold.click))
    api.now_ms = NOW_MS + 86_400_000
    refund = shopify_refund(shopify_refund_line())
    assert send(api, world, "shopify", refund, "refunds/create").json()["code"] == "hook_too_old"
    assert spend(api, sold.campaign) == PRICE


@SHOPS
@pytest.mark.parametrize(
    ("fields", "topic", "reason"),
    [
        ({}, "products/update", "unknown_topic"),
        ({}, "", "unknown_topic"),
        ({"status": "pending", "financial_status": "pending"}, None, "not_paid"),
    ],
)
def test_what_changes_nothing_is_answered_so_that_the_shop_goes_on(
    api: Api, world: World, sold: Sold, shop: str, fields: dict[str, str], topic: str | None, reason: str
) -> None:
    before = everything(api)
    response = send(api, world, shop, order(shop, sold.click, **fields), topic)
    assert (results(response), response.json()["reasons"]) == (["ignored"], [reason])
    assert everything(api) == before


def test_a_test_notification_of_shopify_is_answered(api: Api, world: World, sold: Sold) -> None:
    response = send(
        api, world, "shopify", order("shopify", test=True, updated_at="2021-12-31T19:00:00-05:00")
    )
    assert (results(response), response.json()["reasons"]) == (["ignored"], ["test_order"])


def test_the_unsigned_ping_of_woocommerce_is_answered_to_anybody(api: Api, world: World) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for id_ in (world.advertiser, "adv_0000000000000"):
        path = f"/hooks/woocommerce/{id_}"
        response = api.call("POST", path, key="", content=b"webhook_id=12", headers=form)
        assert (results(response), response.json()["reasons"]) == (["ignored"], ["ping"])
    path = f"/hooks/shopify/{world.advertiser}"
    assert api.call("POST", path, key="", content=b"webhook_id=12", headers=form).status_code == 401


@SHOPS
@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"", "malformed"),
        (b"[]", "malformed"),
        (b"[" * 15_000, "malformed"),
        (b'{"a":' * 3_000, "malformed"),
        ({"id": "7" * 10_000}, "bad_order_id"),
        ({"id": "Robert'); DROP TABLE"}, "bad_order_id"),
        ({"updated_at": "now", "date_modified_gmt": "now"}, "bad_time"),
        ({"refunds": [{"id": 1, "total": "a", "refund_line_items": [{"subtotal": "a"}]}]}, "bad_amount"),
    ],
    ids=["empty", "list", "deep list", "deep object", "long id", "id", "time", "amount"],
)
def test_a_body_that_cannot_be_read_is_refused_by_name(
    api: Api, world: World, sold: Sold, shop: str, document: bytes | dict[str, Any], reason: str
) -> None:
    before = everything(api)
    body = document if isinstance(document, bytes) else order(shop, sold.click, **document)
    response = send(api, world, shop, body)
    assert (response.status_code, response.json()["code"]) == (422, "hook_malformed")
    assert response.json()["reason"] == reason
    assert len(response.content) < 500
    assert everything(api) == before


@SHOPS
def test_a_body_of_a_megabyte_is_not_read(api: Api, world: World, sold: Sold, shop: str) -> None:
    response = send(api, world, shop, order(shop, padding="x" * 1_000_000))
    assert (response.status_code, response.json()["code"]) == (413, "body_too_large")


@SHOPS
def test_what_cannot_be_made_durable_is_to_be_sent_again(
    api: Api, world: World, sold: Sold, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        full.setattr(api.storage.writer, "commit", lambda write: Outcome(Result.UNRECORDED))
        response = send(api, world, shop, order(shop, sold.click))
        assert (response.status_code, response.json()["code"]) == (503, "unrecorded")
    assert results(send(api, world, shop, order(shop, sold.click))) == ["taken"]


# ---- the secrets ----


@SHOPS
def test_a_secret_is_set_and_taken_away_and_never_shown(api: Api, world: World, shop: str) -> None:
    path = f"/advertisers/{world.advertiser}/hooks/{shop}"
    assert api.call("GET", path, key=world.advertiser_key).json()["set"] is False
    set_secret(api, world, shop)
    answer = api.call("GET", path, key=world.advertiser_key)
    assert SECRET not in answer.text
    shown = answer.json()
    assert (shown["set"], shown["set_at"], shown["secret"]) == (True, "2026-11-18T11:06:40.000Z", None)
    assert shown["address"] == f"https://cards.example/api/v1/hooks/{shop}/{world.advertiser}"
    assert PAID[shop] in shown["topics"]
    for _ in range(2):
        assert api.call("DELETE", path, key=world.advertiser_key).status_code == 204
    assert api.call("GET", path, key=world.advertiser_key).json()["set_at"] is None
    set_secret(api, world, shop)
    assert api.call("GET", path, key=world.advertiser_key).json()["set"] is True


def test_a_secret_is_made_for_woocommerce_and_shown_once(api: Api, world: World) -> None:
    path = f"/advertisers/{world.advertiser}/hooks/woocommerce"
    minted = api.call("PUT", path, {}, world.advertiser_key).json()["secret"]
    assert len(minted) >= 32
    assert results(send(api, world, "woocommerce", order("woocommerce"), secret=minted)) == ["unattributed"]
    assert minted not in api.call("GET", path, key=world.advertiser_key).text
    again = api.call("PUT", path, {}, world.advertiser_key).json()["secret"]
    assert again != minted
    assert send(api, world, "woocommerce", order("woocommerce"), secret=minted).status_code == 401


def test_a_secret_that_is_told_is_not_repeated(api: Api, world: World) -> None:
    answer = api.call("PUT", f"/advertisers/{world.advertiser}/hooks/shopify", {"secret": SECRET})
    assert (answer.status_code, answer.json()["secret"]) == (200, None)
    assert SECRET not in answer.text


def test_of_many_secrets_set_at_once_one_counts(api: Api, world: World) -> None:
    path = f"/advertisers/{world.advertiser}/hooks/woocommerce"
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: api.call("PUT", path, {}), range(4)))
    assert {answer.status_code for answer in answers} == {200}
    minted = [answer.json()["secret"] for answer in answers]
    sent = [send(api, world, "woocommerce", order("woocommerce"), secret=one).status_code for one in minted]
    assert sorted(sent) == [200, 401, 401, 401]


def test_shopify_has_its_own_secret(api: Api, world: World) -> None:
    answer = api.call("PUT", f"/advertisers/{world.advertiser}/hooks/shopify", {})
    assert (answer.status_code, answer.json()["code"]) == (422, "secret_needed")


@pytest.mark.parametrize(
    "secret", ["", "short", " " * 20, "x" * 201, "\u00e9" * 20, "a" * 15 + "\n", 7, ["a" * 20]]
)
def test_an_unsound_secret_is_refused(api: Api, world: World, secret: object) -> None:
    answer = api.call("PUT", f"/advertisers/{world.advertiser}/hooks/shopify", {"secret": secret})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_another_shop_software_does_not_exist(api: Api, world: World) -> None:
    for method in ("GET", "PUT", "DELETE"):
        path = f"/advertisers/{world.advertiser}/hooks/magento"
        body = {"secret": SECRET} if method == "PUT" else None
        assert api.call(method, path, body).status_code == 404
    assert api.call("POST", f"/hooks/magento/{world.advertiser}", key="", content=b"{}").status_code == 404
