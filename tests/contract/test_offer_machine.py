"""Codes come to the same as in plain Python under bursts, repeats, crashes and erasure; wrong stores are found."""

import logging
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from adserver.domain import offer as rules
from adserver.domain.offer import Handed, RedeemCode, Redemption
from adserver.storage import erasure, handlers, offers
from tests.contract.offer_machine import OfferMachine

Patch = pytest.MonkeyPatch
EXAMPLES = settings(max_examples=60, stateful_step_count=12, suppress_health_check=list(HealthCheck))
BOUNDED = settings(
    max_examples=800,  # most die among the first ten
    stateful_step_count=12,
    derandomize=True,  # a mutant that dies today dies tomorrow
    database=None,
    deadline=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
_redeem, _move, _judge = rules.redeem, offers._move, rules.judge


def a_click_gets_another_code_each_time(patch: Patch) -> None:
    patch.setattr(offers, "_OF_CLICK", "SELECT 1 WHERE 0 AND :pool_key = :impression_id")


def a_code_is_handed_to_two_clicks(patch: Patch) -> None:
    patch.setattr(offers, "_FREE", offers._FREE.replace("offer_codes.handed_ms IS NULL", "1"))


def codes_of_another_pool_are_handed(patch: Patch) -> None:
    patch.setattr(offers, "_FREE", offers._FREE.replace("offer_codes.pool_key = :pool_key", ":pool_key > 0"))


def a_made_code_is_taken_from_another_click(patch: Patch) -> None:
    taking = offers._INSERT.replace("INSERT", "INSERT OR REPLACE", 1).replace(" ON CONFLICT DO NOTHING", "")
    patch.setattr(offers, "_INSERT", taking)


def the_stock_is_not_moved(patch: Patch) -> None:
    patch.setattr(offers, "_move", lambda *args, **more: None)


def the_stock_is_moved_for_repeats_too(patch: Patch) -> None:
    hand = offers.hand_code

    def counting(batch: Any, write: Any) -> Any:
        outcome = hand(batch, write)
        _move(batch, write.pool_key, write.at_ms, total=1, handed=1)
        return outcome

    patch.setitem(handlers.HOT, offers.HandCode, counting)


def an_empty_pool_is_shown(patch: Patch) -> None:
    patch.setattr(offers, "is_low", lambda free, total: False)


def no_code_is_kept_for_who_saw_the_offer(patch: Patch) -> None:
    patch.setattr(offers, "is_low", lambda free, total: free == 0)


def a_pool_that_was_low_stays_so(patch: Patch) -> None:
    def sticky(batch: Any, pool_key: int, at_ms: int, **more: int) -> None:
        if not more.get("free", 0) > 0:
            _move(batch, pool_key, at_ms, **more)
            return
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(offers, "is_low", lambda free, total: True)
            _move(batch, pool_key, at_ms, **more)

    patch.setattr(offers, "_move", sticky)


def redeeming(wrong: Callable[[Handed | None, RedeemCode], Redemption]) -> Callable[[Patch], None]:
    return lambda patch: patch.setattr(offers, "redeem", wrong)


def _shared(code: Handed | None, write: RedeemCode) -> Redemption:
    return _redeem(code, msgspec.structs.replace(write, impression_id=0))


def _late(code: Handed | None, write: RedeemCode) -> Redemption:
    return _redeem(None if code is None else msgspec.structs.replace(code, expires_ms=None), write)


def _twice(code: Handed | None, write: RedeemCode) -> Redemption:
    return _redeem(None if code is None else msgspec.structs.replace(code, redeemed_ms=None), write)


def _browsers_last(code: Handed | None, write: RedeemCode) -> Redemption:
    return _redeem(code, msgspec.structs.replace(write, by_server=False))


def _free_too(code: Handed | None, write: RedeemCode) -> Redemption:
    known = code is not None and code.handed_ms is None
    return _redeem(msgspec.structs.replace(code, handed_ms=1) if known else code, write)  # type: ignore[type-var]


def an_erasure_leaves_the_click(patch: Patch) -> None:
    patch.setitem(erasure._BLANK, "offer_codes", "SELECT :visitor")


def an_erasure_takes_the_code(patch: Patch) -> None:
    patch.setitem(erasure._BLANK, "offer_codes", erasure._ERASE["offer_codes"])


def two_advertisers_share_their_codes(patch: Patch) -> None:
    patch.setattr(offers, "code_key", lambda advertiser_key, code: rules.code_key(1, code))


MUTANTS: dict[str, Callable[[Patch], None]] = {
    mutant.__name__: mutant
    for mutant in (
        a_click_gets_another_code_each_time,
        a_code_is_handed_to_two_clicks,
        codes_of_another_pool_are_handed,
        a_made_code_is_taken_from_another_click,
        the_stock_is_not_moved,
        the_stock_is_moved_for_repeats_too,
        an_empty_pool_is_shown,
        no_code_is_kept_for_who_saw_the_offer,
        a_pool_that_was_low_stays_so,
        an_erasure_leaves_the_click,
        an_erasure_takes_the_code,
        two_advertisers_share_their_codes,
    )
} | {
    "a_shared_code_is_redeemed": redeeming(_shared),
    "an_expired_code_is_redeemed": redeeming(_late),
    "a_code_is_redeemed_by_two_orders": redeeming(_twice),
    "the_server_does_not_outrank_the_browser": redeeming(_browsers_last),
    "a_code_that_nobody_got_is_redeemed": redeeming(_free_too),
}


@pytest.mark.timeout(300)  # finding the smallest example of a failure takes a while
def test_codes_are_the_models_after_every_burst(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    run_state_machine_as_test(OfferMachine, settings=EXAMPLES)


@pytest.mark.parametrize("name", MUTANTS)
def test_the_machine_kills_each_wrong_store_of_codes(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)  # writes that fail are what some mutants are about
    with monkeypatch.context() as patch:
        MUTANTS[name](patch)
        with pytest.raises(AssertionError):
            run_state_machine_as_test(OfferMachine, settings=BOUNDED)
