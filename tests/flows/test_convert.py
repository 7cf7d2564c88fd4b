"""An order is credited to one touch and billed once, whoever tells it and how often."""

import msgspec
import pytest

from adserver.domain.attribution import MOST_UNVERIFIED_ORDERS, conversion_key
from adserver.domain.budget import local_day
from adserver.domain.money import Micros
from adserver.domain.tally import Tally
from adserver.domain.token import LANDED
from adserver.flows.manage.accounts import ManageAccounts
from adserver.flows.manage.conversions import BY_TIME, ManageConversions
from adserver.flows.manage.desk import Desk
from adserver.flows.manage.key_calls import KeyCalls
from adserver.writes import Conversion, CreditConversion, Result, SettleConversion, StoreEvent
from pixel.events import Event, EventName
from tests.contract.stores import rows_of, save, save_new
from tests.domain.makers import ADVERTISER, CAMPAIGN, DAY_MS, make_advertiser
from tests.flows.street import SALE, SHOPPER, VISITOR, Street, sale_terms

NEVER_SEEN = 5_555


@pytest.fixture
def sold(street: Street) -> Street:
    """A campaign paid by the sale, whose ad the visitor clicked an hour ago."""
    street.open(**sale_terms())
    street.click(street.signed())
    street.now_ms += 3_600_000
    return street


def buy(street: Street, reference: str = "R-1", **query: object) -> int:
    """The shop's tag tells an order, and the job credits it."""
    told = {"e": "purchase", "transaction_id": reference, "value": "80", "currency": "EUR"}
    assert street.hit(**told | query).rejection is None
    return street.convert.credit_new()


def trust(street: Street) -> None:
    save(street.storage, make_advertiser(version=2, trust_pixel_conversions=True))
    street.refresh.poll()


def test_an_order_of_a_trusted_pixel_is_billed_once(sold: Street) -> None:
    trust(sold)
    assert [buy(sold), buy(sold), sold.convert.credit_new()] == [1, 0, 0]
    assert sold.spent() == (SALE, 0)
    assert sold.orders() == [(0, "taken", "")]
    sold.assert_audit_is_clean()


def test_an_order_of_an_untrusted_pixel_only_reserves(sold: Street) -> None:
    buy(sold)
    assert sold.spent() == (0, SALE)
    assert sold.orders() == [(0, "pending", "")]
    sold.assert_audit_is_clean()


def test_the_servers_word_supersedes_the_pixels(sold: Street) -> None:
    buy(sold)
    sold.now_ms += 1
    assert sold.order(click_id=sold.click_id()).outcome.result is Result.TAKEN
    assert sold.spent() == (SALE, 0)
    assert [row[:2] for row in sold.orders()] == [(0, "superseded"), (1, "taken")]
    assert sold.order(click_id=sold.click_id()).outcome.result is Result.DUPLICATE
    sold.assert_audit_is_clean()


def test_the_servers_word_supersedes_an_order_that_still_waits(sold: Street) -> None:
    sold.hit(e="purchase", transaction_id="R-1", value="80", currency="EUR")
    sold.order(click_id=sold.click_id())
    assert sold.convert.credit_new() == 0
    assert sold.spent() == (SALE, 0)


def test_a_pixel_that_comes_after_the_server_is_a_duplicate(sold: Street) -> None:
    sold.order(click_id=sold.click_id())
    sold.now_ms += 1
    buy(sold)
    assert sold.spent() == (SALE, 0)
    assert [row[:2] for row in sold.orders()] == [(1, "taken"), (0, "duplicate")]


def test_an_order_billed_by_a_trusted_pixel_is_a_duplicate_for_the_server(sold: Street) -> None:
    trust(sold)
    buy(sold)
    assert sold.order(click_id=sold.click_id()).outcome.result is Result.DUPLICATE
    assert sold.spent() == (SALE, 0)


