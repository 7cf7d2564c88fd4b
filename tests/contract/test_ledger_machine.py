"""The ledger comes to the same as plain Python under bursts, repeats, crashes and changing caps."""

import logging

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.contract.ledger_machine import LedgerMachine

EXAMPLES = settings(max_examples=120, stateful_step_count=14, suppress_health_check=list(HealthCheck))


@pytest.mark.timeout(300)  # finding the smallest example of a failure takes a while
def test_the_ledger_is_the_models_after_every_burst(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)  # each poisoned write is logged
    run_state_machine_as_test(LedgerMachine, settings=EXAMPLES)
