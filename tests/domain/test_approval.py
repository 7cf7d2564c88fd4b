"""What waits, what is shown meanwhile, and exactly what was approved."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from adserver.domain.approval import (
    MOST_REVIEWS,
    Approving,
    approved,
    changed,
    content_hash,
    content_of,
    last_review,
    live_version,
    made,
    rejected,
)
from adserver.domain.campaign import Approval, Copy, Creative
from adserver.domain.situation import Situation
from creatives.card import Brand, Message, Offer
from tests.domain.makers import NOW_MS, make_creative, make_message

OPERATOR = Approving(NOW_MS, 1, automatic=True)
ADVERTISER = Approving(NOW_MS, 2, automatic=False)
REVIEWER = Approving(NOW_MS + 1, 3, automatic=False)
BLUE, RED = Brand("Shop", "#0000ff"), Brand("Shop", "#ff0000")

PENDING = made(make_creative(brand=BLUE), ADVERTISER)
LIVE = approved(PENDING, REVIEWER)


def edited(creative: Creative, by: Approving = ADVERTISER, **fields: object) -> Creative:
    return changed(creative, replace(creative, version=creative.version + 1, **fields), by)


def test_what_an_advertiser_makes_waits_and_what_an_operator_makes_is_shown() -> None:
    assert PENDING.approval is Approval.PENDING and live_version(PENDING) is None
    own = made(make_creative(), OPERATOR)
    assert live_version(own) == own
    assert [(one.approval, one.automatic, one.api_key) for one in own.reviews] == [
        (Approval.APPROVED, True, 1)
    ]


def test_a_creative_from_before_there_were_approvals_is_still_shown() -> None:
    """As its row was written then, without any of the new fields."""
    old = b'{"type":"Creative","key":1,"campaign_key":2,"template":"cards","brand":{"name":"Shop"}}'
    creative = msgspec.json.decode(old, type=Creative)
    assert live_version(creative) == creative


def test_an_approval_names_who_gave_it_when_and_the_hash_of_what() -> None:
    review = LIVE.reviews[-1]
    assert (review.api_key, review.at_ms, review.version) == (3, NOW_MS + 1, PENDING.version)
    assert review.content_hash == content_hash(PENDING) == content_hash(LIVE)
    assert not review.automatic


@pytest.mark.parametrize(
    "change",
    [
        {"template": "message"},
        {"brand": RED},
        {"offer": Offer(percent=10)},
        {"message": Message("a", "b", "c")},
        {"link": "https://shop.example/"},
        {"language": "fr"},
        {"situations": (Situation.CART,)},
        {"copies": (Copy("Still there"),)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_is_seen_or_followed_changes_the_hash_and_asks_for_another_look(
    change: dict[str, object],
) -> None:
    after = edited(LIVE, **change)
    assert content_hash(after) != content_hash(LIVE)
    assert after.approval is Approval.PENDING
    assert content_of(live_version(after) or after) == content_of(LIVE)


def test_an_edit_of_an_edit_leaves_what_was_approved_on_show() -> None:
    twice = edited(edited(LIVE, brand=RED), brand=Brand("Other"))
    live = live_version(twice)
    assert live is not None and live.brand == BLUE
    assert live.approved is None and live.reviews == ()


def test_putting_back_what_was_approved_needs_no_second_look() -> None:
    back = edited(edited(LIVE, brand=RED), brand=BLUE)
    assert back.approval is Approval.APPROVED and back.approved is None
    assert edited(LIVE).approval is Approval.APPROVED


def test_approving_an_edit_shows_it_and_forgets_the_version_before() -> None:
    after = approved(edited(LIVE, brand=RED), REVIEWER)
    assert live_version(after) == after and after.brand == RED
    assert [one.approval for one in after.reviews] == [Approval.APPROVED] * 2


def test_rejecting_an_edit_leaves_what_was_approved_on_show() -> None:
    after = rejected(edited(LIVE, brand=RED), REVIEWER, "too red")
    live = live_version(after)
    assert after.approval is Approval.REJECTED and live is not None and live.brand == BLUE
    review = last_review(after, Approval.REJECTED)
    assert review is not None and review.reason == "too red"


def test_rejecting_what_is_on_show_or_withdrawing_shows_nothing() -> None:
    assert live_version(rejected(LIVE, REVIEWER, "misleading")) is None
    both = rejected(edited(LIVE, brand=RED), REVIEWER, "misleading", withdraw=True)
    assert live_version(both) is None


@pytest.mark.parametrize("judge", [lambda one: one, lambda one: rejected(one, REVIEWER, "no")])
def test_no_edit_approves_by_itself_what_waits_or_was_refused(
    judge: Callable[[Creative], Creative],
) -> None:
    """Else a colour changed by the operator, or by anybody where all is approved, would let the rest pass."""
    assert edited(judge(PENDING), OPERATOR, brand=RED).approval is Approval.PENDING
    assert edited(LIVE, OPERATOR, brand=RED).approval is Approval.APPROVED


def test_saying_the_same_again_changes_nothing() -> None:
    refused = rejected(PENDING, REVIEWER, "no")
    assert rejected(refused, REVIEWER, "no") is refused
    assert approved(LIVE, REVIEWER) is LIVE
    assert len(rejected(refused, REVIEWER, "still no").reviews) == 2


STEPS = {
    "edit": lambda one, colour: edited(one, brand=Brand("Shop", colour)),
    "own": lambda one, colour: edited(one, OPERATOR, brand=Brand("Shop", colour)),
    "approve": lambda one, _: approved(one, REVIEWER),
    "reject": lambda one, colour: rejected(one, REVIEWER, colour),
    "withdraw": lambda one, colour: rejected(one, REVIEWER, colour, withdraw=True),
}


@given(
    st.lists(st.tuples(st.sampled_from(sorted(STEPS)), st.sampled_from(["#000000", "#ffffff"])), max_size=70)
)
def test_nothing_is_ever_shown_that_was_not_approved(steps: list[tuple[str, str]]) -> None:
    creative = PENDING
    ever_approved = set()
    for name, colour in steps:
        creative = STEPS[name](creative, colour)
        ever_approved |= {one.content_hash for one in creative.reviews if one.approval is Approval.APPROVED}
        live = live_version(creative)
        assert live is None or content_hash(live) in ever_approved
        assert creative.approved is None or creative.approved.approved is None
        assert len(creative.reviews) <= MOST_REVIEWS


def test_a_messages_hash_covers_its_words() -> None:
    words = make_message()
    other = replace(words, message=Message("Free money", "Your form is kept.", "Go on"))
    assert content_hash(words) != content_hash(other)
