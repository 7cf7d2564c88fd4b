"""A green machine proves nothing by itself: it must turn red for each ledger that is wrong."""

import logging

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.contract.ledger_machine import LedgerMachine
from tests.contract.mutants import MUTANTS

BOUNDED = settings(
    max_examples=300,
    stateful_step_count=10,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


@seed(3)  # a mutant that dies today dies tomorrow, whatever is written in the machine meanwhile
class TriedMachine(LedgerMachine):
    """Its bursts are the same for every ledger: what kills a wrong one lets the real one live."""


@pytest.mark.parametrize("name", MUTANTS)
def test_the_machine_kills_each_wrong_ledger(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)  # writes that fail are what some mutants are about
    with monkeypatch.context() as patch:
        MUTANTS[name](patch)
        with pytest.raises(AssertionError):
            run_state_machine_as_test(TriedMachine, settings=BOUNDED)


def test_the_machine_lets_the_real_ledger_live() -> None:
    run_state_machine_as_test(TriedMachine, settings=settings(BOUNDED, max_examples=60))
