"""Whom and what a publisher keeps off its pages."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from adserver.domain.blocks import Blocks, category_path, lies_under
from adserver.domain.eligibility import Refusal
from adserver.domain.house_rules import HouseRules, HouseRulesOf
from adserver.domain.snapshot import Snapshot
from tests.domain.makers import (
    ADVERTISER,
    make_advertiser,
    make_product,
    make_publisher,
    make_site,
    make_slot,
)

BLOCKED, CATEGORY = Refusal.ADVERTISER_BLOCKED, Refusal.CATEGORY_BLOCKED
UNAPPROVED = Refusal.ADVERTISER_NOT_APPROVED


def rules_of(*blocks: Blocks, **advertiser: object) -> HouseRules:
    return HouseRules({ADVERTISER: make_advertiser(**advertiser)}, blocks)


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        (Blocks(advertisers=(ADVERTISER,)), BLOCKED),
        (Blocks(advertisers=(9,)), None),
        (Blocks(domains=("shop.example",)), BLOCKED),
        (Blocks(domains=("www.shop.example",)), BLOCKED),
        (Blocks(domains=("example",)), BLOCKED),
        (Blocks(domains=("workshop.example",)), None),
        (Blocks(only_approved=True), UNAPPROVED),
        (Blocks(only_approved=True, approved=(ADVERTISER,)), None),
        (Blocks(only_approved=True, approved_domains=("shop.example",)), None),
        (Blocks(only_approved=True, approved_domains=("www.shop.example",)), UNAPPROVED),
        (Blocks(only_approved=True, approved=(ADVERTISER,), advertisers=(ADVERTISER,)), BLOCKED),
        (Blocks(categories=("Gambling",)), CATEGORY),
        (Blocks(categories=("gambling >  POKER",)), None),
        (Blocks(categories=("IAB7",)), CATEGORY),
        (Blocks(categories=("IAB7-3",)), None),
    ],
)
def test_an_advertiser_is_kept_off_by_key_domain_category_or_for_want_of_a_yes(
    blocks: Blocks, expected: Refusal | None
) -> None:
    assert rules_of(blocks, categories=("Gambling", "IAB7-39")).refusal(ADVERTISER) is expected


@pytest.mark.parametrize(
    ("fields", "is_hidden"),
    [
        ({}, False),
        ({"google_product_category": "Food & Drink > Wine > Red"}, True),
        ({"product_type": "food & drink>wine"}, True),
        ({"product_type": "Food & Drink > Wineglasses"}, False),
        ({"product_type": "Wine"}, False),
        ({"product_type": "> Food & Drink >> Wine > Red >"}, True),
        ({"google_product_category": "421"}, True),
        ({"google_product_category": "4211"}, False),
    ],
)
def test_a_product_is_hidden_by_a_category_above_it(fields: dict[str, object], is_hidden: bool) -> None:
    rules = rules_of(Blocks(categories=("Food & Drink > Wine", "421")))
    product = make_product(**fields)
    assert rules.hides(product) is is_hidden
    assert (product.key in rules.visible({product.key: product})) is not is_hidden


def test_publisher_site_and_slot_add_up_and_each_that_asks_must_have_said_yes() -> None:
    yes = Blocks(only_approved=True, approved=(ADVERTISER,))
    assert rules_of(yes, yes).refusal(ADVERTISER) is None
    assert rules_of(yes, Blocks(only_approved=True)).refusal(ADVERTISER) is UNAPPROVED
    assert rules_of(yes, Blocks(domains=("shop.example",))).refusal(ADVERTISER) is BLOCKED


@given(st.lists(st.text(" aA>-7", max_size=5), min_size=1, max_size=4))
def test_a_category_lies_under_itself_and_all_above_it(steps: list[str]) -> None:
    path = category_path(" > ".join(steps))
    assume(path)
    assert all(lies_under(path, path[:place]) for place in range(1, len(path) + 1))
    assert not lies_under(path[:-1], path)


def test_rules_follow_each_change_of_slot_site_publisher_and_advertiser() -> None:
    snapshot = Snapshot()
    for entity in (make_advertiser(), make_publisher(), make_site(), make_slot()):
        snapshot.put(entity)
    known = HouseRulesOf(snapshot)
    assert known.at(make_slot(), make_site()) is None
    blocks = Blocks(categories=("Gambling",))
    for entity in (make_publisher(blocks=blocks), make_site(blocks=blocks), make_slot(blocks=blocks)):
        snapshot.put(entity)
        slot, site = snapshot.slots[800], snapshot.sites[80]
        rules = known.at(slot, site)
        assert rules is not None and rules is known.at(slot, site)
        assert rules.refusal(ADVERTISER) is None
        snapshot.put(make_advertiser(categories=("Gambling",), version=2))
        assert rules.refusal(ADVERTISER) is CATEGORY
        for kind in (make_publisher(), make_site(), make_slot(), make_advertiser()):
            snapshot.put(kind)
        assert known.at(snapshot.slots[800], snapshot.sites[80]) is None


def test_slots_with_the_same_wishes_have_their_rules_in_common() -> None:
    snapshot = Snapshot()
    first, second, third = (
        make_slot(),
        make_slot(key=801),
        make_slot(key=802, blocks=Blocks(domains=("x.example",))),
    )
    for entity in (
        make_publisher(blocks=Blocks(categories=("Gambling",))),
        make_site(),
        first,
        second,
        third,
    ):
        snapshot.put(entity)
    known = HouseRulesOf(snapshot)
    rules = known.at(first, make_site())
    assert rules is not None and known.at(second, make_site()) is rules
    assert known.at(third, make_site()) is not rules


def test_an_advertiser_this_worker_has_not_heard_of_is_nobodys_to_judge() -> None:
    assert rules_of(Blocks(only_approved=True)).refusal(999) is None
