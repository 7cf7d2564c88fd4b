"""What is taken back is given back once: declined while it waits, refunded once billed, noted before it comes."""

import pytest

from adserver.domain.money import ZERO, Micros
from adserver.domain.pricing import AdEvent, PricingModel
from adserver.storage.audit import audit
from adserver.storage.embedded import Storage
from adserver.writes import CancelConversion, Outcome, RefundCharge, Result, SettleConversion
from tests.contract.stores import (
    CPA_CAMPAIGN,
    SALE_PRICE,
    balances,
    credit_by_pixel,
    credit_by_server,
    make_arrival,
    make_order_event,
    make_sale_record,
    rows_of,
    save,
    save_new,
)
from tests.domain.makers import ADVERTISER, DAY_MS, NOW_MS, make_campaign

CHARGE = 100 << 2 | AdEvent.CONVERSION
SHARE_CAMPAIGN = 52  # paid by a twentieth of the basket, 3 EUR at most
BASKET = Micros(80_000_000)
MOST = Micros(3_000_000)  # a twentieth of 60 EUR
LATER_MS = NOW_MS + 3 * DAY_MS


@pytest.fixture
def shared(storage: Storage) -> Storage:
    """A campaign paid by a share of the basket beside the one with a fixed price."""
    terms = {"pricing_model": PricingModel.CPA, "rate_micros": ZERO, "basket_bps": 500}
    save_new(storage, make_campaign(key=SHARE_CAMPAIGN, max_charge_micros=MOST, **terms))
    return storage


def cancel(storage: Storage, refund_id: str = "full", **fields: object) -> Outcome:
    row: dict[str, object] = {
        "conversion_key": 100,
        "advertiser_key": ADVERTISER,
        "refund_id": refund_id,
        "returned_micros": None,
        "currency": None,
        "reason": "sent back",
        "at_ms": LATER_MS,
        "since_ms": LATER_MS - 30 * DAY_MS,
    }
    return storage.writer.commit(CancelConversion(**row | fields))  # type: ignore[arg-type]


def give_back(storage: Storage, refund_id: str, euros: int, **fields: object) -> Outcome:
    """Goods of this value come back."""
    returned = {"returned_micros": Micros(euros * 1_000_000), "currency": "EUR"}
    return cancel(storage, refund_id, **returned | fields)


def buy(
    storage: Storage, campaign_key: int = CPA_CAMPAIGN, amount: int = SALE_PRICE, **fields: object
) -> Result:
    """The merchant's server tells an order of 80 EUR."""
    record = make_sale_record(campaign_key=campaign_key, amount_micros=Micros(amount))
    return storage.writer.commit(credit_by_server(record=record, **fields)).result


def reserve(storage: Storage, campaign_key: int = CPA_CAMPAIGN, amount: int = SALE_PRICE) -> None:
    """A browser tells an order of 80 EUR."""
    storage.writer.commit(make_order_event())
    record = make_sale_record(campaign_key=campaign_key, amount_micros=Micros(amount))
    outcome = storage.writer.commit(credit_by_pixel(record=record, reserve=True))
    assert outcome.result is Result.PENDING


def orders(storage: Storage) -> list[tuple[object, ...]]:
    return rows_of(storage, "SELECT state, reason, amount_micros FROM conversions ORDER BY by_server")


def notes(storage: Storage) -> int:
    ((found,),) = rows_of(storage, "SELECT COUNT(*) FROM returns")
    return int(str(found))


def assert_held(storage: Storage, spent: int, pending: int = 0, campaign_key: int = CPA_CAMPAIGN) -> None:
    assert balances(storage, campaign_key) == [(spent, pending)] * 4
    assert not [finding.violations for finding in audit(storage.path) if finding.violation_count]


def test_a_billed_order_that_is_cancelled_is_refunded_once(storage: Storage) -> None:
    assert buy(storage) is Result.TAKEN
    answers = [cancel(storage) for _ in range(3)]
    assert answers == [Outcome(Result.REFUNDED, SALE_PRICE)] * 3
    assert_held(storage, 0)
    assert rows_of(storage, "SELECT charge_id, refund_id, reason FROM refunds") == [
        (CHARGE, "full", "sent back")
    ]


def test_a_pending_order_that_is_cancelled_is_declined_with_the_reason(storage: Storage) -> None:
    reserve(storage)
    assert [cancel(storage) for _ in range(2)] == [Outcome(Result.DECLINED)] * 2
    assert orders(storage) == [("declined", "sent back", 0)]
    assert_held(storage, 0)
    late = storage.writer.commit(SettleConversion(100, True, "approved", LATER_MS))
    assert late.result is Result.CONFLICT