@pytest.mark.parametrize("other", ["0001", "01", "1a"])
def test_orders_are_the_same_only_by_their_exact_id(sold: Street, other: str) -> None:
    click_id = sold.click_id()
    assert sold.order("1", click_id=click_id).outcome.result is Result.TAKEN
    assert sold.order(other, click_id=click_id).outcome.result is Result.TAKEN
    assert sold.order("1", click_id=click_id).outcome.result is Result.DUPLICATE


def test_an_order_nobody_was_led_to_is_nobodys(street: Street) -> None:
    street.open(**sale_terms())
    buy(street)
    assert street.orders() == [(0, "unattributed", "no_touch")]
    assert street.order("R-2").outcome.result is Result.UNATTRIBUTED
    assert street.spent() == (0, 0)


@pytest.mark.parametrize(("days", "expected"), [(30, Result.TAKEN), (31, Result.UNATTRIBUTED)])
def test_a_click_counts_for_thirty_days(street: Street, days: int, expected: Result) -> None:
    street.open(**sale_terms())
    click_id = street.click_id()
    street.now_ms += days * DAY_MS - 1
    assert street.order(click_id=click_id).outcome.result is expected


def test_a_click_id_is_enough_where_there_is_no_cookie(street: Street) -> None:
    """Safari and strict browsers keep no cookie of ours: the landing page's `rtclid` tells the touch."""
    street.open(**sale_terms())
    click_id = street.click_id(street.signed(visitor_key=NEVER_SEEN))
    stranger = msgspec.structs.replace(SHOPPER, visitor_key=0)
    street.hit(stranger, e="purchase", transaction_id="R-1", value="80", currency="EUR", rtclid=click_id)
    street.convert.credit_new()
    assert street.orders() == [(0, "pending", "")]


@pytest.mark.parametrize("text", ["made-up", "", "A" * 99])
def test_a_click_id_that_is_not_ours_credits_nobody(street: Street, text: str) -> None:
    street.open(**sale_terms())
    assert street.order(click_id=text).outcome.result is Result.UNATTRIBUTED


def test_an_ads_own_token_is_no_click(street: Street) -> None:
    street.open(**sale_terms())
    assert street.order(click_id=street.signed()).outcome.result is Result.UNATTRIBUTED


def test_a_suspect_click_credits_nobody(street: Street) -> None:
    street.open(**sale_terms())
    click_id = street.click_id(street.signed(decided_at_ms=street.now_ms - 10))
    assert street.order(click_id=click_id).outcome.result is Result.UNATTRIBUTED
    buy(street)
    assert street.spent() == (0, 0)


def test_another_shops_order_is_not_credited(sold: Street) -> None:
    save_new(sold.storage, make_advertiser(key=9, public_id="other", domains=("other.example",)))
    sold.refresh.poll()
    click_id = sold.click_id()
    assert sold.order(advertiser_key=9, click_id=click_id).outcome.result is Result.UNATTRIBUTED
    assert sold.order(click_id=click_id).outcome.result is Result.TAKEN  # the same id is another order here


@pytest.mark.parametrize(
    ("terms", "order", "result", "reason", "spent"),
    [
        ({"basket_bps": 500, "max_charge_micros": Micros(9_000_000)}, {}, Result.TAKEN, "", 4_000_000),
        ({"basket_bps": 500, "max_charge_micros": Micros(3_000_000)}, {}, Result.TAKEN, "", 3_000_000),
        (
            {"basket_bps": 500, "max_charge_micros": Micros(9)},
            {"currency": "USD"},
            Result.NOT_BILLABLE,
            "currency_mismatch",
            0,
        ),
        (
            {"basket_bps": 500, "max_charge_micros": Micros(9)},
            {"value_micros": None},
            Result.NOT_BILLABLE,
            "no_value",
            0,
        ),
        ({}, {"currency": "USD"}, Result.TAKEN, "", SALE),  # a fixed price needs no basket
    ],
)
def test_a_sale_costs_its_fixed_price_or_its_share(
    street: Street,
    terms: dict[str, object],
    order: dict[str, object],
    result: Result,
    reason: str,
    spent: int,
) -> None:
    street.open(**sale_terms(**terms))
    credited = street.order(click_id=street.click_id(), **order)
    assert (credited.outcome.result, credited.reason) == (result, reason)
    assert street.spent() == (spent, 0)
    assert (credited.campaign_key, bool(credited.charge_id)) == (CAMPAIGN, spent > 0)


