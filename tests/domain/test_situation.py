"""Whom words may speak to: the strongest situation first, and never of what is over or not shown."""

import pytest

from adserver.domain.situation import LAPSED_AFTER_MS, Situation, situation_of_cards, situations_of
from adserver.domain.visitor import (
    FORM_RETENTION_MS,
    INTEREST_RETENTION_MS,
    PURCHASE_RETENTION_MS,
    Level,
    Profile,
    Shop,
    fold_event,
)
from pixel.events import EventName
from tests.domain.makers import (
    ADVERTISER,
    DAY_MS,
    NOW_MS,
    make_event,
    make_interest,
    make_product,
    make_purchase,
    make_shop,
)

CART, WISH, VIEW = (
    make_interest(item, level)
    for item, level in (("boots", Level.IN_CART), ("scarf", Level.WISHED), ("hat", Level.VIEWED))
)
OPEN = {"form_started_ms": NOW_MS - 1}
SENT = {"form_started_ms": NOW_MS - 2, "form_submitted_ms": NOW_MS - 1}
LONG_AGO = NOW_MS - LAPSED_AFTER_MS


@pytest.mark.parametrize(
    ("shop", "expected"),
    [
        (make_shop(), []),
        (make_shop(VIEW), ["viewed"]),
        (make_shop(WISH, VIEW), ["wishlist", "viewed"]),
        (make_shop(CART, WISH, VIEW, **OPEN), ["cart", "form_abandoned", "wishlist", "viewed"]),
        (make_shop(**OPEN), ["form_abandoned"]),
        (make_shop(**SENT), []),
        (make_shop(form_started_ms=NOW_MS - FORM_RETENTION_MS), []),
        (make_shop(make_interest("hat", at_ms=NOW_MS - INTEREST_RETENTION_MS)), []),
        (make_shop(make_interest("hat", at_ms=NOW_MS - 5), **SENT), []),
        (make_shop(make_interest("hat", at_ms=NOW_MS), **SENT), ["viewed"]),
        (make_shop(purchases=[make_purchase("boots", LONG_AGO)]), ["lapsed_buyer"]),
        (make_shop(purchases=[make_purchase("boots", LONG_AGO + 1)]), []),
        (make_shop(purchases=[make_purchase("boots", NOW_MS - PURCHASE_RETENTION_MS)]), []),
        (make_shop(purchases=[make_purchase("a", LONG_AGO), make_purchase("b", NOW_MS - DAY_MS)]), []),
        (make_shop(VIEW, purchases=[make_purchase("boots", LONG_AGO)]), ["viewed"]),
        (make_shop(purchases=[make_purchase("boots", LONG_AGO)], **SENT), []),
    ],
)
def test_a_visitors_situations_are_those_that_still_hold(shop: Shop, expected: list[str]) -> None:
    assert list(situations_of(shop, NOW_MS)) == expected


@pytest.mark.parametrize("done", [EventName.FORM_SUBMIT, EventName.GENERATE_LEAD, EventName.SIGN_UP])
def test_whoever_sent_the_form_is_in_no_situation_any_more(done: EventName) -> None:
    profile = Profile(NOW_MS)
    fold_event(profile, ADVERTISER, make_event(EventName.VIEW_ITEM, "loan"), NOW_MS - 3)
    fold_event(profile, ADVERTISER, make_event(EventName.FORM_START), NOW_MS - 2)
    assert Situation.FORM_ABANDONED in situations_of(profile.shops[0], NOW_MS)
    fold_event(profile, ADVERTISER, make_event(done), NOW_MS - 1)
    assert situations_of(profile.shops[0], NOW_MS) == ()


@pytest.mark.parametrize(
    ("first", "fields", "expected"),
    [
        ("boots", {}, Situation.CART),
        ("boots", OPEN, Situation.CART),
        ("scarf", OPEN, Situation.FORM_ABANDONED),
        ("scarf", {}, Situation.WISHLIST),
        ("hat", {}, Situation.VIEWED),
    ],
)
def test_the_words_above_cards_are_of_the_first_card(
    first: str, fields: dict[str, object], expected: Situation
) -> None:
    """The cart's boots may be sold out: then no word of a cart stands above the scarf."""
    shop = make_shop(CART, WISH, VIEW, **fields)
    assert situation_of_cards(shop, (make_product(first),), NOW_MS) is expected
