"""An ad's offer leads on with its click: a code of its own, durable first, and never one too many."""

import re
import threading
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from adserver.domain.offer import AddCodes, OfferPool, PoolKind, Redemption, code_key
from adserver.domain.pricing import AdEvent
from adserver.flows.redeem import Judged, Redeem
from adserver.storage import offers
from adserver.writes import ForgetVisitor, HandCode, Result, SaveProducts, Withdraw
from creatives.card import Offer
from tests.contract.stores import save, save_new
from tests.domain.makers import ADVERTISER, CREATIVE, DAY_MS, make_campaign, make_creative
from tests.flows.street import BOOTS, READER, Street, sale_terms

POOL = 91
MINUTE_MS = 60_000


def make_pool(**fields: object) -> OfferPool:
    row = {"key": POOL, "advertiser_key": ADVERTISER, "name": "Autumn", "kind": PoolKind.GENERATED}
    return OfferPool(**row | fields)  # type: ignore[arg-type]


def promise(street: Street, pool: OfferPool | None = None, **offer: object) -> None:
    """The shop's ads offer ten percent, with a code of the pool where there is one."""
    street.open_shop()
    if pool is not None:
        save_new(street.storage, pool)
    terms: dict[str, Any] = {"percent": 10, "pool": pool is not None} | offer
    creative = make_creative(offer=Offer(**terms), pool_key=None if pool is None else pool.key)
    save_new(street.storage, make_campaign(**sale_terms()), creative)
    street.look()
    street.refresh.poll()


def fill(street: Street, *codes: str) -> None:
    street.storage.writer.commit(AddCodes(POOL, ADVERTISER, 1, codes, street.now_ms))
    street.refresh.poll()


def empty_pool(**fields: object) -> OfferPool:
    return make_pool(kind=PoolKind.UPLOADED, low_ms=1, **fields)


def land(street: Street, text: str | None = None, **token: object) -> dict[str, str]:
    """Where the click leads: what its address says of an offer, and `rtclid`."""
    landing, _ = street.click(text or street.signed(**token))
    return {name: value for name, [value] in parse_qs(urlsplit(landing.location).query).items()}


def offered(said: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in said.items() if name.startswith("rt_offer")}


def shows_offer(street: Street) -> bool:
    return "80.91" in street.visit().body.decode()  # ten percent off the boots


def redeeming(street: Street) -> Redeem:
    return Redeem(street.memory, street.storage, street.clock, street.secrets)


