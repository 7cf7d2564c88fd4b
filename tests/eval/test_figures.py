"""A figure out of its bounds is told, and fails the evaluation."""

import pytest

from tests.eval.__main__ import line_of
from tests.eval.figures import Figure


@pytest.mark.parametrize(
    ("figure", "holds"),
    [
        (Figure("rates", "logloss", 1.04, at_most=1.05), True),
        (Figure("rates", "logloss", 1.06, at_most=1.05), False),
        (Figure("products", "HR@20", 0.66, at_least=0.665, aim=0.7), False),
        (Figure("products", "HR@20", 0.67, at_least=0.665, aim=0.7), True),
        (Figure("products", "told only", 0.1), True),
    ],
)
def test_a_figure_holds_within_its_bounds_whatever_its_aim(figure: Figure, holds: bool) -> None:
    assert figure.holds is holds
    assert ("OUT OF BOUNDS" in line_of(figure)) is not holds
