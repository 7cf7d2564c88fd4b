"""What a shop takes back is given back, whichever comes first and whoever told the order."""

import msgspec
import pytest

from adserver.domain.attribution import Cancellation
from adserver.domain.money import Micros
from adserver.flows.convert import Credited, credited
from adserver.writes import Answered, Outcome, Receipt, Result
from pixel.events import EventName
from tests.contract.stores import save
from tests.domain.makers import ADVERTISER, CAMPAIGN, DAY_MS, make_advertiser
from tests.flows.street import SALE, Street, sale_terms

SHARE = {"basket_bps": 500, "max_charge_micros": Micros(9_000_000)}  # of 80 EUR: 4


@pytest.fixture
def sold(street: Street) -> Street:
    """A campaign paid by a share of the basket, whose ad the visitor clicked an hour ago."""
    street.open(**sale_terms(**SHARE))
    street.click(street.signed())
    street.now_ms += 3_600_000
    return street


def cancel(street: Street, reference: str = "R-1", **fields: object) -> Outcome:
    told = Cancellation(
        advertiser_key=ADVERTISER,
        event=EventName.PURCHASE,
        reference=reference,
        refund_id="full",
        returned_micros=None,
        currency=None,
        reason="sent back",
    )
    return street.convert.cancel(msgspec.structs.replace(told, **fields))


def buy(street: Street) -> None:
    """The shop's tag tells an order of 80 EUR."""
    street.hit(e="purchase", transaction_id="R-1", value="80", currency="EUR")


def test_a_billed_order_is_given_back_once(sold: Street) -> None:
    assert sold.order(click_id=sold.click_id()).outcome.result is Result.TAKEN
    assert [cancel(sold) for _ in range(2)] == [Outcome(Result.REFUNDED, SALE)] * 2
    assert sold.spent() == (0, 0)
    sold.assert_audit_is_clean()


def test_a_browsers_order_that_is_cancelled_reserves_nothing(sold: Street) -> None:
    buy(sold)
    sold.convert.credit_new()
    assert cancel(sold).result is Result.DECLINED
    assert sold.orders() == [(0, "declined", "sent back")]
    assert sold.spent() == (0, 0)


def test_goods_that_came_back_before_the_job_saw_the_order_are_not_reserved(sold: Street) -> None:
    buy(sold)
    assert cancel(sold, returned_micros=Micros(20_000_000), currency="EUR").result is Result.NOT_CHARGED
    sold.convert.credit_new()
    assert sold.spent() == (0, 3_000_000)
    sold.assert_audit_is_clean()


def test_an_order_that_comes_after_its_cancellation_says_so(sold: Street) -> None:
    assert cancel(sold).result is Result.NOT_CHARGED
    told = sold.order(click_id=sold.click_id())
    assert told == Credited(Outcome(Result.NOT_BILLABLE), CAMPAIGN, "cancelled")
    assert sold.orders() == [(1, "not_billable", "cancelled")]


def test_returns_until_nothing_is_left_give_back_the_whole_price(sold: Street) -> None:
    sold.order(click_id=sold.click_id())
    part = {"returned_micros": Micros(33_333_333), "currency": "EUR"}
    given = [cancel(sold, refund_id=f"r{n}", **part).figure for n in range(3)]
    assert given == [1_666_667, 1_666_667, 666_666]
    assert sum(given) == SALE
    assert cancel(sold).result is Result.REPEATED
    assert sold.spent() == (0, 0)
    sold.assert_audit_is_clean()


@pytest.mark.parametrize(("days", "expected"), [(0, Result.REFUNDED), (1, Result.REFUND_TOO_LATE)])
def test_charges_are_given_back_for_the_advertisers_refund_days(
    sold: Street, days: int, expected: Result
) -> None:
    save(sold.storage, make_advertiser(version=2, refund_days=10))
    sold.order(click_id=sold.click_id())
    sold.now_ms += (10 + days) * DAY_MS
    assert cancel(sold).result is expected


def test_an_order_is_another_shops_by_its_id_alone(sold: Street) -> None:
    save(sold.storage, make_advertiser(key=9, public_id="other"), is_new=True)
    sold.order(click_id=sold.click_id())
    assert cancel(sold, advertiser_key=9).result is Result.NOT_CHARGED
    assert cancel(sold, event=EventName.SIGN_UP).result is Result.NOT_CHARGED
    assert cancel(sold, reference="R-01").result is Result.NOT_CHARGED
    assert sold.spent() == (SALE, 0)


# ---- with receipts ----


def make_receipt(key: str = "key") -> Receipt:
    return Receipt("somebody", key, "digest", 0, b"", 1)


def kept(street: Street, key: str = "key") -> Answered:
    receipt = street.storage.keys.receipt("somebody", key)
    assert receipt is not None
    return msgspec.msgpack.decode(receipt.body, type=Answered)


def test_the_answer_to_an_order_can_be_made_again_from_its_receipt(sold: Street) -> None:
    order = {"click_id": sold.click_id()}
    told = sold.order(receipt=make_receipt(), **order)
    assert told.outcome.result is Result.TAKEN
    answered = kept(sold)
    assert credited(answered.outcome, answered.context) == told
    assert sold.order(receipt=make_receipt(), **order).outcome.result is Result.RECEIPT_EXISTS
    assert sold.spent() == (SALE, 0)


def test_the_receipt_of_a_cancelled_order_knows_why(sold: Street) -> None:
    cancel(sold)
    told = sold.order(receipt=make_receipt(), click_id=sold.click_id())
    answered = kept(sold)
    assert credited(answered.outcome, answered.context) == told
    assert told.reason == "cancelled"


def test_a_cancellation_keeps_its_receipt(sold: Street) -> None:
    sold.order(click_id=sold.click_id())
    told = Cancellation(
        advertiser_key=ADVERTISER, event=EventName.PURCHASE, reference="R-1", refund_id="full",
        returned_micros=None, currency=None, reason="sent back",
    )  # fmt: skip
    assert sold.convert.cancel(told, make_receipt()).result is Result.REFUNDED
    assert kept(sold).outcome == Outcome(Result.REFUNDED, SALE)
    assert sold.convert.cancel(told, make_receipt()).result is Result.RECEIPT_EXISTS