def test_an_order_after_a_click_that_was_paid_costs_nothing_more(street: Street) -> None:
    street.open()
    credited = street.order(click_id=street.click_id())
    assert (credited.outcome.result, credited.reason) == (Result.NOT_BILLABLE, "not_cpa")
    assert street.counted(CAMPAIGN)["conversions"] == 1


@pytest.mark.parametrize(("billed", "expected"), [(True, "pending"), (False, "unattributed")])
def test_a_view_is_credited_only_where_the_campaign_asks_for_it(
    street: Street, billed: bool, expected: str
) -> None:
    street.open(**sale_terms(bill_post_view=billed))
    street.see(street.signed())
    buy(street)
    assert [row[1] for row in street.orders()] == [expected]


def test_windows_are_those_of_the_version_that_was_shown(street: Street) -> None:
    street.open(**sale_terms(click_window_days=30))
    click_id = street.click_id()
    street.change(**sale_terms(click_window_days=1))
    street.refresh.poll()
    street.now_ms += 20 * DAY_MS
    assert street.order(click_id=click_id).outcome.result is Result.TAKEN


def test_an_order_that_a_cap_refused_may_be_told_again(street: Street) -> None:
    street.open(**sale_terms(), daily_budget_micros=Micros(SALE - 1))
    click_id = street.click_id()
    assert street.order(click_id=click_id).outcome.result is Result.CAP_REACHED
    street.change(**sale_terms(), daily_budget_micros=SALE)
    street.refresh.poll()
    street.now_ms += DAY_MS
    assert street.order(click_id=click_id).outcome.result is Result.TAKEN
    assert street.spent_today() == (SALE, 0)  # the day it was first told
    street.assert_audit_is_clean()


# ---- leads ----


def leave_lead(street: Street, **query: object) -> list[object]:
    street.hit(e="generate_lead", id=None, **query)
    street.now_ms += 1
    street.convert.credit_new()
    return [row[1] if row[1] != "unattributed" else row[2] for row in street.orders()]


@pytest.fixture
def led(street: Street) -> Street:
    street.open(**sale_terms(conversion_event=EventName.GENERATE_LEAD))
    street.click(street.signed())
    return street


def test_leads_without_an_id_are_one_of_a_visitor_in_thirty_days(led: Street) -> None:
    assert leave_lead(led) == ["pending"]
    assert leave_lead(led) == ["pending", "repeated_lead"]
    led.now_ms += 30 * DAY_MS
    led.click(led.signed(impression_id=100))
    assert leave_lead(led) == ["pending", "repeated_lead", "pending"]


def test_leads_with_ids_of_their_own_are_each_one(led: Street) -> None:
    assert leave_lead(led, lead_id="L-1") == ["pending"]
    assert leave_lead(led, lead_id="L-2") == ["pending", "pending"]
    assert leave_lead(led, lead_id="L-1") == ["pending", "pending"]


def test_a_sale_does_not_pay_a_campaign_for_leads(led: Street) -> None:
    buy(led)
    assert led.orders() == [(0, "unattributed", "no_touch")]


def test_a_flood_of_forged_orders_bills_nothing(sold: Street) -> None:
    """Row 10 of the attacks: what a browser says only waits, and never beyond the cap."""
    sold.change(**sale_terms(), total_budget_micros=Micros(3 * SALE))
    sold.refresh.poll()
    for n in range(20):
        sold.hit(e="purchase", transaction_id=f"R-{n}", value="80", currency="EUR")
    assert sold.convert.credit_new() == 20
    assert sold.spent() == (0, 3 * SALE)
    sold.assert_audit_is_clean()


