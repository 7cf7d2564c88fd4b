"""An account whose pages say yes for everybody is told from one where few refuse."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.caller import Caller
from adserver.domain.consent_hold import NO, REQUESTS_OF_A_YES, YES, answer_of, nobody_was_asked
from pixel.consent import Basis, Region

EUROPEAN = Caller(Region.STRICT, origin="shop.example")


@pytest.mark.parametrize(
    ("yes", "no", "held"),
    [
        (0, 0, False),
        (2_339, 0, False),
        (2_340, 0, True),
        (2_340, 1, False),
        (5_000, 5, True),
        (5_000, 10, False),
        (100_000, 100, True),
        (100_000, 400, False),
        (0, 5_000, False),
    ],
)
def test_an_account_is_held_where_fewer_refuse_than_ever_do(yes: int, no: int, held: bool) -> None:
    assert nobody_was_asked(yes, no) is held


@given(st.integers(0, 200_000), st.integers(0, 3_000))
def test_another_no_never_holds_and_another_yes_never_releases(yes: int, no: int) -> None:
    held = nobody_was_asked(yes, no)
    assert nobody_was_asked(yes, no + 1) <= held <= nobody_was_asked(yes + REQUESTS_OF_A_YES, no)


def test_sites_where_two_in_a_hundred_refuse_are_hardly_ever_held() -> None:
    dice = random.Random(4)
    held = 0
    for _ in range(400):
        noes = sum(dice.random() < 0.02 for _ in range(1_000))
        held += nobody_was_asked((1_000 - noes) * REQUESTS_OF_A_YES, noes)
    assert held <= 2


def test_only_answers_of_people_who_were_asked_count() -> None:
    answers = {basis: answer_of(EUROPEAN, basis) for basis in Basis}
    assert [basis for basis, answer in answers.items() if answer == YES] == [Basis.ASSERTED]
    assert {basis for basis, answer in answers.items() if answer == NO} == {
        Basis.REFUSED,
        Basis.AD_STORAGE_DENIED,
        Basis.AD_USER_DATA_DENIED,
        Basis.AD_PERSONALIZATION_DENIED,
        Basis.PURPOSE_REFUSED,
    }
    for basis in (Basis.TCF, Basis.ASSERTION_HELD, Basis.NO_USABLE_STRING, Basis.UNHEARD):
        assert answers[basis] is None


@pytest.mark.parametrize("fields", [{"region": Region.OPEN}, {"test": True}, {"origin": None}])
@pytest.mark.parametrize("basis", [Basis.ASSERTED, Basis.REFUSED])
def test_where_nobody_must_be_asked_of_test_visitors_and_of_no_page_nothing_counts(
    basis: Basis, fields: dict[str, object]
) -> None:
    assert answer_of(msgspec.structs.replace(EUROPEAN, **fields), basis) is None
