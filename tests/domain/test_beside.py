"""Slots of one page: nothing twice where there is anything else, competitors never, caps counted at once."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.domain.beside import beyond, decide_beside
from adserver.domain.campaign import FrequencyCap, Period
from adserver.domain.catalogue import Product
from adserver.domain.decision import Candidate, Decision, NoAd, Request
from adserver.domain.eligibility import Refusal
from adserver.domain.page import Answered, Page
from adserver.domain.peace import as_if_seen
from adserver.domain.pricing import AdEvent
from adserver.domain.rivals import are_rivals, rivals_of
from adserver.domain.visitor import Profile, fold_touch
from tests.domain.deciding import decide
from tests.domain.makers import (
    ADVERTISER,
    CAMPAIGN,
    CREATIVE,
    NOW_MS,
    make_advertiser,
    make_campaign,
    make_candidate,
    make_catalogue,
    make_interest,
    make_product,
    make_profile,
    make_request,
    make_shop,
    make_touch,
)
from tests.domain.test_decision_plainly import World

ITEMS = ("boots", "scarf", "coat", "belt")


def decide_on(
    request: Request, profile: Profile, candidates: Sequence[Candidate], products: Mapping[int, Product]
) -> Decision | NoAd:
    return decide_beside(
        request, products, lambda asked, shown: decide(asked, profile, candidates, shown, 0.5)
    )


def decide_in(
    world: World, request: Request, candidates: Sequence[Candidate], products: Mapping[int, Product]
) -> Decision | NoAd:
    return decide_beside(
        request,
        products,
        lambda asked, shown: decide(asked, world.profile, candidates, shown, world.dice, world.around),
    )


def shopper() -> tuple[Profile, dict[int, Product]]:
    return make_profile(make_shop(*map(make_interest, ITEMS))), make_catalogue(*map(make_product, ITEMS))


def fill(places: int, *candidates: Candidate, cards: int = 1) -> list[Decision | NoAd]:
    """The answers of so many slots of one page, each told of those before it."""
    profile, products = shopper()
    answers: list[Decision | NoAd] = []
    for _ in range(places):
        shown = tuple(told(one) for one in answers if isinstance(one, Decision))
        request = make_request(cards=cards, page=Page(answers=shown))
        answers.append(decide_on(request, profile, candidates, products))
    return answers


def told(answer: Decision) -> Answered:
    keys = tuple(product.key for product in answer.products)
    return Answered(answer.campaign.key, answer.campaign.advertiser_key, answer.creative.key, keys)


def items(answers: list[Decision | NoAd]) -> list[str]:
    return [one.item_id for answer in answers if isinstance(answer, Decision) for one in answer.products]


def test_one_campaign_in_four_slots_shows_four_products() -> None:
    assert items(fill(4, make_candidate(make_campaign()))) == list(ITEMS)


def test_where_there_is_nothing_else_the_same_is_shown_again() -> None:
    assert items(fill(5, make_candidate(make_campaign()))) == [*ITEMS, "boots"]


def test_another_campaign_comes_first_though_it_bids_less() -> None:
    rich, poor = (
        make_candidate(make_campaign(key=key, rate_micros=rate)) for key, rate in ((1, 900_000), (2, 500_000))
    )
    answers = fill(3, rich, poor)
    assert [one.campaign.key for one in answers if isinstance(one, Decision)] == [1, 2, 1]
    assert answers[1].refusals == {1: Refusal.SHOWN_BESIDE}
    assert len(set(items(answers))) == 3


def test_of_one_product_each_campaign_shows_it_before_any_shows_it_again() -> None:
    products = make_catalogue(make_product("boots"))
    some = [make_candidate(make_campaign(key=key)) for key in (1, 2, 3)]
    shown: tuple[Answered, ...] = ()
    for _ in range(3):
        answer = decide_on(make_request(page=Page(answers=shown)), shopper()[0], some, products)
        assert isinstance(answer, Decision)
        shown = (*shown, told(answer))
    assert {one.campaign_key for one in shown} == {1, 2, 3}


def test_a_cap_counts_what_the_page_already_shows() -> None:
    capped = make_candidate(make_campaign(frequency_cap=FrequencyCap(2, Period.DAY)))
    answers = fill(3, capped)
    assert [type(one) for one in answers] == [Decision, Decision, NoAd]
    assert set(answers[2].refusals.values()) == {Refusal.FREQUENCY_CAP}


def test_a_competitor_of_what_stands_there_is_kept_off_though_nobody_else_would_answer() -> None:
    profile, products = shopper()
    page = Page(answers=(Answered(5, 50, 500),), rivals=frozenset({ADVERTISER}))
    answer = decide_on(make_request(page=page), profile, [make_candidate(make_campaign())], products)
    assert isinstance(answer, NoAd) and set(answer.refusals.values()) == {Refusal.COMPETITOR_ON_PAGE}


@given(st.integers(0, 100_000))
def test_nothing_stands_twice_on_a_page_of_any_world_where_something_else_could(seed: int) -> None:
    """What would be a repetition was looked for among the others first, and none of them could answer."""
    world = World(seed)
    shown: tuple[Answered, ...] = ()
    for _ in range(3):
        asked = make_request(slot=world.request.slot, cards=1, page=Page(answers=shown))
        answer = decide_in(world, asked, world.candidates, world.catalogue)
        if isinstance(answer, NoAd):
            return
        if answer.campaign.key in {one.campaign_key for one in shown}:
            campaigns = {one.campaign_key for one in shown}
            fresh = [one for one in world.candidates if one.contender.campaign.key not in campaigns]
            others = beyond(world.catalogue, asked.page.products_answered())
            assert isinstance(decide_in(world, asked, fresh, others), NoAd)
        shown = (*shown, told(answer))


# ---- who competes with whom ----

SHOES = {"key": 1, "domains": ("shoes.example",), "categories": ("Apparel > Shoes",)}
BOOTS = {"key": 2, "domains": ("shop.boots.example",), "categories": ("Apparel > Shoes > Boots",)}


@pytest.mark.parametrize(
    ("one", "other", "by_category", "rivals"),
    [
        ({}, {}, False, False),
        ({}, {}, True, True),
        ({"competitors": (2,)}, {}, False, True),
        ({"competitors": (3,)}, {}, False, False),
        ({"competitor_domains": ("boots.example",)}, {}, False, True),
        ({"competitor_domains": ("oots.example",)}, {}, False, False),
        ({"competes_in": ("apparel",)}, {}, False, True),
        ({"competes_in": ("Apparel > Shoes > Boots > Rain",)}, {}, False, True),
        ({"competes_in": ("Wine",)}, {"competes_in": ("Food", "wine > red")}, False, True),
        ({"competes_in": ("Wine",)}, {}, False, False),
        ({"key": 2, "competitors": (2,), "competes_in": ("Apparel",)}, {}, True, False),
        ({"categories": ("Wine",)}, {}, True, False),
    ],
)
def test_two_compete_if_either_says_so_or_the_publisher_goes_by_what_they_sell(
    one: dict[str, object], other: dict[str, object], by_category: bool, rivals: bool
) -> None:
    first, second = make_advertiser(**SHOES | one), make_advertiser(**BOOTS | other)
    assert are_rivals(first, second, by_category) is are_rivals(second, first, by_category) is rivals
    assert bool(rivals_of([first], [second], by_category)) is rivals


def test_rivals_are_found_among_many_though_only_one_of_two_says_so() -> None:
    many = [make_advertiser(key=key, domains=(f"s{key}.example",)) for key in range(10, 30)]
    shown = [make_advertiser(key=1, domains=("one.example",))]
    against = make_advertiser(key=99, domains=("loud.example",), competitor_domains=("one.example",))
    assert rivals_of(shown, [*many, against], False) == {99}


def test_what_a_page_shows_is_counted_once_whether_or_not_it_was_told_by_now() -> None:
    """Else an application that adds slots to its page would be left without ads at half of the caps."""
    profile = Profile(NOW_MS)
    fold_touch(profile, make_touch(AdEvent.IMPRESSION, impression_id=1, at_ms=NOW_MS - 1), ADVERTISER)
    page = [Answered(CAMPAIGN, ADVERTISER, CREATIVE, (), impression_id) for impression_id in (1, 2)]
    (shown,) = as_if_seen(profile, page, NOW_MS).shown
    assert shown.at_ms == [NOW_MS - 1, NOW_MS]
