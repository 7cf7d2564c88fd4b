"""A page's sheet: what was sealed is read again, by us, for the same visitor, for a while, and by nobody else."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.page import Answered
from adserver.domain.page_sheet import (
    LONGEST,
    MOST_ANSWERS,
    NEW,
    PROMISE_VALID_MS,
    SHEET_VALID_MS,
    Promised,
    answers_on,
    promised_to,
    seal,
    unsealed,
)
from adserver.domain.situation import Situation
from adserver.domain.suggestion import Because
from adserver.domain.token import TokenKeys
from tests.domain.makers import NOW_MS

KEYS = TokenKeys(2, {1: b"a" * 32, 2: b"b" * 32})
VISITOR = 77
BOOTS = Promised(800, NOW_MS, VISITOR, 9, 70, 1, 7, 700, (1, 2), 75, Situation.CART)
EMPTY = Promised(801, NOW_MS)
SHEET = (BOOTS, EMPTY)

keys = st.integers(0, 2**63 - 1)
promises = st.builds(
    Promised, keys, st.just(NOW_MS), st.sampled_from((0, VISITOR)), keys, keys, keys, keys, keys,
    st.lists(keys, max_size=6).map(tuple), keys, st.sampled_from((None, *Situation)), st.booleans(),
    st.lists(st.sampled_from(Because), max_size=6).map(tuple),
)  # fmt: skip


@given(st.lists(promises, max_size=MOST_ANSWERS + 3).map(tuple))
def test_what_was_sealed_is_read_again_up_to_the_newest_two_dozen(sheet: tuple[Promised, ...]) -> None:
    text = seal(sheet, KEYS)
    assert unsealed(text, KEYS, VISITOR, NOW_MS) == sheet[-MOST_ANSWERS:]
    assert len(text) < LONGEST and text.replace("-", "").replace("_", "").isalnum()


def test_what_was_sealed_with_a_former_key_is_read_still() -> None:
    text = seal(SHEET, msgspec.structs.replace(KEYS, current=1))
    assert unsealed(text, KEYS, VISITOR, NOW_MS) == SHEET
    assert unsealed(text, TokenKeys(2, {2: b"b" * 32}), VISITOR, NOW_MS) == ()


@given(st.integers(0, 399), st.integers(1, 63))
def test_a_sheet_that_was_altered_anywhere_is_blank(place: int, change: int) -> None:
    text = seal(SHEET, KEYS)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    place %= len(text) - 1
    other = letters[(letters.index(text[place]) + change) % 64]
    assert unsealed(text[:place] + other + text[place + 1 :], KEYS, VISITOR, NOW_MS) == ()


@pytest.mark.parametrize("text", ["", NEW, "A", "é", "====", "A" * (LONGEST + 1), "Ag" + "A" * 400, "%00"])
def test_what_is_no_sheet_of_ours_is_a_blank_one(text: str) -> None:
    assert unsealed(text, KEYS, VISITOR, NOW_MS) == ()


@given(st.text(max_size=300))
def test_no_text_does_any_harm(text: str) -> None:
    assert unsealed(text, KEYS, VISITOR, NOW_MS) == ()


def test_another_visitor_is_told_nothing_of_it() -> None:
    text = seal(SHEET, KEYS)
    assert unsealed(text, KEYS, VISITOR + 1, NOW_MS) == unsealed(text, KEYS, 0, NOW_MS) == ()
    for_the_page = seal((EMPTY,), KEYS)
    assert unsealed(for_the_page, KEYS, VISITOR + 1, NOW_MS) == (EMPTY,)


def test_its_length_does_not_tell_how_many_products_are_shown() -> None:
    one = msgspec.structs.replace(BOOTS, product_keys=(2**62,))
    six = msgspec.structs.replace(BOOTS, product_keys=(2**62,) * 6)
    assert len(seal((one,), KEYS)) == len(seal((six,), KEYS)) == len(seal((EMPTY,), KEYS))


def test_an_old_sheet_is_blank_and_one_of_the_future_too() -> None:
    text = seal(SHEET, KEYS)
    assert unsealed(text, KEYS, VISITOR, NOW_MS + SHEET_VALID_MS - 1) == SHEET
    assert unsealed(text, KEYS, VISITOR, NOW_MS + SHEET_VALID_MS) == ()
    assert unsealed(text, KEYS, VISITOR, NOW_MS - 1) == ()


def test_a_decision_is_told_of_the_ads_on_it_and_not_of_empty_places() -> None:
    assert answers_on(SHEET) == (Answered(70, 7, 700, (1, 2), BOOTS.impression_id),)


@pytest.mark.parametrize(
    ("place", "slot_key", "later_ms", "found"),
    [
        (1, 801, 0, EMPTY),
        (2, 800, 0, BOOTS),
        (2, 800, PROMISE_VALID_MS - 1, BOOTS),
        (2, 800, PROMISE_VALID_MS, None),
        (2, 801, 0, None),
        (0, 800, 0, None),
        (3, 800, 0, None),
    ],
)
def test_a_promise_is_kept_for_its_slot_and_for_half_a_minute(
    place: int, slot_key: int, later_ms: int, found: Promised | None
) -> None:
    assert promised_to(SHEET, place, slot_key, NOW_MS + later_ms) == found