def desk_of(street: Street) -> Desk:
    stores = street.storage
    return Desk(
        writer=stores.writer,
        accounts=stores.accounts,
        campaigns=stores.campaigns,
        audiences=stores.audiences,
        experiments=stores.experiments,
        saved_reports=stores.saved_reports,
        inventory=stores.inventory,
        keys=stores.keys,
        media=stores.media,
        catalogue=stores.catalogue,
        product_sets=stores.product_sets,
        suppressions=stores.suppressions,
        feeds=stores.feeds,
        ledger=stores.ledger,
        offers=stores.offers,
        payments=stores.payments,
        pending=stores.pending,
        key_calls=KeyCalls(stores.stats, Tally()),
        clock=street.clock,
        mint_key=lambda: 1,
        mint_secret=str,
        order_secret=street.secrets.orders,
    )


def test_time_approves_what_nobody_declined(sold: Street) -> None:
    desk = desk_of(sold)
    conversions = ManageConversions(desk, ManageAccounts(desk))
    buy(sold)
    sold.now_ms += make_advertiser().validation_days * DAY_MS - 1
    assert conversions.approve_due() == 0
    sold.now_ms += 1
    assert conversions.approve_due() == 1
    assert sold.spent() == (SALE, 0)
    assert sold.orders() == [(0, "taken", BY_TIME)]
    assert conversions.approve_due() == 0
    sold.assert_audit_is_clean()


def test_the_servers_word_needs_no_click_id_where_a_browser_told_the_order(sold: Street) -> None:
    buy(sold)
    sold.now_ms += 1
    assert sold.order().outcome.result is Result.TAKEN
    assert sold.spent() == (SALE, 0)
    assert [row[:2] for row in sold.orders()] == [(0, "superseded"), (1, "taken")]


def test_one_ad_reserves_for_a_few_unverified_orders_only(sold: Street) -> None:
    for number in range(MOST_UNVERIFIED_ORDERS + 2):
        buy(sold, f"invented-{number}")
    assert sold.spent() == (0, MOST_UNVERIFIED_ORDERS * SALE)
    reasons = [reason for _, state, reason in sold.orders() if state == "not_billable"]
    assert reasons == ["too_many_orders"] * 2
    sold.assert_audit_is_clean()


def forge(street: Street, count: int) -> None:
    """A browser that clicked our ad invents orders under the ids that the shop will give next."""
    forged = [
        StoreEvent(
            n, ADVERTISER, VISITOR, False, Event(EventName.PURCHASE), street.now_ms - count + n,
            conversion_key=conversion_key(street.secrets.orders, ADVERTISER, EventName.PURCHASE, f"R-{n}"),
        )
        for n in range(count)
    ]  # fmt: skip
    assert {outcome.result for outcome in street.storage.writer.commit_many(forged)} == {Result.ACCEPTED}
    while street.convert.credit_new():
        pass


def test_ten_thousand_forged_orders_claim_no_id_and_bill_nothing(sold: Street) -> None:
    forge(sold, 10_000)
    assert sold.spent() == (0, MOST_UNVERIFIED_ORDERS * SALE)
    sold.now_ms += 1
    real = sold.click_id(sold.signed(impression_id=500, visitor_key=NEVER_SEEN))
    for reference in ("R-0", "R-9999"):
        assert sold.order(reference, click_id=real).outcome.result is Result.TAKEN
    assert sold.spent() == (2 * SALE, (MOST_UNVERIFIED_ORDERS - 1) * SALE)
    sold.assert_audit_is_clean()


def test_a_browser_that_invents_orders_is_not_credited_with_the_real_ones(sold: Street) -> None:
    """Else a publisher could click one ad, guess the shop's next order ids, and be paid for all of them."""
    forge(sold, 20)
    sold.now_ms += 1
    told = [sold.order(f"R-{n}").outcome.result for n in range(20)]
    assert told == [Result.TAKEN] * MOST_UNVERIFIED_ORDERS + [Result.UNATTRIBUTED] * 15