def test_a_cancelled_order_stays_cancelled_when_the_server_tells_it_at_last(storage: Storage) -> None:
    reserve(storage)
    cancel(storage)
    assert buy(storage) is Result.NOT_BILLABLE
    assert [row[:2] for row in orders(storage)][1] == ("not_billable", "cancelled")
    assert_held(storage, 0)


@pytest.mark.parametrize("by_server", [True, False])
def test_an_order_that_was_cancelled_before_it_came_costs_nothing(storage: Storage, by_server: bool) -> None:
    assert [cancel(storage) for _ in range(2)] == [Outcome(Result.NOT_CHARGED)] * 2
    if by_server:
        assert buy(storage) is Result.NOT_BILLABLE
    else:
        storage.writer.commit(make_order_event(trusted=True))
        assert storage.writer.commit(credit_by_pixel()).result is Result.NOT_BILLABLE
    assert orders(storage) == [("not_billable", "cancelled", 0)]
    assert_held(storage, 0)


def test_an_order_cancelled_before_it_was_credited_costs_nothing(storage: Storage) -> None:
    storage.writer.commit(make_order_event(trusted=True))
    assert cancel(storage).result is Result.NOT_CHARGED
    assert storage.writer.commit(credit_by_pixel()).result is Result.NOT_BILLABLE
    assert_held(storage, 0)


def test_an_order_that_a_cap_refused_is_not_billed_by_a_retry_once_it_is_cancelled(shared: Storage) -> None:
    sale = shared.campaigns.campaign(CPA_CAMPAIGN)
    assert sale is not None
    for version, limit in ((2, SALE_PRICE - 1), (3, SALE_PRICE)):
        changed = make_campaign(
            key=CPA_CAMPAIGN, terms=sale.terms, version=version, total_budget_micros=Micros(limit)
        )
        assert save(shared, changed).result is Result.SAVED
        if version == 2:
            assert buy(shared) is Result.CAP_REACHED
            assert cancel(shared).result is Result.NOT_CHARGED
    assert buy(shared) is Result.NOT_BILLABLE
    assert_held(shared, 0)


def test_an_order_that_was_credited_to_nobody_has_nothing_to_give_back(storage: Storage) -> None:
    storage.writer.commit(credit_by_server(record=None, reason="no_touch"))
    assert cancel(storage).result is Result.NOT_CHARGED
    assert orders(storage) == [("unattributed", "no_touch", 0)]


def test_a_fixed_price_is_owed_until_the_whole_order_is_back(storage: Storage) -> None:
    buy(storage)
    assert give_back(storage, "r1", 79) == Outcome(Result.NOT_BILLABLE)
    assert_held(storage, SALE_PRICE)
    assert give_back(storage, "r2", 1) == Outcome(Result.REFUNDED, SALE_PRICE)
    assert_held(storage, 0)


def test_a_share_of_the_basket_falls_with_each_return_and_not_below_its_limit(shared: Storage) -> None:
    """A twentieth of 80 EUR is over the limit of 3: until 20 EUR are back, nothing falls."""
    buy(shared, SHARE_CAMPAIGN, MOST)
    assert give_back(shared, "r1", 15) == Outcome(Result.NOT_BILLABLE)
    assert give_back(shared, "r2", 15) == Outcome(Result.REFUNDED, 500_000)
    assert give_back(shared, "r2", 15) == Outcome(Result.REFUNDED, 500_000)
    assert_held(shared, 2_500_000, campaign_key=SHARE_CAMPAIGN)
    assert give_back(shared, "r3", 10) == Outcome(Result.REFUNDED, 500_000)
    assert give_back(shared, "r4", 99) == Outcome(Result.REFUNDED, 2_000_000)  # all that is left
    assert give_back(shared, "r5", 1) == Outcome(Result.REPEATED)
    assert cancel(shared) == Outcome(Result.REPEATED)
    assert_held(shared, 0, campaign_key=SHARE_CAMPAIGN)


def test_returns_before_an_order_make_it_cheaper_and_returns_after_go_on_from_there(shared: Storage) -> None:
    assert give_back(shared, "r1", 30).result is Result.NOT_CHARGED
    assert buy(shared, SHARE_CAMPAIGN, MOST) is Result.TAKEN
    assert_held(shared, 2_500_000, campaign_key=SHARE_CAMPAIGN)
    assert orders(shared) == [("taken", "", 2_500_000)]
    assert give_back(shared, "r2", 10) == Outcome(Result.REFUNDED, 500_000)
    assert_held(shared, 2_000_000, campaign_key=SHARE_CAMPAIGN)


