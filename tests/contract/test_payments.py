"""Refunds and deposits are read as they were made, page by page in the order of their chains."""

from adserver.domain.money import Micros
from adserver.domain.payment import Payment, Refund
from adserver.domain.pricing import AdEvent
from adserver.storage.embedded import Storage
from adserver.writes import Deposit, Outcome, PurgeReceipts, Receipt, RecordAd, RefundCharge, Result
from tests.contract.stores import CLICK_PRICE, CPA_CAMPAIGN, make_record, rows_of, save_new
from tests.domain.makers import ADVERTISER, CAMPAIGN, NOW_MS, TODAY, make_advertiser

OTHER = ADVERTISER + 1_000


def refunded(storage: Storage, impression_id: int, refund_id: str = "full", **fields: object) -> int:
    """A click that was billed and partly refunded; its charge's id."""
    record = make_record(impression_id, amount_micros=CLICK_PRICE, **fields)
    storage.writer.commit(RecordAd((record,)))
    charge_id = impression_id << 2 | AdEvent.CLICK
    write = RefundCharge(charge_id, refund_id, Micros(100), "returned", NOW_MS + impression_id)
    assert storage.writer.commit(write).result is Result.REFUNDED
    return charge_id


def pay_in(storage: Storage, amount: int, reference: str, key: int, advertiser_key: int = ADVERTISER) -> None:
    write = Deposit(key, advertiser_key, "EUR", Micros(amount), reference, NOW_MS + key)
    assert storage.writer.commit(write).result is Result.SAVED


def test_a_refund_is_found_by_its_charge_and_its_name(storage: Storage) -> None:
    charge_id = refunded(storage, 1, "a")
    found = storage.payments.refund(charge_id, "a")
    assert found is not None
    assert found == Refund(
        charge_id, "a", CAMPAIGN, ADVERTISER, Micros(100), "EUR", TODAY, NOW_MS + 1, "returned", found.entry
    )
    assert storage.payments.refund(charge_id, "b") is None
    assert storage.payments.refund(charge_id + 4, "a") is None


def test_refunds_are_paged_over_campaigns_and_within_one(storage: Storage) -> None:
    of_campaign = [refunded(storage, number) for number in (3, 1, 2)]
    of_other = [refunded(storage, number, campaign_key=CPA_CAMPAIGN) for number in (5, 4)]
    seen: list[int] = []
    after = (0, 0)
    while page := storage.payments.refunds(ADVERTISER, after, 2):
        seen += [refund.charge_id for refund in page]
        after = (page[-1].campaign_key, page[-1].entry)
    assert seen == [*of_campaign, *of_other]
    first = storage.payments.refunds_of_campaign(CAMPAIGN, 0, 2)
    rest = storage.payments.refunds_of_campaign(CAMPAIGN, first[-1].entry, 2)
    assert [refund.charge_id for refund in (*first, *rest)] == of_campaign
    assert storage.payments.refunds(OTHER, (0, 0), 10) == []


def test_deposits_are_found_by_reference_listed_in_order_and_summed(storage: Storage) -> None:
    save_new(storage, make_advertiser(key=OTHER, public_id="other"))
    pay_in(storage, 500, "b", 9)
    pay_in(storage, 300, "a", 8)
    pay_in(storage, -100, "c", 7)
    pay_in(storage, 5, "b", 6, OTHER)
    found = storage.payments.deposit(ADVERTISER, "b")
    assert found is not None
    assert found == Payment(9, ADVERTISER, Micros(500), "EUR", "b", NOW_MS + 9, found.entry)
    assert storage.payments.deposit(OTHER, "a") is None
    first = storage.payments.deposits(ADVERTISER, 0, 2)
    rest = storage.payments.deposits(ADVERTISER, first[-1].entry, 2)
    assert [payment.reference for payment in (*first, *rest)] == ["b", "a", "c"]
    assert storage.payments.deposited([ADVERTISER, OTHER, OTHER + 1]) == {
        ADVERTISER: 700,
        OTHER: 5,
        OTHER + 1: 0,
    }


def test_old_receipts_go_a_few_at_a_time_and_younger_ones_stay(storage: Storage) -> None:
    for number in range(5):
        storage.writer.commit(Receipt("owner", f"key {number}", "digest", 201, b"{}", NOW_MS + number))
    purge = PurgeReceipts(NOW_MS + 3, most=2)
    assert [storage.writer.commit(purge) for _ in range(3)] == [
        Outcome(Result.SAVED, 2),
        Outcome(Result.SAVED, 1),
        Outcome(Result.SAVED, 0),
    ]
    kept = rows_of(storage, "SELECT idempotency_key FROM receipts ORDER BY idempotency_key")
    assert kept == [("key 3",), ("key 4",)]