def test_a_click_id_that_the_server_tells_is_believed_before_whoever_guessed_the_order(sold: Street) -> None:
    real = sold.click_id(sold.signed(impression_id=500, visitor_key=NEVER_SEEN))
    sold.now_ms += 3_600_000
    sold.click(sold.signed(impression_id=501))  # the guesser's own, which is later
    forge(sold, 1)
    sold.now_ms += 1
    assert sold.order("R-0", click_id=real).outcome.result is Result.TAKEN
    assert sold.rows("SELECT touch_impression_id FROM conversions WHERE by_server") == [(500,)]


def test_a_valid_click_after_a_suspect_one_credits_the_sale(street: Street) -> None:
    street.open(**sale_terms())
    text = street.signed()
    street.now_ms = street.read(text).decided_at_ms + 1
    street.click(text)
    street.now_ms += 3_600_000
    street.click(text)
    trust(street)
    buy(street)
    assert street.spent() == (SALE, 0)


def test_a_click_id_names_no_visitor_and_stays_with_no_event(sold: Street) -> None:
    click_id = sold.click_id()
    assert sold.read(click_id, LANDED).visitor_key == 0
    sold.hit(rtclid=click_id)
    assert all(click_id.encode() not in body for (body,) in sold.rows("SELECT body FROM events"))  # type: ignore[operator]


def test_an_order_that_cannot_be_credited_does_not_hold_up_the_next(
    sold: Street, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    trust(sold)
    for reference in ("R-1", "R-2"):
        sold.hit(e="purchase", transaction_id=reference)
    first, _ = sold.storage.conversions.new(2)
    attributed = sold.convert._attributed

    def fails_once(conversion: Conversion) -> CreditConversion:
        if conversion.conversion_key == first.conversion_key:
            raise RuntimeError("no luck")
        return attributed(conversion)

    with monkeypatch.context() as patched:
        patched.setattr(sold.convert, "_attributed", fails_once)
        sold.convert.credit_new()
    assert f"{first.conversion_key}" in caplog.text
    assert sold.spent() == (SALE, 0)
    assert sold.convert.credit_new() == 1  # tried again
    assert sold.spent() == (2 * SALE, 0)


def test_orders_past_the_cap_are_few_for_one_ad_too(sold: Street) -> None:
    """Whoever invents them does not fill the statements with what was left unpaid."""
    sold.change(**sale_terms(), total_budget_micros=Micros(SALE - 1))
    for number in range(MOST_UNVERIFIED_ORDERS + 2):
        buy(sold, f"invented-{number}")
    assert sold.storage.ledger.unbilled_at_cap(CAMPAIGN) == MOST_UNVERIFIED_ORDERS
    assert [state for _, state, _ in sold.orders()].count("not_billable") == 2


def test_declined_orders_count_among_the_few_of_an_ad(sold: Street) -> None:
    for number in range(MOST_UNVERIFIED_ORDERS):
        buy(sold, f"invented-{number}")
    pending = sold.storage.pending.conversions(ADVERTISER, sold.now_ms, -1, 100)
    for one in pending:
        sold.storage.writer.commit(SettleConversion(one.key, False, "invented", sold.now_ms))
    buy(sold, "invented-again")
    assert (len(pending), sold.spent()) == (MOST_UNVERIFIED_ORDERS, (0, 0))
    assert [state for _, state, _ in sold.orders()].count("not_billable") == 1


def test_an_order_that_was_credited_late_is_booked_now_for_the_day_it_arrived(sold: Street) -> None:
    """The month in which it arrived may be closed, its statement told."""
    trust(sold)
    assert sold.hit(e="purchase", transaction_id="R-1", value="80", currency="EUR").rejection is None
    arrived_day, sold.now_ms = local_day(sold.now_ms, "Europe/Paris"), sold.now_ms + 40 * DAY_MS
    sold.convert.credit_new()
    assert rows_of(sold.storage, "SELECT day, at_ms FROM charges") == [(arrived_day, sold.now_ms)]
    sold.assert_audit_is_clean()