def test_what_is_back_of_a_pending_order_is_reserved_no_more(shared: Storage) -> None:
    reserve(shared, SHARE_CAMPAIGN, MOST)
    assert give_back(shared, "r1", 10).result is Result.NOT_BILLABLE
    assert give_back(shared, "r2", 30) == Outcome(Result.PENDING, 2_000_000)
    assert_held(shared, 0, 2_000_000, SHARE_CAMPAIGN)
    shared.writer.commit(SettleConversion(100, True, "approved", LATER_MS))
    assert_held(shared, 2_000_000, campaign_key=SHARE_CAMPAIGN)
    assert rows_of(shared, "SELECT amount_micros, publisher_micros FROM charges") == [(2_000_000, 1_400_000)]


def test_a_pending_order_whose_goods_are_all_back_is_declined(shared: Storage) -> None:
    reserve(shared, SHARE_CAMPAIGN, MOST)
    assert give_back(shared, "r1", 80) == Outcome(Result.DECLINED)
    assert orders(shared) == [("declined", "sent back", 0)]
    assert_held(shared, 0, campaign_key=SHARE_CAMPAIGN)


def test_a_return_under_a_known_name_must_be_the_same_return(shared: Storage) -> None:
    buy(shared, SHARE_CAMPAIGN, MOST)
    give_back(shared, "r1", 40)
    assert give_back(shared, "r1", 41).result is Result.REFUND_DIFFERS
    assert give_back(shared, "r1", 40, reason="other").result is Result.REFUND_DIFFERS
    assert cancel(shared, "r1").result is Result.REFUND_DIFFERS
    assert_held(shared, 2_000_000, campaign_key=SHARE_CAMPAIGN)


def test_a_return_in_another_currency_changes_nothing(shared: Storage) -> None:
    buy(shared, SHARE_CAMPAIGN, MOST)
    assert give_back(shared, "r1", 40, currency="USD") == Outcome(Result.OTHER_CURRENCY)
    assert notes(shared) == 0
    assert_held(shared, MOST, campaign_key=SHARE_CAMPAIGN)


def test_a_return_in_another_currency_that_came_before_its_order_is_left_out(shared: Storage) -> None:
    assert give_back(shared, "r1", 40, currency="USD").result is Result.NOT_CHARGED
    assert buy(shared, SHARE_CAMPAIGN, MOST) is Result.TAKEN
    assert_held(shared, MOST, campaign_key=SHARE_CAMPAIGN)


def test_an_order_is_refunded_no_more_when_it_is_too_old(storage: Storage) -> None:
    buy(storage)
    assert cancel(storage, since_ms=NOW_MS + 1) == Outcome(Result.REFUND_TOO_LATE)
    assert notes(storage) == 0
    assert cancel(storage, since_ms=NOW_MS) == Outcome(Result.REFUNDED, SALE_PRICE)


def test_a_return_never_gives_back_what_was_refunded_by_hand(shared: Storage) -> None:
    buy(shared, SHARE_CAMPAIGN, MOST)
    by_hand = RefundCharge(CHARGE, "by hand", Micros(2_800_000), "goodwill", LATER_MS)
    assert shared.writer.commit(by_hand).result is Result.REFUNDED
    assert give_back(shared, "r1", 40) == Outcome(Result.OVER_REFUNDED, 200_000)
    assert notes(shared) == 0
    assert cancel(shared) == Outcome(Result.REFUNDED, 200_000)
    assert_held(shared, 0, campaign_key=SHARE_CAMPAIGN)


def test_another_shops_order_of_the_same_key_is_not_reached(storage: Storage) -> None:
    buy(storage)
    assert cancel(storage, advertiser_key=ADVERTISER + 1).result is Result.NOT_CHARGED
    assert_held(storage, SALE_PRICE)


def test_an_order_and_its_cancellation_in_one_batch_come_out_even(storage: Storage) -> None:
    reference = CancelConversion(100, ADVERTISER, "full", None, None, "sent back", LATER_MS, 0)
    told = credit_by_server(arrival=make_arrival())
    outcomes = storage.writer.commit_all([told, reference, told, reference], False)
    assert [outcome.result for outcome in outcomes] == [
        Result.TAKEN,
        Result.REFUNDED,
        Result.DUPLICATE,
        Result.REFUNDED,
    ]
    assert_held(storage, 0)
