"""A skip is a failure where CI=true, and only there."""

from typing import Any

import pytest

from tests.shared_data import PROJECT

TESTS = """
import pytest

def test_skipped_by_call(): pytest.skip("missing: a browser")

@pytest.mark.skip(reason="missing: a shop")
def test_skipped_by_mark(): ...

@pytest.mark.xfail
def test_expected_failure(): assert False

def test_passing(): ...
"""


def outcomes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str) -> dict[str, Any]:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    pytester.makepyfile(
        test_some=TESTS, test_whole_module="import pytest\npytest.importorskip('no_such_module')"
    )
    return pytester.runpytest_subprocess(
        "-p", "tests.no_silent_skips", "--continue-on-collection-errors"
    ).parseoutcomes()


def test_a_skip_is_a_failure_where_ci_is_true(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert outcomes(pytester, monkeypatch, "true") == {"failed": 1, "errors": 2, "xfailed": 1, "passed": 1}


def test_a_skip_stays_a_skip_on_a_developers_machine(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert outcomes(pytester, monkeypatch, "") == {"skipped": 3, "xfailed": 1, "passed": 1}
