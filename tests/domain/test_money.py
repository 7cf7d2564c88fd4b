"""Shares of money are whole, never more than the money, and never negative."""

from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.money import LARGEST, Micros, basis_points_of

amounts = st.integers(min_value=0, max_value=LARGEST).map(Micros)


def test_basis_points_are_rounded_down_to_a_whole_micro() -> None:
    assert basis_points_of(Micros(1), 9_999) == 0
    assert basis_points_of(Micros(10_001), 5_000) == 5_000
    assert basis_points_of(Micros(89_900_000), 1_000) == 8_990_000


@given(amounts, st.integers(min_value=0, max_value=10_000))
def test_a_share_and_its_rest_make_the_whole(amount: Micros, basis_points: int) -> None:
    share = basis_points_of(amount, basis_points)
    assert isinstance(share, int)
    assert 0 <= share <= amount
    assert 0 <= amount * basis_points - share * 10_000 < 10_000


def test_all_of_it_is_ten_thousand_basis_points() -> None:
    assert basis_points_of(LARGEST, 10_000) == LARGEST
