"""The ledger comes to the same as plain Python under bursts, repeats, crashes and changing caps."""

import logging

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from adserver.domain.money import Micros
from tests.contract.ledger_machine import DAYS, SHARED_ORDER, LedgerMachine

EXAMPLES = settings(max_examples=120, stateful_step_count=14, suppress_health_check=list(HealthCheck))


@pytest.mark.timeout(300)  # finding the smallest example of a failure takes a while
def test_the_ledger_is_the_models_after_every_burst(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)  # each poisoned write is logged
    run_state_machine_as_test(LedgerMachine, settings=EXAMPLES)


def test_a_suspect_event_redeemed_by_a_click_of_its_batch_is_its_repeat_after_a_crash() -> None:
    """What the machine found once, and would not find again soon."""
    machine = LedgerMachine()
    machine.open_accounts()
    machine.crash_and_resend([("suspect", 1, DAYS[0]), ("click", 1, DAYS[0], True)], committed=True)
    machine.teardown()


def test_an_order_that_was_refused_and_has_all_come_back_is_a_duplicate_after_a_crash() -> None:
    """As well."""
    machine = LedgerMachine()
    machine.open_accounts()
    machine.a_rush(DAYS[0])
    back: list[tuple[object, ...]] = [
        ("cancel", SHARED_ORDER, "full", Micros(150_000)),
        ("cancel", SHARED_ORDER, "first", None),
    ]
    machine.goods_come_back(back, DAYS[0], "server")
    machine.crash_and_resend([("server", SHARED_ORDER, DAYS[0], "paid")], committed=True)
    machine.teardown()