def test_a_click_leads_on_with_a_code_that_is_its_own(street: Street) -> None:
    promise(street, make_pool(prefix="AUTUMN-", valid_minutes=60))
    first, again = land(street), land(street)
    other = land(street, impression_id=100)
    assert offered(first) == offered(again)
    assert first["rt_offer"].startswith("AUTUMN-") and len(first["rt_offer"]) == len("AUTUMN-") + 10
    assert first["rt_offer"] != other["rt_offer"]
    ends_ms = street.now_ms + 60 * MINUTE_MS
    assert first | {"rt_offer": "", "rtclid": ""} == {
        "rt_offer": "",
        "rt_offer_percent": "10",
        "rt_offer_ends": str(ends_ms // 1000),
        "rt_offer_left": "3600",
        "rtclid": "",
    }


def test_the_code_is_durable_before_the_click_leads_on(street: Street) -> None:
    promise(street, make_pool())
    said = land(street)
    stored = street.rows("SELECT code, click_impression_id, click_id, percent FROM offer_codes")
    assert stored == [(said["rt_offer"], 99, said["rtclid"], 10)]


def test_an_ad_clicked_again_after_its_code_is_over_leads_on_without_and_gets_no_other(
    street: Street,
) -> None:
    promise(street, make_pool(valid_minutes=10))
    seen_ms = street.now_ms - 1_000
    assert land(street, decided_at_ms=seen_ms)["rt_offer"]
    street.now_ms += 10 * MINUTE_MS
    assert offered(land(street, decided_at_ms=seen_ms)) == {}
    assert street.rows("SELECT COUNT(*) FROM offer_codes") == [(1,)]
    assert street.counted()["offer_expired_before"] == 1


def test_an_offer_without_a_pool_leads_on_with_what_it_says(street: Street) -> None:
    promise(street, percent=None, amount_micros=5_250_000, code="AUTUMN", ends_at_ms=street.now_ms + 5_500)
    said = offered(land(street))
    assert said["rt_offer"] == "AUTUMN"
    assert (said["rt_offer_amount"], said["rt_offer_currency"], said["rt_offer_left"]) == ("5.25", "EUR", "5")
    street.now_ms += 5_500
    assert offered(land(street, impression_id=100)) == {}


def test_an_offer_by_link_names_the_discount_alone(street: Street) -> None:
    promise(street)
    assert offered(land(street)) == {"rt_offer_percent": "10"}


def test_what_the_offer_adds_stands_before_the_pages_own_fragment(street: Street) -> None:
    promise(street, make_pool())
    street.storage.writer.commit(
        SaveProducts(ADVERTISER, (msgspec.structs.replace(BOOTS, link="https://shop.example/b?x=1#sizes"),))
    )
    street.refresh.poll()
    landing, _ = street.click(street.signed())
    parts = urlsplit(landing.location)
    assert parts.fragment == "sizes"
    assert parts.query.startswith("x=1&rtclid=") and "&rt_offer=" in parts.query


def test_no_offer_is_shown_before_there_are_codes_and_none_after_the_last(street: Street) -> None:
    promise(street, empty_pool())
    assert not shows_offer(street)
    fill(street, "A-1001", "A-1002")
    assert shows_offer(street)
    codes = {land(street, impression_id=number)["rt_offer"] for number in (1, 2)}
    assert codes == {"A-1001", "A-1002"}
    street.refresh.if_stale()
    assert not shows_offer(street)
    street.now_ms += 10_000
    assert offered(land(street, impression_id=3)) == {}
    assert street.counted()["offer_no_code_left"] == 1
    fill(street, "A-1003")
    assert shows_offer(street)


def test_who_saw_the_offer_before_it_stopped_gets_one_of_those_kept_back(street: Street) -> None:
    promise(street, empty_pool())
    fill(street, *(f"A-{number}" for number in range(1000, 1040)))  # two of forty are kept
    seen_ms = street.now_ms
    for number in range(38):
        assert land(street, impression_id=number + 1)["rt_offer"]
    street.refresh.if_stale()
    assert not shows_offer(street)
    street.now_ms += 10 * MINUTE_MS
    assert offered(land(street, impression_id=50, decided_at_ms=street.now_ms - 1_000)) == {}
    assert land(street, impression_id=51, decided_at_ms=seen_ms)["rt_offer"]
    assert land(street, impression_id=52, decided_at_ms=seen_ms)["rt_offer"]
    assert offered(land(street, impression_id=53, decided_at_ms=seen_ms)) == {}


def test_another_worker_stops_showing_the_offer_too(street: Street) -> None:
    """It looks at the change log, as after any change."""
    promise(street, empty_pool())
    fill(street, "A-1001")
    assert shows_offer(street)
    street.storage.writer.commit(HandCode(POOL, ADVERTISER, 7, "elsewhere", 0, street.now_ms, None, 10, None))
    assert not shows_offer(street)


def test_an_offer_that_is_over_is_neither_shown_nor_handed(street: Street) -> None:
    promise(street, make_pool(ends_at_ms=street.now_ms + MINUTE_MS))
    assert shows_offer(street)
    street.now_ms += MINUTE_MS
    assert not shows_offer(street)
    assert offered(land(street)) == {}
    assert street.counted()["offer_over"] == 1


@pytest.mark.parametrize("suspect", ["test", "too_soon"])
def test_a_suspect_click_gets_no_code_and_leads_on(street: Street, suspect: str) -> None:
    promise(street, make_pool())
    token = {"test": True} if suspect == "test" else {"decided_at_ms": street.now_ms - 1}
    said = land(street, **token)
    assert offered(said) == {} and said["rtclid"]
    assert street.counted()["offer_suspect_click"] == 1
    if suspect == "too_soon":
        assert land(street)["rt_offer"]


def test_many_clicks_at_once_get_each_code_once(street: Street) -> None:
    promise(street, empty_pool())
    fill(street, *(f"A-{number}" for number in range(1000, 1030)))
    said: list[dict[str, str]] = []

    def click(first: int) -> None:
        said.extend(land(street, impression_id=number) for number in range(first, first + 10))

    threads = [threading.Thread(target=click, args=(first,)) for first in (1, 11, 21, 31)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    codes = [one["rt_offer"] for one in said if "rt_offer" in one]
    assert len(said) == 40 and len(codes) == len(set(codes)) == 30
    stock = street.storage.offers.stocks([POOL], street.now_ms)[POOL]
    assert (stock.free, stock.handed) == (0, 30)


def test_a_click_leads_on_where_nothing_can_be_made_durable(
    street: Street, monkeypatch: pytest.MonkeyPatch
) -> None:
    promise(street, make_pool())
    monkeypatch.setattr("adserver.storage.postbox.MOST_WAITING", 0)
    landing, name = street.click(street.signed())
    assert name is Result.UNRECORDED and "rt_offer" not in landing.location and "rtclid" in landing.location


# ---- what becomes of a code ----


def test_a_purchase_redeems_its_code_and_is_credited_to_the_codes_click(street: Street) -> None:
    """Although it names no click, and comes from a browser that nobody has seen."""
    promise(street, make_pool())
    code = land(street)["rt_offer"]
    stranger = READER.__class__(region=READER.region, origin="shop.example", visitor_key=777_777)
    bought = street.hit(
        stranger, e="purchase", transaction_id="R-1", value="80", currency="EUR", coupon=f"SUMMER,{code}"
    )
    assert bought.rejection is None
    street.convert.credit_new()
    [(by_server, state, _)] = street.orders()
    assert (by_server, state) == (0, "pending")
    assert street.storage.offers.stocks([POOL], street.now_ms)[POOL].redeemed == 1
    assert street.counted()["offer_redeemed"] == 1
    street.assert_audit_is_clean()


def test_a_servers_order_is_credited_to_the_click_of_its_code(street: Street) -> None:
    promise(street, make_pool())
    code = land(street)["rt_offer"]
    told = street.order(coupons=(code.lower(), "SUMMER"))
    assert told.outcome.result is Result.TAKEN
    assert street.order("R-2").outcome.result is Result.UNATTRIBUTED
    assert street.order("R-3", coupons=(code,)).outcome.result is Result.UNATTRIBUTED
    assert street.counted()["offer_already_redeemed"] == 1


def test_what_a_browser_says_of_a_code_credits_no_order_of_a_server(street: Street) -> None:
    """Else whoever clicks could claim an order whose id they guess."""
    promise(street, make_pool())
    code = land(street)["rt_offer"]
    caller = READER.__class__(region=READER.region, origin="shop.example", visitor_key=777_777)
    street.hit(caller, e="purchase", transaction_id="R-1", value="80", currency="EUR", coupon=code)
    assert street.storage.offers.stocks([POOL], street.now_ms)[POOL].redeemed == 1
    key = street.rows("SELECT order_key FROM offer_codes")[0][0]
    assert street.storage.offers.click_of(int(str(key)), by_server=True) is None
    assert street.storage.offers.click_of(int(str(key)), by_server=False)


def test_a_shop_learns_what_a_code_is_worth_to_this_click(street: Street) -> None:
    promise(street, make_pool(valid_minutes=10))
    redeem, said, other = redeeming(street), land(street), land(street, impression_id=100)
    code, click_id = said["rt_offer"], said["rtclid"]

    def check(of: str, by: str | None) -> tuple[str, bool]:
        judged = redeem.check(ADVERTISER, of, by)
        return judged.result, judged.same_click

    assert check(code, click_id) == ("valid", True)
    assert check(code.lower(), None) == ("valid", False)
    assert check(code, other["rtclid"]) == ("shared_code", False)
    assert check("NO-SUCH", click_id) == ("unknown_code", False)
    assert redeem.check(ADVERTISER + 1, code, click_id).result is Redemption.WRONG_ADVERTISER
    assert redeem.check(ADVERTISER + 1, code, None).result is Redemption.UNKNOWN_CODE
    street.now_ms += 10 * MINUTE_MS - 1
    assert check(code, click_id) == ("valid", True)
    street.now_ms += 1
    assert check(code, click_id) == ("expired", True)
    assert street.counted()["offer_check_shared_code"] == 1


def test_a_code_is_redeemed_by_one_order_which_may_be_told_again(street: Street) -> None:
    promise(street, empty_pool())
    fill(street, "A-1001", "A-1002")
    redeem, said = redeeming(street), land(street)
    results = [
        redeem.redeem(ADVERTISER, code, order, click)
        for code, order, click in (
            (said["rt_offer"], "R-1", land(street, impression_id=5)["rtclid"]),
            (said["rt_offer"], "R-1", said["rtclid"]),
            (said["rt_offer"], "R-1", None),
            (said["rt_offer"], "R-2", said["rtclid"]),
        )
    ]
    assert [one.result for one in results if isinstance(one, Judged)] == [
        "shared_code", "redeemed", "redeemed", "already_redeemed",
    ]  # fmt: skip
    fill(street, "A-1003")
    left = redeem.redeem(ADVERTISER, "A-1003", "R-9", None)
    assert isinstance(left, Judged) and left.result is Redemption.NOT_HANDED


def test_who_clicked_twice_may_use_either_code_and_nobody_else_may(street: Street) -> None:
    promise(street, make_pool())
    stranger = msgspec.structs.replace(READER, visitor_key=READER.visitor_key + 1)
    street.hit(msgspec.structs.replace(stranger, origin="shop.example"), id="boots")
    ads = [street.token(), street.token(), street.token(stranger)]
    street.now_ms += 1_000
    first, second, others = (land(street, text) for text in ads)
    redeem = redeeming(street)
    assert redeem.check(ADVERTISER, first["rt_offer"], second["rtclid"]).result is Redemption.VALID
    assert redeem.check(ADVERTISER, first["rt_offer"], others["rtclid"]).result is Redemption.SHARED_CODE
    refused = redeem.redeem(ADVERTISER, first["rt_offer"], "R-1", others["rtclid"])
    assert isinstance(refused, Judged) and refused.result is Redemption.SHARED_CODE
    judged = redeem.redeem(ADVERTISER, first["rt_offer"], "R-1", second["rtclid"])
    assert isinstance(judged, Judged) and (judged.result, judged.same_click) == (Redemption.REDEEMED, False)


def test_a_forgotten_visitors_code_stays_redeemable_and_names_no_click(street: Street) -> None:
    promise(street, make_pool())
    text = street.token()
    street.now_ms += 1_000
    said = land(street, text)
    assert street.rows("SELECT COUNT(*) FROM offer_codes WHERE visitor_key != 0") == [(1,)]
    street.storage.writer.commit(ForgetVisitor(READER.visitor_key, 1, street.now_ms))
    kept = street.rows("SELECT visitor_key, click_id, click_impression_id FROM offer_codes")
    assert kept == [(0, None, None)]
    judged = redeeming(street).redeem(ADVERTISER, said["rt_offer"], "R-1", land(street)["rtclid"])
    assert isinstance(judged, Judged) and judged.result is Redemption.REDEEMED
    assert street.order(coupons=(said["rt_offer"],)).outcome.result is Result.UNATTRIBUTED


def test_a_withdrawal_on_the_shops_page_takes_the_click_off_its_codes_only(street: Street) -> None:
    promise(street, make_pool())
    text = street.token()
    street.now_ms += 1_000
    land(street, text)
    elsewhere = HandCode(
        92, ADVERTISER + 1, 5, "click", READER.visitor_key, street.now_ms, None, 10, None, ("OTHER-1",)
    )
    street.storage.writer.commit(elsewhere)
    street.storage.writer.commit(Withdraw(READER.visitor_key, ADVERTISER, street.now_ms))
    kept = street.rows("SELECT pool_key, visitor_key, click_id FROM offer_codes ORDER BY pool_key")
    assert kept == [(POOL, 0, None), (92, READER.visitor_key, "click")]


QUESTIONS = (
    (offers._OF_CLICK, "offer_codes_by_click"),
    (offers._FREE, "offer_codes_free"),
    (offers._EXPIRED, "offer_codes_to_expire"),
    (offers._CLICK_OF_ORDER, "offer_codes_by_order"),
)


@pytest.mark.parametrize(("sql", "index"), QUESTIONS, ids=[index for _, index in QUESTIONS])
def test_codes_are_found_by_an_index_however_many_there_are(street: Street, sql: str, index: str) -> None:
    names = dict.fromkeys(re.findall(r":(\w+)", sql), 1) | {"pool_keys": "[1]"}
    plan = street.storage.reader.rows(f"EXPLAIN QUERY PLAN {sql}", names)
    assert index in str(plan) and "SCAN offer_codes" not in str(plan), plan


def test_a_code_told_late_counts_by_when_its_order_was_made(street: Street) -> None:
    promise(street, make_pool(valid_minutes=10))
    code, made_ms = land(street)["rt_offer"], street.now_ms + MINUTE_MS
    street.now_ms += DAY_MS
    street.order(coupons=(code,), occurred_at_ms=made_ms)
    assert street.storage.offers.code(code_key(ADVERTISER, code)).redeemed_ms == made_ms  # type: ignore[union-attr]


def test_a_creative_that_gives_its_pool_up_shows_its_offer_again(street: Street) -> None:
    promise(street, empty_pool())
    assert not shows_offer(street)
    save(street.storage, make_creative(offer=Offer(percent=10), version=2))
    assert shows_offer(street)
    assert offered(land(street)) == {"rt_offer_percent": "10"}


def test_a_view_of_the_ad_hands_no_code(street: Street) -> None:
    promise(street, make_pool())
    text = street.token()
    assert street.see(text) and street.see(text, event=AdEvent.VIEWABLE_IMPRESSION)
    assert street.rows("SELECT COUNT(*) FROM offer_codes") == [(0,)]
    assert street.read(text).creative_key == CREATIVE
