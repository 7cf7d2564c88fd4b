"""A rule for item ids is learned from what pages named; it never finds less than was found before."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.feed import FeedRules
from adserver.domain.feed_file import FeedLimits
from adserver.domain.item_id import MOST_CHARACTERS, ItemIdRule, LetterCase
from adserver.domain.item_mapping import (
    LEAST_GAIN,
    MOST_SEEN,
    CatalogueIds,
    MatchedBy,
    Proposal,
    ids_of,
    propose_mapping,
)
from adserver.flows.feed import ReadProducts
from tests.domain.makers import make_product

NUMBERS = tuple(str(number) for number in range(10, 60))


def known(*ids: str, groups: tuple[str, ...] = (), mpns: tuple[str, ...] = ()) -> CatalogueIds:
    return CatalogueIds(ids, frozenset(groups), frozenset(mpns))


def prefixed(prefix: str, ids: tuple[str, ...] = NUMBERS) -> tuple[str, ...]:
    return tuple(prefix + one for one in ids)


STEPS = [
    (ItemIdRule(), "gla_12", "gla_12"),
    (ItemIdRule(strip_prefix="gla_"), "gla_12", "12"),
    (ItemIdRule(strip_prefix="gla_"), "12", "12"),
    (ItemIdRule(strip_prefix="gla_"), "gla_", "gla_"),
    (ItemIdRule(add_prefix="gla_"), "12", "gla_12"),
    (ItemIdRule(add_prefix="gla_"), "gla_12", "gla_12"),
    (ItemIdRule(strip_prefix="wc_post_id_", add_prefix="gla_"), "wc_post_id_12", "gla_12"),
    (ItemIdRule(keep_after_last="_"), "shopify_US_12_34", "34"),
    (ItemIdRule(keep_after_last="_"), "34", "34"),
    (ItemIdRule(letter_case=LetterCase.LOWER), "SKU-1", "sku-1"),
    (ItemIdRule(letter_case=LetterCase.UPPER, add_prefix="SKU-"), "sku-a", "SKU-A"),
    (ItemIdRule(add_prefix="x" * 40), "y" * 61, "y" * 61),
    (ItemIdRule(letter_case=LetterCase.UPPER), "\u00df" * 60, "\u00df" * 60),
]


@pytest.mark.parametrize(("rule", "named", "meant"), STEPS)
def test_a_rule_takes_its_steps_in_order_and_leaves_an_id_it_would_spoil(
    rule: ItemIdRule, named: str, meant: str
) -> None:
    assert rule.apply(named) == meant


LEARNED: list[tuple[tuple[str, ...], CatalogueIds, ItemIdRule]] = [
    (prefixed("gla_"), known(*NUMBERS), ItemIdRule(strip_prefix="gla_")),
    (prefixed("wc_post_id_"), known(*NUMBERS), ItemIdRule(strip_prefix="wc_post_id_")),
    (prefixed("SKU"), known(*NUMBERS), ItemIdRule(strip_prefix="SKU")),
    (NUMBERS, known(*prefixed("gla_")), ItemIdRule(add_prefix="gla_")),
    (prefixed("sku-"), known(*prefixed("SKU-")), ItemIdRule(letter_case=LetterCase.UPPER)),
    (prefixed("Sku-"), known(*prefixed("sku-")), ItemIdRule(letter_case=LetterCase.LOWER)),
    (
        prefixed("wc_post_id_"),
        known(*prefixed("gla_")),
        ItemIdRule(strip_prefix="wc_post_id_", add_prefix="gla_"),
    ),
    (
        tuple(f"shopify_US_{int(one) * 7}_{one}" for one in NUMBERS),
        known(*NUMBERS),
        ItemIdRule(keep_after_last="_"),
    ),
    (
        prefixed("shopify_US_") + prefixed("shopify_FR_"),
        known(*NUMBERS),
        ItemIdRule(keep_after_last="_"),
    ),
]


@pytest.mark.parametrize(("seen", "catalogue", "rule"), LEARNED, ids=lambda value: str(value)[:40])
def test_the_simplest_rule_that_finds_all_is_proposed(
    seen: tuple[str, ...], catalogue: CatalogueIds, rule: ItemIdRule
) -> None:
    assert propose_mapping(seen, catalogue) == Proposal(MatchedBy.RULE, len(seen), len(seen), rule)


ELSEWHERE = [
    (
        MatchedBy.ITEM_GROUP_ID,
        known("1-red", "1-blue", "2-red", "3-red", "4-red", groups=("1", "2", "3", "4")),
    ),
    (MatchedBy.MPN, known("a", "b", "c", "d", mpns=("1", "2", "3", "4"))),
    (MatchedBy.ENDING, known("shopify_US_71_1", "shopify_US_72_2", "shopify_US_73_3", "shopify_US_74_4")),
]


@pytest.mark.parametrize(("by", "catalogue"), ELSEWHERE, ids=lambda value: str(value)[:20])
def test_what_no_rule_can_do_is_told_by_where_the_ids_stand(by: MatchedBy, catalogue: CatalogueIds) -> None:
    assert propose_mapping(["1", "2", "3", "4"], catalogue) == Proposal(by, 4, 4)


def test_nothing_is_proposed_without_a_gain() -> None:
    assert propose_mapping(NUMBERS, known(*NUMBERS)) is None
    assert propose_mapping(["boots", "scarf", "hat"], known(*NUMBERS)) is None
    assert propose_mapping([], known(*NUMBERS)) is None
    assert propose_mapping(NUMBERS, known()) is None
    assert propose_mapping(["gla_10", "gla_11"], known(*NUMBERS)) is None  # two may be chance


def test_a_rule_in_force_is_what_the_next_is_measured_by() -> None:
    gla = ItemIdRule(strip_prefix="gla_")
    assert propose_mapping(prefixed("gla_"), known(*NUMBERS), gla) is None
    assert propose_mapping(NUMBERS, known(*NUMBERS), gla) is None
    wrong = ItemIdRule(add_prefix="gla_")
    assert propose_mapping(NUMBERS, known(*NUMBERS), wrong) == Proposal(
        MatchedBy.RULE, 50, 50, ItemIdRule()
    )  # take it away


def test_of_a_large_catalogue_a_sample_teaches_and_the_whole_decides() -> None:
    asked: list[int] = []

    def existing(ids: object) -> set[str]:
        assert isinstance(ids, set)
        asked.append(len(ids))
        return ids & set(NUMBERS)

    proposal = propose_mapping(prefixed("gla_"), known("70", "80"), existing=existing)
    assert proposal == Proposal(MatchedBy.RULE, 50, 50, ItemIdRule(strip_prefix="gla_"))
    assert len(asked) == 1 and asked[0] < 3_000


def test_a_catalogue_is_known_by_its_ids_groups_and_mpns() -> None:
    products = [make_product("a", item_group_id="g", mpn="M-1"), make_product("b")]
    assert ids_of(products) == known("a", "b", groups=("g",), mpns=("M-1",))


names = st.text(st.sampled_from("aB1_-:"), min_size=1, max_size=12)
parts = st.text(st.sampled_from("aB1_"), max_size=4)
rules = st.builds(
    ItemIdRule,
    keep_after_last=parts,
    strip_prefix=parts,
    add_prefix=parts,
    letter_case=st.sampled_from(LetterCase),
)


@given(seen=st.lists(names, max_size=40), ids=st.lists(names, max_size=40), current=st.none() | rules)
def test_a_proposed_rule_never_finds_less_and_is_always_the_same(
    seen: list[str], ids: list[str], current: ItemIdRule | None
) -> None:
    proposal = propose_mapping(seen, known(*ids), current)
    if proposal is None or proposal.rule is None:
        return
    distinct, present = set(seen), current or ItemIdRule()
    now = sum(present.apply(one) in ids for one in distinct)
    then = sum(proposal.rule.apply(one) in ids for one in distinct)
    assert then == proposal.matched >= now + LEAST_GAIN
    assert proposal == propose_mapping(list(seen), known(*ids), current)


@given(item_id=st.text(min_size=1, max_size=MOST_CHARACTERS), rule=rules)
def test_whatever_a_rule_makes_of_an_id_can_be_an_id(item_id: str, rule: ItemIdRule) -> None:
    assert 0 < len(rule.apply(item_id)) <= MOST_CHARACTERS


# ---- real shops ----

FEEDS = {
    "google_ar_om/google_feed.xml",
    "google_cs/google_feed.xml",
    "google_en_gb/google_feed.xml",
    "google_fr/google-shopping.xml",
    "google_fr2/google-shopping.xml",
    "google_sk/merchant.xml",
}
PAGES: dict[str, Callable[[str], str]] = {
    "gla": "gla_{}".format,
    "woocommerce": "wc_post_id_{}".format,
    "shopify": "shopify_US_{}".format,
    "country": "cz:{}".format,
}


def read(path: Path) -> CatalogueIds:
    with path.open("rb") as file:
        return ids_of(ReadProducts(file, FeedRules(), FeedLimits()))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("feed", sorted(FEEDS))
def test_what_a_shops_software_puts_before_real_ids_is_found_out(
    shared_data: Path, feed: str, page: str
) -> None:
    catalogue = read(shared_data / "feeds" / feed)
    proposal = propose_mapping(map(PAGES[page], catalogue.ids), catalogue)
    assert proposal is not None and proposal.rule is not None
    assert proposal.matched == proposal.of == min(len(catalogue.ids), MOST_SEEN)
    assert all(proposal.rule.apply(PAGES[page](one)) == one for one in catalogue.ids)


def test_real_shops_that_name_their_own_numbers_are_told_so(shared_data: Path) -> None:
    catalogue = read(shared_data / "feeds" / "google_ar_om" / "google_feed.xml")
    proposal = propose_mapping(sorted(catalogue.mpns), catalogue)
    assert proposal is not None and (proposal.by, proposal.rule) == (MatchedBy.MPN, None)
    assert proposal.matched == proposal.of == 129


@pytest.mark.parametrize("feed", ["google_en_gb/google_feed.xml", "google_fr/google-shopping.xml"])
def test_what_a_page_leaves_out_of_real_ids_is_put_back(shared_data: Path, feed: str) -> None:
    catalogue = read(shared_data / "feeds" / feed)
    prefix = {"google_en_gb": "srd_", "google_fr": "bijou-"}[feed.partition("/")[0]]
    seen = [one.removeprefix(prefix) for one in catalogue.ids]
    proposal = propose_mapping(seen, catalogue)
    assert proposal is not None and proposal.rule == ItemIdRule(add_prefix=prefix)
    assert proposal.matched == len(seen)


def test_real_ids_in_capitals_are_found_again(shared_data: Path) -> None:
    catalogue = read(shared_data / "feeds" / "google_en_gb" / "google_feed.xml")
    proposal = propose_mapping([one.upper() for one in catalogue.ids], catalogue)
    assert proposal is not None and proposal.rule == ItemIdRule(letter_case=LetterCase.LOWER)
